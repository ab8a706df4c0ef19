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
The import of a bag: its messages go to the recorder as they came to the robot's computer.

Both clocks of the recorder show the time at which the messages were received, so readiness, late
messages and clock differences are judged as they would have been then. Only the encoders take
their own time, and the bag waits for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
import hashlib
import math
from pathlib import Path
import time
from typing import Any

from lerobot_streamrec.dataset.about.robot_files import PARAMETERS
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.takes.salvage import DISCARD
from lerobot_streamrec.errors import (
    BagError,
    ConfigError,
    EncoderError,
    StreamsNotReadyError,
)
from lerobot_streamrec.fleet.bag_samples import BagSamples, lacks
from lerobot_streamrec.fleet.reading.bag_reader import Bag
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.saving.summary import EpisodeSummary
from lerobot_streamrec.recording.status import RecorderState
from lerobot_streamrec.settings.recorder_settings import (
    recorder_node_name,
    Settings,
    settings_of,
)
from lerobot_streamrec.settings.sample_reader import RobotReader
from lerobot_streamrec.settings.topic_names import full_topic_name
from lerobot_streamrec.settings.transports import Target
from lerobot_streamrec.sync.row_clock import NS_PER_S

BAG = 'bag'
"""The column of meta/episodes that names the bag of an episode and the hash of its files."""

# As often as a live recorder reads its topics.
_TICK_NS = NS_PER_S // 100
_START_EVERY_NS = NS_PER_S // 20
_MAX_QUEUED = 30
_POLL_S = 0.002
_CLOSE_S = 30.0
_HASH_DIGITS = 16
_WHOLE, _SAMPLED = ' sha256:', ' sampled:'

Progress = Callable[[float, int], None]
"""Is called with the seconds of a bag and the bytes of its messages that have been read."""


@dataclass(frozen=True, slots=True)
class Imported:
    """
    The result of an import.

    :param summary: the episode
    :param remarks: what is damaged in the bag
    """

    summary: EpisodeSummary
    remarks: tuple[str, ...] = ()


def bag_text(
    bag: Bag, progress: Callable[[int, int], None] | None = None, *, is_whole: bool = False
) -> str:
    """
    Return the text by which the column ``BAG`` knows a bag: its name, and a hash of its files.

    The word before the hash is ``sha256`` if that is of all bytes, else ``sampled``.

    :param progress: called with the number of bytes read and in all
    :param is_whole: True to read all bytes of large files too
    :raise OSError: if a file cannot be read
    """
    digests, whole = bag.digests(progress, is_whole=is_whole), hashlib.sha256()
    for one in digests:
        whole.update(f'{one.name} {one.size_bytes} {one.sha256}\n'.encode())
    kind = _WHOLE if all(one.is_whole for one in digests) else _SAMPLED
    return f'{bag.path.resolve().name}{kind}{whole.hexdigest()[:_HASH_DIGITS]}'


def is_imported(root: Path, text: str, whole_text: Callable[[], str]) -> bool:
    """
    Return whether a dataset has an episode of a bag.

    :param root: the dataset's folder, which may not exist yet
    :param text: text from ``bag_text``
    :param whole_text: function that returns the text with the hash of all bytes, for a dataset of
        an earlier release that knows a large bag by it
    :raise ConfigError: if the dataset has episodes of a bag of this name with other content
    """
    if not (root / 'meta' / 'info.json').is_file():
        return False
    name = text.rpartition(' ')[0]
    known = {one.texts.get(BAG, '') for one in read_catalog(root).episodes}
    others = sorted(one for one in known - {text} if one.rpartition(' ')[0] == name)
    if text not in known and _SAMPLED in text and any(_WHOLE in one for one in others):
        text = whole_text()
    if others and text not in known:
        raise ConfigError(
            'BAG',
            text,
            f'the dataset has episodes of {others[0]}, so this bag has changed since then: '
            'delete them, or rename the bag',
        )
    return text in known


def bag_settings(
    bag: Bag, params: Path, namespace: str, replaced: Mapping[str, Any]
) -> Settings:
    """
    Read the recorder's parameter file for the topics of a bag.

    :param params: the parameter file
    :param namespace: namespace of the recorder, such as ``/left``
    :param replaced: values that replace those of the file, by parameter
    :raise ConfigError: if a parameter cannot be used, or the bag lacks a topic or a type
    """
    node_name = recorder_node_name(namespace)

    def type_of(parameter: str, topic: str) -> str:
        found = sorted(bag.types_of(full_topic_name(topic, node_name)))
        if len(found) != 1:
            there = f'the bag has it as {" and as ".join(found)}' if found else lacks(bag, topic)
            raise ConfigError(parameter, '', f'{there}; set {parameter}')
        return found[0]

    def fields_of(parameter: str, message_type: str) -> Mapping[str, str]:
        fields = bag.fields(message_type)
        if fields is None:
            raise ConfigError(parameter, message_type, 'neither the bag nor ROS defines this type')
        return fields

    return settings_of(params, namespace, type_of, fields_of, replaced)


