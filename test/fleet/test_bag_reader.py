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
Whole bags of every format.

Guards against messages that are lost, changed, or out of order, in files that overlap in time too.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
import sqlite3
from tempfile import TemporaryDirectory
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from thoroughness import examples

pytest.importorskip('rosbags', reason='bags need rosbags')

from bags import (
    bag_file,
    FORMATS,
    humble_bag,
    IMAGE,
    image,
    JOINTS,
    joints,
    LATCHED,
    MCAP,
    mcap_channel,
    MCAP_END,
    MCAP_HEAD,
    mcap_message,
    read_metadata,
    SQLITE,
    write_bag,
    write_metadata,
    write_split_bag,
)
from lerobot_streamrec.errors import BagError
from lerobot_streamrec.fleet.reading import bag_reader
from lerobot_streamrec.fleet.reading.bag_reader import open_bag
from rosbags.rosbag2 import CompressionMode

MIB = 1 << 20
TRAIN = [
    (f'/{topic}', kind, 1_000 + 10 * number + offset, make(number))
    for number in range(30)
    for topic, kind, offset, make in (('joints', JOINTS, 0, joints), ('camera', IMAGE, 3, image))
]
BY_FORMAT = pytest.mark.parametrize(('plugin', 'mode'), FORMATS, ids=lambda one: one.name.lower())


def plain(messages):
    """Return messages as the test wrote them."""
    return [(one.topic, one.type_name, one.receive_ns, one.data) for one in messages]


@BY_FORMAT
def test_a_bag_of_any_format_gives_its_messages_and_facts(tmp_path, plugin, mode):
    path = write_bag(tmp_path / 'bag', TRAIN, plugin, mode, qos={'/camera': [LATCHED]})
    bag = open_bag(path)
    assert [(one.name, one.type_name, one.num_messages) for one in bag.topics] == [
        ('/joints', JOINTS, 30),
        ('/camera', IMAGE, 30),
    ]
    assert [one.is_latched for one in bag.topics] == [False, True]
    assert (bag.begin_ns, bag.end_ns, bag.num_messages) == (1_000, 1_293, 60)
    assert plain(bag.messages()) == TRAIN
    assert plain(bag.messages({'/camera'}, 1_013, 1_043)) == TRAIN[3:8:2]
    assert bag.fields('std_msgs/Header') == {
        'stamp': 'builtin_interfaces/Time',
        'frame_id': 'string',
    }
    assert bag.decode(JOINTS, TRAIN[8][3]).position.tolist() == [4, -4]
    assert bag.remarks == []
    assert bag.size_bytes == bag_file(path).stat().st_size


@BY_FORMAT
def test_a_lone_file_tells_its_facts_itself(tmp_path, plugin, mode):
    whole = write_bag(tmp_path / 'bag', TRAIN, plugin, mode, qos={'/camera': [LATCHED]})
    known, bag = open_bag(whole), open_bag(bag_file(whole))
    assert (bag.topics, bag.begin_ns, bag.end_ns) == (known.topics, known.begin_ns, known.end_ns)
    assert plain(bag.messages()) == TRAIN
    assert bag.remarks == []


PARTS = [TRAIN[:21], TRAIN[21:40] + TRAIN[41:43], [TRAIN[40], *TRAIN[43:]]]


@BY_FORMAT
@pytest.mark.parametrize('has_metadata', [True, False])
def test_split_files_are_merged_by_time(tmp_path, plugin, mode, has_metadata):
    path = write_split_bag(tmp_path / 'bag', PARTS, plugin, mode)
    if not has_metadata:
        (path / 'metadata.yaml').unlink()
    bag = open_bag(path)
    assert len(bag.files) == 3
    assert (bag.begin_ns, bag.end_ns, bag.num_messages) == (1_000, 1_293, 60)
    assert plain(bag.messages()) == TRAIN
    assert plain(bag.messages(begin_ns=1_150)) == TRAIN[30:]
    reasons = [one.reason for one in bag.remarks]
    assert (reasons == []) is has_metadata
    assert all(reason.startswith('it is missing') for reason in reasons)


