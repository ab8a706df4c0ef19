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
"""Encoder links that decode compressed pictures, or only check that they decode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import logging
from typing import Any

from lerobot_streamrec.depth_frame import DepthFrame
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import Frame, Picture
from lerobot_streamrec.video.encode.decoders import Coded, Decoders, is_coded
from lerobot_streamrec.video.encode.encoder_link import EncoderLink
from lerobot_streamrec.video.encode.encoder_thread import VideoEncoder
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.encode.picture_fitness import NUM_RECENT
from lerobot_streamrec.video.encode.unwritten_frames import EncoderAccount

_log = logging.getLogger(__name__)


class DecodingEncoder(EncoderLink):
    """
    Decodes compressed pictures for its encoder and passes on raw ones. Owned by one thread.

    A picture that cannot be decoded becomes a repeat of the frame before, so that every row keeps
    its frame.

    :param encoder: encoder of camera frames and libav's frames, or of depth
    :param video_key: names the camera in the log
    :param account: records pictures that cannot be decoded
    :param begin: encodes the picture that preceded the first one; called if the first one is a
        repeat or cannot be decoded. None if no picture preceded it
    """

    def __init__(
        self,
        encoder: VideoEncoder,
        video_key: str,
        account: EncoderAccount | None = None,
        begin: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(encoder)
        self._video_key = video_key
        self._decoders = Decoders()
        self._account = account or EncoderAccount()
        self._begin = begin
        self._has_picture = False
        self._num_undecodable = 0
        self._num_in_a_row = 0
        self._was_lost = False

    def encode(self, picture: Frame | DepthFrame | Coded) -> None:
        """
        Encode a picture as the next frame.

        :raise UndecodableError: if the first picture cannot be decoded and no picture preceded it
        """
        try:
            whole = self._whole(picture)
        except UndecodableError as error:
            self._repeat_instead(error)
        else:
            self._encoder.encode(whole)
            self._note_whole()
        self._has_picture = True

    def repeat(self) -> None:
        """Encode the last picture once more."""
        if self._has_picture or self._begin is None:
            super().repeat()
        else:
            self._begin()
        self._has_picture = True

    def _whole(self, picture: Frame | DepthFrame | Coded) -> Any:
        """Return the picture for the encoder; raise UndecodableError if it is damaged."""
        return self._decoders.decode(picture) if is_coded(picture) else picture

    def _repeat_instead(self, error: UndecodableError) -> None:
        if not self._has_picture and self._begin is None:
            raise UndecodableError(f'the first picture: {error}') from error
        if not self._num_undecodable:
            _log.warning('%s: %s; the frame before it is repeated', self._video_key, error)
        self._num_undecodable += 1
        self._num_in_a_row += 1
        self._account.num_undecodable = self._num_undecodable
        if self._num_in_a_row == NUM_RECENT:
            self._note_lost(error)
        self.repeat()

    def _note_lost(self, error: UndecodableError) -> None:
        self._account.undecodable = (
            f'its pictures cannot be decoded any more, and the last good one is repeated: '
            f'{error}'
        )
        # Repeated failures of a camera are logged once; the status and the counts show the rest.
        if not self._was_lost:
            _log.error('%s: %s', self._video_key, self._account.undecodable)
        self._was_lost = True

    def _note_whole(self) -> None:
        if self._account.undecodable:
            self._account.undecodable = ''
            _log.warning(
                '%s: its pictures can be decoded again, after %d in a row that could not',
                self._video_key,
                self._num_in_a_row,
            )
        self._num_in_a_row = 0

    def finish(self) -> EncodedVideo:
        """Close the file and return its description."""
        return replace(super().finish(), num_undecodable=self._num_undecodable)


class CheckingEncoder(DecodingEncoder):
    """
    Passes pictures on unchanged, and decodes some of them only to check that they are intact.

    It decodes the first picture, then every ``every``-th, and after a damaged one each picture
    until one is intact. A picture that is found damaged becomes a repeat of the frame before;
    other damage shows when the pictures are encoded.

    :param encoder: encoder of the pictures as the camera sent them
    :param video_key: names the camera in the log
    :param account: records pictures that cannot be decoded
    :param begin: encodes the picture that preceded the first one, as in ``DecodingEncoder``
    :param every: decodes one of this many pictures
    """

    def __init__(
        self,
        encoder: VideoEncoder,
        video_key: str,
        account: EncoderAccount,
        begin: Callable[[], None] | None,
        every: int,
    ) -> None:
        super().__init__(encoder, video_key, account, begin)
        self._every = every
        self._num_until_look = 0

    def _whole(self, picture: Frame | DepthFrame | Coded) -> Picture:
        if self._num_until_look:
            self._num_until_look -= 1
        else:
            super()._whole(picture)
            self._num_until_look = self._every - 1
        return picture

    def _note_whole(self) -> None:
        # Only a picture that was decoded proves that the camera has recovered.
        if self._num_until_look == self._every - 1:
            super()._note_whole()
