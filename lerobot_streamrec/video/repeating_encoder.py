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
"""Puts the picture before in the place of one that cannot be decoded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lerobot_streamrec.errors import EncoderError, UndecodableError
from lerobot_streamrec.video.encoder_thread import VideoEncoder
from lerobot_streamrec.video.mp4_encoder import EncodedVideo


class RepeatingEncoder:
    """
    Keeps one frame per row where pictures are damaged, and counts them. Owned by one thread.

    :param encoder: raises UndecodableError before it encodes anything of a damaged picture
    """

    def __init__(self, encoder: VideoEncoder) -> None:
        self._encoder = encoder
        self._has_frame = False
        self._num_undecodable = 0

    def encode(self, picture: Any) -> None:
        """
        Encode a picture as the next frame, or the last one once more if it is damaged.

        :raise EncoderError: if the first picture is damaged: there is none before it
        """
        try:
            self._encoder.encode(picture)
        except UndecodableError as error:
            if not self._has_frame:
                raise EncoderError(f'the first picture of the episode: {error}') from error
            self._encoder.repeat()
            self._num_undecodable += 1
        self._has_frame = True

    def repeat(self) -> None:
        """Encode the last picture once more."""
        self._encoder.repeat()

    def finish(self) -> EncodedVideo:
        """Close the file and say what is in it."""
        return replace(self._encoder.finish(), num_undecodable=self._num_undecodable)

    def abort(self) -> None:
        """Give up; never raises."""
        self._encoder.abort()
