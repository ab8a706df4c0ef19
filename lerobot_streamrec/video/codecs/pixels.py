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
"""The red, green and blue values of a picture in any pixel format."""

from __future__ import annotations

from typing import Any

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.video_frame import (
    MATRIX_BT601,
    plane_array,
    RANGE_FULL,
    RANGE_LIMITED,
    rgb_frame,
    video_frame,
    YUV_PIX_FMTS,
)
import numpy as np
import numpy.typing as npt

_Plane = npt.NDArray[np.uint8]

# The places of red, green and blue among the bytes of a pixel.
_CHANNELS = {
    'rgb24': (0, 1, 2),
    'bgr24': (2, 1, 0),
    'rgba': (0, 1, 2),
    'bgra': (2, 1, 0),
    'gray': (0, 0, 0),
}
_16_BITS = tuple(
    f'{name}{order}'
    for name in ('gray16', 'rgb48', 'bgr48', 'rgba64', 'bgra64')
    for order in ('le', 'be')
)
_BAYER = tuple(
    f'bayer_{pattern}{bits}'
    for pattern in ('rggb', 'bggr', 'gbrg', 'grbg')
    for bits in ('8', '16le', '16be')
)
# The places of luma and the two chromas among the four bytes of two packed 4:2:2 pixels.
_PACKED = {'uyvy422': (1, 0, 2), 'yuyv422': (0, 1, 3)}
# The formats to which libav decodes JPEG: 8 bits, three planes, full range if there is a j.
_PLANAR = tuple(f'{yuv}{sides}p' for yuv in ('yuv', 'yuvj') for sides in (420, 422, 440, 444))

PIX_FMTS = (*_CHANNELS, *_16_BITS, *YUV_PIX_FMTS, *_BAYER)
"""The pixel formats that a frame may have."""


def rgb_pixels(
    frame: Frame | VideoFrame, stride: int = 1, scaler: VideoReformatter | None = None
) -> npt.NDArray[np.uint8]:
    """
    Return every stride-th pixel in both directions.

    libav's scaler converts the colours, as it does for the encoder.

    :param frame: a camera's picture in one of ``PIX_FMTS``, or libav's frame
    :param stride: distance of the returned pixels; 1 returns all
    :param scaler: converter; reusing one for all pictures of a camera saves time. None creates one
    :return: ``(h, w, 3)`` uint8 RGB, a small copy
    """
    if isinstance(frame, VideoFrame):
        return _rgb_of_decoded(frame, stride, scaler or VideoReformatter())
    if frame.pix_fmt in _CHANNELS:
        pixels = frame.pixels[::stride, ::stride].astype(np.uint8, copy=False)
        if pixels.ndim == 2:
            pixels = pixels[..., None]
        return pixels[..., list(_CHANNELS[frame.pix_fmt])]
    scaler = scaler or VideoReformatter()
    if frame.pix_fmt in YUV_PIX_FMTS:
        return _array(rgb_frame(_yuv_frame(*_yuv_lattice(frame, stride)), scaler))
    if frame.pix_fmt in _16_BITS:
        lattice: npt.NDArray[Any] = np.ascontiguousarray(frame.pixels[::stride, ::stride])
        return _array(rgb_frame(video_frame(Frame(lattice, frame.pix_fmt), scaler), scaler))
    # Pixels of a Bayer mosaic get colours from their neighbours, so the whole is converted.
    return _array(video_frame(frame, scaler))[::stride, ::stride]


def _rgb_of_decoded(
    frame: VideoFrame, stride: int, scaler: VideoReformatter
) -> npt.NDArray[np.uint8]:
    if frame.format.name not in _PLANAR:
        return _array(rgb_frame(frame, scaler))[::stride, ::stride]
    planes = []
    for index, plane in enumerate(frame.planes):
        rows = _at_chroma(frame.height, plane.height, stride)
        columns = _at_chroma(frame.width, plane.width, stride)
        planes.append(plane_array(frame, index)[rows][:, columns])
    is_full = frame.color_range == RANGE_FULL or frame.format.name.startswith('yuvj')
    lattice = _yuv_frame(*planes, is_full=is_full)
    lattice.colorspace = frame.colorspace
    return _array(rgb_frame(lattice, scaler))


def _yuv_lattice(frame: Frame, stride: int) -> tuple[_Plane, _Plane, _Plane]:
    """Return luma and both chromas of every stride-th pixel, in three arrays of one shape."""
    pixels = frame.pixels.astype(np.uint8, copy=False)
    if frame.chroma is None:
        luma, first, second = _PACKED[frame.pix_fmt]
        pairs = pixels.reshape(frame.height, frame.width // 2, 4)[::stride]
        columns = np.arange(0, frame.width, stride) // 2
        return (
            pixels[::stride, ::stride, luma % 2],
            pairs[:, columns, first],
            pairs[:, columns, second],
        )
    rows = _at_chroma(frame.height, len(frame.chroma), stride)
    chroma = frame.chroma[rows][:, _at_chroma(frame.width, frame.chroma.shape[1], stride)]
    first, second = (1, 0) if frame.pix_fmt == 'nv21' else (0, 1)
    return pixels[::stride, ::stride], chroma[..., first], chroma[..., second]


def _at_chroma(num_pixels: int, num_chroma: int, stride: int) -> npt.NDArray[np.int64]:
    """Return the index of the chroma sample of every stride-th pixel along one side."""
    return np.arange(0, num_pixels, stride, dtype=np.int64) // -(-num_pixels // num_chroma)


def _yuv_frame(*planes: _Plane, is_full: bool = False) -> VideoFrame:
    height, width = planes[0].shape
    # Older PyAV recognises full range only by the j.
    made = VideoFrame(width, height, 'yuvj444p' if is_full else 'yuv444p')
    made.colorspace = MATRIX_BT601
    made.color_range = RANGE_FULL if is_full else RANGE_LIMITED
    for index, plane in enumerate(planes):
        plane_array(made, index)[:height, :width] = plane
    return made


def _array(frame: VideoFrame) -> npt.NDArray[np.uint8]:
    return frame.to_ndarray().astype(np.uint8, copy=False)
