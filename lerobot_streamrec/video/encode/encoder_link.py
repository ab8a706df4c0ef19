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
"""Links of an encoder chain that quantise depth and count pixels for the statistics."""

from __future__ import annotations

from typing import Any, Protocol

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from lerobot_streamrec.depth_frame import DepthFrame
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT, DepthQuantiser
from lerobot_streamrec.video.codecs.pixels import rgb_pixels
from lerobot_streamrec.video.encode.encoder_thread import VideoEncoder
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
import numpy.typing as npt


class EncoderLink:
    """
    Forwards every call to the next encoder; subclasses add ``encode``. Owned by one thread.

    :param encoder: the rest of the chain
    """

    def __init__(self, encoder: VideoEncoder) -> None:
        self._encoder = encoder

    def repeat(self) -> None:
        """Encode the last picture once more."""
        self._encoder.repeat()

    @property
    def num_written(self) -> int:
        """The number of frames in the file."""
        return self._encoder.num_written

    def finish(self) -> EncodedVideo:
        """Close the file and return its description."""
        return self._encoder.finish()

    def abort(self) -> None:
        """Stop encoding and close the file as it is. Never raises."""
        self._encoder.abort()


class PictureCounter(Protocol):
    """The receiver of every encoded picture, such as a histogram."""

    def push(self, pixels: npt.NDArray[Any], /) -> None:
        """Count a picture: ``(h, w, 3)`` RGB, or ``(h, w)`` depth in the camera's unit."""

    def push_again(self) -> None:
        """Count the last picture once more."""


class CountingLink(EncoderLink):
    """
    The base of links that pass the encoded pictures to a counter.

    :param encoder: the rest of the chain
    :param counter: receives every encoded picture
    :param stride: the counter receives every stride-th pixel in both directions
    """

    def __init__(self, encoder: VideoEncoder, counter: PictureCounter, stride: int) -> None:
        super().__init__(encoder)
        self._counter = counter
        self._stride = stride

    def repeat(self) -> None:
        """Encode and count the last picture once more."""
        super().repeat()
        self._counter.push_again()


class CountingEncoder(CountingLink):
    """
    Counts red, green and blue of the encoded pictures. Owned by one thread.

    :param encoder: encoder of frames
    :param counter: receives every encoded picture
    :param stride: the counter receives every stride-th pixel in both directions
    """

    def __init__(self, encoder: VideoEncoder, counter: PictureCounter, stride: int) -> None:
        super().__init__(encoder, counter, stride)
        self._scaler = VideoReformatter()

    def encode(self, picture: Frame | VideoFrame) -> None:
        """Encode a picture as the next frame, and count it."""
        self._encoder.encode(picture)
        self._counter.push(rgb_pixels(picture, self._stride, self._scaler))


class DepthEncoder(CountingLink):
    """
    Quantises depth for its encoder, and counts the original depth. Owned by one thread.

    :param encoder: encoder of frames in ``gray12le``
    :param quantiser: quantiser for the camera's unit
    :param counter: receives every encoded picture before it is quantised
    :param stride: the counter receives every stride-th pixel in both directions
    """

    def __init__(
        self,
        encoder: VideoEncoder,
        quantiser: DepthQuantiser,
        counter: PictureCounter,
        stride: int,
    ) -> None:
        super().__init__(encoder, counter, stride)
        self._quantiser = quantiser

    def encode(self, picture: DepthFrame) -> None:
        """Encode a picture as the next frame, and count it."""
        self._encoder.encode(Frame(self._quantiser.codes(picture), DEPTH_PIX_FMT))
        self._counter.push(picture.values[:: self._stride, :: self._stride])
