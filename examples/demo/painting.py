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
"""Quick painting on numpy pictures."""

from __future__ import annotations

import math
import random

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""Rows, columns, rgb."""

OUTLINE = (32, 34, 40)


def paint_link(
    picture: Picture,
    start: tuple[float, float],
    end: tuple[float, float],
    radius: float,
    colour: tuple[int, int, int],
) -> None:
    """Paint a thick outlined line with round ends; equal ends make a disc."""
    border = 2.5
    reach = radius + border
    left, right = sorted((start[0], end[0]))
    top, bottom = sorted((start[1], end[1]))
    height, width = picture.shape[:2]
    x0, x1 = max(math.floor(left - reach), 0), min(math.ceil(right + reach) + 1, width)
    y0, y1 = max(math.floor(top - reach), 0), min(math.ceil(bottom + reach) + 1, height)
    if x0 >= x1 or y0 >= y1:
        return
    box = picture[y0:y1, x0:x1]
    dx = np.arange(x0, x1, dtype=np.float32) - np.float32(start[0])
    dy = np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(start[1])
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    length2 = max(along_x**2 + along_y**2, 1e-6)
    along = dx * np.float32(along_x / length2) + dy * np.float32(along_y / length2)
    np.clip(along, 0.0, 1.0, out=along)
    distance2 = (dx - along * np.float32(along_x)) ** 2
    distance2 += (dy - along * np.float32(along_y)) ** 2
    box[distance2 < reach**2] = OUTLINE
    box[distance2 < radius**2] = colour


def make_texture(height: int, width: int, tint: tuple[int, int, int], seed: str) -> Picture:
    """Return a tinted plane with tiles, soft patches and a little grain."""
    generator = np.random.default_rng(random.Random(seed).getrandbits(64))
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    shade = 14.0 * (rows / height - 0.5)
    for _ in range(6):
        fx, fy = generator.uniform(-6.0, 6.0, 2) / width
        turn = generator.uniform(0.0, 2.0 * math.pi)
        shade += 5.0 * np.sin(2.0 * math.pi * (fx * columns + fy * rows) + turn)
    tile = max(height // 8, 1)
    shade -= 22.0 * ((rows % tile < 2) | (columns % tile < 2))
    shade += generator.normal(0.0, 1.5, (height, width)).astype(np.float32)
    plane = shade[:, :, None] + np.asarray(tint, dtype=np.float32)
    texture: Picture = np.clip(plane, 0.0, 255.0).astype(np.uint8)
    return texture
