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

Guards against messages that are lost, changed, or out of order, in files that overlap in time too,
and against types that are decoded by another definition than the one that they were sent with.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
import sqlite3
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from thoroughness import examples

pytest.importorskip('rosbags', reason='bags need rosbags')

from bags import (
    bag_file,
    FORMATS,
    IMAGE,
    image,
    JOINTS,
    joints,
    LATCHED,
    MCAP,
    mcap_channel,
    mcap_chunk,
    MCAP_END,
    MCAP_HEAD,
    mcap_message,
    RANGE,
    read_metadata,
    SQLITE,
    write_bag,
    write_metadata,
    write_split_bag,
)
from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.vector_bytes import VectorBytesReader
from lerobot_streamrec.errors import BagError, MessageError
from lerobot_streamrec.fleet.bag_reader import open_bag
from lz4.frame import compress as lz4
from rosbags.rosbag2 import CompressionMode
from rosbags.typesys import get_typestore, Stores

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


ARM = 'my_robot/msg/Arm'
ARM_MSG = """\
# An own type, as a workspace defines it
uint8 IDLE=0
std_msgs/Header header
my_robot/Joint[2] joints  # two of them
float32[3] force
uint16[] raw
string<=8 name "arm"
byte state
================================================================================
MSG: my_robot/Joint
float64 angle
bool is_on
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
"""
ARM_IDL = f"""\
{'=' * 80}
IDL: my_robot/msg/Arm
#include "my_robot/msg/Joint.idl"
#include "std_msgs/msg/Header.idl"
module my_robot {{ module msg {{
  typedef float float__3[3];
  typedef my_robot::msg::Joint my_robot__msg__Joint__2[2];
  struct Arm {{
    std_msgs::msg::Header header;
    my_robot__msg__Joint__2 joints;
    float__3 force;
    sequence<uint16> raw;
    string<8> name;
    octet state;
  }};
}}; }};
{'=' * 80}
IDL: my_robot/msg/Joint
module my_robot {{ module msg {{ struct Joint {{ double angle; boolean is_on; }}; }}; }};
{'=' * 80}
IDL: std_msgs/msg/Header
#include "builtin_interfaces/msg/Time.idl"
module std_msgs {{ module msg {{ struct Header {{
  builtin_interfaces::msg::Time stamp; string frame_id; }}; }}; }};
{'=' * 80}
IDL: builtin_interfaces/msg/Time
module builtin_interfaces {{ module msg {{ struct Time {{
  int32 sec; uint32 nanosec; }}; }}; }};
"""


def arm(number):
    """Return an Arm in CDR by hand: 4 bytes of head, and values aligned to their sizes."""
    head = b'\0\1\0\0' + np.array([number, 0, 2], '<u4').tobytes() + b'a\0' + bytes(2)
    joint = np.array([number + 0.5], '<f8').tobytes() + b'\1'
    force = bytes(3) + np.array([1, 2, number], '<f4').tobytes()
    raw = np.array([2], '<u4').tobytes() + np.array([7, number], '<u2').tobytes()
    return head + joint + bytes(7) + joint + force + raw + b'\3\0\0\0xy\0\2'


@pytest.mark.parametrize(('text', 'encoding'), [(ARM_MSG, 'ros2msg'), (ARM_IDL, 'ros2idl')])
def test_a_type_of_a_workspace_is_read_by_the_definition_in_the_bag(tmp_path, text, encoding):
    path = tmp_path / 'arm.mcap'
    messages = b''.join(mcap_message(arm(number), 100 + number, 90) for number in range(5))
    content = MCAP_HEAD + mcap_channel('/arm', ARM, text, encoding) + messages + MCAP_END
    path.write_bytes(content)
    bag = open_bag(path)
    assert bag.fields('my_robot/Arm') == {
        'header': 'std_msgs/Header',
        'joints': 'my_robot/Joint[2]',
        'force': 'float[3]',
        'raw': 'sequence<uint16>',
        'name': 'string<8>',
        'state': 'octet',
    }
    assert bag.fields('my_robot/msg/Joint') == {'angle': 'double', 'is_on': 'boolean'}
    selectors = ['joints[1].angle', 'force[2]', 'raw[1]', 'joints[0].is_on']

    def load_class(name):
        return SimpleNamespace(get_fields_and_field_types=lambda: bag.fields(name))

    elements = find_elements('state', ARM, selectors, (), load_class=load_class)
    read = VectorBytesReader(elements, ARM, bag.fields, lambda data: bag.decode(ARM, data))
    for number, message in enumerate(bag.messages()):
        assert read(message.data).tolist() == [number + 0.5, number, number, 1]
        assert bag.decode(ARM, message.data).name == 'xy'
        assert (message.receive_ns, message.publish_ns) == (100 + number, 90)
    with pytest.raises(MessageError, match='cannot be decoded as my_robot/msg/Arm'):
        bag.decode(ARM, arm(1)[:-20])
    assert bag.remarks == []


