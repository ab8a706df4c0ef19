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
Messages that are read from their bytes, held against rclpy's own decoding.

Guards against numbers that are taken from a wrong place: of any type that is read without
selectors, in both byte orders, after a change of the texts and lengths before them, and from
messages that are damaged.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count
import random

from builtin_interfaces.msg import Time
from cdr_writer import encoded
from clouds import as_message, cloud_of, FLOAT32, FLOAT64, UINT16
from filled_messages import fill, load_class, NAMES, names_of, selectors_of
from lerobot_streamrec.conversions.cdr import first_time, read_compressed_image, read_image
from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.message_types import DEFAULT_TYPES
from lerobot_streamrec.conversions.vector_bytes import VectorBytesReader
from lerobot_streamrec.errors import ForeignMessageError, MessageError
from lerobot_streamrec.nodes.graph.topic_types import (
    decode,
    fields_of,
)
from lerobot_streamrec.settings.sample_reader import begins_with_stamp
from lerobot_streamrec.settings.transports import ENCODED_READERS, FFMPEG_TYPE, VIDEO_TYPE
import pytest
from rclpy.serialization import serialize_message
from recorder_rig.pictures import packet_message
from std_msgs.msg import Header

pytestmark = [pytest.mark.ros]

ORDERS = ('<', '>')
CLOUD = 'sensor_msgs/msg/PointCloud2'
# A message with these contents has another layout: other texts and other lengths.
TEXTS = ('base', 'a longer frame')


class Readers:
    """Both ways of reading the messages of one type."""

    def __init__(self, message_type, selectors=(), names=()):
        self._class = load_class(message_type)
        self._elements = find_elements(
            'state', message_type, selectors, names, definitions=fields_of
        )
        self.num_decoded = 0
        self.read = VectorBytesReader(self._elements, message_type, fields_of, self._decode)

    def _decode(self, data):
        self.num_decoded += 1
        return decode(data, self._class)

    def by_rclpy(self, data):
        """Read a message as a reader does that has seen none before."""
        return self._elements.make_reader()(decode(data, self._class))


def outcome(read, data):
    """Return the numbers of a message, or the error that it causes."""
    try:
        values = read(data)
    except MessageError as error:
        return type(error).__name__, str(error)
    # The text makes NaN equal to NaN.
    return values.dtype.kind.replace('u', 'i'), repr(values.tolist())


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('message_type', DEFAULT_TYPES)
def test_all_types_are_read_from_their_bytes_as_rclpy_reads_them(message_type, order):
    message_class, numbers = load_class(message_type), count(1)
    readers = Readers(message_type, selectors_of(message_type), names_of(message_type))
    seen = []
    for _ in range(3):
        for text in TEXTS:
            message = fill(message_class(), numbers, text)
            data = encoded(message, order)
            assert decode(data, message_class) == message
            values = readers.read(data)
            assert outcome(readers.read, data) == outcome(readers.by_rclpy, data)
            seen.append(values.tolist())
            if begins_with_stamp(message_type, fields_of):
                stamp = message.header.stamp
                assert first_time(data) == (stamp.sec, stamp.nanosec)
    assert len(set(map(tuple, seen))) > 1 or set(seen[0]) <= {0.5, -0.5, True}
    # One message of each layout is decoded, and none after it.
    assert readers.num_decoded <= len(TEXTS)


@pytest.mark.parametrize('message_type', DEFAULT_TYPES)
def test_what_rclpy_encodes_is_read_too(message_type):
    message_class, numbers = load_class(message_type), count(1)
    readers = Readers(message_type, selectors_of(message_type), names_of(message_type))
    for _ in range(3):
        data = serialize_message(fill(message_class(), numbers, 'base'))
        assert outcome(readers.read, data) == outcome(readers.by_rclpy, data)
    assert readers.num_decoded == 1


@pytest.mark.parametrize(
    ('message_type', 'selectors'),
    [
        ('sensor_msgs/msg/JointState', ['effort[b]', 'position[a]', 'position[0]']),
        ('sensor_msgs/msg/BatteryState', ['voltage', 'present', 'cell_voltage[0]', 'percentage']),
        ('sensor_msgs/msg/CameraInfo', ['k[7:]', 'd[0]', 'roi.do_rectify', 'height']),
        ('nav_msgs/msg/Odometry', ['twist.twist.angular.z', 'pose.covariance', 'pose.pose']),
        ('sensor_msgs/msg/NavSatFix', ['latitude', 'status.status', 'position_covariance[8]']),
    ],
)
@pytest.mark.parametrize('order', ORDERS)
def test_selectors_take_numbers_of_several_types_from_anywhere(message_type, selectors, order):
    readers, numbers = Readers(message_type, selectors), count(1)
    for _ in range(3):
        data = encoded(fill(load_class(message_type)(), numbers, 'base'), order)
        assert outcome(readers.read, data) == outcome(readers.by_rclpy, data)
    assert readers.num_decoded == 1


