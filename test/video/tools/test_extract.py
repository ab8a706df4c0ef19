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
"""Frames as PNG files: numbered by frame, exact, and never mixed with others."""

from __future__ import annotations

from lerobot_streamrec.errors import ConfigError, VideoError
from lerobot_streamrec.video.codecs.depth_config import depth_of_codes, DepthConfig
from lerobot_streamrec.video.tools.extract import Choice, extract_frames
import numpy as np
from PIL import Image
import pytest


def pictures_in(folder):
    return {path.name: np.array(Image.open(path)) for path in sorted(folder.iterdir())}


@pytest.mark.parametrize('codec', ['h264', 'open', 'av1'])
def test_every_frame_becomes_a_picture_of_its_pixels(codec, moving_video, pixels_of, tmp_path):
    path, folder = moving_video(num_frames=20, codec=codec), tmp_path / 'frames'
    told = []
    number = extract_frames(path, folder, progress=lambda done, total: told.append((done, total)))
    found = pictures_in(folder)
    assert number == len(found) == 20
    for index, pixels in enumerate(pixels_of(path)):
        np.testing.assert_array_equal(found[f'frame-{index:06d}.png'], pixels)
    assert told == [(done, 20) for done in range(1, 21)]
    assert sorted(one.name for one in tmp_path.iterdir()) == ['frames', 'moving.mp4']


@pytest.mark.parametrize('config', [None, DepthConfig(depth_max=3.0, use_log=False)])
def test_depth_has_16_bits_of_millimetres(config, moving_video, pixels_of, tmp_path):
    path, folder = moving_video(num_frames=4, codec='depth'), tmp_path / 'frames'
    extract_frames(path, folder, depth=config)
    millimetres = depth_of_codes(config or DepthConfig(), 'mm').astype(np.uint16)
    for index, codes in enumerate(pixels_of(path)):
        with Image.open(folder / f'frame-{index:06d}.png') as picture:
            assert picture.mode.startswith('I;16')
            np.testing.assert_array_equal(np.array(picture), millimetres[codes])


@pytest.mark.parametrize(
    ('choice', 'numbers'),
    [
        (Choice(every=7), range(0, 40, 7)),
        (Choice(start_s=0.5), range(15, 40)),
        (Choice(end_s=0.5), range(15)),
        (Choice(every=10, start_s=0.1, end_s=1.0), [3, 13, 23]),
        (Choice(start_s=39 / 30, end_s=99), [39]),
    ],
)
def test_files_are_numbered_by_frame(choice, numbers, moving_video, pixels_of, tmp_path):
    path, folder = moving_video(), tmp_path / 'frames'
    assert extract_frames(path, folder, choice) == len(numbers)
    frames = pixels_of(path)
    found = pictures_in(folder)
    assert list(found) == [f'frame-{number:06d}.png' for number in numbers]
    for number in numbers:
        np.testing.assert_array_equal(found[f'frame-{number:06d}.png'], frames[number])


def test_pictures_are_not_mixed_with_files_that_are_there(moving_video, tmp_path):
    path, folder = moving_video(num_frames=3), tmp_path / 'frames'
    folder.mkdir()
    extract_frames(path, folder)
    with pytest.raises(VideoError, match='frames already holds files'):
        extract_frames(path, folder)
    with pytest.raises(VideoError, match='is not a folder'):
        extract_frames(path, path)
    with pytest.raises(VideoError, match=r'the folder .* does not exist'):
        extract_frames(path, tmp_path / 'none' / 'frames')
    assert len(pictures_in(folder)) == 3


def test_nothing_is_left_of_a_failure(moving_video, cut_video, tmp_path):
    path, folder = moving_video(), tmp_path / 'frames'
    broken = tmp_path / 'broken.mp4'
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 500] = bytes(500)
    broken.write_bytes(content)
    for source, choice, said in (
        (path, Choice(start_s=9), r'moving\.mp4 has no frame from 9 s on'),
        (broken, Choice(), r'broken\.mp4 cannot be decoded'),
        (cut_video(path), Choice(), r'cut\.mp4 cannot be decoded after 0\.\d+ s'),
        (tmp_path / 'none.mp4', Choice(), r'none\.mp4 cannot be read as a video'),
    ):
        with pytest.raises(VideoError, match=said):
            extract_frames(source, folder, choice)
    names = sorted(one.name for one in tmp_path.iterdir())
    assert names == ['broken.mp4', 'cut.mp4', 'moving.mp4']


@pytest.mark.parametrize(
    ('settings', 'said'),
    [
        ({'every': 0}, 'every is 0'),
        ({'start_s': -1}, 'start_s is -1'),
        ({'end_s': float('nan')}, 'end_s is nan'),
        ({'start_s': 2, 'end_s': 1}, 'end_s is 1: it must be after the start'),
        ({'end_s': 0}, 'end_s is 0'),
    ],
)
def test_choices_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        Choice(**settings)
