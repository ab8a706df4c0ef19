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
"""Everything that was heard of a topic in a few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lerobot_streamrec.conversions.message_types import (
    FLOAT64_ARRAY,
    JOINT_STATE,
    JOINT_TRAJECTORY,
)
from lerobot_streamrec.installed import images_profile_advice
from lerobot_streamrec.live.arrivals import Heard

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)

IMAGES_PROFILE = f'{images_profile_advice()} (README, Give pictures room)'
"""What helps against pictures that are lost on the way."""

CONTESTED = (
    'Several publishers send the same data in turn, so no episode can start: end all but one.'
)
"""Remark on a topic on which several publishers contradict one another."""

TWIST = 'geometry_msgs/msg/Twist'
TWIST_STAMPED = 'geometry_msgs/msg/TwistStamped'
POSE_STAMPED = 'geometry_msgs/msg/PoseStamped'
VECTOR_TYPES = (
    JOINT_STATE,
    JOINT_TRAJECTORY,
    FLOAT64_ARRAY,
    TWIST,
    TWIST_STAMPED,
    POSE_STAMPED,
)
"""Types that state and action are looked for among."""


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """
    One message of a camera.

    :param encoding: encoding of a raw picture; otherwise what the message says of its format
    :param width: in pixels; 0: it is not known
    :param height: in pixels
    :param problem: why the recorder could not read it; empty if it can
    """

    encoding: str
    width: int = 0
    height: int = 0
    problem: str = ''

    @property
    def is_depth(self) -> bool:
        """Whether it is depth by its encoding (REP 118)."""
        return self.encoding.partition(';')[0].strip() in ('16UC1', '32FC1')

    def __str__(self) -> str:
        size = f'{self.width}x{self.height} ' if self.width else ''
        return f'{size}{self.encoding}'


@dataclass(frozen=True, slots=True)
class SeenPart:
    """
    Joints that come together on a topic.

    :param names: names of the joints in one message
    :param heard: arrivals of the messages
    :param field: kind of numbers that the messages have, such as positions
    :param is_contested: True if several publishers send these joints in turn
    """

    names: tuple[str, ...]
    heard: Heard = field(default_factory=Heard)
    field: str = 'position'
    is_contested: bool = False


@dataclass(frozen=True, slots=True)
class SeenTopic:
    """
    A topic that somebody publishes.

    :param name: name of the topic
    :param message_type: type of its messages
    :param qos: QoS that its publishers offer; empty: nobody publishes it
    :param heard: when its messages came
    :param picture: one of them; None: none came, or it is no camera
    :param parts: joints of each publisher; none: they are not known, or it brings none
    :param size: how many numbers an array has
    :param is_contested: True if several publishers send the same in turn
    """

    name: str
    message_type: str
    qos: str = ''
    heard: Heard = field(default_factory=Heard)
    picture: SeenPicture | None = None
    parts: tuple[SeenPart, ...] = ()
    size: int = 0
    is_contested: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All joints, those of each publisher in the order of its messages."""
        return tuple(name for part in self.parts for name in part.names)

    @property
    def rate_text(self) -> str:
        """How often its messages come, in words."""
        if self.heard.is_lossy:
            return f'rate not known, {self.heard.num_lost} messages lost in transport'
        if not self.heard.num_messages:
            return 'no message came'
        return f'{self.heard.rate_hz:.1f} Hz' if self.heard.rate_hz else 'one message came'

    @property
    def facts(self) -> str:
        """All that was measured, for people."""
        parts = [self.rate_text]
        if self.picture is not None:
            parts.append(str(self.picture))
        if self.qos:
            parts.append(self.qos)
        return ', '.join(parts)


@dataclass(frozen=True, slots=True)
class Observation:
    """
    What there is to judge a topic by.

    :param parameter: prefix of its parameters, such as ``camera.front``
    :param key: of its stream
    :param topic: topic that is subscribed to
    :param message_type: that is expected of it; empty: not known
    :param is_camera: True if it brings pictures
    :param stamp: ``header`` or ``receive``
    :param offered: QoS that each publisher offers, with its node's name
    :param types: that it is published with
    :param asked: QoS that is asked for
    :param obstacles: publishers that cannot be heard, and why
    :param alike: topics of the expected type with names like this one
    :param heard: when its messages came
    :param num_rejected: messages that cannot be recorded
    :param rejection: why the last of them cannot
    :param ignored: names in messages that are meant for others; empty: no such message came since
        the last one of its own
    :param is_unsure: True if messages of several publishers cannot be told apart
    :param readiness: reasons that would keep an episode from starting; empty: none
    :param offset_ms: the setting, which is added to its stamps
    :param encoding: encoding of its pictures
    :param width: width of its pictures, in pixels
    :param height: height of its pictures, in pixels
    :param size_bytes: size of one message's data
    :param picture_problem: why its pictures cannot be used; empty if they can
    :param picture_file: where the first one was saved; empty: nowhere
    :param values: one message's values, by name
    """

    parameter: str
    key: str
    topic: str
    message_type: str
    is_camera: bool
    stamp: str
    offered: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    asked: str = ''
    obstacles: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    heard: Heard = field(default_factory=Heard)
    num_rejected: int = 0
    rejection: str = ''
    ignored: str = ''
    is_unsure: bool = False
    readiness: str = ''
    offset_ms: float = 0.0
    encoding: str = ''
    width: int = 0
    height: int = 0
    size_bytes: int = 0
    picture_problem: str = ''
    picture_file: str = ''
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def instants(self) -> Heard:
        """When its messages came, told from their instants instead of their header stamps."""
        delay_s = self.heard.delay_s
        if delay_s is None:
            return self.heard
        return replace(self.heard, delay_s=delay_s - self.offset_ms / 1000)