def test_flags_and_integers_that_no_float_holds_keep_their_values():
    readers = Readers('sensor_msgs/msg/BatteryState', ['voltage', 'present'])
    data = serialize_message(load_class('sensor_msgs/msg/BatteryState')(voltage=0.5, present=True))
    assert [readers.read(data).tolist() for _ in range(2)] == [[0.5, True], [0.5, True]]
    readers = Readers('std_msgs/msg/Int64')
    data = serialize_message(load_class('std_msgs/msg/Int64')(data=2**62 + 1))
    assert [readers.read(data).tolist() for _ in range(2)] == [[2**62 + 1]] * 2


def cloud(*fields):
    """Return a cloud without points, whose fields have these settings."""
    field = load_class('sensor_msgs/msg/PointField')
    return load_class(CLOUD)(fields=[field(**one) for one in fields])


def test_elements_that_are_chosen_by_a_number_are_looked_up_in_every_message():
    """The place of the element depends on a number, and so is not the same in every message."""
    readers = Readers(CLOUD, ['fields[datatype=7].offset'])
    for number, types in enumerate(((7, 8), (8, 7), (7, 8))):
        message = cloud(*({'datatype': one, 'offset': number * (one == 7)} for one in types))
        assert readers.read(serialize_message(message)).tolist() == [number]


def test_elements_are_found_by_their_text_in_whatever_order():
    readers = Readers(CLOUD, ['fields[name=tool].offset'])
    for number in range(3):
        for names in (('tool', 'base'), ('base', 'tool'), ('base', 'camera', 'tool')):
            message = cloud(*({'name': one, 'offset': number * (one == 'tool')} for one in names))
            assert readers.read(serialize_message(message)).tolist() == [number]
    for _ in range(2):
        with pytest.raises(ForeignMessageError, match='no element whose name is tool'):
            readers.read(serialize_message(cloud({'name': 'base'})))
    assert readers.num_decoded == 4


POINTS = ['points[1:3].z', 'points[-1].ring', 'width']
NUMBERS = ('a', 'b', 'c', 'd', 'e')


def points(*, order='<', gap=0, kind=FLOAT32):
    columns = {('x', FLOAT32): [1, 2, 3], ('z', kind): [-1, -2, -3], ('ring', UINT16): [7, 8, 9]}
    made = cloud_of(columns, order=order, gap=gap)
    message = as_message(made, load_class(CLOUD), load_class('sensor_msgs/msg/PointField'))
    message.header.stamp.sec = 7
    return message


@pytest.mark.parametrize('order', ORDERS)
def test_points_are_read_by_the_layout_of_their_own_cloud(order):
    """The layouts are numbers, and some of these clouds have the same lengths and texts."""
    readers = Readers(CLOUD, POINTS)
    for _ in range(2):
        for one in ({}, {'order': '>'}, {'gap': 2}, {'kind': FLOAT64}, {'order': '>', 'gap': 1}):
            data = encoded(points(**one), order)
            assert readers.read(data).tolist() == [-2.0, -3.0, 9, 3]
            assert outcome(readers.read, data) == outcome(readers.by_rclpy, data)
    assert begins_with_stamp(CLOUD, fields_of)
    assert first_time(data) == (7, 0)


def test_a_damaged_cloud_is_read_or_refused():
    readers, good = Readers(CLOUD, ['points[:].x', 'points[1:3].z'], NUMBERS), encoded(points())
    assert readers.read(good).tolist() == [1.0, 2.0, 3.0, -2.0, -3.0]
    outcomes = {outcome(readers.read, data)[0] for data in damaged(good, random.Random(1))}
    assert outcomes == {'f', 'MessageError', 'VectorError'}


def test_joints_of_another_publisher_are_foreign_each_time():
    readers = Readers('sensor_msgs/msg/JointState', names=NAMES)
    own = load_class('sensor_msgs/msg/JointState')(name=list(NAMES), position=[1.0, 2.0, 3.0])
    other = load_class('sensor_msgs/msg/JointState')(name=['x'], position=[1.0])
    part = load_class('sensor_msgs/msg/JointState')(name=['a'], position=[1.0])
    for _ in range(3):
        assert readers.read(serialize_message(own)).tolist() == [1.0, 2.0, 3.0]
        with pytest.raises(ForeignMessageError, match='it has x'):
            readers.read(serialize_message(other))
        with pytest.raises(MessageError, match='lacks c, b; it has a'):
            readers.read(serialize_message(part))
    assert readers.num_decoded == 3


