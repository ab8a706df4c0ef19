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
"""`streamrec init`: a proposal of parameters for the topics of a running graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
import time

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.inspection.diagnosis import Level
from lerobot_streamrec.inspection.machine_checks import check_root
from lerobot_streamrec.inspection.parameter_text import parameter_text, refuse_to_tell
from lerobot_streamrec.inspection.proposal import Proposal, propose, result_lines
from lerobot_streamrec.live.graph_watch import GraphWatch
from lerobot_streamrec.live.session import Session
from lerobot_streamrec.nodes.graph.distributions import DISCOVERY_VARIABLE
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.graph.topic_types import load_fields
from lerobot_streamrec.settings.checked_file import refuse_existing, write_checked
from rich.console import Console

NOTHING = (
    'Start the drivers of cameras and joints first, with the same ROS_DOMAIN_ID and '
    f'{DISCOVERY_VARIABLE} as here. `ros2 topic list` shows the visible topics.'
)
"""Advice for a graph without anything to record."""


NODE_NAME = 'streamrec_init'


def init(
    output: Path, seconds: float, fps: int | None, force: bool, ros_arguments: Sequence[str]
) -> int:
    """
    Run ``streamrec init``.

    :return: exit status 0 if written, 1 if there is nothing to record
    :raise ConfigError: for wrong usage
    :raise StartInterruptedError: if a signal interrupted the command
    """
    stop = StopSignals()
    with Console(stderr=True).status(f'looking at the graph for {seconds:g} s'):
        proposal = propose_file(
            output, seconds=seconds, fps=fps, force=force, ros_arguments=ros_arguments, stop=stop
        )
    for line in result_lines(proposal, output, looked=f'{seconds:g} s', advice=NOTHING):
        print(line)
    return int(proposal.is_empty)


def propose_file(
    path: Path,
    *,
    seconds: float,
    fps: int | None,
    force: bool,
    ros_arguments: Sequence[str],
    stop: StopSignals,
) -> Proposal:
    """
    Watch the graph, and write a parameter file for the topics found.

    :param path: path of the file
    :param seconds: time to watch, in seconds
    :param fps: rows per second; None to derive it from the cameras
    :param force: True to replace an existing file
    :param ros_arguments: arguments for rclpy
    :return: the proposal; if it is empty, no file was written
    :raise ConfigError: if the file cannot be written
    :raise StartInterruptedError: if a signal interrupted the command
    """
    refuse_existing(path, force=force)
    with Session(ros_arguments, stop) as session:
        watch = GraphWatch(session.node(NODE_NAME))
        session.spin(seconds, watch.look)
        proposal = propose(watch.topics(), is_sim_time=watch.is_sim_time)
    if fps is not None:
        proposal = replace(proposal, fps=fps, fps_reason='as requested')
    if not proposal.is_empty:
        write_proposal(path, proposal, seconds=seconds, force=force, stop=stop)
    return proposal


def write_proposal(
    path: Path,
    proposal: Proposal,
    *,
    seconds: float,
    force: bool,
    stop: StopSignals,
    needs_root: bool = False,
) -> None:
    """
    Write the parameter file of a proposal that is not empty, durably.

    :param seconds: time for which the graph was watched, in seconds
    :param force: True to replace an existing file
    :param needs_root: True to refuse a dataset's folder in which the recorder could not record
    :raise ConfigError: if the file cannot be written, or the recorder would reject it
    """
    when = time.strftime('%Y-%m-%d %H:%M')
    looked = f'{seconds:g} s'
    text = parameter_text(proposal, file_name=path.name, when=when, looked=looked)
    write_checked(path, text, lambda file: _check(file, stop, needs_root), force=force)


def _check(file: Path, stop: StopSignals, needs_root: bool) -> None:
    """Read a file as the recorder would, without a graph that could add types."""
    with Session(['--ros-args', '--params-file', str(file)], stop) as session:
        given = session.read_settings()
    config = given.complete(refuse_to_tell, load_fields).recorder
    if needs_root:
        check, _ = check_root(config, is_recorder_there=False)
        if check.remark.level is Level.PROBLEM:
            raise ConfigError('root', str(config.root), check.remark.text)
