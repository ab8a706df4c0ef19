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
"""Decodes compressed pictures on their way to the encoder."""

from __future__ import annotations

from dataclasses import replace
import logging

from lerobot_streamrec.depth_frame import DepthFrame
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.decoders import Coded, Decoders
from lerobot_streamrec.video.encoder_link import EncoderLink
from lerobot_streamrec.video.encoder_thread import VideoEncoder
from lerobot_streamrec.video.mp4_encoder import EncodedVideo

_log = logging.getLogger(__name__)


class DecodingEncoder(EncoderLink):
    """
    Gives its encoder decoded pictures; others pass as they are. Owned by one thread.

    A picture that cannot be decoded becomes a repeat of the one before it: frames stay rows.

    :param encoder: of frames, both the camera's and libav's, or of depth
    :param video_key: names the camera in the log
    """

    def __init__(self, encoder: VideoEncoder, video_key: str) -> None:
        super().__init__(encoder)
        self._video_key = video_key
        self._decoders = Decoders()
        self._has_picture = False
        self._num_undecodable = 0

    def encode(self, picture: Frame | DepthFrame | Coded) -> None:
        """
        Encode a picture as the next frame.

        :raise UndecodableError: if it is the first one and cannot be decoded
        """
        try:
            if not isinstance(picture, Frame | DepthFrame):
                picture = self._decoders.decode(picture)
        except UndecodableError as error:
            self._repeat_instead(error)
        else:
            self._encoder.encode(picture)
        self._has_picture = True

    def _repeat_instead(self, error: UndecodableError) -> None:
        if not self._has_picture:
            raise UndecodableError(f'the first picture: {error}') from error
        if not self._num_undecodable:
            _log.warning('%s: %s; the one before it is repeated', self._video_key, error)
        self._num_undecodable += 1
        self._encoder.repeat()

    def finish(self) -> EncodedVideo:
        """Close the file and say what is in it."""
        return replace(super().finish(), num_undecodable=self._num_undecodable)
