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
"""
What moves in pictures counts as a change, and what the light and the sensor do does not.

Guards the measurement of delays against lamps that flicker, noise, and frames that are repeated.
"""

from __future__ import annotations

from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import CompressedPicture, DepthFrame, Frame, MILLIMETRES
from lerobot_streamrec.video.tools.picture_motion import PictureMotion
import numpy as np
from picture_files import jpeg_file
import pytest

HEIGHT, WIDTH = 240, 320


def scene(left, light=1.0, sigma=0.0, seed=0):
    """Draw a bright square on a textured wall, in the light and noise of one picture."""
    wall = np.random.default_rng(1).uniform(60, 120, (HEIGHT // 8, WIDTH // 8))
    grey = np.kron(wall, np.ones((8, 8)))
    grey[100:140, left : left + 40] = 200
    noise = np.random.default_rng(seed).normal(0, sigma, grey.shape)
    rgb = np.clip(light * grey + noise, 0, 255).astype(np.uint8)
    return np.repeat(rgb[..., None], 3, axis=2)


def changes(scenes, make=lambda rgb: Frame(rgb, 'rgb24')):
    motion = PictureMotion()
    for number, rgb in enumerate(scenes):
        motion.push(number, make(rgb))
    return motion.changes().reshape(-1, 6, 8)


def test_a_change_is_where_something_moves():
    (steps,) = changes([scene(0), scene(20)])
    places = np.argwhere(steps > 0.01)
    # Rows 100 to 140 and columns 0 to 60 of 240 x 320 pixels.
    assert {tuple(one) for one in places.tolist()} <= {(2, 0), (2, 1), (3, 0), (3, 1)}
    assert steps.sum() > 1


def test_light_and_noise_are_no_motion():
    lights = 1 + 0.2 * np.sin(np.arange(30) * 2.1)
    quiet = changes([scene(0, light, 6.0, seed) for seed, light in enumerate(lights)])
    moving = changes([scene(4 * seed, lights[seed], 6.0, seed) for seed in range(30)])
    assert quiet.sum(axis=(1, 2)).max() < 0.1 * moving.sum(axis=(1, 2)).min()


def test_repeats_and_pictures_of_the_past_are_left_out():
    motion = PictureMotion()
    for stamp_ns, left in ((5, 0), (6, 0), (7, 20), (7, 40), (6, 60), (9, 80)):
        motion.push(stamp_ns, Frame(scene(left), 'rgb24'))
    assert motion.stamps_ns.tolist() == [5, 7, 9]
    assert len(motion.changes()) == 2
    assert PictureMotion().changes().shape == (0, 48)


@pytest.mark.parametrize(
    'make',
    [
        lambda rgb: CompressedPicture(
            np.frombuffer(jpeg_file(rgb), np.uint8), 'mjpeg', HEIGHT, WIDTH
        ),
        lambda rgb: DepthFrame(rgb[..., 0].astype(np.uint16) * 10, MILLIMETRES),
        lambda rgb: Frame(np.ascontiguousarray(rgb[..., 0]), 'gray'),
    ],
    ids=['jpeg', 'depth', 'gray'],
)
def test_pictures_of_all_kinds_show_the_same_motion(make):
    scenes = [scene(8 * number) for number in range(12)]
    here, there = changes(scenes).sum(axis=0), changes(scenes, make).sum(axis=0)
    assert np.corrcoef(here.ravel(), there.ravel())[0, 1] > 0.95


def test_many_pictures_are_as_a_few():
    """They are compared a part at a time, and no step between two parts is lost."""
    steps = changes([scene(4 * (number % 60)) for number in range(1100)]).sum(axis=(1, 2))
    assert len(steps) == 1099
    assert steps.min() > 0


def test_a_damaged_picture_is_refused():
    broken = CompressedPicture(np.zeros(100, np.uint8), 'mjpeg', HEIGHT, WIDTH)
    with pytest.raises(UndecodableError):
        PictureMotion().push(1, broken)
