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
"""From ROS parameters to streams: cameras, state and action."""

from __future__ import annotations

from dataclasses import dataclass

from lerobot_streamrec.conversions.vector import JOINT_FIELDS, JOINT_STATE, MESSAGE_TYPES
from lerobot_streamrec.dataset.features import check_feature_key
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.depth_settings import read_depth
from lerobot_streamrec.nodes.parameters import defaults_of, ParameterReader, Spec
from lerobot_streamrec.nodes.transport import AUTO, TRANSPORTS
from lerobot_streamrec.recording.config import StreamConfig
from rclpy.exceptions import InvalidTopicNameException
from rclpy.validate_topic_name import validate_topic_name

HEADER = 'header'
RECEIVE = 'receive'
_STAMPS = (HEADER, RECEIVE)

_STREAM = defaults_of(StreamConfig)


@dataclass(frozen=True, slots=True)
class Source:
    """
    How a stream's messages are read.

    :param parameter: prefix of its parameters, such as ``camera.front``
    :param stream: what becomes of them
    :param stamp: ``header`` or ``receive``
    :param message_type: of a vector
    :param field: of a joint state
    :param transport: of a camera, one of ``TRANSPORTS``
    """

    parameter: str
    stream: StreamConfig
    stamp: str
    message_type: str = ''
    field: str = ''
    transport: str = AUTO


def read_sources(reader: ParameterReader) -> tuple[Source, ...]:
    """
    Read the parameters of all streams, cameras first.

    :raise ConfigError: naming the first that cannot be used
    """
    names = reader.read(Spec('cameras', [], 'Names of the cameras; see camera.<name>.topic'))
    vectors = [_vector(reader, prefix) for prefix in ('state', 'action')]
    return (*(_camera(reader, name) for name in names), *filter(None, vectors))


def _camera(reader: ParameterReader, name: str) -> Source:
    key = check_feature_key('cameras', f'observation.images.{name}')
    prefix = f'camera.{name}'
    topic = _topic(reader, prefix, 'Base topic: sensor_msgs/msg/Image, or CompressedImage')
    if not topic:
        raise ConfigError(f'{prefix}.topic', topic, f'the camera {name} needs a topic')
    return Source(
        prefix,
        StreamConfig(
            key, topic, (), _max_age(reader, prefix), depth=read_depth(reader, prefix)
        ),
        _stamp(reader, prefix),
        transport=_transport(reader, prefix),
    )


def _transport(reader: ParameterReader, prefix: str) -> str:
    name = f'{prefix}.transport'
    value: str = reader.read(
        Spec(name, AUTO, f'Pixels or the topic beside them: {", ".join(TRANSPORTS)}')
    )
    if value not in TRANSPORTS:
        raise ConfigError(name, value, f'allowed are {", ".join(TRANSPORTS)}')
    return value


def _vector(reader: ParameterReader, prefix: str) -> Source | None:
    key = {'state': 'observation.state', 'action': 'action'}[prefix]
    topic = _topic(reader, prefix, f'Topic of {key}; empty: not recorded')
    message_type = reader.read(
        Spec(f'{prefix}.type', JOINT_STATE, f'Type of its messages: {" or ".join(MESSAGE_TYPES)}')
    )
    names = reader.read(
        Spec(f'{prefix}.names', [], 'Joints to select, in order; names of the numbers of an array')
    )
    field = reader.read(
        Spec(
            f'{prefix}.field',
            JOINT_FIELDS[0],
            f'Which numbers of a joint state: {", ".join(JOINT_FIELDS)}',
        )
    )
    max_age_s, stamp = _max_age(reader, prefix), _stamp(reader, prefix)
    if not topic:
        return None
    if message_type not in MESSAGE_TYPES:
        raise ConfigError(
            f'{prefix}.type', message_type, f'allowed are {", ".join(MESSAGE_TYPES)}'
        )
    if not names:
        raise ConfigError(
            f'{prefix}.names', names, f'name the joints or numbers that {topic} brings, in order'
        )
    if len(set(names)) < len(names):
        raise ConfigError(f'{prefix}.names', names, 'every name may stand once')
    if field not in JOINT_FIELDS:
        raise ConfigError(f'{prefix}.field', field, f'allowed are {", ".join(JOINT_FIELDS)}')
    if message_type != JOINT_STATE:
        if stamp == HEADER and reader.is_given(f'{prefix}.stamp'):
            raise ConfigError(f'{prefix}.stamp', stamp, f'{message_type} has no header: receive')
        stamp = RECEIVE
    return Source(
        prefix, StreamConfig(key, topic, tuple(names), max_age_s), stamp, message_type, field
    )


def _topic(reader: ParameterReader, prefix: str, description: str) -> str:
    name = f'{prefix}.topic'
    topic: str = reader.read(Spec(name, '', description))
    if topic:
        try:
            validate_topic_name(topic)
        except InvalidTopicNameException as error:
            # rclpy shows the place in a second and third line.
            why = str(error).partition('\n')[0]
            raise ConfigError(name, topic, why[:1].lower() + why[1:].rstrip(':')) from error
    return topic


def _max_age(reader: ParameterReader, prefix: str) -> float:
    value: float = reader.read(
        Spec(
            f'{prefix}.max_age_s',
            _STREAM['max_age_s'],
            'Age at which a sample counts as stale, seconds; 0: never',
            0.0,
            1e6,
        )
    )
    return value


def _stamp(reader: ParameterReader, prefix: str) -> str:
    name = f'{prefix}.stamp'
    value: str = reader.read(
        Spec(name, HEADER, f"A message's instant: {HEADER} (its stamp) or {RECEIVE} (its arrival)")
    )
    if value not in _STAMPS:
        raise ConfigError(name, value, f'allowed are {", ".join(_STAMPS)}')
    return value
