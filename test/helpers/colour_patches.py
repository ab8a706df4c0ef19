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
"""A picture of colour patches on a gradient, for conversions that may blur edges."""

from __future__ import annotations

import numpy as np

PATCHES = (
    (0, 0, 0),
    (255, 255, 255),
    (220, 30, 40),
    (30, 180, 60),
    (40, 60, 210),
    (200, 200, 60),
    (20, 200, 200),
    (200, 20, 200),
)
PATCH = 16
# Pixels this near to an edge mix the colours of both sides.
BLURRED = 4


def draw(height, width):
    """Draw colour patches on a gradient; return the picture and a mask of pixels off the edges."""
    row, column = np.mgrid[0:height, 0:width]
    slope = (row + column) / (height + width)
    rgb = np.stack([40 + 170 * column / width, 40 + 170 * row / height, 200 - 150 * slope], axis=2)
    is_edge = np.ones((height, width), bool)
    is_edge[2 * PATCH :] = is_edge[:, 4 * PATCH :] = False
    is_edge = grown(is_edge, BLURRED)
    for number, colour in enumerate(PATCHES):
        top, left = PATCH * (number // 4), PATCH * (number % 4)
        patch = np.s_[top : top + PATCH, left : left + PATCH]
        rgb[patch] = colour
        is_edge[patch][BLURRED:-BLURRED, BLURRED:-BLURRED] = False
    # The last row and column of a mosaic lack the neighbours that complete their colours.
    is_edge[-BLURRED:] = is_edge[:, -BLURRED:] = True
    return rgb.round().astype(np.uint8), ~is_edge


def grown(mask, by):
    wide = np.pad(mask, by)
    around = range(2 * by + 1)
    height, width = mask.shape
    return np.any([wide[r : r + height, c : c + width] for r in around for c in around], axis=0)
