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
"""Joining videos by packet copy: every frame at its instant, every pixel as it was."""

from __future__ import annotations

from fractions import Fraction

import av
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.video.mp4.concat import concatenate, Segment
from lerobot_streamrec.video.mp4.packet_index import compatibility, cut_problem, survey_video
import numpy as np
import pytest

B_FRAMES = {
    'h264': ('libx264', {'g': '10', 'bf': '3', 'b-pyramid': 'normal'}),
    'hevc': ('libx265', {'x265-params': 'log-level=error:keyint=10:bframes=3:open-gop=0'}),
    'open': ('libx265', {'x265-params': 'log-level=error:keyint=6:min-keyint=6:bframes=3'}),
    'av1': ('libsvtav1', {'g': '10', 'preset': '10'}),
}


@pytest.fixture
def encode(tmp_path):
    """Encode moving pictures as others do: reordered frames, long distances of key frames."""

    def make(name, num_frames=12, *, codec='h264', fps=30, seed=0, height=48):
        path = tmp_path / name
        encoder, options = B_FRAMES[codec]
        with av.open(str(path), 'w') as container:
            stream = container.add_stream(encoder, rate=fps, options=options)
            stream.width, stream.height, stream.pix_fmt = 64, height, 'yuv420p'
            stream.codec_context.colorspace, stream.codec_context.color_range = 6, 1
            chance = np.random.default_rng(seed)
            noise = chance.integers(0, 255, (height, 64 + num_frames, 3)).astype(np.uint8)
            for index in range(num_frames):
                pixels = np.ascontiguousarray(noise[:, index : index + 64])
                frame = av.VideoFrame.from_ndarray(pixels, format='rgb24')
                frame.pts, frame.time_base = index, Fraction(1, fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


def assert_shows(path, frames, fps, decode):
    found = decode(path)
    assert [one.at for one in found] == [Fraction(k, fps) for k in range(len(frames))]
    for one, expected in zip(found, frames, strict=True):
        assert one.duration == Fraction(1, fps)
        np.testing.assert_array_equal(one.pixels, expected.pixels)


@pytest.mark.parametrize('fps', [10, 29, 30, 50])
@pytest.mark.parametrize('codec', ['h264', 'hevc', 'av1'])
def test_joined_videos_show_the_same_frames_at_the_right_instants(
    codec, fps, encode, decode, tmp_path
):
    paths = [encode(f'{k}.mp4', 7 + k, codec=codec, fps=fps, seed=k) for k in range(3)]
    surveys = [survey_video(path, fps) for path in paths]
    target = tmp_path / 'joined.mp4'
    sizes = []
    done = concatenate([Segment(one, 0, one.num_frames) for one in surveys], target, sizes.append)
    assert done == 24
    assert 0 < sum(sizes) <= sum(path.stat().st_size for path in paths)
    assert_shows(target, [frame for path in paths for frame in decode(path)], fps, decode)
    again = survey_video(target, fps)
    assert again.num_frames == 24
    assert compatibility(surveys[0], again) == ''
    with av.open(str(target)) as container:
        assert container.streams.video[0].base_rate == fps
        assert container.streams.video[0].codec_context.colorspace == 6
    content = target.read_bytes()
    assert content.index(b'moov') < content.index(b'mdat')
    assert b'moof' not in content


def test_our_own_fragments_become_an_ordinary_file(open_encoder, picture, decode, tmp_path):
    paths = []
    for name, level in (('a.mp4', 40), ('b.mp4', 200)):
        encoder = open_encoder(name=name)
        for step in range(5):
            encoder.encode(picture((level, level + step, 9)))
        paths.append(encoder.finish().path)
    surveys = [survey_video(path, 30) for path in paths]
    target = tmp_path / 'joined.mp4'
    concatenate([Segment(one, 0, 5) for one in surveys], target)
    assert_shows(target, [frame for path in paths for frame in decode(path)], 30, decode)


@pytest.mark.parametrize('codec', ['h264', 'hevc', 'av1'])
def test_segments_between_key_frames_can_be_cut_out(codec, encode, decode, tmp_path):
    path = encode('long.mp4', 35, codec=codec)
    video = survey_video(path, 30)
    keys = sorted(video.order[place] for place in video.key_packets)
    assert len(keys) > 2
    first, second = keys[1], keys[2]
    target = tmp_path / 'cut.mp4'
    concatenate([Segment(video, second, 35 - second), Segment(video, 0, first)], target)
    frames = decode(path)
    assert_shows(target, [*frames[second:], *frames[:first]], 30, decode)


def test_a_cut_that_would_break_frames_is_refused(encode, tmp_path):
    video = survey_video(encode('long.mp4', 35), 30)
    assert 'no key frame' in cut_problem(video, 1, 3)
    assert 'depend on frames beyond the cut' in cut_problem(video, 0, 2)
    assert 'has 35 frames; 30 to 35 were requested' in cut_problem(video, 30, 6)
    assert cut_problem(video, 0, 35) == ''
    with pytest.raises(VideoError, match='no key frame'):
        concatenate([Segment(video, 1, 3)], tmp_path / 'cut.mp4')
    assert not (tmp_path / 'cut.mp4').exists()


def test_leading_pictures_of_an_open_group_are_not_cut_off(encode):
    video = survey_video(encode('open.mp4', 30, codec='open'), 30)
    leading = [
        video.order[place]
        for place in sorted(video.key_packets)
        if any(frame < video.order[place] for frame in video.order[place + 1 :])
    ]
    assert leading, 'the encoder made no open group'
    for frame in leading:
        assert 'depend on frames beyond the cut' in cut_problem(video, frame, 30 - frame)


def test_what_cannot_be_joined_is_named(encode, tmp_path):
    videos = [
        survey_video(encode('a.mp4'), 30),
        survey_video(encode('b.mp4', height=64), 30),
        survey_video(encode('c.mp4', codec='hevc'), 30),
    ]
    assert compatibility(videos[0], videos[1]) == 'their size differs: 64x48 and 64x64'
    assert compatibility(videos[0], videos[2]) == 'their codec differs: h264 and hevc'
    with pytest.raises(VideoError, match='cannot be joined: their size differs'):
        concatenate([Segment(one, 0, 12) for one in videos], tmp_path / 'joined.mp4')


def test_a_file_that_cannot_be_read_any_more_is_named(encode, tmp_path):
    kept, gone = (survey_video(encode(name), 30) for name in ('kept.mp4', 'gone.mp4'))
    gone.path.unlink()
    whole = [Segment(one, 0, one.num_frames) for one in (kept, gone)]
    with pytest.raises(VideoError, match=r'gone\.mp4 cannot be read: .*No such file'):
        concatenate(whole, tmp_path / 'joined.mp4')


def test_frames_off_the_grid_are_refused(encode, tmp_path):
    path = encode('a.mp4', fps=30)
    with pytest.raises(VideoError, match='which is no multiple of 1/25 s'):
        survey_video(path, 25)
    with pytest.raises(VideoError, match='not at 0, 1/60'):
        survey_video(path, 60)
    with pytest.raises(VideoError, match='cannot be read as a video'):
        survey_video(tmp_path / 'none.mp4', 30)
