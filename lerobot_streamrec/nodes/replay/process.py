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
"""A run of the executable `replay`, from its command line to its exit status."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from lerobot_streamrec.dataset.rebuild.played_episode import open_episode
from lerobot_streamrec.errors import ConfigError, DatasetError, StreamrecError
from lerobot_streamrec.installed import EXIT_CONFIG
from lerobot_streamrec.nodes.graph.ros_start import forward_logs, given_node, start_ros
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.parameters.parameter_reader import ParameterReader, USE_SIM_TIME
from lerobot_streamrec.nodes.replay.replay import Replay
from lerobot_streamrec.nodes.replay.schedule import read_replay_settings
import rclpy
from rclpy.logging import get_logger
from rclpy.node import Node

NODE_NAME = 'replay'
EXIT_OK = 0
EXIT_BROKEN = 1
EXIT_BUG = 3


def run(arguments: list[str], stop: StopSignals) -> int:
    """
    Publish an episode, and return the exit status.

    :param arguments: command line with `--ros-args`
    :param stop: requests to end the replay early
    """
    try:
        start_ros(arguments)
        # The node is never spun, so its parameter services would not answer.
        node = given_node(NODE_NAME, start_parameter_services=False)
    except ConfigError as error:
        get_logger(NODE_NAME).fatal(f'cannot start: {error}')
        rclpy.try_shutdown()
        return EXIT_CONFIG
    try:
        return _run_node(node, stop)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _run_node(node: Node, stop: StopSignals) -> int:
    log: Any = node.get_logger()
    forward_logs(log)
    try:
        if node.get_parameter(USE_SIM_TIME).value:
            raise ConfigError(
                USE_SIM_TIME,
                value=True,
                allowed="a replay runs on this computer's clock; to publish simulated time on "
                '/clock for other nodes, set stamp to recorded',
            )
        settings = read_replay_settings(ParameterReader(node))
        episode = open_episode(settings.root, settings.episode)
        with closing(Replay(node, settings, episode, stop)) as replay:
            is_whole = replay.run()
        if not is_whole:
            log.info('stopped before the end of the episode')
    except (ConfigError, DatasetError) as error:
        log.fatal(f'cannot replay: {error}')
        return EXIT_CONFIG
    except StreamrecError as error:
        log.fatal(f'the replay has failed: {error}')
        return EXIT_BROKEN
    except Exception as error:  # noqa: BLE001
        log.fatal(f'unexpected error, please report it: {error!r}')
        return EXIT_BUG
    return EXIT_OK
