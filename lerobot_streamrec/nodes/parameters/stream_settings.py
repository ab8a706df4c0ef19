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
"""Parameters that every stream has: its topic, QoS and time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lerobot_streamrec.conversions.elements import Elements
from lerobot_streamrec.dataset.format.features import check_feature_key
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.qos import AUTO, QOS_CHOICES, QOS_FROM_PUBLISHER, TRANSPORTS
from lerobot_streamrec.nodes.parameters.encoder_settings import read_camera_encoder, read_depth
from lerobot_streamrec.nodes.parameters.parameter_reader import ParameterReader
from lerobot_streamrec.option import Option, option
from lerobot_streamrec.recording.config import StreamConfig
from lerobot_streamrec.sync.row_clock import Policy
from lerobot_streamrec.video.codecs.config import EncoderConfig
from rclpy.exceptions import InvalidTopicNameException
from rclpy.validate_topic_name import validate_topic_name

HEADER = 'header'
RECEIVE = 'receive'
_STAMPS = (HEADER, RECEIVE)
_CAMERAS = Option('cameras', [], 'Names of the cameras; see camera.<name>.topic')
_TOPIC = Option('topic', '', 'Base topic: sensor_msgs/msg/Image, or CompressedImage')


@dataclass(frozen=True, slots=True)
class Source:
    """
    How a stream's messages are read.

    :param parameter: prefix of its parameters, such as ``camera.front``
    :param stream: configuration of the stream that they make
    :param message_type: type of a vector
    :param elements: elements of a vector
    """

    parameter: str
    stream: StreamConfig
    stamp: str = option(
        HEADER,
        "A message's instant: header (its stamp) or receive (its arrival)",
        choices=_STAMPS,
    )
    qos: str = option(
        QOS_FROM_PUBLISHER,
        'Reliability to ask for: what the publishers offer (auto), best_effort or reliable',
        choices=QOS_CHOICES,
    )
    message_type: str = ''
    elements: Elements | None = None
    transport: str = option(
        AUTO,
        f'Pixels or the topic beside them: {", ".join(TRANSPORTS)}',
        choices=TRANSPORTS,
    )


def read_topic(reader: ParameterReader, option: Option, prefix: str) -> str:
    """
    Read the name of a topic.

    :param prefix: prefix of its parameters, such as ``camera.front``
    :raise ConfigError: if it is no name of a topic
    """
    topic: str = reader.read(option, prefix)
    if topic:
        check_topic(f'{prefix}.{option.name}', topic)
    return topic


def check_topic(parameter: str, topic: str) -> None:
    """
    Refuse what is no name of a topic.

    :param parameter: the setting that it stands in, for the error
    :raise ConfigError: if it is none
    """
    try:
        validate_topic_name(topic)
    except InvalidTopicNameException as error:
        # rclpy shows the place in a second and third line.
        why = str(error).partition('\n')[0]
        raise ConfigError(parameter, topic, why[:1].lower() + why[1:].rstrip(':')) from error


def read_stream(
    reader: ParameterReader, prefix: str, key: str, topic: str, stamp: str
) -> StreamConfig:
    """
    Read the settings of time that all streams have.

    :param prefix: prefix of its parameters, such as ``camera.front``
    :param key: key of the stream
    :param topic: name of its topic
    :param stamp: ``HEADER`` or ``RECEIVE``
    :raise ConfigError: naming the first that cannot be used
    """
    values = reader.read_fields(StreamConfig, prefix, 'max_age_s', 'offset_ms', 'policy')
    values['policy'] = Policy(values['policy'])
    return StreamConfig(key=key, topic=topic, is_stamped_here=stamp == RECEIVE, **values)


def read_cameras(reader: ParameterReader, encoder: EncoderConfig) -> tuple[Source, ...]:
    """
    Read the parameters of all cameras.

    :param encoder: settings for cameras that have none of their own
    :raise ConfigError: naming the first that cannot be used
    """
    return tuple(_camera(reader, name, encoder) for name in reader.read(_CAMERAS))


def _camera(reader: ParameterReader, name: str, encoder: EncoderConfig) -> Source:
    key = check_feature_key('cameras', f'observation.images.{name}')
    prefix = f'camera.{name}'
    topic = read_topic(reader, _TOPIC, prefix)
    if not topic:
        raise ConfigError(f'{prefix}.topic', topic, f'the camera {name} needs a topic')
    reading = reader.read_fields(Source, prefix, 'stamp', 'qos', 'transport')
    stream = replace(
        read_stream(reader, prefix, key, topic, reading['stamp']),
        depth=read_depth(reader, prefix),
        encoder=read_camera_encoder(reader, prefix, encoder),
    )
    return Source(prefix, stream, **reading)
