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
"""A run of the executable `replay`: it publishes an episode at the pace of the steady clock."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
import time
from typing import Any

from builtin_interfaces.msg import Time
from lerobot_streamrec.conversions.message_types import has_header
from lerobot_streamrec.dataset.format.features import ACTION
from lerobot_streamrec.dataset.rebuild.played_episode import open_episode, PlayedEpisode
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.node_parameters import NodeParameters
from lerobot_streamrec.nodes.graph.ros_start import run_unspun_node
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.graph.topic_types import load_fields, load_message_class
from lerobot_streamrec.nodes.replay.schedule import (
    Instants,
    read_replay_settings,
    ReplaySettings,
    schedule_of,
    Step,
    stream_instants,
)
from lerobot_streamrec.nodes.replay.topic_watch import TopicWatch
from lerobot_streamrec.playback.messages import Numbers, Pictures
from lerobot_streamrec.playback.streams import plan_of, PlayedStream
from lerobot_streamrec.settings.parameter_reader import USE_SIM_TIME
from lerobot_streamrec.sync.row_clock import NS_PER_S
from rclpy.duration import Duration
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.validate_topic_name import validate_topic_name
from rosgraph_msgs.msg import Clock as ClockMessage

NODE_NAME = 'replay'

_CLOCK_TOPIC = '/clock'
_TICK_NS = 10_000_000
# Running drivers are discovered within this time. A driver that is found later ends the replay.
_DISCOVERY_S = 2.0
_POLL_S = 0.1
# The largest factor by which rows are published faster to make up for a delay on a busy machine.
_CATCH_UP = 4
_CLOSE_TIMEOUT_S = 5.0
_ARRIVE_S = 5.0
# A subscriber on a busy machine may lag by seconds, and must not lose messages because of that.
_MIN_DEPTH, _MAX_DEPTH = 10, 200
_MAX_BYTES = 64 * 2**20
_load_class = partial(load_message_class, 'the type')


@dataclass(frozen=True, slots=True, eq=False)
class _Topic:
    """
    One topic of the replay.

    :param source: source of the messages
    :param publisher: publisher of the messages
    :param instants_ns: instants of the samples, ``(rows,)``
    :param offset_ns: offset that the recorder adds to the stamps
    :param is_stamped: True if the messages have a header
    """

    source: Pictures | Numbers
    publisher: Any
    instants_ns: Instants
    offset_ns: int
    is_stamped: bool

    def is_new(self, step: Step) -> bool:
        """Return True if the row shows a different sample than the row before it."""
        if step.is_repeat or step.row == 0:
            return True
        return bool(self.instants_ns[step.row] != self.instants_ns[step.row - 1])


class Replay:
    """
    The replay of an episode. Owned by one thread, which calls ``close``.

    :param node: node that publishes; it need not be spun
    :param settings: the user's settings
    :param episode: the episode to publish
    :param stop: requests to end the replay early
    :raise ConfigError: if the settings do not suit the episode
    :raise DatasetError: if the dataset cannot be read
    """

    def __init__(
        self, node: Node, settings: ReplaySettings, episode: PlayedEpisode, stop: StopSignals
    ) -> None:
        self._node = node
        self._log: Any = node.get_logger()
        self._settings = settings
        self._episode = episode
        self._stop = stop
        self._schedule = schedule_of(episode, settings)
        self._pictures: list[Pictures] = []
        self._topics: dict[str, _Topic] = {}
        self._clock: Any = None
        self._told_ns: int | None = None
        self._begin_ns = self._epoch_ns = 0
        self._late_ns = 0
        try:
            self._watch = self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> TopicWatch:
        plan = plan_of(self._episode, self._settings.streams)
        groups: dict[str, list[PlayedStream]] = {}
        for stream in plan.streams:
            groups.setdefault(self._full_name(stream.topic), []).append(stream)
        has_cameras = any(one.is_camera for one in plan.streams)
        keys = {one.feature for one in plan.streams if not one.is_camera}
        values = self._episode.values(sorted(keys))
        for name, streams in groups.items():
            is_between = has_cameras and not plan.has_clock
            self._topics[name] = self._topic(name, streams, values, is_between=is_between)
            plan.remarks += self._topics[name].source.remarks
        for remark in plan.remarks:
            self._log.warning(remark)
        actions = [name for name in groups if any(one.feature == ACTION for one in groups[name])]
        names = [*groups]
        if self._schedule.begin_ns is not None:
            self._clock = self._publisher(ClockMessage, _CLOCK_TOPIC, _MIN_DEPTH)
            names.append(_CLOCK_TOPIC)
        is_forced = self._settings.is_forced
        return TopicWatch(self._node, names, actions, is_forced=is_forced)

    def _full_name(self, topic: str) -> str:
        prefix = self._settings.prefix
        wanted = f'{prefix.rstrip("/")}/{topic.lstrip("/")}' if prefix else topic
        try:
            validate_topic_name(wanted)
            name: str = self._node.resolve_topic_name(wanted)
        # rcl reports some invalid names as a RuntimeError.
        except (InvalidTopicNameException, RuntimeError) as error:
            why = str(error).partition('\n')[0]
            raise ConfigError(
                'topics_prefix', prefix, f'{wanted} is not a valid topic: {why}'
            ) from error
        return name

    def _topic(
        self,
        name: str,
        streams: list[PlayedStream],
        values: Mapping[str, Any],
        *,
        is_between: bool,
    ) -> _Topic:
        first, depth = streams[0], _MAX_DEPTH
        source: Pictures | Numbers
        if first.is_camera:
            is_endless = self._settings.is_endless
            source = Pictures(self._episode, first, _load_class, is_endless=is_endless)
            self._pictures.append(source)
            depth = min(max(_MIN_DEPTH, _MAX_BYTES // source.size_bytes), _MAX_DEPTH)
        else:
            streams = [one for one in streams if not one.is_camera]
            parts = [one.part_of(values[one.feature]) for one in streams]
            source = Numbers(streams, parts, _load_class)
        kind = load_message_class('type', source.message_type)
        return _Topic(
            source=source,
            publisher=self._publisher(kind, name, depth),
            instants_ns=stream_instants(
                first, self._schedule, self._episode, is_between=is_between
            ),
            offset_ns=first.offset_ns,
            is_stamped=has_header(load_fields('type', source.message_type)),
        )

    def _publisher(self, kind: type, topic: str, depth: int) -> Any:
        # Arm drivers publish like this, reliable and volatile. Best-effort subscribers hear it.
        return self._node.create_publisher(kind, topic, QoSProfile(depth=depth))

    def run(self) -> bool:
        """
        Publish the episode; return False if the replay was asked to end before its last row.

        :raise ConfigError: if another node publishes on one of the topics
        :raise VideoError: if an image cannot be decoded
        """
        deadline_s = time.monotonic() + (0.0 if self._settings.is_forced else _DISCOVERY_S)
        while time.monotonic() < deadline_s:
            self._watch.look()
            if self._stop.wait(_POLL_S):
                return False
        row = self._episode.row
        self._log.info(
            f'episode {row.episode_index} of {self._episode.root} ({row.length} rows, '
            f'{row.length / self._episode.info.fps:.1f} s) is published on '
            f'{", ".join(self._topics)}'
        )
        self._begin_ns = time.monotonic_ns()
        begin_ns = self._schedule.begin_ns
        now_ns = time.time_ns() + self._schedule.lead_ns
        self._epoch_ns = now_ns if begin_ns is None else begin_ns
        for step in self._schedule.steps():
            if not self._show(step):
                return False
        self._wait_for_readers()
        self._log.info(
            f'episode {row.episode_index} is over; its messages were at most '
            f'{self._late_ns / 1e6:.0f} ms late'
        )
        return True

    def _show(self, step: Step) -> bool:
        """Publish the samples of a row by instant, numbers first; return False if asked to end."""
        row_began_ns = time.monotonic_ns()
        topics = sorted(
            self._topics.values(),
            key=lambda one: (one.instants_ns[step.row], isinstance(one.source, Pictures)),
        )
        for topic in topics:
            message = self._message(topic.source, step)
            if message is None:
                return False
            if not topic.is_new(step):
                continue
            instant_ns = int(topic.instants_ns[step.row]) + step.shift_ns
            if not self._wait(instant_ns):
                return False
            if topic.is_stamped:
                message.header.stamp = _time(self._epoch_ns + instant_ns - topic.offset_ns)
            topic.publisher.publish(message)
        shortest_ns = round(self._schedule.period_ns / self._schedule.pace) // _CATCH_UP
        rest_ns = row_began_ns + shortest_ns - time.monotonic_ns()
        return not self._stop.wait(max(0, rest_ns) / NS_PER_S)

    def _message(self, source: Pictures | Numbers, step: Step) -> Any:
        if isinstance(source, Numbers):
            return source.message(step.row)
        return source.message(step.row, lambda: self._stop.wait(0.0), step.turn)

    def _wait(self, instant_ns: int) -> bool:
        """Wait for an instant, publishing the time; return False if the replay should end."""
        due_ns = self._begin_ns + self._schedule.due_ns(instant_ns)
        self._watch.look()
        while (left_ns := due_ns - time.monotonic_ns()) > 0:
            self._tell_time(instant_ns - round(left_ns * self._schedule.pace))
            if self._stop.wait(min(left_ns, _TICK_NS) / NS_PER_S):
                return False
        self._late_ns = max(self._late_ns, -left_ns)
        self._tell_time(instant_ns)
        return True

    def _tell_time(self, instant_ns: int) -> None:
        """Publish the time of the recording, which never runs backwards."""
        if self._clock is not None and (self._told_ns is None or instant_ns > self._told_ns):
            self._told_ns = instant_ns
            self._clock.publish(ClockMessage(clock=_time(self._epoch_ns + instant_ns)))

    def _wait_for_readers(self) -> None:
        """Wait until the last messages have arrived, since they are lost with their publishers."""
        deadline_s = time.monotonic() + _ARRIVE_S
        for topic in self._topics.values():
            while not topic.publisher.wait_for_all_acked(Duration(seconds=_POLL_S)):
                if self._stop.wait(0.0) or time.monotonic() > deadline_s:
                    return

    def close(self) -> None:
        """End the decoders. Idempotent."""
        for one in self._pictures:
            if not one.close(_CLOSE_TIMEOUT_S):
                self._log.error(f'a video decoder did not end within {_CLOSE_TIMEOUT_S:g} s')


def _time(stamp_ns: int) -> Time:
    seconds, nanoseconds = divmod(max(0, stamp_ns), NS_PER_S)
    return Time(sec=seconds, nanosec=nanoseconds)


def run(arguments: list[str], stop: StopSignals) -> int:
    """
    Publish an episode, and return the exit status.

    :param arguments: command line with `--ros-args`
    :param stop: requests to end the replay early
    """
    return run_unspun_node(NODE_NAME, arguments, partial(_replay, stop))


def _replay(stop: StopSignals, node: Node) -> None:
    if node.get_parameter(USE_SIM_TIME).value:
        raise ConfigError(
            USE_SIM_TIME,
            value=True,
            allowed="a replay runs on this computer's clock; to publish simulated time on "
            '/clock for other nodes, set stamp to recorded',
        )
    settings = read_replay_settings(NodeParameters(node))
    episode = open_episode(settings.root, settings.episode)
    with closing(Replay(node, settings, episode, stop)) as replay:
        is_whole = replay.run()
    if not is_whole:
        log: Any = node.get_logger()
        log.info('stopped before the end of the episode')
