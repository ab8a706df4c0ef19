# Copyright 2026 lerobot_streamrec contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Frames that are copied are the same pictures, at their instants, in an ordinary file."""

from __future__ import annotations

from fractions import Fraction

import av
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.video.mp4.concat import concatenate, Segment
from lerobot_streamrec.video.mp4.frame_decoder import decode_rgb
from lerobot_streamrec.video.mp4.packet_index import survey_video
import numpy as np
import pytest

NUM_FRAMES = 21
CODECS = ('libsvtav1', 'h264', 'hevc')


def num_packets(path, fps=30):
    """Count the packets that salvage takes for whole; of what is no video, none are."""
    try:
        return survey_video(path, fps, to_first_error=True).num_frames
    except VideoError:
        return 0


def copy_frames(source, target, num_frames, fps):
    """Copy the first frames, as salvage does."""
    video = survey_video(source, fps, to_first_error=True)
    concatenate([Segment(video, 0, num_frames)], target)


def write_video(path, vcodec='h264', fps=30, num_frames=NUM_FRAMES):
    encoder = Mp4Encoder(path, EncoderConfig(vcodec=vcodec), VideoSpec(96, 64, fps))
    for index in range(num_frames):
        pixels = np.full((64, 96, 3), 10 * index, np.uint8)
        pixels[20:40, 4 * index : 4 * index + 10] = (200, 40, 90)
        encoder.encode(Frame(pixels, 'rgb24'))
    encoder.finish()


@pytest.mark.parametrize('fps', [10, 30, 60])
@pytest.mark.parametrize('vcodec', CODECS)
def test_copied_frames_are_the_same_at_their_instants(vcodec, fps, tmp_path):
    source, target = tmp_path / 'a.mp4', tmp_path / 'b.mp4'
    write_video(source, vcodec, fps)
    copy_frames(source, target, 15, fps)
    before, after = list(decode_rgb(source)), list(decode_rgb(target))
    assert len(after) == num_packets(target, fps) == 15
    np.testing.assert_array_equal(after, before[:15])
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        stamps = [packet.pts * packet.time_base for packet in packets]
        assert stamps == [Fraction(k, fps) for k in range(15)]
        assert stream.codec_context.color_range == 1
        assert stream.average_rate == fps
    assert b'moof' not in target.read_bytes()


@pytest.mark.parametrize('vcodec', CODECS)
def test_a_file_cut_anywhere_shows_whole_frames_alone(vcodec, tmp_path):
    whole, cut = tmp_path / 'whole.mp4', tmp_path / 'cut.mp4'
    # Never closed: it is made of fragments, as a crash leaves it.
    encoder = Mp4Encoder(whole, EncoderConfig(vcodec=vcodec), VideoSpec(96, 64, 30))
    for index in range(80):
        encoder.encode(Frame(np.full((64, 96), 3 * index, np.uint8), 'gray'))
    content = whole.read_bytes()
    encoder.abort()
    for size in range(0, len(content), max(1, len(content) // 25)):
        cut.write_bytes(content[:size])
        levels = [pixels.mean() for pixels in decode_rgb(cut)]
        assert num_packets(cut) == len(levels)
        np.testing.assert_allclose(levels, 3.0 * np.arange(len(levels)), atol=4)
    assert levels


def test_what_is_no_video_has_no_frames(tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'nothing of the kind' * 100)
    assert num_packets(tmp_path / 'a.mp4') == 0
    assert num_packets(tmp_path / 'missing.mp4') == 0
    assert list(decode_rgb(tmp_path / 'missing.mp4')) == []


def test_more_frames_than_there_are_cannot_be_copied(tmp_path):
    write_video(tmp_path / 'a.mp4')
    with pytest.raises(VideoError, match=f'has {NUM_FRAMES} frames; 0 to 21 were requested'):
        copy_frames(tmp_path / 'a.mp4', tmp_path / 'b.mp4', 22, 30)


def test_a_source_that_is_missing_is_named(tmp_path):
    with pytest.raises(VideoError, match=r'missing\.mp4 cannot be read'):
        copy_frames(tmp_path / 'missing.mp4', tmp_path / 'b.mp4', 1, 30)
