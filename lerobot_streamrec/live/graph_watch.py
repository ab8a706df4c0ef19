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
"""A watch on the graph for a few seconds, in place of a recorder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from lerobot_streamrec.conversions.cdr import first_time
from lerobot_streamrec.conversions.compressed_image import access_unit, compressed_picture
from lerobot_streamrec.conversions.depth import compressed_depth, depth_frame
from lerobot_streamrec.conversions.image import image_frame
from lerobot_streamrec.conversions.message_types import FLOAT64_ARRAY
from lerobot_streamrec.conversions.parts import TimedVector
from lerobot_streamrec.errors import ConfigError, MessageError, UnsupportedEncodingError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.live.arrivals import Arrivals
from lerobot_streamrec.live.observation import NUMBER_TYPES, SeenPicture, SeenTopic
from lerobot_streamrec.live.proposal import chosen_picture_topics
from lerobot_streamrec.live.vector_proposal import JointGroups, JOINTS_OF
from lerobot_streamrec.nodes.graph.camera_names import DEPTH_SUFFIX
from lerobot_streamrec.nodes.graph.distributions import MessageInfo, subscribe_with_info
from lerobot_streamrec.nodes.graph.publisher_watch import PublisherWatch
from lerobot_streamrec.nodes.graph.qos import choose_qos, describe_qos, node_of
from lerobot_streamrec.nodes.graph.topic_types import load_message_class
from lerobot_streamrec.nodes.topics.previews import is_preview
from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.settings.stream_settings import QOS_FROM_PUBLISHER, Source
from lerobot_streamrec.settings.transports import ENCODED_READERS, PICTURE_TYPES
from lerobot_streamrec.sync.row_clock import NS_PER_S
from lerobot_streamrec.video.encode.copying_encoder import PacketStream
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time

CLOCK_TOPIC = '/clock'
_CLOCK_TYPE = 'rosgraph_msgs/msg/Clock'
# Deep enough for the messages that arrive while a single-threaded executor handles a picture.
_DEPTH = 50


class GraphWatch:
    """
    Subscribes to recordable topics as they appear. Owned by the executor's thread.

    :param node: node that reads the graph and subscribes
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._listeners: dict[str, _Listener] = {}
        self._types: dict[str, str] = {}
        self._sim_ns = 0
        # Several robots may share the domain, so only the requested namespace is examined.
        self._prefix = f'{node.get_namespace().rstrip("/")}/'
        node.create_subscription(
            load_message_class(CLOCK_TOPIC, _CLOCK_TYPE),
            CLOCK_TOPIC,
            self._on_clock,
            qos_profile_sensor_data,
        )

    @property
    def is_sim_time(self) -> bool:
        """True if somebody publishes simulated time on /clock."""
        return self._sim_ns > 0

    def look(self) -> None:
        """Update the list of topics and subscribe to new ones. Never blocks."""
        for name, types in self._node.get_topic_names_and_types():
            if is_preview(name, self._offers(name)):
                # It may have been taken for a topic before its publisher's name was known.
                self._types.pop(name, None)
            elif len(types) == 1 and name.startswith(self._prefix):
                self._types[name] = types[0]
        published = {name: kind for name, kind in self._types.items() if self._offers(name)}
        wanted = chosen_picture_topics(
            {name: kind for name, kind in published.items() if kind in PICTURE_TYPES}
        ) | {name for name, kind in published.items() if kind in NUMBER_TYPES}
        for name in wanted - self._listeners.keys():
            self._listen(name, published[name])
        for name in self._listeners.keys() - wanted:
            # A better transport of the same camera has appeared.
            self._node.destroy_subscription(self._listeners.pop(name).subscription)

    def topics(self) -> list[SeenTopic]:
        """Return all topics seen so far."""
        return [self._seen(name, kind) for name, kind in sorted(self._types.items())]

    def picture(self, name: str) -> Picture | None:
        """Return the newest picture of a topic; None if there is none that can be read."""
        listener = self._listeners.get(name)
        return None if listener is None else listener.newest_picture()

    def numbers(self, name: str) -> dict[str, float]:
        """Return the newest numbers of a topic by their names; empty if none came."""
        listener = self._listeners.get(name)
        return {} if listener is None else listener.newest_numbers()

    def _offers(self, name: str) -> list[Any]:
        return self._node.get_publishers_info_by_topic(name)

    def _seen(self, name: str, kind: str) -> SeenTopic:
        offers = self._offers(name)
        nodes = tuple(sorted(map(node_of, offers)))
        offered = Counter(describe_qos(one.qos_profile) for one in offers)
        qos = ' and '.join(offered)
        if offered.total() > 1:
            qos += f', {offered.total()} publishers'
        listener = self._listeners.get(name)
        seen = SeenTopic(name, kind, qos) if listener is None else listener.seen(qos)
        return replace(seen, nodes=nodes)

    def _listen(self, name: str, kind: str) -> None:
        try:
            message_class = load_message_class(name, kind)
        except ConfigError:
            # Without the message class, only the topic's name and type can be reported.
            return
        listener = _Listener(name, kind, self._received_ns)
        qos = choose_qos(QOS_FROM_PUBLISHER, self._offers(name), _DEPTH)
        listener.subscription = subscribe_with_info(
            self._node,
            message_class,
            name,
            qos,
            on_message=listener.on_message,
            on_lost=listener.on_lost,
            is_encoded=kind in ENCODED_READERS,
        )
        self._listeners[name] = listener

    def _on_clock(self, message: Any) -> None:
        self._sim_ns = message.clock.sec * NS_PER_S + message.clock.nanosec

    def _received_ns(self, info: MessageInfo) -> int:
        if self._sim_ns:
            return self._sim_ns
        received_ns = int(info.get('received_timestamp') or 0)
        if received_ns > 0:
            return received_ns
        now: Time = self._node.get_clock().now()
        return int(now.nanoseconds)