def test_a_definition_that_cannot_be_parsed_is_a_remark_and_rosbags_own_is_used(tmp_path):
    path = tmp_path / 'odd.mcap'
    channels = mcap_channel('/joints', JOINTS, 'float64[ x')
    channels += mcap_channel('/odd', 'my_robot/msg/Odd', 'wstring x', key=2)
    path.write_bytes(MCAP_HEAD + channels + mcap_message(joints(3), 1) + MCAP_END)
    bag = open_bag(path)
    assert [one.reason.partition(' cannot')[0] for one in bag.remarks] == [
        f'its definition of {JOINTS}',
        'its definition of my_robot/msg/Odd',
    ]
    assert bag.decode(JOINTS, joints(3)).position.tolist() == [3, -3]
    assert bag.fields('my_robot/Odd') is None
    with pytest.raises(MessageError, match='neither the bag nor a ROS distribution defines'):
        bag.decode('my_robot/msg/Odd', b'\0\1\0\0')


def humble_bag(path, messages):
    """Write an SQLite file as Humble does: without definitions and distribution."""
    database = sqlite3.connect(path)
    database.executescript(
        'CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, '
        'serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);'
        'CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, '
        'timestamp INTEGER NOT NULL, data BLOB NOT NULL);'
        'CREATE INDEX timestamp_idx ON messages (timestamp ASC);'
    )
    database.execute('INSERT INTO topics VALUES (1, ?, ?, ?, ?)', ('/range', RANGE, 'cdr', ''))
    for stamp, data in messages:
        database.execute('INSERT INTO messages VALUES (NULL, 1, ?, ?)', (stamp, data))
    database.commit()
    return database


@pytest.mark.parametrize(
    ('distribution', 'extra'), [(Stores.ROS2_HUMBLE, {}), (Stores.ROS2_JAZZY, {'variance': 0.5})]
)
def test_without_definitions_the_distribution_is_found_that_fits(tmp_path, distribution, extra):
    """sensor_msgs/Range has one more field since Iron; also while other messages are read."""
    store = get_typestore(distribution)
    header = store.types['std_msgs/msg/Header']
    time = store.types['builtin_interfaces/msg/Time'](1, 2)
    message = store.types[RANGE](header(time, 'x'), 0, 1.0, 2.0, 3.0, 4.0, *extra.values())
    data = bytes(store.serialize_cdr(message, RANGE))
    humble_bag(tmp_path / 'bag.db3', [(1, data), (2, data)]).close()
    bag = open_bag(tmp_path / 'bag.db3')
    decoded = [bag.decode(RANGE, one.data) for one in bag.messages()]
    assert [one.range for one in decoded] == [4.0, 4.0]
    assert ('variance' in bag.fields('sensor_msgs/Range')) is bool(extra)


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


def test_chunks_in_lz4_and_big_endian_messages_are_read(tmp_path):
    data = bytes(get_typestore(Stores.ROS2_JAZZY).serialize_cdr(
        open_joints(tmp_path, joints(7)), JOINTS, little_endian=False))  # fmt: skip
    records = mcap_channel('/joints', JOINTS, 'float64 unused') + mcap_message(data, 5)
    path = tmp_path / 'lz4.mcap'
    path.write_bytes(MCAP_HEAD + mcap_chunk(records, 5, 5, lz4, 'lz4') + MCAP_END)
    (message,) = open_bag(path).messages()
    assert message.data == data
    known = open_bag(tmp_path / 'one')
    assert known.decode(JOINTS, data).position.tolist() == [7, -7]


def open_joints(folder, data):
    return open_bag(write_bag(folder / 'one', [('/j', JOINTS, 1, data)])).decode(JOINTS, data)


def test_topics_that_are_not_in_cdr_are_named(tmp_path):
    path = tmp_path / 'json.mcap'
    channel = mcap_channel('/note', 'note', '{}', 'jsonschema').replace(b'cdr', b'xml')
    path.write_bytes(MCAP_HEAD + channel + mcap_message(b'{}', 5) + MCAP_END)
    bag = open_bag(path)
    assert list(bag.messages()) == []
    assert [str(one) for one in bag.remarks] == [
        f"{path}: /note is not read: it is in 'xml', not in CDR; 1 messages are lost"
    ]


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
