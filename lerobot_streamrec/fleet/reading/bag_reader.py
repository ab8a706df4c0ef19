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
"""
Reading rosbag2 bags without ROS: SQLite and MCAP, split, compressed, and damaged ones.

``open_bag`` opens one. What is damaged is left out and becomes a remark. Nothing is written into
its folder, except that SQLite makes a ``-shm`` file where a killed recorder has left its log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
from functools import partial
import hashlib
from pathlib import Path
import sqlite3
from tempfile import TemporaryDirectory
from typing import Any

from lerobot_streamrec.errors import BagError
from lerobot_streamrec.fleet.reading import mcap_file, sqlite_file
from lerobot_streamrec.fleet.reading.bag_metadata import BagMetadata, read_metadata
from lerobot_streamrec.fleet.reading.bag_parts import (
    CDR,
    Definition,
    END_OF_TIME_NS,
    in_order,
    Message,
    Remark,
    Storage,
    summed_topics,
    Tell,
    UnreadableFileError,
)
from lerobot_streamrec.fleet.reading.bag_types import BagTypes
from lerobot_streamrec.fleet.reading.unpacking import unpack_file, ZSTD_MAGIC

METADATA = 'metadata.yaml'

_SUFFIXES = ('.mcap', '.db3')
_PACKED = '.zstd'
_BLOCK_BYTES = 1 << 20
SAMPLED_BYTES = 64 * _BLOCK_BYTES
"""The size up to which a file is read whole, and how much is read of a larger one."""


@dataclass(frozen=True, slots=True)
class FileDigest:
    """
    A file of a bag, for the record of where data came from.

    :param name: name of the file in the bag's folder
    :param sha256: SHA-256 of the bytes that were read, in hexadecimal digits
    :param is_whole: True if these are all of its bytes
    """

    name: str
    size_bytes: int
    sha256: str
    is_whole: bool = True


class Bag:
    """
    A bag. Owned by one thread. Its files are open only while messages are read.

    :ivar path: the folder, or the lone file
    :ivar files: paths of the files, in the order of metadata.yaml
    :ivar size_bytes: size of the files as they are stored
    :ivar topics: topics and their numbers of messages, as metadata.yaml or else the files say
    :ivar begin_ns: receive time of the first message; None if there is none
    :ivar end_ns: receive time of the last message; None if there is none
    :ivar ros_distro: distribution that recorded it; None if the bag does not tell
    """

    def __init__(
        self,
        path: Path,
        files: Collection[Path],
        metadata: BagMetadata | None,
        remarks: Collection[Remark],
    ) -> None:
        self.path = path
        self.files = tuple(files)
        self.size_bytes = sum(one.stat().st_size for one in files)
        self._remarks = dict.fromkeys(remarks)
        self._files = [_BagFile(one, self.tell) for one in files]
        self._definitions: dict[str, Definition] = {}
        self.ros_distro = metadata.ros_distro if metadata is not None else None
        topics = list(metadata.topics) if metadata is not None else []
        times = [metadata.begin_ns, metadata.end_ns] if metadata is not None else []
        has_types = False
        for file in self._files:
            span = metadata.spans.get(file.path.name) if metadata is not None else None
            if has_types and span is not None and file.is_packed:
                file.begin_ns, file.end_ns, _ = span
                continue
            with file.opened() as storage:
                if storage is None:
                    continue
                self._take(file, storage)
                times += [storage.begin_ns, storage.end_ns]
                if metadata is None or file.path.name not in metadata.files:
                    topics += storage.topics
                # Recorders before ROS 2 Iron stored no definitions in SQLite.
                wanted = {one.type_name for one in topics} if storage.definitions else set()
                has_types = wanted <= self._definitions.keys()
        if not any(file.is_readable for file in self._files):
            reasons = '; '.join(map(str, self.remarks))
            raise BagError(path, reasons, '`ros2 bag info` shows whether ROS can read it')
        known = [one for one in times if one is not None]
        self.begin_ns, self.end_ns = min(known, default=None), max(known, default=None)
        self.topics = tuple(summed_topics(topics))
        for topic in self.topics:
            if topic.serialization != CDR:
                reason = f'{topic.name} is not read: it is in {topic.serialization!r}, not in CDR'
                self.tell(Remark(path, reason, num_lost=topic.num_messages))
        self._types = BagTypes(
            self._definitions,
            self.ros_distro,
            self._sample,
            lambda reason: self.tell(Remark(path, reason)),
        )

    def _take(self, file: _BagFile, storage: Storage) -> None:
        self._definitions = {**storage.definitions, **self._definitions}
        self.ros_distro = self.ros_distro or storage.ros_distro
        file.begin_ns, file.end_ns = storage.begin_ns, storage.end_ns

    def tell(self, remark: Remark) -> None:
        """Add a remark, unless it has been made before."""
        # What is read again is told once.
        self._remarks[remark] = None

    @property
    def remarks(self) -> list[Remark]:
        """
        What is damaged or missing, as far as it has been read, in the order in which it was found.

        The last ones, of the bag itself, have all lost messages of a topic together.
        """
        return list(self._remarks)

    @property
    def seconds(self) -> float:
        """The time between the first message and the last one."""
        return ((self.end_ns or 0) - (self.begin_ns or 0)) / 1e9

    @property
    def num_messages(self) -> int:
        """The number of recorded messages of all topics."""
        return sum(topic.num_messages for topic in self.topics)

    @property
    def file_spans(self) -> list[tuple[int, int]]:
        """The first and last receive time of each file that has messages, in order of time."""
        return sorted(
            (one.begin_ns, one.end_ns)
            for one in self._files
            if one.begin_ns is not None and one.end_ns is not None
        )

    def types_of(self, topic: str) -> set[str]:
        """Return the types of the messages of a topic; empty if the bag lacks it."""
        return {one.type_name for one in self.topics if one.name == topic}

    def fields(self, type_name: str) -> Mapping[str, str] | None:
        """Return the fields of a type and their types; see ``BagTypes.fields``."""
        return self._types.fields(type_name)

    def decode(self, type_name: str, data: bytes) -> Any:
        """Decode a message; see ``BagTypes.decode``."""
        return self._types.decode(type_name, data)

    def messages(
        self,
        topics: Collection[str] | None = None,
        begin_ns: int | None = None,
        end_ns: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Message]:
        """
        Yield messages in the order of their receive times. May be called again.

        In memory are the chunks that overlap in time. Files that are compressed as a whole are
        decompressed one after the other to a temporary folder.

        :param topics: names of the topics; None: all
        :param begin_ns: first receive time; None: the bag's
        :param end_ns: receive time before which the messages end; None: all
        :param progress: called before each message with the number of bytes of the messages
            before it; its own ``receive_ns`` between ``begin_ns`` and ``end_ns`` tells the rest
        """
        wanted = {one.name for one in self.topics if topics is None or one.name in topics}
        begin, end = begin_ns or 0, END_OF_TIME_NS if end_ns is None else end_ns
        counts: Counter[str] = Counter()
        num_bytes = 0
        parts = [
            (one.begin_ns or 0, partial(one.messages, wanted, begin, end))
            for one in self._files
            if (one.begin_ns or 0) < end
        ]
        for message in in_order(parts):
            if progress is not None:
                progress(num_bytes)
            yield message
            num_bytes += len(message.data)
            counts[message.topic] += 1
        if begin <= (self.begin_ns or 0) and end > (self.end_ns or 0):
            self._compare(counts, wanted)

    def _compare(self, counts: Counter[str], wanted: Collection[str]) -> None:
        """Remark on topics of which fewer messages were read than were recorded."""
        recorded: Counter[str] = Counter()
        for topic in self.topics:
            if topic.serialization == CDR and topic.name in wanted:
                recorded[topic.name] += topic.num_messages
        for name, num in recorded.items():
            if counts[name] < num:
                reason = f'{counts[name]} of {num} messages of {name} were read'
                self.tell(Remark(self.path, reason, num_lost=num - counts[name]))

    def _sample(self, type_name: str) -> bytes | None:
        """Return the first message of a type."""
        topics = {one.name for one in self.topics if one.type_name == type_name}
        if not topics:
            return None
        parts = [
            (one.begin_ns or 0, partial(one.messages, topics, 0, END_OF_TIME_NS))
            for one in self._files
        ]
        found = (one.data for one in in_order(parts) if one.type_name == type_name)
        return next(found, None)

    def digests(
        self, progress: Callable[[int, int], None] | None = None, *, is_whole: bool = False
    ) -> list[FileDigest]:
        """
        Return size and SHA-256 of each file, metadata.yaml included.

        Of a file larger than ``SAMPLED_BYTES``, the first and the last MiB are read, and MiB at
        equal distances between them.

        :param progress: called with the number of bytes read and in all
        :param is_whole: True to read all bytes of large files too
        :raise OSError: if a file cannot be read
        """
        metadata = self.path / METADATA
        paths = [*([metadata] if metadata.is_file() else []), *self.files]
        most = 1 << 63 if is_whole else SAMPLED_BYTES
        sizes = {path: path.stat().st_size for path in paths}
        total = sum(min(size, most) for size in sizes.values())
        done, found = 0, []
        for path, size in sizes.items():
            digest = hashlib.sha256()
            with path.open('rb') as file:
                for place in _places(size, most):
                    file.seek(place)
                    block = file.read(_BLOCK_BYTES)
                    digest.update(block)
                    done += len(block)
                    if progress is not None:
                        progress(done, total)
            found.append(FileDigest(path.name, size, digest.hexdigest(), size <= most))
        return found


def _places(size_bytes: int, most_bytes: int) -> Sequence[int]:
    """Return the places of the blocks that stand for a file of this size."""
    if size_bytes <= most_bytes:
        return range(0, size_bytes, _BLOCK_BYTES)
    last, number = size_bytes - _BLOCK_BYTES, most_bytes // _BLOCK_BYTES
    return [one * last // (number - 1) for one in range(number)]


class _BagFile:
    """
    One file of a bag, which is decompressed and opened when it is needed.

    :param path: the file as it is stored
    :param tell: function that takes remarks on damage
    """

    def __init__(self, path: Path, tell: Tell) -> None:
        self.path = path
        self.is_packed = path.name.endswith(_PACKED)
        self.begin_ns: int | None = None
        self.end_ns: int | None = None
        self.is_readable = True
        self._tell = tell
        self._storage: Storage | None = None
        self._stack = ExitStack()
        self._num_users = 0

    @contextmanager
    def opened(self) -> Iterator[Storage | None]:
        """Open the file as long as somebody reads it; None if nothing of it can be read."""
        if not self._num_users and self.is_readable:
            try:
                self._storage = self._open()
                self._stack.callback(self._storage.close)
            except (UnreadableFileError, OSError, sqlite3.Error) as error:
                self.is_readable = False
                self._tell(Remark(self.path, f'nothing of it can be read: {error}'))
        self._num_users += 1
        try:
            yield self._storage
        finally:
            self._num_users -= 1
            if not self._num_users:
                self._storage = None
                self._stack.close()

    def messages(self, topics: Collection[str], begin_ns: int, end_ns: int) -> Iterator[Message]:
        """Yield the messages of the file, and close it."""
        with self.opened() as storage:
            if storage is not None:
                yield from storage.messages(topics, begin_ns, end_ns)

    def _open(self) -> Storage:
        path = self.path
        magic = _first_bytes(path)
        if magic.startswith(ZSTD_MAGIC):
            folder = self._stack.enter_context(TemporaryDirectory(prefix='streamrec-bag-'))
            path = Path(folder, path.name.removesuffix(_PACKED))
            if problem := unpack_file(self.path, path):
                self._tell(Remark(self.path, problem))
            magic = _first_bytes(path)
        if magic.startswith(mcap_file.MAGIC):
            return mcap_file.McapFile(path, self.path, self._tell)
        if magic == sqlite_file.MAGIC:
            return sqlite_file.SqliteFile(path, self.path, self._tell)
        begin = f'begins with {magic.hex()}' if magic else 'is empty'
        raise UnreadableFileError(f'it {begin}, and is neither MCAP nor SQLite')


def _first_bytes(path: Path) -> bytes:
    with path.open('rb') as file:
        return file.read(len(sqlite_file.MAGIC))


def open_bag(path: Path) -> Bag:
    """
    Open a bag.

    :param path: folder of a bag, with metadata.yaml or without, or one file in MCAP or SQLite
    :raise BagError: if there is no bag, or nothing of it can be read
    """
    try:
        return _opened_bag(path)
    except OSError as error:
        raise BagError(path, str(error), 'check its path and permissions') from error


def _opened_bag(path: Path) -> Bag:
    if path.is_file():
        if path.name == METADATA:
            return _opened_bag(path.parent)
        return Bag(path, [path], None, [])
    if not path.is_dir():
        raise BagError(path, 'it does not exist', 'give the folder of a bag, or an .mcap file')
    there = [
        one
        for one in sorted(path.iterdir())
        if one.is_file() and one.name.removesuffix(_PACKED).endswith(_SUFFIXES)
    ]
    remarks: list[Remark] = []
    metadata = read_metadata(path / METADATA, remarks.append)
    named = metadata.files if metadata is not None else ()
    known = {name.removesuffix(_PACKED) for name in named}
    files = [path / name for name in named if (path / name).is_file()]
    # A recorder that crashed has not listed its last file, or has just compressed one.
    others = {one.name.removesuffix(_PACKED): one for one in there}
    extra = [one for name, one in others.items() if name not in known]
    if metadata is not None:
        lost = [path / name for name in named if not (path / name).is_file()]
        remarks += map(metadata.remark_on_missing, lost)
        remarks += [Remark(one, f'{METADATA} does not list it; it is read') for one in extra]
    if not files and not extra:
        raise BagError(
            path,
            'it has no files in MCAP (.mcap) or SQLite (.db3)',
            f'give the folder with {METADATA}',
        )
    return Bag(path, [*files, *extra], metadata, remarks)
