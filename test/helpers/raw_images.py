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
Pictures in every encoding of sensor_msgs/image_encodings, made only by numpy.

This module uses neither the recorder nor libav: it implements the messages of cameras
independently, from the definitions of the formats.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

BAYER = ('rggb', 'bggr', 'gbrg', 'grbg')
GRAY = ('mono8', 'mono16', '8UC1')
# The channels in a pixel, as indices into red, green, blue, opaque.
INTERLEAVED = {
    'rgb8': (0, 1, 2),
    'bgr8': (2, 1, 0),
    'rgba8': (0, 1, 2, 3),
    'bgra8': (2, 1, 0, 3),
    '8UC3': (2, 1, 0),
    '8UC4': (2, 1, 0, 3),
    'rgb16': (0, 1, 2),
    'bgr16': (2, 1, 0),
    'rgba16': (0, 1, 2, 3),
    'bgra16': (2, 1, 0, 3),
}
PACKED_YUV = {'yuv422': 'uyvy', 'uyvy': 'uyvy', 'yuv422_yuy2': 'yuyv', 'yuyv': 'yuyv'}
# The number of pixels in a row or column that share their chroma.
SEMI_PLANAR = {'nv12': 2, 'nv21': 2, 'nv24': 1}
MOSAICS = tuple(f'bayer_{pattern}{bits}' for bits in (8, 16) for pattern in BAYER)
ENCODINGS = (*GRAY, *INTERLEAVED, *PACKED_YUV, *SEMI_PLANAR, *MOSAICS)
PADDING_BYTE = 255


def has_16_bits(encoding):
    return encoding.endswith('16')


def image_message(rgb, encoding, padding=0, is_bigendian=0):
    """
    Make the message that a driver publishes for a picture.

    :param rgb: ``(h, w, 3)`` uint8
    :param padding: number of bytes after each row, or after each row of luma with two planes
    """
    planes = _planes(rgb, encoding)
    wide = '>u2' if is_bigendian else '<u2'
    data, step = b'', 0
    for number, plane in enumerate(planes):
        rows = plane.reshape(len(plane), -1)
        if has_16_bits(encoding):
            # The lower byte differs from the upper one, so that exchanged bytes are noticed.
            rows = (rows.astype(np.uint16) * 256 + 128).astype(wide).view(np.uint8)
        step = step or rows.shape[1] + rows.shape[1] % 2 * (len(planes) - 1) + padding
        row_bytes = step if number == 0 else 2 * step // SEMI_PLANAR[encoding]
        after = ((0, 0), (0, row_bytes - rows.shape[1]))
        data += np.pad(rows, after, constant_values=PADDING_BYTE).tobytes()
    return SimpleNamespace(
        height=rgb.shape[0],
        width=rgb.shape[1],
        encoding=encoding,
        is_bigendian=is_bigendian,
        step=step,
        data=data,
    )


def seen_by(rgb, encoding):
    """Return the picture as an encoding can show it: in gray if the encoding is gray."""
    return np.repeat(_gray(rgb)[..., None], 3, 2) if encoding in GRAY else rgb


def _gray(rgb):
    return rgb.mean(axis=2).round().astype(np.uint8)


def _planes(rgb, encoding):
    if encoding in GRAY:
        return [_gray(rgb)]
    if encoding in INTERLEAVED:
        opaque = np.full((*rgb.shape[:2], 1), 255, np.uint8)
        return [np.concatenate([rgb, opaque], axis=2)[..., list(INTERLEAVED[encoding])]]
    if encoding in MOSAICS:
        return [_mosaic(rgb, encoding[6:10])]
    luma, chroma = _yuv(rgb)
    if encoding in PACKED_YUV:
        return [_packed(luma, _mean_of_blocks(chroma, 1, 2), PACKED_YUV[encoding])]
    shared = SEMI_PLANAR[encoding]
    chroma = _levels(_mean_of_blocks(chroma, shared, shared))
    return [_levels(luma), chroma[..., ::-1] if encoding == 'nv21' else chroma]


def _mosaic(rgb, pattern):
    """Keep one colour of each pixel; the pattern names those of a 2x2 cell."""
    mosaic = np.empty(rgb.shape[:2], np.uint8)
    for place, colour in enumerate(pattern):
        at = np.s_[place // 2 :: 2, place % 2 :: 2]
        mosaic[at] = rgb[(*at, 'rgb'.index(colour))]
    return mosaic


def _yuv(rgb):
    """Convert by ITU-R BT.601 in limited range, without rounding."""
    red, green, blue = np.moveaxis(rgb / 255.0, 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = np.stack([(blue - luma) / 1.772, (red - luma) / 1.402], axis=2)
    return 16 + 219 * luma, 128 + 224 * chroma


def _levels(values):
    return values.round().astype(np.uint8)


def _mean_of_blocks(values, height, width):
    """Return the means of blocks; incomplete blocks at the edges are filled by edge pixels."""
    padding = [(0, -values.shape[0] % height), (0, -values.shape[1] % width), (0, 0)]
    padded = np.pad(values, padding, mode='edge')
    rows, columns = padded.shape[0] // height, padded.shape[1] // width
    return padded.reshape(rows, height, columns, width, -1).mean(axis=(1, 3))


def _packed(luma, chroma, order):
    """Return rows of pixel pairs of four bytes each."""
    luma, chroma = _levels(luma), _levels(chroma)
    parts = {'u': [chroma[..., 0]], 'v': [chroma[..., 1]], 'y': [luma[:, 1::2], luma[:, ::2]]}
    return np.stack([parts[name].pop() for name in order], axis=2)
