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
"""Decodes compressed pictures on their way to the encoder, or only looks whether they decode."""

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
    Gives its encoder decoded pictures; others pass as they are. Owned by one thread.

    A picture that cannot be decoded becomes a repeat of the one before it: frames stay rows.

    :param encoder: takes frames, both the camera's and libav's, or depth
    :param video_key: names the camera in the log
    :param account: is told of pictures that cannot be decoded
    :param begin: puts the picture that came before the first one into the video; called if the
        first one repeats it or cannot be decoded. None: there is none
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

        :raise UndecodableError: if it is the first one and cannot be decoded, and nothing came
            before it
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
        """Return a picture for the encoder; raise UndecodableError if it is damaged."""
        return self._decoders.decode(picture) if is_coded(picture) else picture

    def _repeat_instead(self, error: UndecodableError) -> None:
        if not self._has_picture and self._begin is None:
            raise UndecodableError(f'the first picture: {error}') from error
        if not self._num_undecodable:
            _log.warning('%s: %s; the one before it is repeated', self._video_key, error)
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
        # A camera that fails again and again is logged once; status and counts show the rest.
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
        """Close the file and say what is in it."""
        return replace(super().finish(), num_undecodable=self._num_undecodable)


class CheckingEncoder(DecodingEncoder):
    """
    Passes pictures on as they came, and decodes some of them only to see whether they are whole.

    Those are the first, then one in so many, and after a damaged one each until one decodes. One
    that is found damaged becomes a repeat; others are found when they are encoded.

    :param encoder: encoder of pictures as they came
    :param video_key: names the camera in the log
    :param account: is told of pictures that cannot be decoded
    :param begin: puts the picture that came before the first one into the video
    :param every: one of so many pictures is decoded
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
        # Pictures that were not decoded prove nothing.
        if self._num_until_look == self._every - 1:
            super()._note_whole()
