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
"""Puts pictures on the disk as they are, for who encodes them later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.video.codecs.picture_record import PictureRecord, to_record, unchanged
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.encode.spool import Spool


class SpoolingEncoder:
    """
    Writes frames first, first + 1, ... to a spool, one for each call. Owned by one thread.

    :param path: of the spool; its folder is made if it is not there
    :param first: number of the first frame
    :param pack: makes records smaller, without loss
    """

    def __init__(
        self,
        path: Path,
        first: int = 0,
        pack: Callable[[PictureRecord], PictureRecord] = unchanged,
    ) -> None:
        self._spool = Spool(path)
        self._first = self._number = first
        self._pack = pack

    def encode(self, picture: Picture) -> None:
        """
        Write a picture as the next frame.

        :raise EncoderError: if it cannot stand by itself
        :raise OSError: if the disk refuses
        """
        record = to_record(picture)
        if record is None:
            raise EncoderError(
                f'frame {self._number}: a {type(picture).__name__} cannot wait on the disk'
            )
        self._append(self._pack(record))

    def repeat(self) -> None:
        """
        Write that the next frame repeats the last one.

        :raise OSError: if the disk refuses
        """
        self._append(None)

    def _append(self, record: PictureRecord | None) -> None:
        self._spool.append(self._number, record)
        self._number += 1

    @property
    def num_written(self) -> int:
        """Frames that were written."""
        return self._number

    def finish(self) -> EncodedVideo:
        """
        Bring everything to the disk.

        :raise OSError: if the disk refuses
        """
        self._spool.sync()
        self._spool.keep()
        return EncodedVideo(
            num_frames=self._number,
            size_bytes=self._spool.size_bytes,
            num_spooled=self._number - self._first,
        )

    def abort(self) -> None:
        """Close the file as it is; never raises."""
        self._spool.keep()
