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
"""libav's frame of a picture, scaled to the size and format of a video."""

from __future__ import annotations

from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT
import numpy as np
import numpy.typing as npt

# libswscale's SWS_BICUBIC and SWS_ACCURATE_RND, of which PyAV before 18 names only the first.
# Without accurate rounding, the quick path for bgr24 is up to four levels too dark.
SCALER_FLAGS = 0x4 | 0x40000

# AVColorSpace AVCOL_SPC_SMPTE170M and AVColorRange: what the scaler is told to make is what a file
# says. LeRobot's own files are the same, but say nothing.
MATRIX_BT601 = 6
RANGE_LIMITED = 1
RANGE_FULL = 2

YUV_PIX_FMTS = ('uyvy422', 'yuyv422', 'nv12', 'nv21', 'nv24')
"""Pixel formats of cameras that send YUV: BT.601 in limited range, as UVC and V4L2 say."""


def video_frame(frame: Frame, scaler: VideoReformatter) -> VideoFrame:
    """
    Make libav's frame of a picture, without a copy where PyAV can look at its memory.

    :param frame: a picture in one of ``PIX_FMTS``, or codes of depth
    :param scaler: for Bayer mosaics; quicker if it is the same every time
    :return: keeps the picture's memory alive; Bayer mosaics are RGB already
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

    What libav makes of a Bayer mosaic in one step, without RGB in between, is off by up to 40
    levels.
    """
    return scaled(frame, 'rgb24', ColorRange.JPEG, scaler)


def scaled(
    frame: VideoFrame, pix_fmt: str, color_range: ColorRange, scaler: VideoReformatter
) -> VideoFrame:
    """
    Convert to another pixel format, by BT.601.

    :param pix_fmt: FFmpeg's name
    :param color_range: colour range of the result
    """
    return scaler.reformat(
        frame,
        format=pix_fmt,
        src_color_range=_range_of(frame),
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=color_range,
        interpolation=SCALER_FLAGS,
    )


def _range_of(frame: VideoFrame) -> int:
    """Return what range a frame has; older PyAV looks at neither its word nor its format."""
    if frame.color_range in (RANGE_LIMITED, RANGE_FULL):
        return int(frame.color_range)
    is_limited = frame.format.name.startswith(('yuv4', 'nv')) or frame.format.name in YUV_PIX_FMTS
    return RANGE_LIMITED if is_limited else RANGE_FULL


def plane_array(frame: VideoFrame, index: int) -> npt.NDArray[np.uint8]:
    """
    Look at a plane of libav's frame.

    :return: ``(rows, line_size)`` uint8 view, padding included
    """
    plane = frame.planes[index]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)


def _view_of(frame: Frame) -> VideoFrame:
    pixels = frame.pixels
    if pixels.dtype.itemsize == 2:
        # The same bytes: their order stands in the format's name, PyAV wants this machine's.
        pixels = pixels.view(np.uint16)
    return VideoFrame.from_numpy_buffer(pixels, format=frame.pix_fmt)


def _copied(frame: Frame) -> VideoFrame:
    made = VideoFrame(frame.width, frame.height, frame.pix_fmt)
    for index, pixels in enumerate((frame.pixels, frame.chroma)):
        if pixels is not None:
            rows = pixels.view(np.uint8).reshape(len(pixels), -1)
            plane_array(made, index)[: len(rows), : rows.shape[1]] = rows
    return made


class FrameScaler:
    """
    Makes codecs' frames of pictures: BT.601 in limited range, as the file says.

    A frame that it has made goes through once more without a change. Codes of depth are no
    colours, and stay as they are. Owned by one thread.

    :param pix_fmt: FFmpeg's pixel format of the video
    """

    def __init__(self, pix_fmt: str) -> None:
        self._pix_fmt = pix_fmt
        self._scaler = VideoReformatter()
        self._opener = VideoReformatter()

    def scale(self, picture: Frame | VideoFrame) -> VideoFrame:
        """
        Make a codec's frame.

        :param picture: as the camera sent it, or as libav decoded it
        :raise av.FFmpegError: if libav cannot
        """
        source = video_frame(picture, self._opener) if isinstance(picture, Frame) else picture
        if source.format.name == DEPTH_PIX_FMT:
            return source
        made = scaled(source, self._pix_fmt, ColorRange.MPEG, self._scaler)
        # A decoded picture says that it was a key frame, which the codec would take for an order.
        made.pict_type = PictureType.NONE
        return made
