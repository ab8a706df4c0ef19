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
"""The first run of a robot: choose what is recorded, and write the parameter file."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

from lerobot_streamrec.errors import ConfigError, StartInterruptedError
from lerobot_streamrec.installed import record_command
from lerobot_streamrec.live.graph_watch import GraphWatch
from lerobot_streamrec.live.init import choice_lines, NOTHING, write_proposal
from lerobot_streamrec.live.proposal import Proposal, propose
from lerobot_streamrec.live.session import Session
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from rclpy.logging import get_logger

NODE_NAME = 'streamrec_set_up'
WAIT, DEFAULTS = '--wait', '--defaults'
_EXIT_INTERRUPTED = 130
_LOOK_S = 5.0
_MOST_LOOKS = 6
_POLL_S = 0.2


def with_defaults(proposal: Proposal, text: str) -> Proposal:
    """
    Return a proposal with the values that the user gave to the launch.

    :param text: JSON object with any of ``root``, ``task``, ``repo_id`` and ``fps``
    :raise ConfigError: if the text is something else
    """
    try:
        given = json.loads(text or '{}')
        proposal = replace(
            proposal,
            root=str(given.get('root', proposal.root)),
            # The placeholder of `init` is a task that nobody wants to record.
            task=str(given.get('task', '')),
            repo_id=str(given.get('repo_id', '')),
        )
        if 'fps' in given:
            proposal = replace(proposal, fps=int(given['fps']), fps_reason='as requested')
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(DEFAULTS, text, f'a JSON object is needed ({error})') from error
    return proposal


def run(arguments: list[str], stop: StopSignals) -> int:
    """
    Make sure that there is a parameter file, however long the robot's drivers take.

    :param arguments: ``--wait`` if the console's page writes the file, or ``--defaults`` and a
        JSON object; then its path, then arguments for rclpy with ``--ros-args``
    :param stop: requests to end
    :return: 0 if the file is there, 130 if a signal came first
    :raise ConfigError: if the command line names no file, or the file cannot be written
    """
    words, defaults = list(arguments), ''
    is_page = words[:1] == [WAIT]
    if is_page:
        del words[0]
    elif words[:1] == [DEFAULTS] and len(words) > 1:
        defaults = words[1]
        del words[:2]
    if not words or words[0].startswith('-'):
        raise ConfigError('FILE', ' '.join(arguments), 'the path of the parameter file is needed')
    path = Path(words[0]).expanduser().absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_page:
            _await(path, stop)
        else:
            _choose(path, words[1:], defaults, stop)
    except StartInterruptedError:
        return _EXIT_INTERRUPTED
    except OSError as error:
        raise ConfigError('FILE', str(path), f'{error.strerror or error}') from error
    log = get_logger('set_up')
    log.info(f'the recorder starts with {path}. The next time: {record_command(path)}')
    return 0


def _await(path: Path, stop: StopSignals) -> None:
    """Wait until the page has written the file."""
    get_logger('set_up').info(f'waiting for the set-up in the browser, which writes {path}')
    while not path.is_file():
        if stop.wait(_POLL_S):
            raise StartInterruptedError('interrupted')


def _choose(path: Path, ros_arguments: list[str], defaults: str, stop: StopSignals) -> None:
    """Watch the graph until it offers something, choose as ``streamrec init`` does, and write."""
    log = get_logger('set_up')
    log.info(f'there is no {path} yet: choosing from the topics that are there')
    with Session(ros_arguments, stop) as session:
        watch = GraphWatch(session.node(NODE_NAME))
        proposal = _settled(session, watch)
    proposal = with_defaults(proposal, defaults)
    write_proposal(
        path, proposal, seconds=_LOOK_S, force=False, stop=stop, needs_root=True
    )
    for line in choice_lines(proposal):
        log.info(line)
    log.info(f'wrote {path}: {proposal.fps} rows per second, into {proposal.root}')


def _settled(session: Session, watch: GraphWatch) -> Proposal:
    """
    Look until two looks propose the same, since drivers do not all start at once.

    :raise StartInterruptedError: if a signal comes first
    """
    log = get_logger('set_up')
    before: object = None
    num_looks = 0
    while True:
        session.spin(_LOOK_S, watch.look)
        num_looks += 1
        proposal = propose(watch.topics(), is_sim_time=watch.is_sim_time)
        if proposal.is_empty:
            log.warning(f'nothing to record yet, after {num_looks * _LOOK_S:.0f} s. {NOTHING}')
            continue
        cameras = tuple((one.name, one.topic, one.seen.picture) for one in proposal.cameras)
        vectors = tuple(
            (one.seen.name, one.names) if one else None
            for one in (proposal.state, proposal.action)
        )
        if (cameras, vectors) == before or num_looks >= _MOST_LOOKS:
            return proposal
        before = cameras, vectors
