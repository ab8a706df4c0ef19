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
"""Depth pictures to the codes that a video holds."""

from __future__ import annotations

from typing import Any, Protocol

from lerobot_streamrec.depth_frame import DepthFrame
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.depth_config import DEPTH_PIX_FMT
from lerobot_streamrec.video.depth_quantisation import DepthQuantiser
from lerobot_streamrec.video.encoder_thread import VideoEncoder
from lerobot_streamrec.video.mp4_encoder import EncodedVideo
import numpy.typing as npt


class DepthCounter(Protocol):
    """What sees every picture that is encoded."""

    def push(self, depth: npt.NDArray[Any]) -> None:
        """Count a picture, ``(h, w)`` in its camera's unit."""

    def push_again(self) -> None:
        """Count the last picture once more."""


class DepthEncoder:
    """
    Quantises depth for its encoder, and shows a counter what it was. Owned by one thread.

    :param encoder: of frames in ``gray12le``
    :param quantiser: for the unit of the camera
    :param counter: sees every encoded picture before it is quantised
    :param stride: the counter sees every stride-th pixel in both directions
    """

    def __init__(
        self,
        encoder: VideoEncoder,
        quantiser: DepthQuantiser,
        counter: DepthCounter,
        stride: int,
    ) -> None:
        self._encoder = encoder
        self._quantiser = quantiser
        self._counter = counter
        self._stride = stride

    def encode(self, picture: DepthFrame) -> None:
        """Encode a picture as the next frame, and count it."""
        self._encoder.encode(Frame(self._quantiser.codes(picture), DEPTH_PIX_FMT))
        self._counter.push(picture.values[:: self._stride, :: self._stride])

    def repeat(self) -> None:
        """Encode the last picture once more, and count it once more."""
        self._encoder.repeat()
        self._counter.push_again()

    def finish(self) -> EncodedVideo:
        """Close the file and say what is in it."""
        return self._encoder.finish()

    def abort(self) -> None:
        """Give up; never raises."""
        self._encoder.abort()
