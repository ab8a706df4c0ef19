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
Bags that are cut or damaged: what is whole is read, and what is not is told.

Guards against messages that are lost although their bytes are there, against bytes that nobody
sent, and against silence about either.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
import sqlite3
import struct
from zlib import crc32

import pytest
from thoroughness import THOROUGH

pytest.importorskip('rosbags', reason='bags need rosbags')

from bags import (
    bag_file,
    IMAGE,
    image,
    JOINTS,
    joints,
    JOINTS_TEXT,
    MCAP,
    mcap_channel,
    mcap_chunk,
    MCAP_END,
    MCAP_HEAD,
    mcap_message,
    record,
    SQLITE,
    write_bag,
    write_split_bag,
)
from lerobot_streamrec.errors import BagError
from lerobot_streamrec.fleet.reading.bag_reader import open_bag
from lz4.frame import compress as lz4
from rosbags.rosbag2 import CompressionMode
from rosbags.rosbag2.storage_mcap import zstd

NUM_CUTS = 200 if THOROUGH else 25


def numbered(count, make=joints, kind=JOINTS):
    return [('/j', kind, 1_000 + number, make(number)) for number in range(count)]


def read(path):
    """Return the data of all messages and the remarks, and assert the order of time."""
    bag = open_bag(path)
    messages = list(bag.messages())
    assert messages == sorted(messages, key=lambda one: one.receive_ns)
    again = len(bag.remarks)
    assert list(bag.messages()) == messages
    assert len(bag.remarks) == again
    return [one.data for one in messages], bag.remarks


