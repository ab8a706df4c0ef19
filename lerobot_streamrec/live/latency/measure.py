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
"""The delays of the cameras of a running robot, from a few seconds in which it moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lerobot_streamrec.dataset.format.features import STATE
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.live.discovery import complete, discover
from lerobot_streamrec.live.session import params_arguments, Session
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.topics.subscribers import subscribe
from lerobot_streamrec.recording.camera_latency import (
    camera_latencies,
    CameraLatency,
    MotionSink,
    NEEDS_CAMERA,
    NEEDS_STATE,
)

NODE_NAME = 'streamrec_latency'
# Discovery takes up to three seconds, and a driver may need some more for its first picture.
_DISCOVERY_S, _FIRST_S = 3.0, 10.0
_LOOK_PERIOD_S = 0.5


def measure_latency(
    path: Path,
    *,
    seconds: float,
    ros_arguments: Sequence[str],
    stop: StopSignals,
    tell: Callable[[float | None], None],
) -> list[CameraLatency]:
    """
    Look at the cameras and the joints of a parameter file while the robot moves.

    :param path: path of the file
    :param seconds: how long to look once every topic has sent something, in seconds
    :param ros_arguments: arguments for rclpy besides the file
    :param tell: is called with None while topics are awaited, then with the seconds that are left
    :raise ConfigError: if the recorder would reject the file, or it has no camera or no state
    :raise StartInterruptedError: if a signal interrupted the command
    """
    with Session(params_arguments(path, ros_arguments), stop) as session:
        given = session.read_settings()
        if not given.cameras:
            raise ConfigError('cameras', '', f'{path} {NEEDS_CAMERA}')
        node = session.node(NODE_NAME)
        tell(None)
        discover(session, node, given, _DISCOVERY_S)
        settings, untyped = complete(given, node)
        sources = [
            one
            for one in (settings.sources if settings else ())
            if one.stream.is_camera or one.stream.feature == STATE
        ]
        if all(one.stream.is_camera for one in sources):
            reasons = [one.reason for one in untyped if one.settings.stream.feature == STATE]
            raise ConfigError('state.topic', '', reasons[0] if reasons else NEEDS_STATE)
        sink = MotionSink([one.stream for one in sources])
        subscribers = [subscribe(node, source, sink) for source in sources]
        for one in subscribers:
            session.read_from(one)

        def look() -> None:
            for one in subscribers:
                one.look()

        session.spin(_FIRST_S, look, period_s=_LOOK_PERIOD_S, until=sink.is_complete)
        left_s = seconds
        while left_s > 0:
            tell(left_s)
            session.spin(min(1.0, left_s), look, period_s=_LOOK_PERIOD_S)
            left_s -= 1.0
        tell(0.0)
    streams = {one.parameter: one.stream for one in sources}
    hint = f'`{streamrec_command("doctor", path)}` tells more'
    return camera_latencies(streams, [sink], hint)


def read_offsets(
    path: Path, *, ros_arguments: Sequence[str], stop: StopSignals
) -> dict[str, float]:
    """
    Return ``offset_ms`` of each camera, by its name, as the recorder reads it from a file.

    :param path: path of the file
    :param ros_arguments: arguments for rclpy besides the file
    :raise ConfigError: if the recorder would reject the file
    """
    with Session(params_arguments(path, ros_arguments), stop) as session:
        cameras = session.read_settings().cameras
    return {one.parameter.partition('.')[2]: one.stream.offset_ms for one in cameras}
