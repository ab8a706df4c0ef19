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
"""`streamrec init`: from the running graph to a parameter file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
import time

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.live.graph_watch import GraphWatch
from lerobot_streamrec.live.new_file import refuse_existing, write_checked
from lerobot_streamrec.live.parameter_text import parameter_text
from lerobot_streamrec.live.proposal import Proposal, propose
from lerobot_streamrec.live.session import Session
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals

NODE_NAME = 'streamrec_init'


def init(
    path: Path,
    *,
    seconds: float,
    fps: int | None,
    force: bool,
    ros_arguments: Sequence[str],
    stop: StopSignals,
) -> Proposal:
    """
    Look at the graph, and write a parameter file for what is there.

    :param path: path of the file
    :param seconds: how long to look
    :param fps: rows per second; None: by the cameras
    :param force: whether a file that is there may be replaced
    :param ros_arguments: for rclpy
    :return: what was written; nothing was if it is empty
    :raise ConfigError: if the file cannot be written
    :raise StartInterruptedError: if a signal asked to end
    """
    refuse_existing(path, force=force)
    with Session(ros_arguments, stop) as session:
        watch = GraphWatch(session.node(NODE_NAME))
        session.spin(seconds, watch.look)
        proposal = propose(watch.topics(), is_sim_time=watch.is_sim_time)
    if fps is not None:
        proposal = replace(proposal, fps=fps, fps_reason='as asked for')
    if not proposal.is_empty:
        when = time.strftime('%Y-%m-%d %H:%M')
        text = parameter_text(proposal, file_name=path.name, when=when, seconds=seconds)
        write_checked(path, text, lambda file: _check(file, stop), force=force)
    return proposal


def _check(file: Path, stop: StopSignals) -> None:
    """Read a file as the recorder would."""
    with Session(['--ros-args', '--params-file', str(file)], stop) as session:
        given = session.read_settings()
    given.complete(_refuse_to_tell)


def _refuse_to_tell(parameter: str, topic: str) -> str:
    raise ConfigError(parameter, '', f'the type of {topic} has to be in the file')
