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
"""Conversion of a picture to libav's frame in the pixel format of a video."""

from __future__ import annotations

from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT
import numpy as np
import numpy.typing as npt

# libswscale's SWS_BICUBIC and SWS_ACCURATE_RND; PyAV before 18 has a name only for the first.
# Without accurate rounding, the fast path for bgr24 is up to four levels too dark.
SCALER_FLAGS = 0x4 | 0x40000

# AVCOL_SPC_SMPTE170M of AVColorSpace, and two values of AVColorRange. The scaler produces them and
# the file states them. LeRobot's own files have the same colours but do not state it.
MATRIX_BT601 = 6
RANGE_LIMITED = 1
RANGE_FULL = 2

YUV_PIX_FMTS = ('uyvy422', 'yuyv422', 'nv12', 'nv21', 'nv24')
"""Pixel formats of cameras that send YUV: BT.601 in limited range, as UVC and V4L2 define."""

_PLANAR = 'yuv420p'
# A camera's and a codec's format that hold the same numbers in another order.
_SAME_PIXELS = (('nv12', _PLANAR), ('nv21', _PLANAR))


def video_frame(frame: Frame, scaler: VideoReformatter) -> VideoFrame:
    """
    Convert a picture to libav's frame, without a copy where PyAV can use its memory.

    :param frame: a picture in one of ``PIX_FMTS``, or depth codes
    :param scaler: converter of Bayer mosaics; reusing it saves time
    :return: libav's frame, which keeps the picture's memory alive; a Bayer mosaic becomes RGB
    """
    if frame.pix_fmt in YUV_PIX_FMTS:
        made = _copied(frame)
        made.colorspace, made.color_range = MATRIX_BT601, RANGE_LIMITED
        return made
    made = _view_of(frame) if frame.pixels.flags.aligned else _copied(frame)
    if frame.pix_fmt.startswith('bayer_'):
        return rgb_frame(made, scaler)
    return made


def rgb_frame(frame: VideoFrame, scaler: VideoReformatter) -> VideoFrame:
    """
    Convert to rgb24.

    Bayer mosaics need this step: if libav converts them directly to another format, the result is
    off by up to 40 levels.
    """
    return scaled(frame, 'rgb24', ColorRange.JPEG, scaler)


def scaled(
    frame: VideoFrame, pix_fmt: str, color_range: ColorRange, scaler: VideoReformatter
) -> VideoFrame:
    """
    Convert to another pixel format with the BT.601 matrix.

    :param pix_fmt: FFmpeg's name of the pixel format
    :param color_range: colour range of the result
    """
    return scaler.reformat(
        frame,
        format=pix_fmt,
        src_color_range=range_of(frame),
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=color_range,
        interpolation=SCALER_FLAGS,
    )


def range_of(frame: VideoFrame) -> int:
    """Return a frame's colour range for the scaler; older PyAV ignores its field and format."""
    if frame.color_range in (RANGE_LIMITED, RANGE_FULL):
        return int(frame.color_range)
    is_limited = frame.format.name.startswith(('yuv4', 'nv')) or frame.format.name in YUV_PIX_FMTS
    return RANGE_LIMITED if is_limited else RANGE_FULL


def plane_array(frame: VideoFrame, index: int) -> npt.NDArray[np.uint8]:
    """
    Return a view of one plane of libav's frame.

    :return: ``(rows, line_size)`` uint8 view, including padding
    """
    plane = frame.planes[index]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)


def _view_of(frame: Frame) -> VideoFrame:
    pixels = frame.pixels
    if pixels.dtype.itemsize == 2:
        # The format's name states the byte order, but PyAV accepts only this machine's dtype.
        pixels = pixels.view(np.uint16)
    return VideoFrame.from_numpy_buffer(pixels, format=frame.pix_fmt)


def _copied(frame: Frame) -> VideoFrame:
    made = VideoFrame(frame.width, frame.height, frame.pix_fmt)
    for index, pixels in enumerate((frame.pixels, frame.chroma)):
        if pixels is not None:
            rows = pixels.view(np.uint8).reshape(len(pixels), -1)
            plane_array(made, index)[: len(rows), : rows.shape[1]] = rows
    return made


def _planar(frame: Frame) -> VideoFrame:
    """Take the two colours of a semi-planar picture apart, which libav does five times slower."""
    assert frame.chroma is not None
    made = VideoFrame(frame.width, frame.height, _PLANAR)
    first, second = (1, 2) if frame.pix_fmt == 'nv12' else (2, 1)
    for index, pixels in (
        (0, frame.pixels),
        (first, frame.chroma[..., 0]),
        (second, frame.chroma[..., 1]),
    ):
        plane_array(made, index)[: len(pixels), : pixels.shape[1]] = pixels
    made.colorspace, made.color_range = MATRIX_BT601, RANGE_LIMITED
    return made


class FrameScaler:
    """
    Converts pictures to frames for the codec: BT.601 in limited range, as the file states.

    Converting its own frames again does not change them. Depth codes are not colours and stay
    unchanged. Owned by one thread.

    :param pix_fmt: FFmpeg's pixel format of the video
    """

    def __init__(self, pix_fmt: str) -> None:
        self._pix_fmt = pix_fmt
        self._scaler = VideoReformatter()
        self._opener = VideoReformatter()

    def scale(self, picture: Frame | VideoFrame) -> VideoFrame:
        """
        Convert a picture to a frame for the codec.

        :param picture: the picture that the camera sent, or libav's frame of it
        :raise av.FFmpegError: if libav cannot convert it
        """
        if isinstance(picture, Frame) and (picture.pix_fmt, self._pix_fmt) in _SAME_PIXELS:
            return _planar(picture)
        source = video_frame(picture, self._opener) if isinstance(picture, Frame) else picture
        if source.format.name == DEPTH_PIX_FMT:
            return source
        made = scaled(source, self._pix_fmt, ColorRange.MPEG, self._scaler)
        # A decoded frame keeps its picture type, which the codec would take as an order.
        made.pict_type = PictureType.NONE
        return made
