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
"""From ROS parameters to cameras."""

from __future__ import annotations

from dataclasses import dataclass

from lerobot_streamrec.conversions.elements import Elements
from lerobot_streamrec.dataset.format.features import check_feature_key
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.transport import AUTO, TRANSPORTS
from lerobot_streamrec.nodes.parameters.depth_settings import read_depth
from lerobot_streamrec.nodes.parameters.encoder_settings import read_camera_encoder
from lerobot_streamrec.nodes.parameters.parameter_reader import ParameterReader, Spec
from lerobot_streamrec.nodes.parameters.timing_settings import (
    read_choice,
    read_timing,
    read_topic,
    RECEIVE,
)
from lerobot_streamrec.recording.config import StreamConfig
from lerobot_streamrec.video.codecs.config import EncoderConfig


@dataclass(frozen=True, slots=True)
class Source:
    """
    How a stream's messages are read.

    :param parameter: prefix of its parameters, such as ``camera.front``
    :param stream: what becomes of them
    :param stamp: ``header`` or ``receive``
    :param qos: one of ``QOS_CHOICES``
    :param message_type: of a vector
    :param elements: of a vector
    :param transport: of a camera, one of ``TRANSPORTS``
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
