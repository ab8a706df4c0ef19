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

from dataclasses import dataclass

from lerobot_streamrec.conversions.elements import Elements
from lerobot_streamrec.dataset.format.features import check_feature_key
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.qos import AUTO, QOS_CHOICES, QOS_FROM_PUBLISHER, TRANSPORTS
from lerobot_streamrec.nodes.parameters.encoder_settings import read_camera_encoder, read_depth
from lerobot_streamrec.nodes.parameters.parameter_reader import defaults_of, ParameterReader, Spec
from lerobot_streamrec.recording.config import StreamConfig
from lerobot_streamrec.sync.row_clock import POLICIES, Policy
from lerobot_streamrec.video.codecs.config import EncoderConfig
from rclpy.exceptions import InvalidTopicNameException
from rclpy.validate_topic_name import validate_topic_name

HEADER = 'header'
RECEIVE = 'receive'
_STAMPS = (HEADER, RECEIVE)

_STREAM = defaults_of(StreamConfig)


@dataclass(frozen=True, slots=True)
class Timing:
    """
    When a stream's samples count.

    :param stamp: ``header`` or ``receive``
    :param max_age_s: as in ``StreamConfig``
    :param offset_ms: as in ``StreamConfig``
    :param policy: as in ``StreamConfig``
    :param qos: one of ``QOS_CHOICES``
    """

    stamp: str
    max_age_s: float
    offset_ms: float
    policy: Policy
    qos: str


def read_topic(
    reader: ParameterReader, prefix: str, description: str, default: str = ''
) -> str:
    """
    Read the name of a topic.

    :param prefix: prefix of its parameters, such as ``camera.front``
    :raise ConfigError: if it is no name of a topic
    """
    name = f'{prefix}.topic'
    topic: str = reader.read(Spec(name, default, description))
    if topic:
        check_topic(name, topic)
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


def read_timing(reader: ParameterReader, prefix: str) -> Timing:
    """
    Read what says when a stream's samples count.

    :param prefix: prefix of its parameters, such as ``camera.front``
    :raise ConfigError: naming the first that cannot be used
    """
    max_age_s: float = reader.read(
        Spec(
            f'{prefix}.max_age_s',
            _STREAM['max_age_s'],
            'Age at which a sample counts as stale, seconds; 0: never',
            0.0,
            1e6,
        )
    )
    offset_ms: float = reader.read(
        Spec(
            f'{prefix}.offset_ms',
            _STREAM['offset_ms'],
            'Added to every stamp, milliseconds: -30 for a camera that stamps 30 ms too late',
            -60_000.0,
            60_000.0,
        )
    )
    return Timing(
        stamp=read_choice(
            reader,
            f'{prefix}.stamp',
            HEADER,
            _STAMPS,
            "A message's instant: header (its stamp) or receive (its arrival)",
        ),
        max_age_s=max_age_s,
        offset_ms=offset_ms,
        policy=Policy(
            read_choice(
                reader,
                f'{prefix}.policy',
                _STREAM['policy'].value,
                POLICIES,
                'Which sample a row shows: the newest (hold), the nearest, or what is in between '
                '(interpolate)',
            )
        ),
        qos=read_choice(
            reader,
            f'{prefix}.qos',
            QOS_FROM_PUBLISHER,
            QOS_CHOICES,
            'Reliability to ask for: what the publishers offer (auto), best_effort or reliable',
        ),
    )


def read_choice(
    reader: ParameterReader, name: str, default: str, allowed: tuple[str, ...], description: str
) -> str:
    """
    Read a parameter that is one of a few words.

    :raise ConfigError: if it is another one
    """
    value: str = reader.read(Spec(name, default, description))
    if value not in allowed:
        raise ConfigError(name, value, f'allowed are {", ".join(allowed)}')
    return value


@dataclass(frozen=True, slots=True)
class Source:
    """
    How a stream's messages are read.

    :param parameter: prefix of its parameters, such as ``camera.front``
    :param stream: configuration of the stream that they make
    :param stamp: ``header`` or ``receive``
    :param qos: one of ``QOS_CHOICES``
    :param message_type: type of a vector
    :param elements: elements of a vector
    :param transport: transport of a camera, one of ``TRANSPORTS``
    """

    parameter: str
    stream: StreamConfig
    stamp: str
    qos: str
    message_type: str = ''
    elements: Elements | None = None
    transport: str = AUTO


def read_cameras(reader: ParameterReader, encoder: EncoderConfig) -> tuple[Source, ...]:
    """
    Read the parameters of all cameras.

    :param encoder: of those that have none of their own
    :raise ConfigError: naming the first that cannot be used
    """
    names = reader.read(Spec('cameras', [], 'Names of the cameras; see camera.<name>.topic'))
    # A list of one empty text stands for an empty one.
    return tuple(_camera(reader, name, encoder) for name in filter(None, names))


def _camera(reader: ParameterReader, name: str, encoder: EncoderConfig) -> Source:
    key = check_feature_key('cameras', f'observation.images.{name}')
    prefix = f'camera.{name}'
    topic = read_topic(reader, prefix, 'Base topic: sensor_msgs/msg/Image, or CompressedImage')
    if not topic:
        raise ConfigError(f'{prefix}.topic', topic, f'the camera {name} needs a topic')
    timing = read_timing(reader, prefix)
    transport = read_choice(
        reader,
        f'{prefix}.transport',
        AUTO,
        TRANSPORTS,
        f'Pixels or the topic beside them: {", ".join(TRANSPORTS)}',
    )
    stream = StreamConfig(
        key=key,
        topic=topic,
        max_age_s=timing.max_age_s,
        offset_ms=timing.offset_ms,
        policy=timing.policy,
        depth=read_depth(reader, prefix),
        encoder=read_camera_encoder(reader, prefix, encoder),
        is_stamped_here=timing.stamp == RECEIVE,
    )
    return Source(prefix, stream, timing.stamp, timing.qos, transport=transport)