def test_a_topic_whose_texts_change_all_the_time_is_still_read():
    readers = Readers('sensor_msgs/msg/JointState', names=NAMES)
    message = load_class('sensor_msgs/msg/JointState')(name=list(NAMES))
    for number in range(50):
        message.header.frame_id = f'frame {number}'
        message.position = [float(number), 2.0, 3.0]
        assert readers.read(serialize_message(message)).tolist() == [number, 2.0, 3.0]


def damaged(data, chance):
    """Yield copies of a message that are too short, too long, or have other lengths and bytes."""
    for end in range(0, len(data), 3):
        yield data[:end]
    yield data + bytes(8)
    for place in range(0, len(data) - 4, 4):
        for lie in (0, 1, 3, 5, 1000, 2**31 - 1, 2**32 - 1):
            yield data[:place] + lie.to_bytes(4, 'little') + data[place + 4 :]
    for _ in range(200):
        place = chance.randrange(len(data))
        yield data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]


@pytest.mark.parametrize('message_type', ['sensor_msgs/msg/JointState', 'sensor_msgs/msg/Joy'])
def test_a_damaged_message_is_read_as_rclpy_reads_it_or_refused_as_it_refuses_it(message_type):
    """Whether the reader has learned the layout of the whole message before or not."""
    good = encoded(fill(load_class(message_type)(), count(1), 'base'))
    for data in damaged(good, random.Random(1)):
        readers = Readers(message_type, selectors_of(message_type), names_of(message_type))
        for known in (None, good):
            if known is not None:
                readers.read(known)
            for _ in range(2):
                assert outcome(readers.read, data) == outcome(readers.by_rclpy, data), data


IMAGES = [
    ('sensor_msgs/msg/Image', read_image, {'height': 2, 'width': 3, 'encoding': 'rgb8'}),
    ('sensor_msgs/msg/CompressedImage', read_compressed_image, {'format': 'bgr8; jpeg'}),
]


def picture(message_type, settings, text='camera'):
    message = load_class(message_type)(data=bytes(range(18)), **settings)
    message.header.frame_id = text
    if hasattr(message, 'step'):
        message.step, message.is_bigendian = 9, 1
    return message


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize(('message_type', 'read', 'settings'), IMAGES)
def test_pictures_are_views_into_their_message(message_type, read, settings, order):
    for text in ('', 'a', 'ab', 'abc', 'ä' * 4):
        message = picture(message_type, settings, text)
        data = encoded(message, order)
        assert decode(data, load_class(message_type)) == message
        found = read(data)
        for name in type(found).__slots__:
            wanted = getattr(message, name)
            assert getattr(found, name) == (bytes(wanted) if name == 'data' else wanted)
        assert found.data.obj is data


@pytest.mark.parametrize(('message_type', 'read', 'settings'), IMAGES)
def test_a_damaged_picture_is_read_or_refused_as_by_rclpy(message_type, read, settings):
    good = encoded(picture(message_type, settings))
    num_refused = 0
    for data in damaged(good, random.Random(1)):
        try:
            wanted = decode(data, load_class(message_type))
        except MessageError:
            num_refused += 1
            with pytest.raises(MessageError):
                read(data)
            continue
        found = read(data)
        assert bytes(found.data) == bytes(wanted.data)
        for name in set(type(found).__slots__) - {'data'}:
            assert getattr(found, name) == getattr(wanted, name), data
    assert num_refused > 50


PACKETS = pytest.mark.parametrize('message_type', [FFMPEG_TYPE, VIDEO_TYPE])


@PACKETS
@pytest.mark.parametrize('order', ORDERS)
def test_packets_of_types_that_are_not_installed_are_read_by_their_definition(message_type, order):
    for frame in ('', 'a', 'ab', 'abc', 'camera_optical'):
        for codec in ('h264', 'hevc;yuv420p;bgr8;bgr8'):
            header = Header(stamp=Time(sec=7, nanosec=8), frame_id=frame)
            data = packet_message(message_type, header, codec, b'packet', order)
            found = ENCODED_READERS[message_type](data)
            assert (found.format, bytes(found.data)) == (codec, b'packet')
            assert found.data.obj is data
            assert first_time(data) == (7, 8)
    assert begins_with_stamp(message_type, fields_of)


@PACKETS
def test_a_damaged_packet_is_read_or_refused(message_type):
    good = packet_message(message_type, Header(frame_id='camera'), 'h264', bytes(range(18)))
    num_read, torn = 0, list(damaged(good, random.Random(1)))
    for data in torn:
        with suppress(MessageError):
            found = ENCODED_READERS[message_type](data)
            assert len(found.data) <= len(data)
            num_read += 1
    assert num_read < len(torn) - 50
