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
"""The facts that a few seconds of listening give about a topic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lerobot_streamrec.conversions.message_types import (
    DEFAULT_TYPES,
    FLOAT64_ARRAY,
    JOINT_STATE,
    JOINT_TRAJECTORY,
)
from lerobot_streamrec.inspection.arrivals import Heard
from lerobot_streamrec.installed import images_profile_advice
from lerobot_streamrec.settings.stream_settings import HEADER, RECEIVE

IMAGES_PROFILE = f'{images_profile_advice()} (README, Give pictures room)'
"""The remedy for pictures that are lost in transport."""

CLOCK_TOPIC, CLOCK_TYPE = '/clock', 'rosgraph_msgs/msg/Clock'
"""The topic of simulated time."""

CONTESTED = (
    'Several publishers send the same data in turn, so no episode can start: end all but one.'
)
"""The remark on a topic whose publishers contradict one another."""

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
"""The message types from which state and action are chosen."""

NUMBER_TYPES = (
    *VECTOR_TYPES,
    *(
        one
        for one in DEFAULT_TYPES
        if one not in VECTOR_TYPES and not one.endswith(('MultiArray', 'Joy'))
    ),
)
"""The message types that a person may choose, whose numbers have names of their own."""


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """
    One message of a camera.

    :param encoding: encoding of a raw picture, otherwise the message's field ``format``
    :param width: width in pixels; 0 if it is unknown
    :param height: height in pixels; 0 if it is unknown
    :param problem: why the recorder cannot read it; empty if it can
    """

    encoding: str
    width: int = 0
    height: int = 0
    problem: str = ''

    @property
    def is_depth(self) -> bool:
        """True if its encoding marks it as depth (REP 118)."""
        return self.encoding.partition(';')[0].strip() in ('16UC1', '32FC1')

    def __str__(self) -> str:
        size = f'{self.width}x{self.height} ' if self.width else ''
        return f'{size}{self.encoding}'


@dataclass(frozen=True, slots=True)
class SeenPart:
    """
    The joints that arrive in the same messages of a topic.

    :param names: names of the joints in one message
    :param heard: facts measured about these messages
    :param field: field of the message with their numbers, such as ``position``
    :param is_contested: True if several publishers send these joints in turn
    """

    names: tuple[str, ...]
    heard: Heard = field(default_factory=Heard)
    field: str = 'position'
    is_contested: bool = False


@dataclass(frozen=True, slots=True)
class SeenTopic:
    """
    A topic of the graph.

    :param name: name of the topic
    :param message_type: type of its messages
    :param qos: QoS that its publishers offer; empty if nobody publishes it
    :param heard: facts measured about its messages
    :param picture: one of its pictures; None if none came, or if it is not a camera's topic
    :param parts: joints of each publisher; empty if they are unknown or the topic has none
    :param size: number of elements in a message's array
    :param is_contested: True if several publishers send the same data in turn
    :param nodes: names of the nodes that publish it, one for each publisher
    """

    name: str
    message_type: str
    qos: str = ''
    heard: Heard = field(default_factory=Heard)
    picture: SeenPicture | None = None
    parts: tuple[SeenPart, ...] = ()
    size: int = 0
    is_contested: bool = False
    nodes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all joints, those of each publisher in the order of its messages."""
        return tuple(name for part in self.parts for name in part.names)

    @property
    def rate_text(self) -> str:
        """The rate of its messages, in words."""
        if self.heard.is_lossy:
            return f'rate not known, {self.heard.num_lost} messages lost in transport'
        if not self.heard.num_messages:
            return 'no message came'
        return f'{self.heard.rate_hz:.1f} Hz' if self.heard.rate_hz else 'one message came'

    @property
    def facts(self) -> str:
        """The measured facts, in words."""
        parts = [self.rate_text]
        if self.picture is not None:
            parts.append(str(self.picture))
        if self.qos:
            parts.append(self.qos)
        return ', '.join(parts)


@dataclass(frozen=True, slots=True)
class Observation:
    """
    The facts by which a topic of the parameter file is judged.

    :param parameter: prefix of its parameters, such as ``camera.front``
    :param key: key of its stream
    :param topic: topic that is subscribed to
    :param message_type: expected message type; empty if it is unknown
    :param is_camera: True if it carries pictures
    :param stamp: the setting, ``header`` or ``receive``
    :param offered: QoS that each publisher offers, with its node's name
    :param types: message types with which it is published
    :param asked: QoS that the subscription requests
    :param obstacles: publishers whose messages cannot be received, and why
    :param alike: published topics of the expected type with similar names
    :param heard: facts measured about its messages
    :param num_rejected: number of messages that cannot be recorded
    :param rejection: why the last of them cannot be recorded
    :param ignored: names found in messages that are meant for other streams; empty if no such
        message came since the last one for this stream
    :param is_elsewhere: True if a publisher is known to be on another host
    :param is_unsure: True if messages of several publishers cannot be told apart
    :param readiness: reasons that would keep an episode from starting; empty if there are none
    :param offset_ms: the setting, which is added to its stamps
    :param encoding: encoding of its pictures
    :param width: width of its pictures, in pixels
    :param height: height of its pictures, in pixels
    :param size_bytes: size of one message's data
    :param picture_problem: why its pictures cannot be used; empty if they can
    :param picture_file: path of the saved first picture; empty if none was saved
    :param values: values of the newest message, by name
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
    is_elsewhere: bool = False
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
    def bits_per_s(self) -> float:
        """The bit rate of its pictures; 0 for numbers, which need little."""
        return 8 * self.size_bytes * self.heard.rate_hz

    @property
    def instants(self) -> Heard:
        """The same facts as ``heard``, with the delay measured from header stamp plus offset."""
        delay_s = self.heard.delay_s
        if delay_s is None:
            return self.heard
        return replace(self.heard, delay_s=delay_s - self.offset_ms / 1000)


def as_proposed(seen: SeenTopic, parameter: str) -> Observation:
    """
    Return the facts by which the doctor would judge a topic that the file is going to name.

    :param seen: the topic
    :param parameter: prefix of its parameters, such as ``camera.front``
    """
    picture = seen.picture or SeenPicture('')
    # The file takes the arrival of the messages where their stamps are useless.
    is_stamped = seen.heard.delay_s is not None and not seen.heard.is_badly_stamped
    return Observation(
        parameter=parameter,
        key=parameter,
        topic=seen.name,
        message_type=seen.message_type,
        is_camera=seen.message_type not in NUMBER_TYPES,
        stamp=HEADER if is_stamped else RECEIVE,
        offered=tuple(f'{one}: {seen.qos}' for one in seen.nodes),
        types=(seen.message_type,),
        heard=seen.heard,
        readiness=CONTESTED if seen.is_contested else '',
        encoding=picture.encoding,
        width=picture.width,
        height=picture.height,
        picture_problem=picture.problem,
    )
