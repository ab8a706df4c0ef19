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
from lerobot_streamrec.conversions.image import image_frame
from lerobot_streamrec.conversions.vector import FLOAT64_ARRAY, JOINT_STATE, vector_reader
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.nodes.stream_settings import Source
from lerobot_streamrec.nodes.subscriber import node_name, Subscriber
from lerobot_streamrec.nodes.transport import choose_topic
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.video.packet_stream import PacketStream
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Float64MultiArray

_CLASSES = {JOINT_STATE: JointState, FLOAT64_ARRAY: Float64MultiArray}

# History, not latency: what waits here while the executor is busy elsewhere is not lost.
_IMAGE_DEPTH = 20
_VECTOR_DEPTH = 500


class ImageSubscriber(Subscriber):
    """
    A camera topic.

    :param node: a node of its own
    :param source: what to read, and how
    :param recorder: takes the pictures
    """

    def __init__(self, node: Node, source: Source, recorder: Recorder) -> None:
        super().__init__(node, source, recorder, Image, _IMAGE_DEPTH)

    def _push(self, stamp_ns: int, message: Any) -> None:
        frame = image_frame(message, self._source.parameter)
        self._recorder.push_image(self._source.stream.key, stamp_ns, frame)


class CompressedImageSubscriber(Subscriber):
    """
    A camera topic of compressed pictures, or of packets of a video codec.

    :param node: a node of its own
    :param source: what to read, and how
    :param recorder: takes the pictures
    :param topic: which one
    """

    def __init__(self, node: Node, source: Source, recorder: Recorder, topic: str) -> None:
        self._packets = PacketStream()
        super().__init__(node, source, recorder, CompressedImage, _IMAGE_DEPTH, topic)

    def _push(self, stamp_ns: int, message: Any) -> None:
        unit = access_unit(message)
        picture: Picture = (
            compressed_picture(message, self._source.parameter)
            if unit is None
            else self._packets.push(unit)
        )
        self._recorder.push_image(self._source.stream.key, stamp_ns, picture)

    def _on_lost(self, event: Any) -> None:
        super()._on_lost(event)
        self._packets.lose()


class VectorSubscriber(Subscriber):
    """
    A state or action topic.

    :param node: a node of its own
    :param source: what to read, and how
    :param recorder: takes the vectors
    """

    def __init__(self, node: Node, source: Source, recorder: Recorder) -> None:
        self._read = vector_reader(
            f'{source.parameter}.type', source.message_type, source.stream.names, source.field
        )
        super().__init__(node, source, recorder, _CLASSES[source.message_type], _VECTOR_DEPTH)

    def _push(self, stamp_ns: int, message: Any) -> None:
        self._recorder.push_vector(self._source.stream.key, stamp_ns, self._read(message))


def subscribe(source: Source, recorder: Recorder) -> Subscriber:
    """Make the subscriber of a source, on a node of its own."""
    node = Node(node_name(source.parameter))
    if not source.stream.is_camera:
        return VectorSubscriber(node, source, recorder)
    topic = choose_topic(source.stream.topic, source.transport, lambda name: _types(node, name))
    if topic.is_compressed:
        return CompressedImageSubscriber(node, source, recorder, topic.name)
    return ImageSubscriber(node, source, recorder)


def _types(node: Node, topic: str) -> set[str]:
    """Return the message types that are published on a topic now."""
    return {info.topic_type for info in node.get_publishers_info_by_topic(topic)}
