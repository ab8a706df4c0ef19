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
"""Compressed depth pictures, written only from the specifications of their formats."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def png(levels):
    """Write a picture of 16 or 8 bits, as the levels have."""
    height, width = levels.shape
    depth = 8 * levels.dtype.itemsize
    lines = levels.astype(levels.dtype.newbyteorder('>'))
    raw = b''.join(b'\0' + line.tobytes() for line in lines)
    chunks = (
        (b'IHDR', struct.pack('>IIBBBBB', width, height, depth, 0, 0, 0, 0)),
        (b'IDAT', zlib.compress(raw)),
        (b'IEND', b''),
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
        for name, data in chunks
    )


def rvl(levels):
    """Write runs and differences as sequences of nibbles."""
    nibbles = []

    def put(number):
        while True:
            low, number = number & 7, number >> 3
            nibbles.append(low | (8 if number else 0))
            if not number:
                return

    left, before = levels.ravel().tolist(), 0
    while left:
        zeros = next((at for at, one in enumerate(left) if one), len(left))
        left = left[zeros:]
        others = next((at for at, one in enumerate(left) if not one), len(left))
        put(zeros)
        put(others)
        for one in left[:others]:
            delta, before = one - before, one
            put(2 * delta if delta >= 0 else -2 * delta - 1)
        left = left[others:]
    nibbles += [0] * (-len(nibbles) % 8)
    words = np.array(nibbles, np.uint32).reshape(-1, 8)
    shifts = np.arange(28, -4, -4, dtype=np.uint32)
    return (words << shifts).sum(axis=1).astype('<u4').tobytes()


def inverse_levels(metres, a, b):
    """Write metres as their inverses; 0 for missing depth and depth too far for a level."""
    with np.errstate(divide='ignore', invalid='ignore'):
        levels = np.rint(a / metres + b)
    levels[~((levels >= 1) & (levels <= 65535))] = 0
    return levels.astype(np.uint16)
