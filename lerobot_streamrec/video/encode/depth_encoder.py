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

from lerobot_streamrec.depth_frame import DepthFrame
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT
from lerobot_streamrec.video.codecs.depth_quantisation import DepthQuantiser
from lerobot_streamrec.video.encode.encoder_link import CountingLink, PictureCounter
from lerobot_streamrec.video.encode.encoder_thread import VideoEncoder


class DepthEncoder(CountingLink):
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
        counter: PictureCounter,
        stride: int,
    ) -> None:
        super().__init__(encoder, counter, stride)
        self._quantiser = quantiser

    def encode(self, picture: DepthFrame) -> None:
        """Encode a picture as the next frame, and count it."""
        self._encoder.encode(Frame(self._quantiser.codes(picture), DEPTH_PIX_FMT))
        self._counter.push(picture.values[:: self._stride, :: self._stride])
