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
"""The subscribers of cameras and vectors."""

from __future__ import annotations

from lerobot_streamrec.nodes.graph.ros_start import make_helper
from lerobot_streamrec.nodes.topics.sample_sink import Sink
from lerobot_streamrec.nodes.topics.subscriber import Subscriber
from lerobot_streamrec.settings.stream_settings import Source
from lerobot_streamrec.settings.transports import choose_topic, Target
from rclpy.node import Node

# The depths cost no latency. They keep messages from being lost while the process pauses: two
# seconds of a camera at 30 Hz. The middleware allocates memory only for messages that wait.
_IMAGE_DEPTH = 60
_VECTOR_DEPTH = 500


class CameraSubscriber(Subscriber):
    """
    The subscriber of a camera's raw images, or of the compressed images beside them.

    :param node: separate node for this subscription
    :param source: the topic and the way in which it is read
    :param recorder: receiver of the images
    :param home: the main node
    """

    def __init__(self, node: Node, source: Source, recorder: Sink, home: Node) -> None:
        self._is_depth = source.stream.depth is not None
        super().__init__(node, source, recorder, home, depth=_IMAGE_DEPTH)

    def _choose_target(self) -> Target:
        return choose_topic(
            self.source.stream.topic,
            self.source.transport,
            self._types_of,
            is_depth=self._is_depth,
        )

    def _types_of(self, topic: str) -> set[str]:
        return {offer.topic_type for offer in self.offers_of(topic)}


class VectorSubscriber(Subscriber):
    """
    The subscriber of a topic of numbers.

    :param node: separate node for this subscription
    :param source: the topic and the way in which it is read
    :param recorder: receiver of the vectors
    :param home: the main node
    """

    def __init__(self, node: Node, source: Source, recorder: Sink, home: Node) -> None:
        assert source.elements is not None
        super().__init__(node, source, recorder, home, depth=_VECTOR_DEPTH)

    def _choose_target(self) -> Target:
        return Target(self.source.stream.topic, self.source.message_type)


def subscribe(home: Node, source: Source, recorder: Sink) -> Subscriber:
    """
    Make the subscriber of a source, with a separate node.

    :param home: the main node
    :param source: the topic and the way in which it is read
    :param recorder: receiver of the samples
    """
    kind = CameraSubscriber if source.stream.is_camera else VectorSubscriber
    return kind(make_helper(home, source.parameter), source, recorder, home)
