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
SQLite files of bags, read by query, or page by page if they are damaged.

SQLite itself reads little of a file that is cut. Its tables are trees of pages whose leaves hold
the rows (https://www.sqlite.org/fileformat2.html); rows whose pages exist are read from there.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
import sqlite3
import struct
from typing import TypeVar

from lerobot_streamrec.fleet.reading.bag_parts import (
    CDR,
    Definition,
    Message,
    offered_qos,
    Remark,
    stored_definitions,
    summed_topics,
    Tell,
    Topic,
    UnreadableFileError,
)
from lerobot_streamrec.fleet.reading.unpacking import unpack_message, UnpackError
import numpy as np

MAGIC = b'SQLite format 3\0'

_TOPIC_COLUMNS = ('id', 'name', 'type', 'serialization_format', 'offered_qos_profiles')
_TABLE_LEAF = 0x0D
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}
_BLOCK_PAGES = 256


class SqliteFile:
    """
    An open SQLite file of a bag. Owned by the thread that reads the bag.

    :param path: path of the file
    :param shown: path that remarks name
    :param tell: function that takes remarks on damage
    :raise UnreadableFileError: if it is not a bag, or its list of topics cannot be read
    """

    def __init__(self, path: Path, shown: Path, tell: Tell) -> None:
        self._path = path
        self._shown = shown
        self._tell = tell
        self._database = self._connected()
        self._rows: np.ndarray[tuple[int, int], np.dtype[np.int64]] | None = None
        try:
            self._read_head()
        except (sqlite3.Error, ValueError) as error:
            self.close()
            raise UnreadableFileError(f'its topics cannot be read ({error})') from error
        self.begin_ns: int | None = None
        self.end_ns: int | None = None
        try:
            with closing(_Pages(path)) as pages:
                # SQLite would fill the page that is cut with zeros, and so change messages.
                if pages.size_bytes < pages.wanted_bytes:
                    raise sqlite3.DatabaseError(f'{pages.wanted_bytes} bytes are expected')
            query = 'SELECT MIN(timestamp), MAX(timestamp) FROM messages'
            first, last = self._database.execute(query).fetchone()
            if first is not None:
                self.begin_ns, self.end_ns = _checked(first, int), _checked(last, int)
        except sqlite3.DatabaseError as error:
            self._salvage(error)

    @cached_property
    def topics(self) -> list[Topic]:
        """The topics; counting their messages visits the whole file."""
        counts = self._counts()
        return summed_topics(
            Topic(name, kind, serialization, offered_qos(qos), counts.get(key, 0))
            for key, (name, kind, serialization, qos) in self._topics.items()
        )

    def _connected(self) -> sqlite3.Connection:
        uri = self._path.resolve().as_uri()
        log = self._path.with_name(f'{self._path.name}-wal')
        if log.is_file() and log.stat().st_size:
            # The newest messages of a recorder that was killed are there.
            database = sqlite3.connect(f'{uri}?mode=ro', uri=True)
            try:
                database.execute('SELECT name FROM sqlite_master').fetchall()
                return database
            except sqlite3.OperationalError as error:
                database.close()
                reason = (
                    f'SQLite cannot write beside it, and so not read it ({error}); copy the bag'
                )
                self._tell(Remark(log, reason))
        return sqlite3.connect(f'{uri}?mode=ro&immutable=1', uri=True)

    def _read_head(self) -> None:
        # Otherwise SQLite refuses to read any page of a file that is cut.
        self._database.execute('PRAGMA writable_schema = ON')
        there = {row[1] for row in self._database.execute('PRAGMA table_info(topics)')}
        columns = ', '.join(one if one in there else "''" for one in _TOPIC_COLUMNS)
        self._topics: dict[int, tuple[str, str, str, str]] = {
            row[0]: row[1:]
            for row in self._database.execute(f'SELECT {columns} FROM topics')
            # A damaged row may hold anything.
            if all(isinstance(value, str) for value in row[1:])
        }
        tables = {row[0] for row in self._database.execute('SELECT name FROM sqlite_master')}
        self.ros_distro: str | None = None
        if 'schema' in tables:
            self.ros_distro = next(
                (str(row[0]) for row in self._database.execute('SELECT ros_distro FROM schema')),
                None,
            )
        found = {}
        if 'message_definitions' in tables:
            found = {
                name: Definition(encoding, text)
                for name, encoding, text in self._database.execute(
                    'SELECT topic_type, encoding, encoded_message_definition '
                    'FROM message_definitions'
                )
                if isinstance(encoding, str) and isinstance(text, str)
            }
        self.definitions = stored_definitions(found)
        if 'messages' not in tables:
            raise ValueError('it has no table of messages')

    def _counts(self) -> dict[int, int]:
        """Return the number of messages by topic."""
        if self._rows is None:
            try:
                query = 'SELECT topic_id, COUNT(*) FROM messages GROUP BY topic_id'
                return dict(self._database.execute(query))
            except sqlite3.DatabaseError as error:
                self._salvage(error)
        assert self._rows is not None
        keys, counts = np.unique(self._rows[:, 2], return_counts=True)
        return dict(zip(keys.tolist(), counts.tolist(), strict=True))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def messages(self, topics: Collection[str], begin_ns: int, end_ns: int) -> Iterator[Message]:
        """Yield messages in the order of their receive times; see ``Storage``."""
        wanted = [
            key
            for key, (name, _, serialization, _) in self._topics.items()
            if name in topics and serialization == CDR
        ]
        last = (begin_ns, -1)
        if self._rows is None:
            marks = ', '.join('?' * len(wanted))
            query = (
                f'SELECT id, topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks}) '
                'AND timestamp >= ? AND timestamp < ? ORDER BY timestamp, id'
            )
            limits = (begin_ns, min(end_ns, 2**63 - 1))
            try:
                for row, topic, stamp, data in self._database.execute(query, (*wanted, *limits)):
                    last = _checked(stamp, int), row
                    yield from self._message(topic, stamp, _checked(data, bytes), None)
                return
            except sqlite3.DatabaseError as error:
                self._salvage(error)
        yield from self._salvaged(wanted, last, end_ns)

    def _message(
        self, topic: int, stamp: int, data: bytes | None, place: int | None
    ) -> Iterator[Message]:
        name, kind, _, _ = self._topics[topic]
        try:
            if data is None:
                raise UnpackError('a part of it is missing')
            yield Message(name, kind, stamp, None, unpack_message(data))
        except UnpackError as error:
            reason = f'a message of {name}: {error}'
            self._tell(Remark(self._shown, reason, place, 1, stamp, stamp))

    def _salvage(self, error: Exception) -> None:
        """Find the rows that exist."""
        with closing(_Pages(self._path)) as pages:
            self._rows = rows = pages.find_rows(set(self._topics))
        place = pages.size_bytes if pages.size_bytes < pages.wanted_bytes else None
        reason = f'it is damaged ({error})'
        if place is not None:
            reason = f'it is cut: {place} of {pages.wanted_bytes} bytes are there'
        ids = np.sort(rows[:, 1])
        num_lost = int(ids[-1] - ids[0]) + 1 - len(ids) if len(ids) else 0
        self._tell(Remark(self._shown, reason, place, num_lost or None))
        if len(rows):
            self.begin_ns, self.end_ns = int(rows[0, 0]), int(rows[-1, 0])

    def _salvaged(
        self, wanted: list[int], last: tuple[int, int], end_ns: int
    ) -> Iterator[Message]:
        """Yield the messages after the last one that was read by query."""
        assert self._rows is not None
        with closing(_Pages(self._path)) as pages:
            for stamp, row, topic, place in map(np.ndarray.tolist, self._rows):
                if (stamp, row) > last and stamp < end_ns and topic in wanted:
                    yield from self._message(topic, stamp, pages.data_at(place), place)