class _Listener:
    """
    Gathers the facts of one topic from its messages.

    :param name: name of the topic
    :param kind: type of its messages
    :param received_ns: function that returns a message's arrival time, in nanoseconds
    """

    def __init__(self, name: str, kind: str, received_ns: Callable[[MessageInfo], int]) -> None:
        self.subscription: Any = None
        self._name = name
        self._kind = kind
        self._received_ns = received_ns
        self._arrivals = Arrivals()
        self._picture: SeenPicture | None = None
        self._array_size = 0
        self._joints = JointGroups()
        self._joints_of = JOINTS_OF.get(kind)
        self._watch = PublisherWatch()
        self._is_contested = False
        self._read = ENCODED_READERS.get(kind)
        self._packets = PacketStream()
        self._newest: Any = None

    def on_message(self, message: Any, info: MessageInfo) -> None:
        received_ns = self._received_ns(info)
        try:
            stamp_ns, message = self._decoded(message)
        except MessageError as error:
            self._picture = SeenPicture('', problem=str(error))
            return
        self._arrivals.push(received_ns, stamp_ns)
        self._newest = message
        if self._joints_of is not None:
            # Several publishers may share the topic, each with its own joints.
            if found := self._joints_of(message):
                self._joints.push(*found, received_ns, stamp_ns, info)
            return
        self._is_contested |= self._watch.push(info, received_ns / NS_PER_S)
        if self._kind == FLOAT64_ARRAY:
            self._array_size = len(message.data)
        # Look again after a problem: a video is unreadable before its first key frame.
        elif self._kind in PICTURE_TYPES and (self._picture is None or self._picture.problem):
            self._picture = self._look_at_picture(message)

    def _decoded(self, message: Any) -> tuple[int | None, Any]:
        """Return a message's stamp, and the message as an object; MessageError if damaged."""
        if self._read is None:
            return stamp_of(message), message
        seconds, nanoseconds = first_time(message)
        return seconds * NS_PER_S + nanoseconds, self._read(message)

    def newest_picture(self) -> Picture | None:
        """Return the newest picture; None if there is none that can be read."""
        if self._newest is None or self._kind not in PICTURE_TYPES:
            return None
        try:
            return self._picture_of(self._newest)
        except MessageError:
            return None

    def newest_numbers(self) -> dict[str, float]:
        """Return the newest numbers by their names; empty if none came."""
        if self._newest is None or self._kind in PICTURE_TYPES:
            return {}
        if self._joints_of is None:
            return dict(_numbers_of(self._newest))
        names, field = self._joints_of(self._newest) or ((), '')
        points = getattr(self._newest, 'points', None)
        values = points[0].positions if points else getattr(self._newest, field, ())
        return {name: float(value) for name, value in zip(names, values, strict=False)}

    def _picture_of(self, message: Any) -> Picture:
        """Convert a message; MessageError if the recorder could not."""
        if self._read is None:
            is_depth = SeenPicture(message.encoding).is_depth
            return depth_frame(message) if is_depth else image_frame(message)
        if self._name.endswith(DEPTH_SUFFIX):
            return compressed_depth(message)
        unit = access_unit(message)
        return compressed_picture(message) if unit is None else self._packets.push(unit)

    def _look_at_picture(self, message: Any) -> SeenPicture:
        encoding = message.encoding if self._read is None else message.format
        try:
            picture = self._picture_of(message)
        except UnsupportedEncodingError as error:
            problem = f'image encoding {error.encoding!r} is not supported'
            return SeenPicture(encoding, problem=problem)
        except MessageError as error:
            return SeenPicture(encoding, problem=str(error))
        return SeenPicture(encoding, picture.width, picture.height)

    def on_lost(self, event: Any) -> None:
        self._arrivals.lose(event.total_count_change)

    def seen(self, qos: str) -> SeenTopic:
        parts = self._joints.parts
        return SeenTopic(
            self._name,
            self._kind,
            qos,
            self._arrivals.heard,
            self._picture,
            parts,
            self._array_size,
            is_contested=self._is_contested or any(one.is_contested for one in parts),
        )


