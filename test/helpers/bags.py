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
"""Bags for tests, as Rosbags writes them, and MCAP files that other writers would make."""

from __future__ import annotations

from io import BytesIO
import sqlite3
import struct
from zlib import crc32

import numpy as np
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import write_record, write_string
from rosbags.typesys import get_typestore, Stores
from ruamel.yaml import YAML

JAZZY = get_typestore(Stores.ROS2_JAZZY)
JOINTS, IMAGE, RANGE = (f'sensor_msgs/msg/{name}' for name in ('JointState', 'Image', 'Range'))
JOINTS_TEXT, _ = JAZZY.generate_msgdef(JOINTS, ros_version=2)
MCAP, SQLITE = StoragePlugin.MCAP, StoragePlugin.SQLITE3

FORMATS = (
    (SQLITE, CompressionMode.NONE),
    (SQLITE, CompressionMode.FILE),
    (SQLITE, CompressionMode.MESSAGE),
    (MCAP, CompressionMode.NONE),
    (MCAP, CompressionMode.FILE),
    (MCAP, CompressionMode.MESSAGE),
    (MCAP, CompressionMode.STORAGE),
)

LATCHED = Qos(
    QosHistory.KEEP_LAST,
    1,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    QosTime(0, 0),
    QosTime(0, 0),
    QosLiveliness.AUTOMATIC,
    QosTime(0, 0),
    False,
)


def header(number, types=JAZZY.types):
    time = types['builtin_interfaces/msg/Time'](sec=number, nanosec=5)
    return types['std_msgs/msg/Header'](stamp=time, frame_id='base')


def joints(number):
    """Return the bytes of a JointState that no other number has."""
    message = JAZZY.types[JOINTS](
        header=header(number),
        name=['a', 'b'],
        position=np.array([number, -number], float),
        velocity=np.empty(0),
        effort=np.empty(0),
    )
    return bytes(JAZZY.serialize_cdr(message, JOINTS))


def image(number, num_bytes=30_000):
    """Return the bytes of an Image with noise, which does not compress."""
    pixels = np.random.default_rng(number).integers(0, 256, num_bytes, np.uint8)
    message = JAZZY.types[IMAGE](
        header=header(number),
        height=1,
        width=num_bytes,
        encoding='mono8',
        is_bigendian=0,
        step=num_bytes,
        data=pixels,
    )
    return bytes(JAZZY.serialize_cdr(message, IMAGE))


def write_bag(path, messages, plugin=MCAP, mode=CompressionMode.NONE, **options):
    """
    Write a bag with messages (topic, type, receive time, data), and return its folder.

    :param options: ``version``, ``qos`` by topic, ``store`` with the types, ``silent`` topics with
        their types, of which there are no messages
    """
    store, qos = options.get('store', JAZZY), options.get('qos', {})
    writer = Writer(path, version=options.get('version', 9), storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        topics = {}
        for topic, kind in options.get('silent', ()):
            writer.add_connection(topic, kind, typestore=store)
        for topic, kind, stamp, data in messages:
            if (topic, kind) not in topics:
                profiles = qos.get(topic, ())
                topics[topic, kind] = writer.add_connection(
                    topic, kind, typestore=store, offered_qos_profiles=profiles
                )
            writer.write(topics[topic, kind], stamp, data)
    return path


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


def bag_file(path):
    """Return the only storage file of a bag."""
    (found,) = (one for one in path.iterdir() if one.name != 'metadata.yaml')
    return found


def write_split_bag(path, parts, plugin=MCAP, mode=CompressionMode.NONE):
    """Write a bag whose files have these messages each, as rosbag2 splits them."""
    path.mkdir()
    infos = []
    for number, messages in enumerate(parts):
        part = write_bag(path / f'part_{number}', messages, plugin, mode)
        infos.append(read_metadata(part))
        bag_file(part).rename(path / bag_file(part).name)
        (part / 'metadata.yaml').unlink()
        part.rmdir()
    whole, topics = infos[0], {}
    for info in infos:
        for topic in info['topics_with_message_count']:
            entry = topics.setdefault(topic['topic_metadata']['name'], topic)
            if entry is not topic:
                entry['message_count'] += topic['message_count']
    begins = [one['starting_time']['nanoseconds_since_epoch'] for one in infos]
    ends = [
        begin + one['duration']['nanoseconds'] for begin, one in zip(begins, infos, strict=True)
    ]
    whole['starting_time']['nanoseconds_since_epoch'] = min(begins)
    whole['duration']['nanoseconds'] = max(ends) - min(begins)
    whole['message_count'] = sum(one['message_count'] for one in infos)
    whole['topics_with_message_count'] = list(topics.values())
    whole['relative_file_paths'] = [one['relative_file_paths'][0] for one in infos]
    whole['files'] = [one['files'][0] for one in infos]
    write_metadata(path, whole)
    return path


def read_metadata(path):
    text = (path / 'metadata.yaml').read_bytes()
    return YAML(typ='safe').load(text)['rosbag2_bagfile_information']


def write_metadata(path, information):
    with (path / 'metadata.yaml').open('wb') as file:
        YAML(typ='safe').dump({'rosbag2_bagfile_information': information}, file)


def record(opcode, form='', *values, texts=(), rest=b''):
    """Return a record of MCAP: numbers, then texts, then other bytes."""
    body = BytesIO()
    body.write(struct.pack(f'<{form}', *values))
    for text in texts:
        write_string(body, text)
    body.write(rest)
    whole = BytesIO()
    write_record(whole, opcode, body)
    return whole.getvalue()


MAGIC = b'\x89MCAP0\r\n'
MCAP_HEAD = MAGIC + record(1, texts=('ros2', 'test'))
MCAP_END = record(0x0F, 'I', 0) + record(2, 'QQI', 0, 0, 0) + MAGIC


def mcap_channel(topic, kind, text, encoding='ros2msg', key=1):
    """Return the records of a topic: its type and its channel."""
    return record(3, 'H', key, texts=(kind, encoding, text)) + record(
        4, 'HH', key, key, texts=(topic, 'cdr'), rest=struct.pack('<I', 0)
    )


def mcap_message(data, stamp, publish=0, key=1):
    return record(5, 'HIQQ', key, 0, stamp, publish, rest=bytes(data))


def mcap_chunk(records, begin, end, compress=bytes, name=''):
    """Return a chunk with a checksum; without an index."""
    packed = compress(records)
    head = struct.pack('<I', len(name)) + name.encode() + struct.pack('<Q', len(packed))
    return record(6, 'QQQI', begin, end, len(records), crc32(records), rest=head + packed)
