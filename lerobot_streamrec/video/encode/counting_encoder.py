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
"""Counts the pixels of every picture on its way to the encoder."""

from __future__ import annotations

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.pixels import rgb_pixels
from lerobot_streamrec.video.encode.encoder_link import CountingLink, PictureCounter
from lerobot_streamrec.video.encode.encoder_thread import VideoEncoder


class CountingEncoder(CountingLink):
    """
    Counts red, green and blue of what its encoder encodes. Owned by one thread.

    :param encoder: of frames
    :param counter: sees every encoded picture
    :param stride: the counter sees every stride-th pixel in both directions
    """

    def __init__(self, encoder: VideoEncoder, counter: PictureCounter, stride: int) -> None:
        super().__init__(encoder, counter, stride)
        self._scaler = VideoReformatter()

    def encode(self, picture: Frame | VideoFrame) -> None:
        """Encode a picture as the next frame, and count it."""
        self._encoder.encode(picture)
        self._counter.push(rgb_pixels(picture, self._stride, self._scaler))