_Value = TypeVar('_Value', int, bytes)


def _checked(value: object, kind: type[_Value]) -> _Value:
    """
    Return a value of a row. SQLite does not check types.

    :raise sqlite3.DatabaseError: if it has another type, as after damage
    """
    if not isinstance(value, kind):
        raise sqlite3.DatabaseError(
            f'a column has {type(value).__name__} instead of {kind.__name__}'
        )
    return value


class _Pages:
    """
    The pages of an SQLite file. Owned by one thread.

    :param path: the file
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open('rb')
        self.size_bytes = path.stat().st_size
        head = self._file.read(100)
        (page_bytes,) = struct.unpack_from('>H', head, 16)
        self._page_bytes = 65536 if page_bytes == 1 else page_bytes
        self._usable = self._page_bytes - head[20]
        num_pages = max(
            struct.unpack_from('>I', head, 28)[0], -(-self.size_bytes // self._page_bytes)
        )
        self.wanted_bytes = num_pages * self._page_bytes

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def find_rows(
        self, topics: Collection[int]
    ) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """Return receive time, row id, topic and place in the file of each message, in order."""
        found = array('q')
        for place in range(0, self.size_bytes, self._page_bytes * _BLOCK_PAGES):
            self._file.seek(place)
            block = self._file.read(self._page_bytes * _BLOCK_PAGES)
            # The first page has no messages, as it describes the tables.
            for begin in range(0 if place else self._page_bytes, len(block), self._page_bytes):
                page = block[begin : begin + self._page_bytes]
                if page[0] == _TABLE_LEAF and len(page) == self._page_bytes:
                    for offset, (row, topic, stamp) in self._messages_on(page):
                        if topic in topics:
                            found.extend((stamp, row, topic, place + begin + offset))
        rows = np.frombuffer(found, np.int64).reshape(-1, 4)
        rows = rows[np.unique(rows[:, 1], return_index=True)[1]]
        return rows[np.lexsort((rows[:, 1], rows[:, 0]))]

    def _messages_on(self, page: bytes) -> Iterator[tuple[int, tuple[int, int, int]]]:
        """Yield the place on the page, and row id, topic and receive time of each message."""
        (num_cells,) = struct.unpack_from('>H', page, 3)
        for cell in range(min(num_cells, (len(page) - 8) // 2)):
            (offset,) = struct.unpack_from('>H', page, 8 + 2 * cell)
            try:
                _, row, begin = _cell(page, offset)
                head = _row_head(page, begin)
            except (IndexError, KeyError):
                continue
            if head is not None:
                topic, stamp, _ = head
                yield offset, (row, topic, stamp)

    def data_at(self, place: int) -> bytes | None:
        """Return the data of the message at a place in the file; None if a part is missing."""
        offset = place % self._page_bytes
        self._file.seek(place - offset)
        page = self._file.read(self._page_bytes)
        size, _, begin = _cell(page, offset)
        head = _row_head(page, begin)
        assert head is not None
        # Of a long row, a part is on the page, and the rest on a chain of others.
        largest = self._usable - 35
        local = size
        if size > largest:
            least = (self._usable - 12) * 32 // 255 - 23
            local = least + (size - least) % (self._usable - 4)
            local = local if local <= largest else least
        parts, missing = [page[begin : begin + local]], size - local
        following = struct.unpack_from('>I', page, begin + local)[0] if missing else 0
        while missing > 0:
            self._file.seek((following - 1) * self._page_bytes if following else self.size_bytes)
            more = self._file.read(self._page_bytes)
            if len(more) < self._page_bytes:
                return None
            (following,) = struct.unpack_from('>I', more)
            parts.append(more[4 : 4 + min(missing, self._usable - 4)])
            missing -= self._usable - 4
        return b''.join(parts)[head[2] :]


def _number(data: bytes, place: int) -> tuple[int, int]:
    """Return a number of variable length, and the place after it."""
    value = 0
    for count in range(8):
        value = value << 7 | data[place + count] & 0x7F
        if data[place + count] < 0x80:
            return value, place + count + 1
    return value << 8 | data[place + 8], place + 9


def _cell(page: bytes, offset: int) -> tuple[int, int, int]:
    """Return the size of a row in bytes, its id, and the place on the page where it begins."""
    size, place = _number(page, offset)
    row, place = _number(page, place)
    return size, row, place


def _row_head(page: bytes, begin: int) -> tuple[int, int, int] | None:
    """
    Return topic and receive time of a message, and where in its row the data begins.

    :return: None if the row is not of the table of messages: a key, two integers and data
    :raise KeyError: if a column has an unknown type
    """
    head_bytes, place = _number(page, begin)
    kinds = []
    while place < begin + head_bytes:
        kind, place = _number(page, place)
        kinds.append(kind)
    if len(kinds) != 4 or kinds[0] != 0 or kinds[3] < 12 or kinds[3] % 2:
        return None
    numbers = []
    for kind in kinds[1:3]:
        size = _INTEGER_BYTES[kind]
        value = int.from_bytes(page[place : place + size], 'big', signed=True)
        numbers.append(value if size else kind - 8)
        place += size
    return numbers[0], numbers[1], place - begin
