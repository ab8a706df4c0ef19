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
A. D. Wilson's lossless depth code RVL (Fast Lossless Depth Image Compression, 2017).

A picture alternates between runs of zeros and runs of other values. Each pair of runs is stored as
both lengths, followed by the difference of each other value from the one before it. Numbers have a
variable length: each nibble holds three bits, the least significant first, and its fourth bit is
set if another nibble follows. Eight nibbles form a word, with the first one in its highest bits.
"""

from __future__ import annotations

from lerobot_streamrec.errors import UndecodableError
import numpy as np
import numpy.typing as npt

_MORE = 8
_MAX_NIBBLES = 11
_MAX_LEVEL = 65535


def decode_rvl(data: memoryview, height: int, width: int) -> npt.NDArray[np.uint16]:
    """
    Decode a picture.

    :param data: whole words, little-endian
    :param height: height of the picture, in pixels
    :param width: width of the picture, in pixels
    :return: ``(height, width)`` uint16
    :raise UndecodableError: if the words do not encode a picture of this size
    """
    numbers = _numbers(data)
    levels = np.zeros(height * width, dtype=np.uint16)
    places, deltas = _runs(numbers, levels.size)
    values = np.cumsum((deltas >> 1) ^ -(deltas & 1))
    if values.size and not 0 <= values.min() <= values.max() <= _MAX_LEVEL:
        raise _undecodable('has levels that do not fit in 16 bits')
    levels[places] = values.astype(np.uint16)
    return levels.reshape(height, width)


def _undecodable(what: str) -> UndecodableError:
    return UndecodableError(f'rvl picture {what}; it is damaged')


def _numbers(data: memoryview) -> npt.NDArray[np.int64]:
    """Return all numbers of variable length."""
    words = np.array(data[: data.nbytes // 4 * 4]).view('<u4')
    octets = words.astype('>u4').view(np.uint8)
    nibbles = np.empty(2 * octets.size, dtype=np.uint8)
    nibbles[0::2], nibbles[1::2] = octets >> 4, octets & 15
    ends = np.flatnonzero(nibbles < _MORE)
    if not ends.size:
        raise _undecodable('holds no number')
    lengths = np.diff(ends, prepend=-1)
    longest = int(lengths.max())
    if longest > _MAX_NIBBLES:
        raise _undecodable('holds a number without end')
    bits = (nibbles & 7).astype(np.int64)
    firsts = ends - lengths + 1
    numbers = bits[firsts]
    # Few numbers have more than two nibbles.
    for place in range(1, longest):
        longer = np.flatnonzero(lengths > place)
        numbers[longer] |= bits[firsts[longer] + place] << (3 * place)
    return numbers


def _runs(
    numbers: npt.NDArray[np.int64], num_pixels: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the pixels whose values are not zero, and their encoded differences."""
    at, pixel = 0, 0
    firsts, pixels, lengths = [], [], []
    while pixel < num_pixels:
        if at + 1 >= numbers.size:
            raise _undecodable(f'ends after {pixel} of {num_pixels} pixels')
        zeros, length = int(numbers[at]), int(numbers[at + 1])
        pixel += zeros
        at += 2
        if not zeros and not length:
            raise _undecodable('holds an empty run')
        if pixel + length > num_pixels or at + length > numbers.size:
            raise _undecodable('has runs beyond its end')
        firsts.append(at)
        pixels.append(pixel)
        lengths.append(length)
        at += length
        pixel += length
    counts = np.array(lengths, dtype=np.int64)
    inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return (
        np.repeat(np.array(pixels, dtype=np.int64), counts) + inside,
        numbers[np.repeat(np.array(firsts, dtype=np.int64), counts) + inside],
    )
