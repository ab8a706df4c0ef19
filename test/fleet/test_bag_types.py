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
The types of the messages in a bag: a workspace's own, and those that a bag does not define.

Guards against messages that are decoded by another definition than the one they were sent with.
"""

from __future__ import annotations

import pytest

pytest.importorskip('rosbags', reason='bags need rosbags')

from bags import (
    header,
    humble_bag,
    JAZZY,
    JOINTS,
    joints,
    mcap_channel,
    mcap_chunk,
    MCAP_END,
    MCAP_HEAD,
    mcap_message,
    RANGE,
)
from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.vector_bytes import VectorBytesReader
from lerobot_streamrec.errors import MessageError
from lerobot_streamrec.fleet.reading.bag_reader import open_bag
from lz4.frame import compress as lz4
import numpy as np
from rosbags.typesys import get_typestore, Stores

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
    elements = find_elements('state', ARM, selectors, definitions=bag.fields)
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


@pytest.mark.parametrize(
    ('distribution', 'extra'), [(Stores.ROS2_HUMBLE, {}), (Stores.ROS2_JAZZY, {'variance': 0.5})]
)
def test_without_definitions_the_distribution_is_found_that_fits(tmp_path, distribution, extra):
    """sensor_msgs/Range has one more field since Iron; also while other messages are read."""
    store = get_typestore(distribution)
    message = store.types[RANGE](header(1, store.types), 0, 1.0, 2.0, 3.0, 4.0, *extra.values())
    data = bytes(store.serialize_cdr(message, RANGE))
    humble_bag(tmp_path / 'bag.db3', [(1, data), (2, data)]).close()
    bag = open_bag(tmp_path / 'bag.db3')
    decoded = [bag.decode(RANGE, one.data) for one in bag.messages()]
    assert [one.range for one in decoded] == [4.0, 4.0]
    assert ('variance' in bag.fields('sensor_msgs/Range')) is bool(extra)


@pytest.mark.parametrize('is_little', [True, False])
def test_messages_of_both_byte_orders_are_decoded(tmp_path, is_little):
    sent = JAZZY.deserialize_cdr(joints(7), JOINTS)
    data = bytes(JAZZY.serialize_cdr(sent, JOINTS, little_endian=is_little))
    records = mcap_channel('/joints', JOINTS, '') + mcap_message(data, 5)
    path = tmp_path / 'some.mcap'
    path.write_bytes(MCAP_HEAD + mcap_chunk(records, 5, 5, lz4, 'lz4') + MCAP_END)
    bag = open_bag(path)
    (message,) = bag.messages()
    assert message.data == data
    assert bag.decode(JOINTS, data).position.tolist() == [7, -7]
