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
A bag beside a recorder: `ros2 bag record` for the topics that the recorder's status names.

The program has no part in the recording. It waits for the recorder, names the bag in the
recorder's parameter once the bag is being written, and withdraws the name when it no longer is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
import logging
import os
from pathlib import Path
import shutil
import signal
import subprocess
import time

from lerobot_streamrec.dataset.format.episode_table import BAG
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.clients.recorder_link import RecorderLink
from lerobot_streamrec.nodes.graph.namesakes import INSTANCE
from lerobot_streamrec.nodes.graph.ros_start import forward_logs
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.option import Option
from lerobot_streamrec.recording.disk_watch import free_bytes
from lerobot_streamrec.settings.parameter_reader import METADATA
from lerobot_streamrec.settings.recorder_settings import absolute_path
from rcl_interfaces.srv import SetParameters
from rclpy.logging import get_logger
from rclpy.parameter import Parameter

NAME = 'record_bag'
EXIT_OK = 0
EXIT_NO_BAG = 1

_log = logging.getLogger(__name__)

_BAG_DIR = Option('bag_dir', '', 'Folder for bags; empty: <root>.bags, beside the dataset')
_CLOCK = '/clock'
_SPLIT_S = 600
_SLICE_S = 0.2
_TELL_S = 10.0
_SIZE_S = 60.0
_ANSWER_S = 5.0
# The recorder ends within 10 s of a signal. Its last event belongs into the bag.
_RECORDER_END_S = 12.0
_BAG_END_S = 15.0
_GB = 10**9
_MIN_FREE_BYTES = 2 * _GB
# In these distributions `ros2 bag record` does not know the option that later ones ask for.
_WITHOUT_TOPICS_OPTION = ('humble', 'iron')


@dataclass(frozen=True, slots=True)
class Recorder:
    """
    A recorder whose topics are known.

    :param instance: text that no other recorder has
    :param root: folder of its dataset
    :param topics: full names of the topics for the bag
    """

    instance: str
    root: Path
    topics: tuple[str, ...]


