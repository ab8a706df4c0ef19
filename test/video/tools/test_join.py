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
"""Joining files as a tool: all or nothing, and a reason that names both files."""

from __future__ import annotations

from fractions import Fraction

from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.video.mp4.video_info import probe_file
from lerobot_streamrec.video.tools.join import join_videos
import numpy as np
import pytest


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize('codec', ['h264', 'av1', 'depth'])
def test_files_are_shown_one_after_the_other(codec, moving_video, pixels_of, tmp_path):
    paths = [moving_video(f'{seed}.mp4', 9 + seed, codec=codec, seed=seed) for seed in range(3)]
    told = []
    target = tmp_path / 'joined.mp4'
    made = join_videos(paths, target, progress=lambda done, total: told.append((done, total)))
    assert (made.path, made.num_frames) == (target, 30)
    assert made.size_bytes == target.stat().st_size
    expected = [pixels for path in paths for pixels in pixels_of(path)]
    np.testing.assert_array_equal(pixels_of(target), expected)
    assert probe_file(target).duration_s == Fraction(30, 30)
    total = sum(path.stat().st_size for path in paths)
    assert {one[1] for one in told} == {total}
    assert told == sorted(told)
    assert 0.5 * total < told[-1][0] <= total
    assert left_in(tmp_path) == ['0.mp4', '1.mp4', '2.mp4', 'joined.mp4']


@pytest.mark.parametrize(
    ('other', 'reason'),
    [
        ({'height': 64}, 'their size differs: 64x48 and 64x64'),
        ({'codec': 'hevc'}, 'their codec differs: h264 and hevc'),
        (
            {'codec': 'close'},
            'their codec headers differ: they were encoded with different settings',
        ),
    ],
)
def test_files_of_other_kinds_are_named_both(other, reason, moving_video, tmp_path):
    paths = [moving_video('a.mp4', 5), moving_video('b.mp4', 5), moving_video('c.mp4', 5, **other)]
    with pytest.raises(VideoError, match=rf'/a\.mp4 and /.*c\.mp4 cannot be joined: {reason}'):
        join_videos(paths, tmp_path / 'joined.mp4')
    assert left_in(tmp_path) == ['a.mp4', 'b.mp4', 'c.mp4']


def test_another_rate_is_refused(moving_video, tmp_path):
    paths = [moving_video('a.mp4', 5), moving_video('b.mp4', 5, fps=25)]
    with pytest.raises(VideoError, match=r'b\.mp4 has a frame at 0\.16.* no multiple of 1/30 s'):
        join_videos(paths, tmp_path / 'joined.mp4')


def test_a_rate_that_is_no_whole_number_is_refused(moving_video, tmp_path):
    path = moving_video('a.mp4', 5, fps=Fraction(30000, 1001))
    with pytest.raises(VideoError, match=r'a\.mp4 has 30000/1001 frames per second; a whole'):
        join_videos([path], tmp_path / 'joined.mp4')


def test_sound_is_not_lost_silently(moving_video, with_sound, tmp_path):
    with pytest.raises(VideoError, match=r'sound\.mp4 holds 2 streams; .* sound would be lost'):
        join_videos([with_sound()], tmp_path / 'joined.mp4')
    with pytest.raises(VideoError, match='there is no video in it'):
        join_videos([with_sound('sound.m4a', has_video=False)], tmp_path / 'joined.mp4')


def test_what_is_there_is_replaced_only_if_that_is_asked_for(moving_video, pixels_of, tmp_path):
    path, target = moving_video('a.mp4', 5), tmp_path / 'joined.mp4'
    target.write_bytes(b'mine')
    with pytest.raises(VideoError, match=r'joined\.mp4 already exists'):
        join_videos([path], target)
    assert target.read_bytes() == b'mine'
    # Even a file that is read may be replaced: it is whole until the new one is.
    join_videos([path, path], target, overwrite=True)
    join_videos([target, path], target, overwrite=True)
    np.testing.assert_array_equal(pixels_of(target), pixels_of(path) * 3)
    assert left_in(tmp_path) == ['a.mp4', 'joined.mp4']


def test_names_that_cannot_be_used_are_told(moving_video, tmp_path):
    path = moving_video('a.mp4', 5)
    broken = tmp_path / 'broken.mp4'
    broken.write_bytes(b'no video' * 100)
    for paths, target, said in (
        ([], 'x.mp4', 'there is nothing to join'),
        ([path], 'none/x.mp4', 'the folder .* does not exist'),
        ([path], '.', 'is a folder'),
        ([path, broken], 'x.mp4', r'broken\.mp4 cannot be read as a video'),
        ([path, tmp_path / 'none.mp4'], 'x.mp4', r'none\.mp4 cannot be read as a video'),
    ):
        with pytest.raises(VideoError, match=said):
            join_videos(paths, tmp_path / target)
    assert left_in(tmp_path) == ['a.mp4', 'broken.mp4']
