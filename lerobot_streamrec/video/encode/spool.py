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
"""A spool file that stores frames as records on disk, and an encoder that only fills one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
import json
import os
from pathlib import Path
import struct
from typing import BinaryIO
import zlib

from lerobot_streamrec.errors import EncoderError, VideoError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.video.codecs.picture_record import (
    from_record,
    packed,
    PictureRecord,
    to_record,
)
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo

# Magic, frame number, sizes of the header and the payload in bytes, checksum of both.
_HEAD = struct.Struct('<4sQIQI')
_MAGIC = b'SRS1'
_REPEAT = {'kind': 'repeat'}


@dataclass(frozen=True, slots=True)
class Place:
    """
    The location of a picture in the spool file.

    :param offset: offset of its record, in bytes
    :param size_bytes: size of its record
    """

    offset: int
    size_bytes: int


class Spool:
    """
    Appends records and reads them back. One thread appends and one thread, maybe another, reads.

    Every record is self-contained and has a checksum. After a crash, the file can be read up to
    the first incomplete record (``read_spool``).

    :param path: the file; the first record creates it, and its folder if that is missing
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self.size_bytes = 0
        """The size of the file, in bytes."""

    def append(self, number: int, record: PictureRecord | None) -> Place:
        """
        Append a picture.

        :param number: number of its frame in the video
        :param record: the picture; None if the frame repeats the frame before
        :return: location of the record
        :raise OSError: if the disk fails; nothing is appended then
        """
        header = json.dumps(_REPEAT if record is None else record.header).encode()
        planes = [] if record is None else [memoryview(one) for one in record.planes]
        checksum = zlib.crc32(header)
        for plane in planes:
            checksum = zlib.crc32(plane, checksum)
        length = sum(plane.nbytes for plane in planes)
        head = _HEAD.pack(_MAGIC, number, len(header), length, checksum)
        place = Place(self.size_bytes, len(head) + len(header) + length)
        self._write([memoryview(head), memoryview(header), *planes], place)
        self.size_bytes += place.size_bytes
        return place

    def _write(self, pieces: list[memoryview], place: Place) -> None:
        if self._descriptor < 0:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o644)
        offset = place.offset
        try:
            for piece in pieces:
                rest = piece
                while rest:
                    written = os.pwrite(self._descriptor, rest, offset)
                    offset += written
                    rest = rest[written:]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, place.offset)
            raise

    def read(self, place: Place) -> Picture | None:
        """
        Read a picture back.

        :return: the picture; None if the frame repeats the frame before
        :raise VideoError: if the record is damaged
        :raise OSError: if the disk fails
        """
        content = os.pread(self._descriptor, place.size_bytes, place.offset)
        found = _parse(content)
        if found is None:
            raise VideoError(f'{self._path}: the record at byte {place.offset} is damaged')
        return found[1]

    def clear(self) -> None:
        """Empty the file, after all of its records have been read. Never raises."""
        if self._descriptor >= 0 and self.size_bytes:
            self.size_bytes = 0
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)

    def sync(self) -> None:
        """
        Flush all records to the disk, so that they survive a power loss.

        :raise OSError: if the disk fails
        """
        if self._descriptor >= 0:
            os.fsync(self._descriptor)

    def keep(self) -> None:
        """Close the file without deleting it. Never raises. Idempotent."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1

    def close(self) -> None:
        """Close and delete the file, unless ``keep`` was called. Never raises. Idempotent."""
        if self._descriptor >= 0:
            self.keep()
            with suppress(OSError):
                self._path.unlink(missing_ok=True)


def read_spool(path: Path, first: int = 0) -> Iterator[tuple[int, Picture | None]]:
    """
    Read the records of a spool file, up to the first incomplete one.

    :param path: path of the file; a missing file has no records
    :param first: number of the first wanted frame; earlier records are skipped unread
    :return: number of each frame, and its picture, or None for a repeat of the frame before
    """
    try:
        with path.open('rb') as file:
            for record in _records(file):
                if record.number >= first:
                    found = _parse(os.pread(file.fileno(), record.size_bytes, record.offset))
                    if found is None:
                        return
                    yield found
    except OSError:
        return


def count_spooled(path: Path, first: int) -> int:
    """
    Count the frames in a spool file that follow each other without a gap; reads no pictures.

    :param path: path of the file; a missing file has no records
    :param first: number of the first frame to count
    """
    number = first
    with suppress(OSError), path.open('rb') as file:
        for record in _records(file):
            if record.number > number:
                break
            if record.number == number:
                number += 1
    return number - first


@dataclass(frozen=True, slots=True)
class _Record:
    number: int
    offset: int
    size_bytes: int


def _records(file: BinaryIO) -> Iterator[_Record]:
    """Yield the records by their heads, up to the first one that is cut short."""
    offset, size_bytes = 0, os.fstat(file.fileno()).st_size
    while len(head := os.pread(file.fileno(), _HEAD.size, offset)) == _HEAD.size:
        magic, number, header_length, length, _ = _HEAD.unpack(head)
        record = _Record(number, offset, _HEAD.size + header_length + length)
        offset += record.size_bytes
        if magic != _MAGIC or offset > size_bytes:
            return
        yield record


def _parse(content: bytes) -> tuple[int, Picture | None] | None:
    """Return the frame number and picture of a record, or None if the record is incomplete."""
    if len(content) < _HEAD.size:
        return None
    magic, number, header_length, length, checksum = _HEAD.unpack_from(content)
    begin = _HEAD.size + header_length
    if magic != _MAGIC or len(content) != begin + length:
        return None
    if zlib.crc32(memoryview(content)[_HEAD.size :]) != checksum:
        return None
    try:
        header = json.loads(content[_HEAD.size : begin])
        if header == _REPEAT:
            return number, None
        return number, from_record(header, content[begin:])
    except (ValueError, KeyError, TypeError):
        return None


class SpoolingEncoder:
    """
    Writes frames first, first + 1, ... to a spool, one for each call. Owned by one thread.

    :param path: path of the spool; its folder is created if it is missing
    :param first: number of the first frame
    :param packs: True to compress pixels without loss
    """

    def __init__(self, path: Path, first: int = 0, *, packs: bool = False) -> None:
        self._spool = Spool(path)
        self._first = self.num_written = first
        """The number of the next frame: those before it are in the video file or the spool."""
        self._packs = packs

    def encode(self, picture: Picture) -> None:
        """
        Write a picture as the next frame.

        :raise EncoderError: if the picture depends on others, as packets do
        :raise OSError: if the disk fails
        """
        record = to_record(picture)
        if record is None:
            raise EncoderError(
                f'frame {self.num_written}: a {type(picture).__name__} cannot be spooled to disk'
            )
        self._append(packed(record) if self._packs else record)

    def repeat(self) -> None:
        """
        Write a record which says that the next frame repeats the last one.

        :raise OSError: if the disk fails
        """
        self._append(None)

    def _append(self, record: PictureRecord | None) -> None:
        self._spool.append(self.num_written, record)
        self.num_written += 1

    def finish(self) -> EncodedVideo:
        """
        Flush everything to the disk, and close the file.

        :raise OSError: if the disk fails
        """
        self._spool.sync()
        self._spool.keep()
        return EncodedVideo(
            num_frames=self.num_written,
            size_bytes=self._spool.size_bytes,
            num_spooled=self.num_written - self._first,
        )

    def abort(self) -> None:
        """Close the file as it is. Never raises."""
        self._spool.keep()