def stamp_of(message: Any) -> int | None:
    """Return a message's header stamp in nanoseconds, or None if it has no header."""
    stamp = getattr(getattr(message, 'header', None), 'stamp', None)
    return None if stamp is None else int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def _numbers_of(message: Any, prefix: str = '') -> Iterator[tuple[str, float]]:
    """Yield the numbers of a message without joints, with the names of its fields."""
    for field in message.get_fields_and_field_types():
        value = getattr(message, field)
        if field == 'data':
            yield from ((f'joint_{at}', float(one)) for at, one in enumerate(value))
        elif isinstance(value, int | float):
            yield f'{prefix}{field}', float(value)
        elif hasattr(value, 'get_fields_and_field_types') and field not in ('header', 'layout'):
            yield from _numbers_of(value, f'{prefix}{field}.')


class TopicWitness:
    """
    Gathers the facts of one topic that the parameter file names.

    :param source: settings under which the topic's messages are read
    """

    def __init__(self, source: Source) -> None:
        self.stream = Stream(source.stream)
        self.arrivals = Arrivals()
        self.first_picture: Picture | None = None
        self.encoding = ''
        self.size_bytes = 0
        self.num_rejected = 0
        self.rejection = ''

    def push(self, stamp_ns: int, value: Any, now_ns: int) -> None:
        """Take in a sample; VectorError if no column can hold its numbers as published."""
        value = self.stream.for_column(value)
        if self.stream.newest_ns is None:
            # The messages of a video are rejected until its first key frame; that is no fault.
            self.num_rejected, self.rejection = 0, ''
        stamp_ns += self.stream.config.offset_ns
        self.stream.push(stamp_ns, value, now_ns, is_recording=False)

    def reject(self, reason: str) -> None:
        """Count a message that cannot be recorded, and keep the reason."""
        self.num_rejected += 1
        self.rejection = reason
        self.stream.reject(reason)

    def see(self, received_ns: int, stamp_ns: int | None, encoding: str, size_bytes: int) -> None:
        """Note the arrival, encoding and size of a message; called after it was read."""
        self.arrivals.push(received_ns, stamp_ns)
        self.encoding, self.size_bytes = encoding, size_bytes

    @property
    def values(self) -> dict[str, float]:
        """The numbers of the newest message, by name; empty for a camera."""
        if self.stream.config.is_camera or self.stream.newest_ns is None:
            return {}
        vector = self.stream.newest_value
        if isinstance(vector, TimedVector):
            vector = vector.at(0)
        names = self.stream.config.names
        return {name: float(value) for name, value in zip(names, vector, strict=True)}


class Witness:
    """
    Takes the recorder's place as the sink of all samples. Owned by the main thread.

    :param sources: source of each stream
    :param now_ns: function that returns the steady clock, in nanoseconds
    """

    def __init__(self, sources: Iterable[Source], now_ns: Callable[[], int]) -> None:
        self.topics = {source.stream.key: TopicWitness(source) for source in sources}
        self._now_ns = now_ns

    def push_image(self, video_key: str, stamp_ns: int, picture: Picture) -> None:
        """Take in a picture, and keep the first one of each camera."""
        topic = self.topics[video_key]
        if topic.first_picture is None:
            topic.first_picture = picture
        topic.push(stamp_ns, picture, self._now_ns())

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """Take in the numbers of a message."""
        self.topics[key].push(stamp_ns, values, self._now_ns())

    def reject(self, key: str, reason: str) -> None:
        """Note a message that cannot be recorded, with the reason."""
        self.topics[key].reject(reason)

    def ignore(self, key: str, reason: str) -> None:
        """Note a message that is not meant for this stream, with the reason."""
        self.topics[key].stream.ignore(reason)

    def contest(self, key: str, publishers: str) -> None:
        """Note a message that came while several publishers send the same data in turn."""
        self.topics[key].stream.contest(publishers, self._now_ns())

    def lose(self, key: str, num_messages: int) -> None:
        """Count messages that the middleware lost."""
        self.topics[key].arrivals.lose(num_messages)
