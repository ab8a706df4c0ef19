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
"""info.json says of a camera's video what the video says itself, in LeRobot's words."""

from __future__ import annotations

from fractions import Fraction

from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.video.mp4.video_info import probe_file, probe_video
import pytest


@pytest.mark.parametrize(
    ('vcodec', 'codec'), [('libsvtav1', 'av1'), ('h264', 'h264'), ('hevc', 'hevc')]
)
def test_a_video_is_described_as_lerobot_does(vcodec, codec, open_encoder, picture):
    encoder = open_encoder(vcodec, fps=24, height=72, width=96)
    encoder.encode(picture((1, 2, 3), height=72, width=96))
    assert probe_video(encoder.finish().path) == {
        'video.height': 72,
        'video.width': 96,
        'video.codec': codec,
        'video.pix_fmt': 'yuv420p',
        'video.fps': 24,
        'video.channels': 3,
        'is_depth_map': False,
        'has_audio': False,
    }


def test_sound_is_described_as_lerobot_does(with_sound):
    info = probe_video(with_sound())
    bit_rate = info.pop('audio.bit_rate')
    assert isinstance(bit_rate, int)
    assert 10_000 < bit_rate < 400_000
    # What LeRobot 0.6.1's get_video_info says of such a file.
    assert {key: value for key, value in info.items() if 'audio' in key} == {
        'has_audio': True,
        'audio.channels': 2,
        'audio.codec': 'aac',
        'audio.sample_rate': 44100,
        'audio.bit_depth': 32,
        'audio.channel_layout': 'stereo',
    }
    assert info['video.codec'] == 'h264'


def test_the_length_of_a_file_is_exact(open_encoder, picture):
    encoder = open_encoder('h264', fps=30)
    for level in range(7):
        encoder.encode(picture((level, 2, 3)))
    video = encoder.finish()
    probe = probe_file(video.path)
    assert (probe.duration_s, probe.num_frames) == (Fraction(7, 30), 7)
    assert (probe.size_bytes, probe.missing_bytes) == (video.path.stat().st_size, 0)
    assert probe.as_json()['duration_s'] == 7 / 30
    assert probe.as_json()['info'] == probe_video(video.path)


def test_frames_that_were_cut_off_are_not_counted(moving_video, cut_video):
    whole = moving_video()
    probe = probe_file(cut_video(whole, share=0.9))
    assert 0 < probe.num_frames < probe_file(whole).num_frames
    assert 0 < probe.missing_bytes < whole.stat().st_size


def test_a_file_with_sound_alone_is_no_video(with_sound):
    with pytest.raises(DatasetCorruptError, match='there is audio in it, but no video'):
        probe_video(with_sound('sound.m4a', has_video=False))
    with pytest.raises(DatasetCorruptError, match='there is audio in it, but no video'):
        probe_file(with_sound('sound.m4a', has_video=False))


@pytest.mark.parametrize('content', [b'', b'no video at all' * 100])
def test_what_is_no_video_is_named(content, tmp_path):
    path = tmp_path / 'broken.mp4'
    path.write_bytes(content)
    with pytest.raises(DatasetCorruptError, match=r'broken\.mp4'):
        probe_video(path)
    with pytest.raises(DatasetCorruptError, match=r'missing\.mp4'):
        probe_video(tmp_path / 'missing.mp4')