def test_digests_are_those_of_the_stored_files(tmp_path):
    path = write_split_bag(tmp_path / 'bag', PARTS, MCAP, CompressionMode.FILE)
    steps = []
    found = open_bag(path).digests(lambda *step: steps.append(step))
    assert [one.name for one in found] == [
        'metadata.yaml', 'part_0.mcap.zstd', 'part_1.mcap.zstd', 'part_2.mcap.zstd'
    ]  # fmt: skip
    for one in found:
        content = (path / one.name).read_bytes()
        assert (one.size_bytes, one.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    total = sum(one.size_bytes for one in found)
    assert steps[-1] == (total, total)


def test_of_a_large_file_blocks_at_equal_distances_are_digested(tmp_path, monkeypatch):
    """What lies between them is the price of not reading 50 GB twice; docs/bags.md tells it."""
    monkeypatch.setattr(bag_reader, 'SAMPLED_BYTES', 4 * MIB)
    path = bag_file(write_bag(tmp_path / 'bag', [('/image', IMAGE, 1, image(1, 10 * MIB))]))
    size, steps, bag = path.stat().st_size, [], open_bag(path.parent)

    def digest(**options):
        _, found = bag.digests(lambda *step: steps.append(step), **options)
        assert found.size_bytes == path.stat().st_size
        return found.is_whole, found.sha256

    before, whole = digest(), digest(is_whole=True)
    metadata = path.with_name('metadata.yaml').stat().st_size
    assert (before[0], whole[0]) == (False, True)
    assert whole[1] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (metadata + 4 * MIB,) * 2 in steps
    assert steps[-1] == (metadata + size,) * 2
    third = (size - MIB) // 3
    seen = [0, MIB - 1, third, 2 * third + MIB // 2, size - MIB, size - 1]
    for place in [*seen, MIB, third - 1, size - MIB - 1]:
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        path.write_bytes(content)
        assert (digest() != before) is (place in seen), place
        assert digest(is_whole=True) != whole
        content[place] ^= 1
        path.write_bytes(content)
    path.write_bytes(path.read_bytes() + b'x')
    assert digest() != before


def test_progress_counts_the_bytes_of_messages(tmp_path):
    steps = []
    list(open_bag(write_bag(tmp_path / 'bag', TRAIN)).messages(progress=steps.append))
    sizes = [len(data) for *_, data in TRAIN]
    assert steps == [sum(sizes[:number]) for number in range(len(sizes))]


@pytest.mark.parametrize(
    ('make', 'problem'),
    [
        (lambda path: None, 'it does not exist'),
        (lambda path: path.mkdir(), 'it has no files in MCAP'),
        (lambda path: path.write_bytes(b''), 'is empty, and is neither'),
        (lambda path: path.write_bytes(b'#ROSBAG V2.0\n' * 9), 'begins with 23524f53'),
        (lambda path: path.write_bytes(b'SQLite format 3\0' * 9), 'its topics cannot be read'),
        (lambda path: sqlite3.connect(path).execute('CREATE TABLE x (y)'), 'no such table'),
    ],
)
def test_what_is_no_bag_is_refused_with_its_path(tmp_path, make, problem):
    path = tmp_path / 'some.db3'
    make(path)
    with pytest.raises(BagError, match=problem) as caught:
        open_bag(path)
    assert str(path) in str(caught.value)


def test_what_a_recorder_has_left_in_its_log_is_read(tmp_path):
    """With WAL, the newest messages of a recorder that was killed are in a file beside the bag."""
    path = tmp_path / 'bag.db3'
    database = humble_bag(path, [(1, joints(1))])
    database.execute('PRAGMA journal_mode = WAL')
    database.execute('INSERT INTO messages VALUES (NULL, 1, 2, ?)', (joints(2),))
    database.commit()
    killed = tmp_path / 'killed'
    killed.mkdir()
    for one in (path, path.with_name('bag.db3-wal')):
        (killed / one.name).write_bytes(one.read_bytes())
    database.close()
    found = [one.data for one in open_bag(killed / 'bag.db3').messages()]
    assert found == [joints(1), joints(2)]
    # Where SQLite cannot make its own file, as on a medium that is read-only:
    (killed / 'bag.db3-shm').unlink()
    (killed / 'bag.db3-shm').symlink_to('nowhere')
    bag = open_bag(killed / 'bag.db3')
    assert [one.data for one in bag.messages()] == [joints(1)]
    assert [one.path.name for one in bag.remarks] == ['bag.db3-wal']


def test_metadata_of_humble_is_read(tmp_path):
    """Version 5: profiles are a text, and there are neither definitions nor a distribution."""
    path = write_bag(tmp_path / 'bag', TRAIN, SQLITE, version=8, qos={'/camera': [LATCHED]})
    found = read_metadata(path)
    assert isinstance(found['topics_with_message_count'][1]['topic_metadata']
                      ['offered_qos_profiles'], str)  # fmt: skip
    found['version'] = 5
    found['relative_file_paths'] = [f'bag/{bag_file(path).name}']
    for key in ('ros_distro', 'custom_data', 'files'):
        del found[key]
    write_metadata(path, found)
    bag = open_bag(path)
    assert [one.is_latched for one in bag.topics] == [False, True]
    assert plain(bag.messages()) == TRAIN
    assert bag.remarks == []


def test_topics_that_are_not_in_cdr_are_named(tmp_path):
    path = tmp_path / 'json.mcap'
    channel = mcap_channel('/note', 'note', '{}', 'jsonschema').replace(b'cdr', b'xml')
    path.write_bytes(MCAP_HEAD + channel + mcap_message(b'{}', 5) + MCAP_END)
    bag = open_bag(path)
    assert list(bag.messages()) == []
    assert [str(one) for one in bag.remarks] == [
        f"{path}: /note is not read: it is in 'xml', not in CDR; 1 messages are lost"
    ]


@pytest.mark.parametrize('plugin', [SQLITE, MCAP])
def test_a_bag_is_read_in_little_memory(tmp_path, plugin):
    """Guards against whole files in memory: here it would be 30 MB, elsewhere 50 GB."""
    train = [('/camera', IMAGE, number, image(number, 1_000_000)) for number in range(30)]
    path = write_split_bag(tmp_path / 'bag', [train[:20], train[20:]], plugin)
    del train
    tracemalloc.start()
    try:
        num = sum(1 for _ in open_bag(path).messages())
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert num == 30
    assert peak_bytes < 12_000_000


PARTS_OF_TRAINS = st.lists(
    st.lists(
        st.tuples(st.sampled_from(['/a', '/b']), st.integers(1, 50), st.binary(max_size=40)),
        min_size=1,
        max_size=20,
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=examples(40))
@given(format_=st.sampled_from(FORMATS), parts=PARTS_OF_TRAINS, limits=st.tuples(
    st.integers(0, 51), st.integers(0, 51)), has_metadata=st.booleans())  # fmt: skip
def test_any_train_of_messages_comes_back_in_order(format_, parts, limits, has_metadata):
    """By receive time; messages of one time in the order of files and of their recording."""
    sent = [
        [(topic, JOINTS, stamp, b'\0\1\0\0' + data) for topic, stamp, data in part]
        for part in parts
    ]
    with TemporaryDirectory() as folder:
        path = write_split_bag(Path(folder, 'bag'), sent, *format_)
        if not has_metadata:
            (path / 'metadata.yaml').unlink()
        bag = open_bag(path)
        found = plain(bag.messages())
        assert [one[2] for one in found] == sorted(one[2] for part in sent for one in part)
        for stamp in {one[2] for one in found}:
            together = [one for part in sent for one in part if one[2] == stamp]
            assert sorted(one for one in found if one[2] == stamp) == sorted(together)
        if len(parts) == 1:
            assert found == sorted(sent[0], key=lambda one: one[2])
        begin, end = limits
        assert plain(bag.messages({'/a'}, begin, end)) == [
            one for one in found if one[0] == '/a' and begin <= one[2] < end
        ]
        assert len(bag.remarks) == (not has_metadata)
