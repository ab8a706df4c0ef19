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
"""Moving pictures to try encoders with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pictures = Callable[[int], npt.NDArray[np.uint8]]
"""Picture k of a sample: ``(height, width, 3)`` uint8 RGB."""

STORED_MARGIN_BYTES = 4096
"""At the end of a file of raw pictures: libav's scaler reads on a little behind a picture."""

_PERIOD = 256
# So far that each picture is unlike the one before, and as far as things move in a camera's.
_STEP = 40
_USUAL_STEP = 4
_SEED = 5
_FINE = 8
_TEXTURE = 48
_NOISE = 5


def moving_pictures(width: int, height: int, step: int = _STEP) -> Pictures:
    """
    Make colours that move with each picture, with some texture.

    Any encoder shows the colours well, so that one that shows something else is found out; without
    texture, software would seem two times as fast as it is. Views of one array: making a picture
    costs nothing.

    :param width: in pixels
    :param height: in pixels
    :param step: how far each picture moves, in pixels
    """
    ramp = np.abs(np.arange(-_PERIOD // 2, _PERIOD // 2)) * 255 // (_PERIOD // 2)
    x = np.arange(width + _PERIOD)
    y = np.arange(height)[:, None]
    colours = np.empty((height, width + _PERIOD, 3), np.int16)
    colours[..., 0] = ramp[x % _PERIOD]
    colours[..., 1] = ramp[(y + x) % _PERIOD]
    colours[..., 2] = ramp[(2 * y - x) % _PERIOD]
    random = np.random.default_rng(_SEED)
    texture = random.integers(-_FINE, _FINE + 1, (height, width + _PERIOD, 1), np.int16)
    painted = np.clip(colours * 7 // 8 + 16 + texture, 0, 255)
    canvas: npt.NDArray[np.uint8] = painted.astype(np.uint8)

    def picture(index: int) -> npt.NDArray[np.uint8]:
        first = index * step % _PERIOD
        return canvas[:, first : first + width]

    return picture


def textured_pictures(width: int, height: int) -> Pictures:
    """
    Make pictures that cost about as much as a camera's: edges, texture and a sensor's noise.

    :param width: in pixels
    :param height: in pixels
    """
    colours = moving_pictures(width, height, _USUAL_STEP)
    random = np.random.default_rng(_SEED)
    blocks = random.integers(-_TEXTURE, _TEXTURE, (height // 12 + 1, width // 12 + 1, 1))
    still = blocks.repeat(12, axis=0).repeat(12, axis=1)[:height, :width]

    def picture(index: int) -> npt.NDArray[np.uint8]:
        noise = random.integers(-_NOISE, _NOISE + 1, (height, width, 3))
        moving = colours(index).astype(np.int64) * 3 // 4 + 32
        return np.clip(moving + still + noise, 0, 255).astype(np.uint8)

    return picture


def stored_pictures(path: Path, num_frames: int, width: int, height: int) -> Pictures:
    """
    Read raw pictures that stand one after the other in a file.

    :param path: the file, with a margin of ``STORED_MARGIN_BYTES``
    :param num_frames: in it
    :param width: in pixels
    :param height: in pixels
    """
    mapped: npt.NDArray[np.uint8] = np.memmap(path, np.uint8, mode='r')
    stored = mapped[: num_frames * height * width * 3].reshape(num_frames, height, width, 3)
    return stored.__getitem__
