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
"""The node that encodes a camera's pictures on the camera's host, and publishes packets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from lerobot_streamrec.conversions.cdr import frame_id
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.frame import EncodedPacket, Picture
from lerobot_streamrec.nodes.graph.distributions import make_executor, MessageInfo
from lerobot_streamrec.nodes.graph.node_parameters import NodeParameters
from lerobot_streamrec.nodes.graph.ros_start import (
    keep_large_buffers,
    make_helper,
    run_unspun_node,
)
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.graph.topic_types import class_to_take
from lerobot_streamrec.nodes.packets.packet_thread import PacketThread
from lerobot_streamrec.nodes.status_messages import Sender
from lerobot_streamrec.nodes.topics.reader import read_waiting, TICK_S
from lerobot_streamrec.nodes.topics.subscribers import CameraSubscriber
from lerobot_streamrec.option import Option
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.settings.parameter_reader import ParameterReader
from lerobot_streamrec.settings.stream_settings import check_topic, read_encoder, Source
from lerobot_streamrec.settings.transports import (
    AUTO,
    base_topic,
    COMPRESSED,
    ENCODED,
    FFMPEG,
    FFMPEG_TYPE,
    FOXGLOVE,
    RAW,
    VIDEO_TYPE,
)
from lerobot_streamrec.video.codecs.config import EncoderConfig
from rclpy.node import Node
from rclpy.qos import QoSProfile

NODE_NAME = 'camera_packets'

_TOPIC = Option('topic', '', 'Topic of the pictures, sensor_msgs/msg/Image or CompressedImage')
_TRANSPORT = Option(
    'transport', AUTO, 'Transport of the pictures', choices=(AUTO, RAW, COMPRESSED)
)
_OUTPUT = Option('output', FOXGLOVE, 'Message type of the packets', choices=(FOXGLOVE, FFMPEG))
_QUEUE = Option('queue', 30, 'Pictures that may wait for the encoder', 1, 1000)
_KEY = 'camera'
_LOOK_PERIOD_S = 0.5
_TELL_PERIOD_S = 1.0
_WARN_EVERY_S = 5.0
# Both together stay below the time after which launch and service managers kill a process.
_DRAIN_TIMEOUT_S = 5.0
_ARRIVE_S = 1.0
# A recorder on another host, which pauses for two seconds, still gets every packet.
_HISTORY_S = 2


@dataclass(frozen=True, slots=True)
class _Settings:
    """
    The node's parameters.

    :param source: the topic of the pictures, and the way in which it is read
    :param encoder: settings of the encoder, with or without ``auto``
    :param output: last part of the name of the packets' topic, a key of ``ENCODED``
    :param queue: number of pictures that may wait
    """

    source: Source
    encoder: EncoderConfig
    output: str
    fps: int
    head_room: float
    queue: int


def _read_settings(reader: ParameterReader) -> _Settings:
    topic = reader.read(_TOPIC)
    if not topic:
        raise ConfigError('topic', topic, 'name the topic of the pictures: -p topic:=/image_raw')
    check_topic('topic', topic)
    reading = reader.read_fields(Source, '', 'stamp', 'qos')
    stream = StreamConfig(key=_KEY, topic=topic)
    source = Source(_KEY, stream, transport=reader.read(_TRANSPORT), **reading)
    encoder, output, queue = read_encoder(reader), reader.read(_OUTPUT), reader.read(_QUEUE)
    common = reader.read_fields(RecorderConfig, '', 'fps', 'head_room')
    reader.refuse_unknown()
    return _Settings(source, encoder, output, queue=queue, **common)


class _Camera(CameraSubscriber):
    """The subscriber of the pictures, which never takes its own packets for them."""

    newest_frame_id = ''

    def _types_of(self, topic: str) -> set[str]:
        return super()._types_of(topic) - {FFMPEG_TYPE, VIDEO_TYPE}

    def _push(self, data: bytes, info: MessageInfo) -> None:
        self.newest_frame_id = frame_id(data)
        super()._push(data, info)


class CameraPackets:
    """
    Hands each picture of a camera to the encoder's thread. Owned by the main thread.

    It is the ``Sink`` of its own subscriber.

    :param node: the node, which has to be made with its parameters
    :param settings: the parameters
    """

    def __init__(self, node: Node, settings: _Settings) -> None:
        self._log: Any = node.get_logger()
        self._node = node
        self._rejected = self._lost = 0
        self._rejection = ''
        self._told, self._warned_s = 0, -_WARN_EVERY_S
        topic = base_topic(node.resolve_topic_name(settings.source.stream.topic))
        self._topic = f'{topic}/{settings.output}'
        self._publisher: Any = node.create_publisher(
            class_to_take(ENCODED[settings.output]),
            self._topic,
            QoSProfile(depth=_HISTORY_S * settings.fps),
        )
        self._diagnostics = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._sender = Sender.of(node.get_fully_qualified_name(), {})
        self._thread = PacketThread(
            settings.encoder,
            settings.output,
            self._publisher.publish,
            fps=settings.fps,
            head_room=settings.head_room,
            max_pictures=settings.queue,
        )
        self._camera = _Camera(make_helper(node, _KEY), settings.source, self, node)
        self._executor = make_executor()
        self._executor.add_node(self._camera.node)
        self._log.info(f'packets of {self._camera.topic} are published on {self._topic}')

    # --- Sink ----------------------------------------------------------------------------------

    def push_image(self, video_key: str, stamp_ns: int, picture: Picture) -> None:
        """Hand a picture to the encoder."""
        if isinstance(picture, EncodedPacket):
            self.reject(video_key, 'it is a packet of video already, which a recorder can read')
        else:
            self._thread.push(stamp_ns, self._camera.newest_frame_id, picture)

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """Never called: the topic has pictures."""

    def reject(self, _key: str, reason: str) -> None:
        """Count a picture that cannot be read."""
        self._rejected += 1
        self._rejection = reason

    ignore = reject

    def contest(self, _key: str, publishers: str) -> None:
        """Note that several publishers send pictures in turn; the subscriber logs it."""
        self._rejection = f'several publishers ({publishers}) send pictures in turn'

    def lose(self, _key: str, num_messages: int) -> None:
        """Count pictures that the middleware lost."""
        self._lost += num_messages

    # --- the loop ------------------------------------------------------------------------------

    def run(self, stop: StopSignals) -> None:
        """
        Publish packets until the process is asked to stop, then those of all pictures that wait.

        :raise StreamrecError: if the encoder does not work, or the last packets do not come
        """
        self._thread.start()
        try:
            look_s = tell_s = 0.0
            while not stop.wait(TICK_S) and self._thread.is_alive:
                read_waiting([self._camera])
                now_s = time.monotonic()
                if now_s >= look_s:
                    look_s = now_s + _LOOK_PERIOD_S
                    self._camera.look()
                    self._executor.spin_once(timeout_sec=0)
                if now_s >= tell_s:
                    tell_s = now_s + _TELL_PERIOD_S
                    self._tell()
            read_waiting([self._camera])
        finally:
            self._thread.close(_DRAIN_TIMEOUT_S)
            self._tell()
        self._wait_for_arrival()

    def _wait_for_arrival(self) -> None:
        """
        Keep the publisher for a moment.

        A packet may have to be sent again, and a publisher that leaves takes messages along that
        a busy listener has not read yet.
        """
        deadline_s = time.monotonic() + _ARRIVE_S
        while time.monotonic() < deadline_s and self._publisher.get_subscription_count():
            time.sleep(TICK_S)

    def _tell(self) -> None:
        counts = self._thread.counts
        problems = list(self._camera.problems)
        if counts.num_dropped > self._told:
            num_new, self._told = counts.num_dropped - self._told, counts.num_dropped
            problems.append(
                f'pictures dropped because too many waited for the encoder: {num_new}, '
                f'{counts.num_dropped} in all; choose a faster encoder (encoder.profile light), '
                'or fewer or smaller pictures, or let more of them wait (queue)'
            )
            now_s = time.monotonic()
            if now_s - self._warned_s >= _WARN_EVERY_S:
                self._warned_s = now_s
                self._log.warning(problems[-1])
        if counts.trouble:
            problems.append(counts.trouble)
        values = {
            'topic': self._camera.topic,
            'packets_topic': self._topic,
            'encoder': counts.encoder,
            'packets': counts.num_packets,
            'packet_bytes': counts.num_bytes,
            'dropped': counts.num_dropped,
            'before_encoder': counts.num_early,
            'undecodable': counts.num_undecodable,
            'rejected': self._rejected,
            'rejection': self._rejection,
            'lost_in_transport': self._lost,
        }
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if problems else DiagnosticStatus.OK,
            name=f'{self._sender.name.strip("/").replace("/", ".")}: {self._topic}',
            message='; '.join(problems) or f'{counts.num_packets} packets',
            hardware_id=self._sender.hardware_id,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def run(arguments: list[str], stop: StopSignals) -> int:
    """
    Publish packets until the process is asked to stop, and return the exit status.

    :param arguments: command line with `--ros-args`
    :param stop: requests to stop
    """
    keep_large_buffers()
    return run_unspun_node(NODE_NAME, arguments, partial(_publish, stop))


def _publish(stop: StopSignals, node: Node) -> None:
    packets = CameraPackets(node, _read_settings(NodeParameters(node)))
    packets.run(stop)
