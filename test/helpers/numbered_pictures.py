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
"""Pictures that show their number, so that each frame of a video can be identified."""

from __future__ import annotations

from lerobot_streamrec.frame import Frame
import numpy as np

BLOCK = 16
# The size of the number in a picture.
HEIGHT, WIDTH = 3 * BLOCK, 4 * BLOCK


def numbered_frame(number, height=HEIGHT, width=WIDTH, pix_fmt='rgb24'):
    """Draw a number below 4096 in black and white blocks."""
    bits = np.array([(number >> bit) & 1 for bit in range(12)], np.uint8).reshape(3, 4)
    blocks = np.kron(bits * 255, np.ones((BLOCK, BLOCK), np.uint8))
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: min(height, HEIGHT), : min(width, WIDTH)] = blocks[:height, :width, None]
    return Frame(pixels, pix_fmt)


def number_in(pixels):
    """Read the number back, from colours or from codes of depth."""
    middles = pixels[BLOCK // 2 : HEIGHT : BLOCK, BLOCK // 2 : WIDTH : BLOCK]
    middles = middles.mean(axis=2) if middles.ndim == 3 else middles // 16
    return sum(1 << bit for bit, level in enumerate(middles.ravel()) if level > 127)
