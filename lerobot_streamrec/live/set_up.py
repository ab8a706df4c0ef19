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

from dataclasses import dataclass, replace
import json
from pathlib import Path

from lerobot_streamrec.errors import ConfigError, StartInterruptedError
from lerobot_streamrec.inspection.proposal import choice_lines, Proposal, propose
from lerobot_streamrec.installed import record_command
from lerobot_streamrec.live.graph_watch import GraphWatch
from lerobot_streamrec.live.init import NOTHING, write_proposal
from lerobot_streamrec.live.session import Session
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from rclpy.logging import get_logger

NODE_NAME = 'streamrec_set_up'
WAIT, DEFAULTS = '--wait', '--defaults'
_EXIT_INTERRUPTED = 130
_LOOK_S = 5.0
_MOST_LOOKS = 6
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Defaults:
    """
    The values that the user gave to the launch; None for those that the graph decides.

    :param root: folder of the dataset
    :param task: task in words; empty if it will be given later
    :param repo_id: name of the dataset on the Hub; may be empty
    :param fps: rows per second
    """

    root: str | None = None
    task: str = ''
    repo_id: str = ''
    fps: int | None = None

    @classmethod
    def parse(cls, text: str) -> Defaults:
        """
        Read them from a JSON object.

        :param text: the object; empty: no value is given
        :raise ConfigError: if the text is something else, or names another value
        """
        try:
            given = cls(**json.loads(text or '{}'))
            return replace(given, fps=None if given.fps is None else int(given.fps))
        except (ValueError, TypeError) as error:
            raise ConfigError('defaults', text, f'a JSON object is needed ({error})') from error

    def of(self, proposal: Proposal) -> Proposal:
        """Return a proposal with these values, and without the placeholder of a task."""
        proposal = replace(
            proposal,
            root=proposal.root if self.root is None else self.root,
            task=self.task,
            repo_id=self.repo_id,
        )
        if self.fps is None:
            return proposal
        return replace(proposal, fps=self.fps, fps_reason='as requested')


def run(arguments: list[str], stop: StopSignals) -> int:
    """
    Make sure that there is a parameter file, however long the robot's drivers take.

    :param arguments: ``--wait`` if the console's page writes the file, or ``--defaults`` and a
        JSON object; then its path, then arguments for rclpy with ``--ros-args``
    :param stop: requests to end
    :return: 0 if the file is there, 130 if a signal came first
    :raise ConfigError: if the command line names no file, or the file cannot be written
    """
    words, defaults = list(arguments), Defaults()
    is_page = words[:1] == [WAIT]
    if is_page:
        del words[0]
    elif words[:1] == [DEFAULTS] and len(words) > 1:
        defaults = Defaults.parse(words[1])
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


def _choose(
    path: Path, ros_arguments: list[str], defaults: Defaults, stop: StopSignals
) -> None:
    """Watch the graph until it offers something, choose as ``streamrec init`` does, and write."""
    log = get_logger('set_up')
    log.info(f'there is no {path} yet: choosing from the topics that are there')
    with Session(ros_arguments, stop) as session:
        watch = GraphWatch(session.node(NODE_NAME))
        proposal = defaults.of(_settled(session, watch))
    write_proposal(path, proposal, seconds=_LOOK_S, force=False, stop=stop, needs_root=True)
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
