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
"""One subscriber per stream."""

from __future__ import annotations

from typing import Any

from lerobot_streamrec.conversions.access_unit import access_unit
from lerobot_streamrec.conversions.compressed_image import compressed_picture
from lerobot_streamrec.conversions.depth import compressed_depth, depth_frame
from lerobot_streamrec.conversions.image import image_frame
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.nodes.graph.distributions import MessageInfo
from lerobot_streamrec.nodes.graph.helper_node import make_helper
from lerobot_streamrec.nodes.graph.qos import choose_topic, COMPRESSED_TYPE, RAW_TYPE
from lerobot_streamrec.nodes.parameters.stream_settings import Source
from lerobot_streamrec.nodes.topics.sample_sink import Sink
from lerobot_streamrec.nodes.topics.subscriber import Subscriber, Target
from lerobot_streamrec.video.encode.copying_encoder import PacketStream
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

# History, not latency: what waits here while the executor is busy elsewhere is not lost, two
# seconds of a camera at 30 Hz. The middleware takes memory only for what does wait.
_IMAGE_DEPTH = 60
_VECTOR_DEPTH = 500


class CameraSubscriber(Subscriber):
    """
    A camera's topic: its pixels, or the compressed pictures beside them.

    :param node: a node of its own
    :param source: the topic, and how it is read
    :param recorder: takes the pictures
    :param home: the main node
    """

    def __init__(self, node: Node, source: Source, recorder: Sink, home: Node) -> None:
        self._is_depth = source.stream.depth is not None
        self._packets = PacketStream()
        super().__init__(node, source, recorder, home, depth=_IMAGE_DEPTH)

    def _choose_target(self) -> Target:
        chosen = choose_topic(
            self._source.stream.topic,
            self._source.transport,
            self._types_of,
            is_depth=self._is_depth,
        )
        return Target(chosen.name, COMPRESSED_TYPE if chosen.is_compressed else RAW_TYPE)

    def _types_of(self, topic: str) -> set[str]:
        return {offer.topic_type for offer in self.offers_of(topic)}

    def _push(self, message: Any, info: MessageInfo) -> None:
        stamp_ns = self._stamp_ns(message, info)
        self._size_bytes = len(message.data)
        is_compressed = isinstance(message, CompressedImage)
        look: Any
        if self._is_depth:
            look = compressed_depth if is_compressed else depth_frame
        else:
            look = self._compressed if is_compressed else image_frame
        self._recorder.push_image(self.key, stamp_ns, look(message, self._source.parameter))

    def _compressed(self, message: Any, parameter: str) -> Picture:
        unit = access_unit(message)
        if unit is None:
            return compressed_picture(message, parameter)
        return self._packets.push(unit)

    def _on_lost(self, event: Any) -> None:
        super()._on_lost(event)
        self._packets.lose()


class VectorSubscriber(Subscriber):
    """
    A topic of numbers.

    :param node: a node of its own
    :param source: the topic, and how it is read
    :param recorder: takes the vectors
    :param home: the main node
    """

    def __init__(self, node: Node, source: Source, recorder: Sink, home: Node) -> None:
        assert source.elements is not None
        self._read = source.elements.make_reader()
        super().__init__(node, source, recorder, home, depth=_VECTOR_DEPTH)

    def _choose_target(self) -> Target:
        return Target(self._source.stream.topic, self._source.message_type)

    def _push(self, message: Any, info: MessageInfo) -> None:
        # Reading comes first: a message that is meant for others must not touch the stamps.
        values = self._read(message)
        self._recorder.push_vector(self.key, self._stamp_ns(message, info), values)


def subscribe(home: Node, source: Source, recorder: Sink) -> Subscriber:
    """
    Make the subscriber of a source, with a node of its own.

    :param home: the main node
    :param source: the topic, and how it is read
    :param recorder: takes the samples
    """
    kind = CameraSubscriber if source.stream.is_camera else VectorSubscriber
    return kind(make_helper(home, source.parameter), source, recorder, home)
