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
"""Small JPEGs and small grey copies of pictures: previews, thumbnails, and what moves."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import DepthFrame, Frame, Picture
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT
from lerobot_streamrec.video.codecs.video_frame import plane_array, range_of, video_frame
from lerobot_streamrec.video.encode.decoders import Decoders, is_coded
import numpy as np
import numpy.typing as npt

# libswscale's SWS_FAST_BILINEAR, which takes about half as long as its area filter; PyAV before 18
# has no name for it.
_SCALER_FLAGS = 0x1
# SWS_AREA: the mean of all pixels that become one.
_AREA_FLAGS = 0x20
# For so few pixels, waking other threads costs more than they save. PyAV before 17 starts none.
_ONE_THREAD: dict[str, Any] = {'threads': 1} if int(av.__version__.split('.')[0]) >= 17 else {}
_PIX_FMT = 'yuvj420p'
# FFmpeg's scale of quantisers, 1 (best) to 31: about 10 kB for 320x240 pixels of a real scene.
_QUANTISER = '4'
# The nearest and farthest hundredths of a depth picture are mostly errors of measurement, and
# would leave few grey levels to the scene.
_SHARES = (1.0, 99.0)
# Measured depth is never as black as unmeasured depth.
_DARKEST, _BRIGHTEST = 40, 255
_PERCENTILE_PIXELS = 5000


class _SmallPictures:
    """
    Opens the pictures of one camera, and makes them small. Owned by one thread.

    A depth picture becomes grey: the nearer, the darker, with the range of its own distances,
    and black where nothing was measured.

    :param width_px: width in pixels of what is made
    """

    def __init__(self, width_px: int) -> None:
        self._width_px = width_px
        self._decoders = Decoders()
        self._opener = VideoReformatter()
        self._scaler = VideoReformatter()

    def _opened(self, picture: Picture | VideoFrame) -> VideoFrame:
        opened: Any = self._decoders.decode(picture) if is_coded(picture) else picture
        if isinstance(opened, VideoFrame) and opened.format.name == DEPTH_PIX_FMT:
            codes = plane_array(opened, 0).view('<u2')[: opened.height, : opened.width]
            opened = self._grey(codes)
        elif isinstance(opened, DepthFrame):
            opened = self._grey(opened.values)
        return video_frame(opened, self._opener) if isinstance(opened, Frame) else opened

    def _grey(self, depth: npt.NDArray[Any]) -> Frame:
        """Return depth in grey, reduced already as far as whole steps between pixels go."""
        stride = max(1, depth.shape[1] // self._width_px)
        return Frame(grey_of_depth(depth[::stride, ::stride]), 'gray')

    def _scaled(
        self, frame: VideoFrame, width: int, height: int, pix_fmt: str, flags: int
    ) -> VideoFrame:
        return self._scaler.reformat(
            frame,
            width=width,
            height=height,
            format=pix_fmt,
            src_color_range=range_of(frame),
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.JPEG,
            interpolation=flags,
            **_ONE_THREAD,
        )


class GreyMaker(_SmallPictures):
    """
    Makes small grey pictures of one size, whatever the shape of the camera's. Owned by one thread.

    Each grey is the mean of all pixels around it, so that hardly any noise is left.

    :param width_px: width in pixels
    :param height_px: height in pixels
    """

    def __init__(self, width_px: int, height_px: int) -> None:
        super().__init__(width_px)
        self._height_px = height_px

    def grey(self, picture: Picture | VideoFrame) -> npt.NDArray[np.uint8]:
        """
        Make a small grey picture.

        :param picture: a picture as a camera sends it, or libav's frame of a video
        :return: ``(height_px, width_px)``
        :raise UndecodableError: if the picture is damaged, or cannot be converted
        """
        try:
            small = self._scaled(
                self._opened(picture), self._width_px, self._height_px, 'gray', _AREA_FLAGS
            )
        except UndecodableError:
            raise
        except (av.FFmpegError, ValueError) as error:
            raise UndecodableError(f'a picture cannot be converted to grey: {error}') from error
        return plane_array(small, 0)[: self._height_px, : self._width_px].copy()


class JpegMaker(_SmallPictures):
    """
    Makes small JPEGs of the pictures of one camera. Owned by one thread.

    :param width_px: width of the JPEGs in pixels; narrower pictures keep their own width
    :param quantiser: loss on FFmpeg's scale, 1 (best) to 31
    """

    def __init__(self, width_px: int, quantiser: str = _QUANTISER) -> None:
        super().__init__(width_px)
        self._quantiser = quantiser
        self._encoder: av.VideoCodecContext | None = None
        self._num_made = 0

    def jpeg(self, picture: Picture | VideoFrame) -> bytes:
        """
        Make a JPEG of a picture, with its aspect ratio.

        :param picture: a picture as a camera sends it (of video packets a key frame), or libav's
            frame of a video, with colours or depth codes
        :return: the whole file
        :raise UndecodableError: if the picture is damaged, or cannot be converted
        """
        try:
            return self._encoded(self._small(self._opened(picture)))
        except UndecodableError:
            raise
        except (av.FFmpegError, ValueError) as error:
            raise UndecodableError(
                f'no JPEG can be made of a picture of {picture.width}x{picture.height} pixels: '
                f'{error}'
            ) from error

    def _small(self, frame: VideoFrame) -> VideoFrame:
        width = min(self._width_px, frame.width)
        height = max(1, round(frame.height * width / frame.width))
        small = self._scaled(frame, width, height, _PIX_FMT, _SCALER_FLAGS)
        # A decoded frame keeps its picture type, which the encoder would take as an order.
        small.pict_type = PictureType.NONE
        return small

    def _encoded(self, small: VideoFrame) -> bytes:
        encoder = self._encoder
        if encoder is None or (encoder.width, encoder.height) != (small.width, small.height):
            self._encoder = encoder = _open_encoder(small, self._quantiser)
        # libav refuses a picture that is not later than the one before.
        self._num_made += 1
        small.pts, small.time_base = self._num_made, encoder.time_base
        return b''.join(bytes(packet) for packet in encoder.encode(small))


def jpeg_of(picture: Picture | VideoFrame, width_px: int) -> bytes:
    """
    Make a small JPEG of a single picture; see ``JpegMaker``.

    :param picture: a picture as a camera sends it, or libav's frame of a video
    :param width_px: width in pixels; a narrower picture keeps its own width
    :raise UndecodableError: if the picture is damaged, or cannot be converted
    """
    return JpegMaker(width_px).jpeg(picture)


def grey_of_depth(depth: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """
    Show depth in grey: the nearer, the darker, as rqt and RViz do.

    :param depth: ``(height, width)`` numbers that grow with the distance; 0, negative numbers, NaN
        and infinity are unmeasured
    :return: ``(height, width)`` uint8, contiguous; 0 where nothing was measured
    """
    values = depth.astype(np.float32)
    is_measured = np.isfinite(values) & (values > 0)
    measured = values[is_measured]
    if not measured.size:
        return np.zeros(depth.shape, np.uint8)
    some = measured[:: max(1, measured.size // _PERCENTILE_PIXELS)]
    near, far = np.percentile(some, _SHARES)
    # Outside of the measured pixels, the numbers mean nothing.
    values[~is_measured] = near
    share = np.clip((values - near) / max(far - near, np.finfo(np.float32).tiny), 0.0, 1.0)
    grey: npt.NDArray[np.uint8]
    grey = np.rint(_DARKEST + (_BRIGHTEST - _DARKEST) * share).astype(np.uint8)
    grey[~is_measured] = 0
    return grey


def _open_encoder(small: VideoFrame, quantiser: str) -> av.VideoCodecContext:
    encoder = av.CodecContext.create('mjpeg', 'w')
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = small.width, small.height, _PIX_FMT
    encoder.time_base = Fraction(1, 1000)
    # Every picture has to come back at once; threads would hold some back.
    encoder.thread_count = 1
    # Codes made for each picture would take longer and save a sixth of its size.
    encoder.options = {'qmin': quantiser, 'qmax': quantiser, 'huffman': 'default'}
    return encoder
