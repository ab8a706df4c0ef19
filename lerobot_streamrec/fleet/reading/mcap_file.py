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
MCAP files (https://mcap.dev/spec), read by record, so that damaged ones give what they have.

A file is divided into spans: its chunks, or runs of messages outside of chunks. The summary at the
end lists the chunks. Where there is none, as after a crash, the file is walked from one record to
the next, and only chunks with unknown channels are unpacked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
import struct
from zlib import crc32

from lerobot_streamrec.fleet.reading.bag_parts import (
    CDR,
    Definition,
    in_order,
    Message,
    offered_qos,
    Remark,
    stored_definitions,
    summed_topics,
    Tell,
    Topic,
)
from lerobot_streamrec.fleet.reading.unpacking import unpack, unpack_message, UnpackError

MAGIC = b'\x89MCAP0\r\n'

_HEAD = struct.Struct('<BQ')
_FOOTER = struct.Struct('<BQQQI8s')
_CHUNK = struct.Struct('<QQQI')
_CHUNK_INDEX = struct.Struct('<QQQQ')
_MESSAGE = struct.Struct('<HIQQ')
_SCHEMA_OP, _CHANNEL_OP, _MESSAGE_OP, _CHUNK_OP, _INDEX_OP = 3, 4, 5, 6, 7
_CHUNK_INDEX_OP, _STATISTICS_OP, _DATA_END_OP, _FOOTER_OP = 8, 0x0B, 0x0F, 2
_LAST_OP = 0x0F
_MAX_RUN_BYTES = 4 << 20


@dataclass(slots=True)
class _Span:
    """A chunk, or a run of messages outside of chunks, with the number of messages by channel."""

    place: int
    end: int
    begin_ns: int
    end_ns: int
    counts: Counter[int]
    is_chunk: bool = True


@dataclass(frozen=True, slots=True)
class _Channel:
    topic: str
    type_name: str
    serialization: str
    qos: str


class _Fields:
    """The fields of a record, read in order. A struct.error is raised if it is too short."""

    def __init__(self, data: memoryview) -> None:
        self.rest = data

    def numbers(self, form: struct.Struct) -> tuple[int, ...]:
        values = form.unpack_from(self.rest)
        self.rest = self.rest[form.size :]
        return values

    def octets(self) -> memoryview:
        (size,) = self.numbers(struct.Struct('<I'))
        if size > len(self.rest):
            raise struct.error(f'a field of {size} bytes in a record of {len(self.rest)}')
        found, self.rest = self.rest[:size], self.rest[size:]
        return found

    def text(self) -> str:
        return bytes(self.octets()).decode(errors='replace')


class McapFile:
    """
    An open MCAP file. Owned by the thread that reads the bag.

    :param path: path of the file, which begins with ``MAGIC``
    :param shown: path that remarks name
    :param tell: function that takes remarks on damage
    """

    ros_distro: str | None = None

    def __init__(self, path: Path, shown: Path, tell: Tell) -> None:
        self._shown = shown
        self._tell = tell
        self._size = path.stat().st_size
        self._file = path.open('rb')
        self._schemas: dict[int, tuple[str, Definition]] = {}
        self._channels: dict[int, _Channel] = {}
        self._spans = self._from_summary() or self._from_walk()
        for span in self._spans:
            if not span.counts or span.counts.keys() - self._channels.keys():
                span.counts = Counter(channel for channel, _, _ in self._load(span)) or span.counts
        self._sum_up()

    def _sum_up(self) -> None:
        counts: Counter[int] = Counter()
        for span in self._spans:
            counts.update(span.counts)
        if lost := sum(num for key, num in counts.items() if key not in self._channels):
            reason = 'messages of an unknown topic, whose description is lost'
            self._tell(Remark(self._shown, reason, num_lost=lost))
        self.topics = summed_topics(
            Topic(
                one.topic, one.type_name, one.serialization, offered_qos(one.qos), counts[channel]
            )
            for channel, one in self._channels.items()
        )
        self.definitions = stored_definitions(dict(self._schemas.values()))
        filled = [span for span in self._spans if span.counts]
        self.begin_ns = min((span.begin_ns for span in filled), default=None)
        self.end_ns = max((span.end_ns for span in filled), default=None)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def messages(self, topics: Collection[str], begin_ns: int, end_ns: int) -> Iterator[Message]:
        """Yield messages in the order of their receive times; see ``Storage``."""
        wanted = {
            key: one
            for key, one in self._channels.items()
            if one.topic in topics and one.serialization == CDR
        }
        spans = [
            span
            for span in self._spans
            if span.counts.keys() & wanted.keys()
            and span.end_ns >= begin_ns
            and span.begin_ns < end_ns
        ]

        def opened(span: _Span) -> list[Message]:
            found = []
            for key, place, record in self._load(span):
                if channel := wanted.get(key):
                    _, _, receive_ns, publish_ns = _MESSAGE.unpack_from(record)
                    if begin_ns <= receive_ns < end_ns:
                        stamps = receive_ns, _known(publish_ns, receive_ns)
                        found += self._message(channel, stamps, place, record[_MESSAGE.size :])
            return sorted(found, key=lambda one: one.receive_ns)

        return in_order((span.begin_ns, partial(opened, span)) for span in spans)

    def _message(
        self, channel: _Channel, stamps: tuple[int, int | None], place: int, data: memoryview
    ) -> list[Message]:
        try:
            message = unpack_message(bytes(data))
        except UnpackError as error:
            reason = f'a message of {channel.topic}: {error}'
            self._tell(Remark(self._shown, reason, place, 1, stamps[0], stamps[0]))
            return []
        return [Message(channel.topic, channel.type_name, *stamps, message)]

    def _load(self, span: _Span) -> list[tuple[int, int, memoryview]]:
        """
        Return the messages of a span, and learn its schemas and channels.

        :return: channel, place of the span or record in the file, and record of each message
        """
        data = self._read(span.place, span.end - span.place)
        is_cut = span.end > self._size
        found: list[tuple[int, int, memoryview]] = []
        try:
            records = self._unpacked(data, is_cut) if span.is_chunk else data
            for opcode, place, record in _records(records, is_cut):
                if opcode == _MESSAGE_OP and len(record) >= _MESSAGE.size:
                    in_file = span.place if span.is_chunk else span.place + place
                    found.append((_MESSAGE.unpack_from(record)[0], in_file, record))
                else:
                    self._learn(opcode, record)
        except (UnpackError, struct.error) as error:
            num_lost = span.counts.total() - len(found)
            lost = (num_lost if num_lost > 0 else None), span.begin_ns, span.end_ns
            reason = f'a chunk cannot be read: {error}'
            self._tell(Remark(self._shown, reason, span.place, *lost))
        return found

    def _unpacked(self, data: memoryview, is_cut: bool) -> memoryview:
        """
        Return the records of a chunk; if it is cut, those that are there.

        :raise UnpackError: if it is damaged
        :raise struct.error: if it is too short for its own fields
        """
        opcode, size = _HEAD.unpack_from(data)
        if opcode != _CHUNK_OP or (size + _HEAD.size > len(data) and not is_cut):
            raise UnpackError('there is no chunk at this place')
        fields = _Fields(data[_HEAD.size :])
        _, _, unpacked_bytes, checksum = fields.numbers(_CHUNK)
        compression = fields.text()
        (packed_bytes,) = fields.numbers(struct.Struct('<Q'))
        packed = fields.rest[:packed_bytes]
        records = unpack(compression, packed)
        if not is_cut:
            if len(records) != unpacked_bytes:
                raise UnpackError(f'it has {len(records)} bytes instead of {unpacked_bytes}')
            if checksum and crc32(records) != checksum:
                raise UnpackError('its checksum is wrong')
        return memoryview(records)

    def _learn(self, opcode: int, record: memoryview) -> None:
        """Take in a record that describes a channel or the type of its messages."""
        fields = _Fields(record)
        if opcode == _SCHEMA_OP:
            (key,) = fields.numbers(struct.Struct('<H'))
            self._schemas[key] = fields.text(), Definition(fields.text(), fields.text())
        elif opcode == _CHANNEL_OP:
            key, schema = fields.numbers(struct.Struct('<HH'))
            topic, encoding = fields.text(), fields.text()
            pairs, described = _Fields(fields.octets()), {}
            while pairs.rest:
                name = pairs.text()
                described[name] = pairs.text()
            type_name = self._schemas[schema][0] if schema in self._schemas else ''
            qos = described.get('offered_qos_profiles', '')
            self._channels[key] = _Channel(topic, type_name, encoding, qos)

    def _read(self, place: int, size: int) -> memoryview:
        self._file.seek(place)
        return memoryview(self._file.read(min(size, max(self._size - place, 0))))

    def _from_summary(self) -> list[_Span]:
        """Return the spans that the summary lists; none if it is missing, damaged or partial."""
        footer_place = self._size - _FOOTER.size
        if footer_place < len(MAGIC):
            return []
        footer = self._read(footer_place, _FOOTER.size)
        opcode, size, begin, _, checksum, magic = _FOOTER.unpack(footer)
        if (opcode, size, magic) != (_FOOTER_OP, 20, MAGIC) or not 0 < begin < footer_place:
            return []
        summary = self._read(begin, footer_place - begin)
        # The checksum includes the footer up to itself.
        if checksum and crc32(footer[:25], crc32(summary)) != checksum:
            return []
        spans, num_messages = [], None
        try:
            for opcode, _, record in _records(summary):
                if opcode == _CHUNK_INDEX_OP:
                    spans.append(_indexed(_Fields(record)))
                elif opcode == _STATISTICS_OP:
                    (num_messages,) = struct.unpack_from('<Q', record)
                else:
                    self._learn(opcode, record)
        except (struct.error, UnpackError):
            return []
        # Messages outside of chunks are in no index, and a writer may leave indexes out.
        return spans if sum(span.counts.total() for span in spans) == num_messages else []

    def _from_walk(self) -> list[_Span]:
        """Find the spans from record to record, and remark where the file ends too early."""
        spans: list[_Span] = []
        place = len(MAGIC)
        reason = 'the file ends without an index, as after a crash or an incomplete copy'
        lost: tuple[int | None, int | None] = None, None
        while place + _HEAD.size <= self._size:
            opcode, size = _HEAD.unpack(self._read(place, _HEAD.size))
            if opcode in (_DATA_END_OP, _FOOTER_OP):
                return spans
            end = place + _HEAD.size + size
            if not 0 < opcode <= _LAST_OP:
                reason = f'there is no record at this place; {self._size - place} bytes are lost'
                break
            try:
                self._note(spans, opcode, place, end)
            except struct.error as error:
                reason = f'a record is damaged ({error}); nothing after it is read'
                break
            if end > self._size:
                reason = f'the file is cut: {end - self._size} bytes of a record are missing'
                if spans and spans[-1].end == end:
                    lost = self._cut(spans[-1])
                break
            place = end
        self._tell(Remark(self._shown, reason, place, None, *lost))
        return spans

    def _cut(self, span: _Span) -> tuple[int, int]:
        """Take in a chunk that is cut; return its last time there and its very last one."""
        stamps = []
        for channel, _, record in self._load(span):
            stamps.append(_MESSAGE.unpack_from(record)[2])
            span.counts[channel] += 1
        lost = max(stamps, default=span.begin_ns), span.end_ns
        span.end_ns = lost[0]
        return lost

    def _note(self, spans: list[_Span], opcode: int, place: int, end: int) -> None:
        """Take in a record outside of chunks."""
        body = place + _HEAD.size
        if opcode == _CHUNK_OP and body + _CHUNK.size <= self._size:
            begin_ns, end_ns, *_ = _Fields(self._read(body, _CHUNK.size)).numbers(_CHUNK)
            spans.append(_Span(place, end, begin_ns, end_ns, Counter()))
        elif opcode == _INDEX_OP and spans:
            channel, size = _Fields(self._read(body, 6)).numbers(struct.Struct('<HI'))
            spans[-1].counts[channel] += size // 16
        elif opcode == _MESSAGE_OP and end <= self._size:
            channel, _, stamp, _ = _Fields(self._read(body, _MESSAGE.size)).numbers(_MESSAGE)
            last = spans[-1] if spans else None
            if last is None or last.is_chunk or place - last.place > _MAX_RUN_BYTES:
                last = _Span(place, end, stamp, stamp, Counter(), is_chunk=False)
                spans.append(last)
            last.end = end
            last.begin_ns, last.end_ns = min(stamp, last.begin_ns), max(stamp, last.end_ns)
            last.counts[channel] += 1
        elif opcode in (_SCHEMA_OP, _CHANNEL_OP) and end <= self._size:
            self._learn(opcode, self._read(body, end - body))


def _records(data: memoryview, is_cut: bool = False) -> Iterator[tuple[int, int, memoryview]]:
    """
    Yield the opcode, the place and the body of each record that is whole.

    :param is_cut: the last record may be incomplete
    :raise UnpackError: if it is incomplete otherwise, after all whole ones
    """
    place = 0
    while place + _HEAD.size <= len(data):
        opcode, size = _HEAD.unpack_from(data, place)
        begin = place + _HEAD.size
        if begin + size > len(data):
            break
        yield opcode, place, data[begin : begin + size]
        place = begin + size
    if place != len(data) and not is_cut:
        raise UnpackError(f'its last {len(data) - place} bytes are no whole record')


def _indexed(fields: _Fields) -> _Span:
    """Return the span of a chunk, with the number of messages by the sizes of its indexes."""
    begin_ns, end_ns, place, size = fields.numbers(_CHUNK_INDEX)
    pairs = sorted((at, channel) for channel, at in struct.iter_unpack('<HQ', fields.octets()))
    (index_bytes,) = fields.numbers(struct.Struct('<Q'))
    ends = [at for at, _ in pairs[1:]] + [place + size + index_bytes]
    # A message index is 15 bytes and 16 for each message.
    counts = Counter(
        {channel: (end - at - 15) // 16 for (at, channel), end in zip(pairs, ends, strict=False)}
    )
    return _Span(place, place + size, begin_ns, end_ns, counts)


def _known(publish_ns: int, receive_ns: int) -> int | None:
    """Return the time of publication. Recorders that do not know it repeat the receive time."""
    return None if publish_ns in (0, receive_ns) else publish_ns
