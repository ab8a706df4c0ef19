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
"""
Small live previews of all streams, for people: a console, rqt or Foxglove.

They are made off the recording path. The reader's thread only keeps a reference to each stream's
newest sample, and only while somebody subscribes; the thread of the previews does everything else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
import array
from collections.abc import Iterable, Sequence
import re
import threading
import time
from typing import Any

from builtin_interfaces.msg import Time
from lerobot_streamrec.conversions.cdr import frame_id
from lerobot_streamrec.dataset.format.features import IMAGES
from lerobot_streamrec.nodes.graph.qos import node_of
from lerobot_streamrec.nodes.topics.sample_sink import NewestSample
from lerobot_streamrec.nodes.topics.subscriber import Subscriber
from lerobot_streamrec.recording.streams.sampling import Course
from lerobot_streamrec.settings.recorder_settings import PreviewConfig
from lerobot_streamrec.sync.row_clock import NS_PER_S
from lerobot_streamrec.video.codecs.scheduling import give_way
from lerobot_streamrec.video.tools.thumbnail import JpegMaker
import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64MultiArray, Header, MultiArrayDimension

THREAD_NAME = 'preview'

_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_FOLDER = 'preview'
_NOT_IN_TOPICS = re.compile(r'[^A-Za-z0-9_]')


class _Preview(ABC):
    """
    The preview of one stream. Owned by the thread of the previews, which calls ``tick``.

    :param node: node that publishes
    :param subscriber: subscriber of the stream
    :param topic: topic of the preview, below the node's name
    """

    kind: type

    def __init__(self, node: Node, subscriber: Subscriber, topic: str) -> None:
        self._log: Any = node.get_logger()
        self._key = subscriber.key
        self._newest = subscriber.newest
        self._publisher = node.create_publisher(self.kind, topic, _QOS)
        self._newest.topic = node.resolve_topic_name(topic)
        self._has_failed = False

    def tick(self) -> None:
        """Publish the newest sample if there is a new one, and somebody subscribes."""
        try:
            self._show_newest()
        # Neither a broken picture nor anything else here may end the other previews.
        except Exception as error:  # noqa: BLE001
            if not self._has_failed:
                self._has_failed = True
                self._log.warning(f'{self._key} has no preview for now: {error}')

    def _show_newest(self) -> None:
        self._newest.is_wanted = self._publisher.get_subscription_count() > 0
        # Taken in any case, so that nothing is kept after the last subscriber has gone.
        sample = self._newest.take()
        if sample is not None and self._newest.is_wanted:
            self._publisher.publish(self._message(sample))

    @abstractmethod
    def _message(self, sample: NewestSample) -> Any:
        """Return the message that shows a sample."""


class _CameraPreview(_Preview):
    """
    The preview of a camera: small JPEGs with the stamps of their pictures.

    :param width: width of the JPEGs in pixels
    """

    kind = CompressedImage

    def __init__(self, node: Node, subscriber: Subscriber, topic: str, width: int) -> None:
        super().__init__(node, subscriber, topic)
        self._maker = JpegMaker(width)

    def _message(self, sample: NewestSample) -> CompressedImage:
        seconds, nanoseconds = divmod(sample.stamp_ns, NS_PER_S)
        stamp = Time(sec=seconds, nanosec=nanoseconds)
        return CompressedImage(
            header=Header(stamp=stamp, frame_id=frame_id(sample.data)),
            format='jpeg',
            # rclpy checks every element of any other sequence.
            data=array.array('B', self._maker.jpeg(sample.value)),
        )


class _VectorPreview(_Preview):
    """The preview of a vector: its newest numbers, with the names of its elements as labels."""

    kind = Float64MultiArray

    def __init__(self, node: Node, subscriber: Subscriber, topic: str) -> None:
        super().__init__(node, subscriber, topic)
        self._prototype = Float64MultiArray()
        self._prototype.layout.dim = [
            MultiArrayDimension(label=name, size=1, stride=1)
            for name in subscriber.source.stream.names
        ]

    def _message(self, sample: NewestSample) -> Float64MultiArray:
        values = sample.value
        if not isinstance(values, np.ndarray) and isinstance(values, Course):
            # The first point of a trajectory, which holds from its stamp on.
            values = values.at(0)
        self._prototype.data = array.array('d', np.asarray(values, np.float64).tobytes())
        return self._prototype


class Previews:
    """
    The previews of all streams. Owned by the thread that makes it, which also closes it.

    :param node: node that publishes; it must outlive the previews
    :param config: rate and size
    :param subscribers: subscribers of all streams
    """

    def __init__(
        self, node: Node, config: PreviewConfig, subscribers: Sequence[Subscriber]
    ) -> None:
        self._rate_hz = config.rate_hz
        self._previews: list[_Preview] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=False)
        if not config.rate_hz:
            return
        names = preview_names([one.key for one in subscribers])
        for subscriber, name in zip(subscribers, names, strict=True):
            topic = f'~/{_FOLDER}/{name}'
            if subscriber.source.stream.is_camera:
                camera = _CameraPreview(node, subscriber, f'{topic}/compressed', config.width)
                self._previews.append(camera)
            else:
                self._previews.append(_VectorPreview(node, subscriber, topic))

    def start(self) -> None:
        """Start the thread, if there are previews."""
        if self._previews:
            self._thread.start()

    def close(self, timeout_s: float) -> bool:
        """
        End the thread. Idempotent.

        :param timeout_s: longest time to wait for its end, in seconds
        :return: True if it has ended
        """
        self._is_over.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        give_way()
        period_s = 1.0 / self._rate_hz
        due_s = time.monotonic() + period_s
        while not self._is_over.wait(max(0.0, due_s - time.monotonic())):
            for preview in self._previews:
                preview.tick()
            # On a busy machine previews are left out, and never made up for.
            due_s = max(due_s + period_s, time.monotonic())


def preview_names(keys: Sequence[str]) -> list[str]:
    """
    Return names of the streams that are allowed in topics, all of them different.

    :param keys: keys of the streams, such as ``observation.images.front``, which becomes
        ``front``, and ``observation.state``, which becomes ``observation_state``
    """
    names: list[str] = []
    for key in keys:
        name = _NOT_IN_TOPICS.sub('_', key.removeprefix(IMAGES))
        # A part of a topic's name must not begin with a digit.
        first = name = f'_{name}' if name[0].isdigit() else name
        number = 1
        while name in names:
            number += 1
            name = f'{first}_{number}'
        names.append(name)
    return names


def is_preview(topic: str, offers: Iterable[Any]) -> bool:
    """
    Return True if a recorder publishes a topic as a preview, which nobody wants to record.

    :param topic: full name of the topic
    :param offers: ``TopicEndpointInfo`` of each publisher of the topic
    """
    return any(topic.startswith(f'{node_of(one)}/{_FOLDER}/') for one in offers)