def cuts(size, first):
    return range(first, size, max(1, (size - first) // NUM_CUTS))


def cut_file(source, target, end):
    target.write_bytes(source.read_bytes()[:end])
    return target


PLAIN_CHUNKS = ((bytes, ''), (partial(zstd.compress, level=1), 'zstd'), (lz4, 'lz4'))


@pytest.mark.parametrize(('compress', 'name'), [*PLAIN_CHUNKS, (None, 'no chunks')])
def test_a_cut_mcap_gives_each_message_before_the_cut(tmp_path, compress, name):
    """Without compression, these are all whose bytes are there."""
    sent = numbered(60, image, IMAGE)
    content, channel = MCAP_HEAD, mcap_channel('/j', IMAGE, 'uint8 unused')
    for number in range(0, 60, 6):
        of_chunk = sent[number : number + 6]
        records = channel + b''.join(mcap_message(one[3], one[2]) for one in of_chunk)
        content += (
            mcap_chunk(records, of_chunk[0][2], of_chunk[-1][2], compress, name)
            if compress
            else records
        )
    (tmp_path / 'whole.mcap').write_bytes(content + MCAP_END)
    data = [one[3] for one in sent]
    assert read(tmp_path / 'whole.mcap') == (data, [])
    size = len(content + MCAP_END)
    begin = len(MCAP_HEAD + channel) + 100
    for end in cuts(size, begin):
        path = cut_file(tmp_path / 'whole.mcap', tmp_path / 'cut.mcap', end)
        found, remarks = read(path)
        assert found == data[: len(found)]
        there = sum(one in content[:end] for one in data)
        if compress in (None, bytes):
            assert len(found) == there
        else:
            assert len(found) >= len(data) * (end - begin) // size // 6 * 6 - 6
        if end < len(content):
            (remark,) = remarks
            assert 'the file' in remark.reason
            assert remark.path == path
            assert remark.place_bytes <= end
        else:
            assert len(found) == len(data)


@pytest.mark.parametrize('num_bytes', [100, 3_000, 40_000])
def test_a_cut_db3_gives_each_message_whose_pages_are_there(tmp_path, num_bytes):
    sent = numbered(80, partial(image, num_bytes=num_bytes), IMAGE)
    whole = bag_file(write_bag(tmp_path / 'bag', sent, SQLITE))
    content, data = whole.read_bytes(), [one[3] for one in sent]
    assert read(whole) == (data, [])
    for end in cuts(len(content), 30_000 if num_bytes > 100 else 24_576):
        path = cut_file(whole, tmp_path / 'cut.db3', end)
        found, remarks = read(path)
        assert all(one in data for one in found)
        # The first bytes of a message are on its leaf, and the last ones may be before it.
        pages = content[: end // 4096 * 4096]
        there = [one for one in data if one[:40] in pages and one[-90:] in pages]
        assert set(found) == set(there)
        assert any('it is cut' in one.reason for one in remarks)
        assert all(one.path == path for one in remarks)


def test_a_db3_that_is_cut_where_its_tree_was_still_flat_loses_no_page(tmp_path):
    """The first leaves are found through a page that was added later, and so is cut off."""
    sent = numbered(20_000)
    whole = bag_file(write_bag(tmp_path / 'bag', sent, SQLITE))
    content = whole.read_bytes()
    end = len(content) // 10 // 4096 * 4096
    found, _ = read(cut_file(whole, tmp_path / 'cut.db3', end))
    assert found == [one[3] for one in sent[: len(found)]]
    assert len(found) > 1_500


def test_a_page_that_is_overwritten_costs_its_messages_alone(tmp_path):
    sent = numbered(2_000)
    whole = bag_file(write_bag(tmp_path / 'bag', sent, SQLITE))
    content = bytearray(whole.read_bytes())
    place = content.index(sent[1_000][3]) // 4096 * 4096
    lost = [one[3] for one in sent if one[3] in content[place : place + 4096]]
    content[place : place + 4096] = bytes(4096)
    whole.write_bytes(content)
    found, remarks = read(whole)
    assert found == [one[3] for one in sent if one[3] not in lost]
    assert [one.num_lost for one in remarks] == [len(lost)]
    found, remarks = read(whole.parent)
    assert len(found) == 2_000 - len(lost)
    assert remarks[-1].reason == f'{len(found)} of 2000 messages of /j were read'


@pytest.mark.parametrize('column', ['timestamp', 'data'])
def test_a_row_of_other_types_costs_itself_alone(tmp_path, column):
    """SQLite stores a text in a column of numbers, so damage can leave one there."""
    sent = numbered(30)
    whole = bag_file(write_bag(tmp_path / 'bag', sent, SQLITE))
    with closing(sqlite3.connect(whole)) as database, database:
        database.execute(f"UPDATE messages SET {column} = 'odd' WHERE id = 11")
    found, remarks = read(whole)
    assert found == [one[3] for one in sent[:10] + sent[11:]]
    assert 'a column has str instead of' in remarks[0].reason
    assert remarks[0].num_lost == 1


def chunks(damage, has_summary, compress=zstd.compress, name='zstd'):
    """Return an MCAP file of three chunks of ten messages, the second of which is damaged."""
    sent, content, indexes = numbered(30), bytearray(MCAP_HEAD), b''
    channel = mcap_channel('/j', JOINTS, JOINTS_TEXT)
    for number in range(3):
        ten = sent[10 * number : 10 * number + 10]
        records = channel + b''.join(mcap_message(one[3], one[2]) for one in ten)
        chunk = bytearray(mcap_chunk(records, ten[0][2], ten[-1][2], compress, name))
        place = len(content)
        if number == 1:
            damage(chunk)
        content += chunk
        index = record(7, 'HI', 1, 160, rest=bytes(160))
        indexes += record(
            8, 'QQQQIHQQI', ten[0][2], ten[-1][2], place, len(chunk), 10, 1, len(content),
            len(index), len(name), rest=name.encode() + bytes(16),
        )  # fmt: skip
        content += index
    content += record(0x0F, 'I', 0)
    begin = len(content) if has_summary else 0
    if has_summary:
        content += channel + indexes + record(0x0B, 'QHIIIIQQI', 30, 1, 1, 0, 0, 3, 0, 0, 0)
    head = struct.pack('<BQQQ', 2, 20, begin, 0)
    checksum = crc32(head, crc32(content[begin:])) if has_summary else 0
    return bytes(content) + head + struct.pack('<I', checksum) + MCAP_END[-8:]


def in_checksum(chunk):
    chunk[9 + 24] ^= 1


def in_data(chunk):
    chunk[60:70] = bytes(10)


def in_name(chunk):
    chunk[9 + 32] ^= 1


def in_size(chunk):
    chunk[9 + 17] ^= 1


@pytest.mark.parametrize('has_summary', [True, False])
@pytest.mark.parametrize(
    ('damage', 'reason'),
    [
        (in_checksum, 'its checksum is wrong'),
        (in_data, 'its zstd data is damaged'),
        (in_name, "its compression is '{std'"),
        (in_size, 'bytes instead of'),
    ],
)
def test_a_damaged_chunk_costs_its_messages_alone(tmp_path, damage, reason, has_summary):
    path = tmp_path / 'some.mcap'
    path.write_bytes(chunks(lambda chunk: None, has_summary))
    data = [one[3] for one in numbered(30)]
    assert read(path) == (data, [])
    path.write_bytes(chunks(damage, has_summary))
    found, remarks = read(path)
    assert found == data[:10] + data[20:]
    first, last = remarks
    assert reason in first.reason
    assert (first.num_lost, first.begin_ns, first.end_ns) == (10, 1_010, 1_019)
    assert path.read_bytes()[first.place_bytes] == 6
    assert str(first).startswith(f'{path} at byte {first.place_bytes}: a chunk cannot be read: ')
    assert str(first).endswith('; 10 messages are lost, received from 1010 to 1019 ns')
    assert last.reason == '20 of 30 messages of /j were read'


def test_messages_whose_topic_was_described_in_a_damaged_chunk_are_told(tmp_path):
    sent, content = numbered(20), MCAP_HEAD
    for number, description in ((0, mcap_channel('/j', JOINTS, JOINTS_TEXT)), (10, b'')):
        ten = sent[number : number + 10]
        records = description + b''.join(mcap_message(one[3], one[2]) for one in ten)
        chunk = bytearray(mcap_chunk(records, ten[0][2], ten[-1][2]))
        if description:
            in_checksum(chunk)
        content += chunk
    path = tmp_path / 'some.mcap'
    path.write_bytes(content + MCAP_END)
    found, remarks = read(path)
    assert found == []
    assert 'its checksum is wrong' in remarks[0].reason
    assert (remarks[1].reason[:29], remarks[1].num_lost) == ('messages of an unknown topic,', 10)


def test_a_summary_with_a_wrong_checksum_is_not_believed(tmp_path):
    content = bytearray(chunks(lambda chunk: None, has_summary=True))
    place = content.rindex(record(0x0B, 'QHIIIIQQI', 30, 1, 1, 0, 0, 3, 0, 0, 0)[:9]) - 60
    content[place] ^= 0xFF
    (tmp_path / 'some.mcap').write_bytes(content)
    assert read(tmp_path / 'some.mcap') == ([one[3] for one in numbered(30)], [])


def test_nothing_after_a_place_without_a_record_is_read_and_that_is_told(tmp_path):
    content = bytearray(chunks(lambda chunk: None, has_summary=False))
    place = content.index(mcap_chunk(b'', 1_010, 0)[9:17]) - 9
    content[place : place + 9] = b'\xee' * 9
    path = tmp_path / 'some.mcap'
    path.write_bytes(content)
    found, (remark,) = read(path)
    assert found == [one[3] for one in numbered(10)]
    assert remark.place_bytes == place
    assert f'{len(content) - place} bytes are lost' in remark.reason


@pytest.mark.parametrize('plugin', [SQLITE, MCAP])
def test_a_message_that_cannot_be_decompressed_is_left_out(tmp_path, plugin):
    sent = numbered(10, partial(image, num_bytes=3_000), IMAGE)
    path = write_bag(tmp_path / 'bag', sent, plugin, CompressionMode.MESSAGE)
    content = bytearray(bag_file(path).read_bytes())
    place = content.index(zstd.compress(sent[4][3]))
    content[place + 4 : place + 9] = b'\xff' * 5
    bag_file(path).write_bytes(content)
    found, (remark, count) = read(path)
    assert found == [one[3] for one in sent if one is not sent[4]]
    assert 'a message of /j: its zstd data' in remark.reason
    assert (remark.num_lost, remark.begin_ns, remark.end_ns) == (1, 1_004, 1_004)
    assert count.num_lost == 1


@pytest.mark.parametrize('plugin', [SQLITE, MCAP])
def test_a_compressed_file_that_is_cut_gives_what_can_be_decompressed(tmp_path, plugin):
    sent = numbered(80, image, IMAGE)
    path = write_bag(tmp_path / 'bag', sent, plugin, CompressionMode.FILE)
    file = bag_file(path)
    cut_file(file, file, file.stat().st_size // 2)
    found, remarks = read(path)
    assert found == [one[3] for one in sent[: len(found)]]
    assert len(found) > 30
    reasons = [one.reason for one in remarks]
    assert reasons[0] == 'its zstd data ends too early'
    assert reasons[-1] == f'{len(found)} of 80 messages of /j were read'


PARTS = [numbered(30)[:10], numbered(30)[10:20], numbered(30)[20:]]


@pytest.mark.parametrize('plugin', [SQLITE, MCAP])
def test_a_file_that_is_missing_or_is_no_bag_costs_its_messages_alone(tmp_path, plugin):
    path = write_split_bag(tmp_path / 'bag', PARTS, plugin)
    first, second, _ = sorted(one for one in path.iterdir() if 'part' in one.name)
    second.unlink()
    data = [one[3] for one in numbered(30)]
    found, remarks = read(path)
    assert found == data[:10] + data[20:]
    assert [(one.path, one.num_lost) for one in remarks] == [(second, 10), (path, 10)]
    assert (remarks[0].begin_ns, remarks[0].end_ns) == (1_010, 1_019)
    first.write_bytes(b'')
    found, remarks = read(path)
    assert found == data[20:]
    assert 'it is empty, and is neither' in remarks[1].reason


@pytest.mark.parametrize('plugin', [SQLITE, MCAP])
def test_a_file_that_metadata_does_not_list_is_read_too(tmp_path, plugin):
    """A recorder that is killed has not listed its last file."""
    path = write_split_bag(tmp_path / 'bag', PARTS[:2], plugin)
    last = bag_file(write_bag(tmp_path / 'last', PARTS[2], plugin))
    last.rename(path / last.name)
    found, (remark,) = read(path)
    assert found == [one[3] for one in numbered(30)]
    assert remark.path == path / last.name
    bag = open_bag(path)
    assert (bag.end_ns, bag.num_messages) == (1_029, 30)


@pytest.mark.parametrize('content', [b'', b'a: [', b'[]', b'rosbag2_bagfile_information: {}\n'])
def test_damaged_metadata_is_told_and_the_files_are_read(tmp_path, content):
    path = write_bag(tmp_path / 'bag', numbered(5))
    (path / 'metadata.yaml').write_bytes(content)
    found, (remark,) = read(path)
    assert len(found) == 5
    assert remark.reason.startswith('it is damaged (')


def test_a_bag_of_which_nothing_can_be_read_is_refused_with_the_reasons(tmp_path):
    path = write_bag(tmp_path / 'bag', numbered(5), SQLITE)
    bag_file(path).write_bytes(bag_file(path).read_bytes()[:2_000])
    with pytest.raises(BagError, match='its topics cannot be read') as caught:
        open_bag(path)
    assert str(bag_file(path)) in str(caught.value)
