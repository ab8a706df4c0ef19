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
"""The encodings of sensor_msgs/image_encodings that carry a picture, and how their pixels lie."""

from __future__ import annotations

from dataclasses import dataclass

from lerobot_streamrec.errors import UnsupportedEncodingError


@dataclass(frozen=True, slots=True)
class Layout:
    """
    How the pixels of an encoding lie in memory.

    :param pix_fmt: FFmpeg's name of the pixel format; without the byte order if samples have two
        bytes
    :param channels: samples of a pixel, in the first plane
    :param sample_bytes: 1 or 2; with one, ``is_bigendian`` means nothing
    :param is_paired: whether neighbours in a row share samples, so that the width has to be even
    :param chroma_step: of semi-planar formats, how many pixels of a row or column share a pair of
        the second plane; 0: there is no second plane
    """

    pix_fmt: str
    channels: int
    sample_bytes: int = 1
    is_paired: bool = False
    chroma_step: int = 0


_UYVY = Layout('uyvy422', 2, is_paired=True)
_YUYV = Layout('yuyv422', 2, is_paired=True)
_BAYER_PATTERNS = ('rggb', 'bggr', 'gbrg', 'grbg')

_LAYOUTS = {
    'rgb8': Layout('rgb24', 3),
    'bgr8': Layout('bgr24', 3),
    'mono8': Layout('gray', 1),
    'rgba8': Layout('rgba', 4),
    'bgra8': Layout('bgra', 4),
    'mono16': Layout('gray16', 1, 2),
    # What has a type and no order of colours is read as OpenCV and rviz do.
    '8UC1': Layout('gray', 1),
    '8UC3': Layout('bgr24', 3),
    '8UC4': Layout('bgra', 4),
    'rgb16': Layout('rgb48', 3, 2),
    'bgr16': Layout('bgr48', 3, 2),
    'rgba16': Layout('rgba64', 4, 2),
    'bgra16': Layout('bgra64', 4, 2),
    'yuv422': _UYVY,
    'uyvy': _UYVY,
    'yuv422_yuy2': _YUYV,
    'yuyv': _YUYV,
    'nv12': Layout('nv12', 1, chroma_step=2),
    'nv21': Layout('nv21', 1, chroma_step=2),
    'nv24': Layout('nv24', 1, chroma_step=1),
    **{
        f'bayer_{pattern}{bits}': Layout(
            f'bayer_{pattern}{bits}', 1, bits // 8, is_paired=True
        )
        for bits in (8, 16)
        for pattern in _BAYER_PATTERNS
    },
}

_DEPTH = ('16UC1', '32FC1')

ENCODINGS = tuple(_LAYOUTS)
"""Image encodings that are understood."""


def layout_of(encoding: str, parameter: str) -> Layout:
    """
    Look an encoding up.

    :param encoding: what the message says
    :param parameter: prefix of the camera's parameters, for the message of the error
    :raise UnsupportedEncodingError: if it is not one of ``ENCODINGS``
    """
    refuse_depth(encoding, parameter)
    try:
        return _LAYOUTS[encoding]
    except KeyError:
        raise UnsupportedEncodingError(encoding, list(ENCODINGS)) from None


def refuse_depth(encoding: str, parameter: str) -> None:
    """
    Refuse what is no picture.

    :param encoding: what the message says
    :param parameter: prefix of the camera's parameters, for the message of the error
    :raise UnsupportedEncodingError: if it is depth
    """
    if encoding in _DEPTH:
        raise UnsupportedEncodingError(
            encoding,
            list(ENCODINGS),
            f'is depth by REP 118: set {parameter}.depth: true, or have the camera publish '
            'mono16 if it is a picture',
        )
