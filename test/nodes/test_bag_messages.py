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
Messages of a bag, read without ROS, held against rclpy's own types and decoding.

Guards against fields that are named or typed in another way than rclpy does, by which a selector
would mean something else in a bag than on the robot.
"""

from __future__ import annotations

from importlib import import_module
from itertools import count
from pathlib import Path
import re

import pytest

pytest.importorskip('rosbags', reason='bags need rosbags')

from bags import mcap_channel, MCAP_END, MCAP_HEAD, mcap_message
from cdr_writer import encoded
from filled_messages import fill, load_class, names_of, selectors_of
from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.message_types import DEFAULT_TYPES
from lerobot_streamrec.conversions.robot_yaml import calibration_yaml
from lerobot_streamrec.conversions.vector_bytes import VectorBytesReader
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.fleet.exporting.bag_messages import message_bytes, message_class, STORE
from lerobot_streamrec.fleet.reading.bag_reader import open_bag
from lerobot_streamrec.nodes.graph.topic_types import decode, fields_of
from lerobot_streamrec.settings.transports import ENCODED_READERS
from rclpy.serialization import serialize_message

pytestmark = [pytest.mark.ros]

WITHOUT_NUMBERS = (
    'diagnostic_msgs/msg/DiagnosticArray',
    'std_msgs/msg/ByteMultiArray',
    'std_msgs/msg/Empty',
)
TYPES = (
    *DEFAULT_TYPES,
    *(
        f'sensor_msgs/msg/{name}'
        for name in ('BatteryState', 'CameraInfo', 'CompressedImage', 'Image', 'PointCloud2')
    ),
    *WITHOUT_NUMBERS,
)


def used_types(message_type):
    """Return a type and all types that it consists of, in the order of their first use."""
    found = [message_type]
    for one in found:
        for kind in fields_of(one).values():
            names = re.findall(r'\w+/\w+', kind)
            found += [name for name in map(long, names) if name not in found]
    return found


def long(name):
    return name.replace('/', '/msg/')


def installed_definition(message_type, suffix):
    """Return the definition that rosbag2 puts together from the installed files."""
    texts = []
    for one in used_types(message_type):
        package, _, name = one.split('/')
        places = (
            prefix / 'share' / package / 'msg' / f'{name}{suffix}'
            for prefix in Path(import_module(package).__file__).parents
        )
        text = next(path for path in places if path.is_file()).read_text('utf-8')
        shown = one if suffix == '.idl' else one.replace('/msg/', '/')
        head = f'{"=" * 80}\n{suffix[1:].upper()}: {shown}\n'
        # Only the first one of these has no line with its name.
        texts.append(text if suffix == '.msg' and not texts else head + text)
    return '\n'.join(texts)


def bag_of(path, message_type, messages, encoding):
    """Return a bag with messages of a type, and its definition unless the encoding is empty."""
    text = encoding and installed_definition(message_type, f'.{encoding[4:]}')
    channel = mcap_channel('/t', message_type, text, encoding)
    records = b''.join(mcap_message(one, stamp) for stamp, one in enumerate(messages))
    path.write_bytes(MCAP_HEAD + channel + records + MCAP_END)
    bag = open_bag(path)
    assert bag.remarks == []
    return bag


@pytest.mark.parametrize('encoding', ['ros2msg', 'ros2idl', ''])
@pytest.mark.parametrize('message_type', TYPES)
def test_fields_and_numbers_are_those_of_rclpy(tmp_path, message_type, encoding):
    message_class, numbers = load_class(message_type), count(1)
    filled = [message_class()]
    if message_type not in WITHOUT_NUMBERS:
        filled = [fill(message_class(), numbers, text) for text in ('base', 'a longer frame') * 2]
    sent = [serialize_message(one) for one in filled]
    sent += [encoded(one, '>') for one in filled]
    bag = bag_of(tmp_path / 'some.mcap', message_type, sent, encoding)
    for one in used_types(message_type):
        assert list(bag.fields(one).items()) == list(fields_of(one).items())
        assert bag.fields(one.replace('/msg/', '/')) == bag.fields(one)
    found = [one.data for one in bag.messages()]
    assert found == sent
    for data in found:
        bag.decode(message_type, data)
    if message_type in DEFAULT_TYPES:
        compare_numbers(bag, message_type, found)


def compare_numbers(bag, message_type, sent):
    elements = find_elements(
        'state',
        message_type,
        selectors_of(message_type),
        names_of(message_type),
        definitions=fields_of,
    )
    decoded = []

    def decode_in_bag(data):
        decoded.append(data)
        return bag.decode(message_type, data)

    read = VectorBytesReader(elements, message_type, bag.fields, decode_in_bag)
    for data in sent:
        by_rclpy = elements.make_reader()(decode(data, load_class(message_type)))
        # The first one of each layout is decoded, and later ones are read by place.
        for _ in range(2):
            values = read(data)
            assert values.dtype.kind.replace('u', 'i') == by_rclpy.dtype.kind.replace('u', 'i')
            assert values.tolist() == by_rclpy.tolist()
    assert len(decoded) <= 4


def test_new_messages_have_the_fields_and_defaults_of_rclpy():
    """All types of ROS that are installed; a type of a newer distribution may have more fields."""
    num_compared = 0
    for name in STORE.fielddefs.keys() - ENCODED_READERS.keys():
        try:
            installed = load_class(name)
        except ConfigError:
            continue
        made = message_class(name)
        if made.get_fields_and_field_types() != installed.get_fields_and_field_types():
            assert name.startswith(('rcl_interfaces/', 'rosbag2_interfaces/')), name
            continue
        assert repr(decode(bytes(message_bytes(made(), name)), installed)) == repr(installed())
        num_compared += 1
    assert num_compared > 80


def test_a_calibration_in_a_bag_has_the_text_that_live_recording_gives_it(tmp_path):
    kind = 'sensor_msgs/msg/CameraInfo'
    message_class = load_class(kind)
    filled = [message_class(), fill(message_class(), count(1), 'optical')]
    sent = [encoded(one, order) for one in filled for order in '<>']
    bag = bag_of(tmp_path / 'some.mcap', kind, sent, 'ros2msg')
    for data in sent:
        live = calibration_yaml('front', decode(data, message_class))
        assert calibration_yaml('front', bag.decode(kind, data)) == live