class BagLink(RecorderLink):
    """
    A link to one recorder that names the bag of its next episodes. Owned by one thread.

    :param arguments: command line with ``--ros-args``
    :raise ConfigError: if ROS rejects the arguments, or a parameter cannot be used
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__(NAME, arguments, (_BAG_DIR,))
        # It gives no commands, and who reads them asks the graph for their senders.
        self._node.destroy_publisher(self._commands)
        self._setter = self._node.create_client(SetParameters, f'{self.recorder}/set_parameters')

    @property
    def is_heard(self) -> bool:
        """True if there is a recorder. The bag subscribes to the commands, as a recorder does."""
        return self._node.count_publishers(f'{self.recorder}/status') > 0

    def known(self) -> Recorder | None:
        """Return the recorder; None if there is none, or a camera has not been heard yet."""
        if not self.is_heard:
            # The next status may come from another recorder.
            self.status = None
        if self.status is None or not self.status.value('topics'):
            return None
        value = self.status.value
        return Recorder(value(INSTANCE), Path(value('root')), tuple(value('topics').split('\n')))

    def wait_for_recorder(self, stop: StopSignals) -> Recorder | None:
        """Wait until the topics of a recorder are known; None: the program has to end."""
        tell_s = time.monotonic() + _TELL_S
        while not stop.wait(0):
            self.take_events(_SLICE_S)
            recorder = self.known()
            if recorder is not None:
                return recorder
            if time.monotonic() > tell_s:
                tell_s = float('inf')
                what = 'a picture of each camera' if self.is_heard else 'the recorder'
                _log.info('the bag beside %s begins after %s has come', self.recorder, what)
        return None

    def has_clock(self, topics: Sequence[str]) -> bool:
        """Return whether a recorder of these topics reads /clock, and somebody publishes it."""
        return _CLOCK in topics and self._node.count_publishers(_CLOCK) > 0

    def name_bag(self, text: str) -> None:
        """Set the text in the column of the bag for the episodes that start from now on."""
        why = f'there is no answer within {_ANSWER_S:g} s'
        if self._setter.wait_for_service(_ANSWER_S):
            parameter = Parameter(f'{METADATA}{BAG}', value=text).to_parameter_msg()
            answer = self._setter.call_async(SetParameters.Request(parameters=[parameter]))
            deadline_s = time.monotonic() + _ANSWER_S
            while not answer.done() and time.monotonic() < deadline_s:
                self.take_events(_SLICE_S)
            if answer.done():
                result = answer.result().results[0]
                why = '' if result.successful else result.reason
        if why:
            _log.warning(
                "%s does not take %r as the name of its bag: %s; it needs -p %s%s:=''",
                *(self.recorder, text, why, METADATA, BAG),
            )


def run(arguments: Sequence[str], stop: StopSignals) -> int:
    """
    Record a bag beside each recorder that comes, until the program is asked to end.

    :param arguments: command line without the program's name
    :param stop: requests to end the program
    :return: exit status
    :raise ConfigError: if ROS rejects the arguments, or a parameter cannot be used
    """
    forward_logs(get_logger(NAME))
    with closing(BagLink(arguments)) as link:
        while (recorder := link.wait_for_recorder(stop)) is not None:
            try:
                problem = _record(link, recorder, stop)
            except (ConfigError, OSError) as error:
                problem = str(error)
            if problem:
                _log.error('no bag is recorded beside, and the recorder does without: %s', problem)
                return EXIT_NO_BAG
    return EXIT_OK


def bag_path(recorder: Recorder, bag_dir: str, name: str) -> Path:
    """
    Return the path of a new bag, whose folder is made if it does not exist.

    :param bag_dir: folder of the bags, which may begin with ``~``; empty: beside the dataset
    :param name: full name of the recorder's node; its namespace becomes a part of the bag's name
    :raise ConfigError: if no bag can be written there
    """
    root = recorder.root
    beside = root.with_name(f'{root.name}.bags')
    folder = absolute_path(_BAG_DIR.name, bag_dir) if bag_dir else beside
    if root.resolve() in (folder.resolve(), *folder.resolve().parents):
        why = 'it is in the dataset, which is published as a whole: name a folder elsewhere'
        raise ConfigError(_BAG_DIR.name, str(folder), why)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(None, 'this user may not write there')
    except OSError as error:
        why = f'{error.strerror}: name a folder that can be written, bag_dir:=FOLDER'
        raise ConfigError(_BAG_DIR.name, str(folder), why) from error
    robot = name.rpartition('/')[0].replace('/', '_')
    return folder / f'{datetime.now(timezone.utc):%Y-%m-%dT%H-%M-%SZ}{robot}'


def bag_command(path: Path, topics: Sequence[str], *, is_simulated: bool = False) -> list[str]:
    """
    Return the command line that records a bag.

    :param path: path of the bag, which does not exist yet
    :param topics: full names of the topics
    :param is_simulated: True if the messages are to have the time of /clock
    """
    command = ['ros2', 'bag', 'record', '-o', str(path), '--max-bag-duration', str(_SPLIT_S)]
    if is_simulated:
        command.append('--use-sim-time')
    if os.environ.get('ROS_DISTRO') not in _WITHOUT_TOPICS_OPTION:
        command.append('--topics')
    # The bag must not grow for ever if this program is killed.
    ends_with_us = ['setpriv', '--pdeathsig', 'SIGINT'] if shutil.which('setpriv') else []
    return [*ends_with_us, *command, *topics]


def _install() -> str:
    name = f'ros-{os.environ.get("ROS_DISTRO") or "<distribution>"}-rosbag2'
    return f'`ros2 bag` comes with the package {name}: sudo apt install {name}'


def _record(link: BagLink, recorder: Recorder, stop: StopSignals) -> str:
    """Record a bag beside a recorder; return what has prevented it, empty if nothing has."""
    if not shutil.which('ros2'):
        return f'there is no program ros2 here; {_install()}'
    path = bag_path(recorder, link.values[_BAG_DIR.name], link.recorder)
    # A SIGINT from the terminal must not reach the bag before the recorder has ended.
    command = bag_command(path, recorder.topics, is_simulated=link.has_clock(recorder.topics))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        problem = _watch(link, recorder, stop, path, process)
        if not problem and stop.wait(0):
            _log.info('the bag ends after %s has ended', link.recorder)
            deadline_s = time.monotonic() + _RECORDER_END_S
            while link.is_heard and process.poll() is None and time.monotonic() < deadline_s:
                link.take_events(_SLICE_S)
    finally:
        if link.is_heard:
            link.name_bag('')
        _end(process)
    return problem


def _watch(
    link: BagLink,
    recorder: Recorder,
    stop: StopSignals,
    path: Path,
    process: subprocess.Popen[bytes],
) -> str:
    """Return once the bag or its recorder ends or the program has to: with the problem, if any."""
    has_begun = is_size_told = False
    began_s = time.monotonic()
    while not stop.wait(0) and link.known() == recorder:
        link.take_events(_SLICE_S)
        status, free = process.poll(), free_bytes(path.parent)
        if status is not None:
            advice = f'{path} has what was written' if has_begun else _install()
            return f'`ros2 bag record` has ended with status {status}; {advice}'
        if free < _MIN_FREE_BYTES:
            return f'only {free / _GB:.1f} GB are free on the disk of {path}, so the bag ends'
        if not has_begun and path.is_dir():
            has_begun = True
            _log.info('%s gets the %d topics of %s', path, len(recorder.topics), link.recorder)
            link.name_bag(str(path))
        if not is_size_told and time.monotonic() > began_s + _SIZE_S:
            is_size_told = True
            size_bytes = sum(one.stat().st_size for one in path.glob('*'))
            per_hour = size_bytes / (time.monotonic() - began_s) * 3600
            _log.info(
                'the bag grows by %.1f GB per hour; %.0f GB are free', per_hour / _GB, free / _GB
            )
    return ''


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_BAG_END_S)
    except subprocess.TimeoutExpired:
        _log.error('the bag is not closed within %g s, so its end may be lost', _BAG_END_S)
        process.kill()
        process.wait()