class BagImport:
    """
    Makes one episode of a bag, from the first instant at which every stream has a sample.

    Owned by one thread, which waits for the encoders.

    :param bag: the bag
    :param settings: from ``bag_settings``
    :param namespace: namespace of the recorder, in which its relative topics are
    :param text: text from ``bag_text``
    :param parameters: content of the parameter file, for ``meta/robot``
    :raise ConfigError: if the bag lacks a topic
    """

    def __init__(
        self, bag: Bag, settings: Settings, namespace: str, text: str, parameters: bytes
    ) -> None:
        self._bag = bag
        self._text = text
        self._samples = BagSamples(bag, settings.sources, namespace)
        self._now_ns = bag.begin_ns or 0
        self._due_ns = self._start_due_ns = 0
        self._timeout_s = settings.recorder.save_timeout_s
        self._recorder = Recorder(settings.recorder, lambda: self._now_ns, lambda: self._now_ns)
        self._is_started = False
        full_name = partial(full_topic_name, node_name=recorder_node_name(namespace))
        robot = self._recorder.robot
        self._robot = RobotReader(settings.sources, full_name, bag.decode, robot)
        self._robot_targets: dict[str, Target] = {}
        if settings.recorder.robot_files:
            self._robot_targets = {one.topic: one for one in self._robot.targets}
            robot.put(PARAMETERS, '1', parameters)

    def run(self, progress: Progress = lambda *_: None, *, is_last: bool = True) -> Imported:
        """
        Read the bag, and save its episode.

        :param progress: called now and then
        :param is_last: True to finalize the dataset as well
        :raise BagError: if no episode could begin, with the reasons
        :raise StreamrecError: if the episode cannot be saved
        """
        topics = self._samples.topics | self._robot_targets.keys()
        begin_ns, num_bytes = self._now_ns, 0
        try:
            for message in self._bag.messages(topics):
                self._now_ns = max(self._now_ns, message.receive_ns)
                if self._now_ns >= self._due_ns:
                    self._tick()
                    progress((self._now_ns - begin_ns) / NS_PER_S, num_bytes)
                num_bytes += len(message.data)
                target = self._robot_targets.get(message.topic)
                if target is not None and target.message_type == message.type_name:
                    self._robot.hear(target, message.data, self._now_ns / NS_PER_S)
                self._samples.push(message, self._now_ns, self._recorder)
            self._tick()
            if not self._is_started:
                reasons = '; '.join(self._recorder.start_problems())
                raise BagError(
                    self._bag.path, f'no episode could begin: {reasons}', 'see the parameter file'
                )
            self._robot.settle(math.inf)
            self._recorder.annotate(BAG, self._text)
            summary = self._recorder.save().result()
            if is_last:
                self._recorder.finalize().result()
        finally:
            if self._recorder.state is RecorderState.RECORDING:
                # A part of a bag is no episode: the same command imports all of it again.
                self._recorder.discard()
            self._recorder.close(_CLOSE_S)
        return Imported(summary, tuple(map(str, self._bag.remarks)))

    def _tick(self) -> None:
        """Do what a live recorder does between two looks at its topics."""
        self._due_ns = self._now_ns + _TICK_NS
        self._robot.settle(self._now_ns / NS_PER_S)
        self._recorder.close_rows()
        if self._is_started:
            self._wait_for_encoders(lambda: self._recorder.num_queued <= _MAX_QUEUED)
        elif self._now_ns >= self._start_due_ns:
            self._start_due_ns = self._now_ns + _START_EVERY_NS
            self._try_to_start()

    def _try_to_start(self) -> None:
        self._wait_for_encoders(lambda: not self._recorder.is_trying_encoders)
        try:
            self._recorder.start()
        except StreamsNotReadyError:
            return
        self._is_started = True

    def _wait_for_encoders(self, is_done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + self._timeout_s
        queued = self._recorder.num_queued
        while not is_done():
            time.sleep(_POLL_S)
            if self._recorder.num_queued < queued:
                queued = self._recorder.num_queued
                deadline_s = time.monotonic() + self._timeout_s
            if self._recorder.failure or time.monotonic() > deadline_s:
                why = self._recorder.failure or f'no progress in {self._timeout_s:g} s'
                raise EncoderError(f'the encoders do not take the pictures of the bag: {why}')


IMPORT_OPTIONS: Mapping[str, Any] = {'recovery': DISCARD, 'resume': True}
"""Parameters that an import sets: what a killed import left is imported again from its begin."""
