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

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
import hashlib
import math
from pathlib import Path
import re
import time
from typing import Any

from lerobot_streamrec.dataset.about.robot_files import PARAMETERS
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.episode_table import BAG
from lerobot_streamrec.dataset.format.layout import INFO
from lerobot_streamrec.dataset.takes.salvage import DISCARD
from lerobot_streamrec.errors import ConfigError, DiskFullError, EncoderError
from lerobot_streamrec.fleet.bag_samples import BagSamples, lacks
from lerobot_streamrec.fleet.episode_steps import EpisodeSteps, PlannedEpisode, TICK_NS
from lerobot_streamrec.fleet.planning.bag_spans import Span
from lerobot_streamrec.fleet.reading.bag_parts import Message
from lerobot_streamrec.fleet.reading.bag_reader import Bag
from lerobot_streamrec.recording.config import RecorderConfig
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

_MAX_QUEUED = 30
_POLL_S = 0.002
_CLOSE_S = 30.0
_HASH_DIGITS = 16
_WHOLE, _SAMPLED = ' sha256:', ' sampled:'
_PLACE = re.compile(r' @-?[0-9.]+ s$')

Progress = Callable[[float, int], None]
"""Is called with the seconds of a bag and the bytes of its messages that have been read."""


@dataclass(frozen=True, slots=True)
class Imported:
    """
    The result of an import.

    :param summaries: the episodes that were imported now
    :param failures: episodes that could not be imported, with the reasons
    :param remarks: what is damaged in the bag, and what could not be done as planned
    """

    summaries: tuple[EpisodeSummary, ...]
    failures: tuple[str, ...] = ()
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


def known_texts(root: Path) -> set[str]:
    """Return the texts in the column ``BAG`` of a dataset, which may not exist yet."""
    if not (root / INFO).is_file():
        return set()
    return {one.texts.get(BAG, '') for one in read_catalog(root).episodes}


def known_text(known: Set[str], text: str, whole_text: Callable[[], str]) -> str:
    """
    Return the text by which a dataset knows a bag, or would know it.

    :param known: texts from ``known_texts``
    :param text: text from ``bag_text``
    :param whole_text: function that returns the text with the hash of all bytes, for a dataset of
        an earlier release that knows a large bag by it
    """
    if _SAMPLED not in text:
        return text
    others = {_PLACE.sub('', one) for one in known}
    is_known_otherwise = text not in others and any(
        _WHOLE in one and one.rpartition(' ')[0] == text.rpartition(' ')[0] for one in others
    )
    return whole_text() if is_known_otherwise else text


def span_places(bag: Bag, spans: Sequence[Span]) -> list[str]:
    """
    Return the place of each episode in a bag, such as ``@12.345 s``; empty: it is all of it.

    Episodes that begin in the same millisecond get nine digits, so that no two places are equal.

    :param spans: all episodes of the bag, in order
    """
    first_ns = bag.begin_ns or 0
    if len(spans) == 1 and spans[0].begin_ns <= first_ns and spans[0].end_ns >= (bag.end_ns or 0):
        return ['']
    places = [f'@{(one.begin_ns - first_ns) / NS_PER_S:.3f} s' for one in spans]
    counts, begin_ns = Counter(places), 0
    for number, (one, place) in enumerate(zip(spans, places, strict=True)):
        begin_ns = max(begin_ns + 1, one.begin_ns)
        if counts[place] > 1:
            places[number] = f'@{(begin_ns - first_ns) / NS_PER_S:.9f} s'
    return places


def missing_spans(
    known: Set[str], bag: Bag, text: str, spans: Sequence[Span]
) -> list[Span]:
    """
    Return the episodes of a bag that a dataset lacks.

    :param known: texts from ``known_texts``
    :param text: text from ``known_text``
    :param spans: all episodes of the bag
    :raise ConfigError: if the dataset has episodes of a bag of this name with other content, or
        other episodes of this bag, or was recorded beside it
    """
    places = span_places(bag, spans)
    wanted = {_at(text, place): span for place, span in zip(places, spans, strict=True)}
    missing = [span for one, span in wanted.items() if one not in known]
    for one in sorted(known - wanted.keys()) if missing else ():
        if problem := _conflict(one, text):
            advice = 'delete them, rename the bag, or choose another root'
            raise ConfigError('BAG', text, f'the dataset has episodes {problem}: {advice}')
    return missing


def _conflict(known: str, text: str) -> str:
    """Return why a bag cannot join the episodes with a text; empty if it can."""
    whole, name = _PLACE.sub('', known), text.rpartition(' ')[0]
    if whole == text:
        return f'of {known}, and its episodes now begin elsewhere'
    if whole.rpartition(' ')[0] == name:
        return f'of {known}, and this bag has changed since then'
    # A recorder writes the path of the bag beside it.
    if Path(known).is_absolute() and Path(known).name == name:
        return f'that were recorded while {known} was, and the import would add them again'
    return ''


def _at(name: str, place: str) -> str:
    return f'{name} {place}'.strip()


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


class _Recorder(Recorder):
    """A recorder that makes no episode of a part when the disk is full: the rest is not lost."""

    def _end_at_full_disk(self, problem: str) -> None:
        raise DiskFullError(problem)


class BagImport:
    """
    Makes the episodes of a bag that the dataset lacks.

    Owned by one thread, which waits for the encoders.

    :param bag: the bag
    :param settings: from ``bag_settings``
    :param namespace: namespace of the recorder, in which its relative topics are
    :param text: text from ``known_text``
    :param parameters: content of the parameter file, for ``meta/robot``
    :param spans: all episodes of the bag, in their order
    :param wanted: those of them that are imported unless the dataset has them; None: all
    :raise ConfigError: if the bag lacks a topic
    """

    def __init__(
        self,
        bag: Bag,
        settings: Settings,
        namespace: str,
        text: str,
        parameters: bytes,
        spans: Sequence[Span],
        wanted: Sequence[Span] | None = None,
    ) -> None:
        self._bag = bag
        self._text = text
        self._spans = spans
        self._wanted = spans if wanted is None else wanted
        self._settings = settings
        self._samples = BagSamples(bag, settings.sources, namespace)
        self._now_ns = bag.begin_ns or 0
        self._due_ns = 0
        self._timeout_s = settings.recorder.save_timeout_s
        self._recorder = _Recorder(
            settings.recorder, lambda: self._now_ns, lambda: self._now_ns
        )
        full_name = partial(full_topic_name, node_name=recorder_node_name(namespace))
        robot = self._recorder.robot
        self._robot = RobotReader(settings.sources, full_name, bag.decode, robot)
        self._robot_targets: dict[str, Target] = {}
        if settings.recorder.robot_files:
            self._robot_targets = {one.topic: one for one in self._robot.targets}
            robot.put(PARAMETERS, '1', parameters)

    def run(self, progress: Progress = lambda *_: None, *, is_last: bool = True) -> Imported:
        """
        Read the bag, and save its episodes.

        An episode that cannot be imported does not keep the others from it.

        :param progress: called now and then
        :param is_last: True to finalize the dataset as well
        :raise ConfigError: as ``missing_spans`` does
        :raise StreamrecError: if the dataset, its disk or an encoder fails
        """
        recorder, begin_ns, num_bytes = self._recorder, self._now_ns, 0
        try:
            if recorder.status().num_deferred:
                # They are episodes of this bag, perhaps, and count once they are encoded.
                recorder.finalize().result()
            settle = partial(self._robot.settle, math.inf)
            waiting = (self._wait_for_trials, settle)
            steps = EpisodeSteps(recorder, self._settings, self._planned(), *waiting)
            for message in self._messages(steps):
                self._now_ns = max(self._now_ns, message.receive_ns)
                if self._now_ns >= self._due_ns:
                    self._tick()
                    progress((self._now_ns - begin_ns) / NS_PER_S, num_bytes)
                num_bytes += len(message.data)
                target = self._robot_targets.get(message.topic)
                if target is not None and target.message_type == message.type_name:
                    self._robot.hear(target, message.data, self._now_ns / NS_PER_S)
                steps.begin_message(self._now_ns)
                self._samples.push(message, self._now_ns, steps)
            self._tick()
            steps.end()
            if is_last and steps.summaries:
                recorder.finalize().result()
        finally:
            if recorder.state in (RecorderState.RECORDING, RecorderState.PAUSED):
                # A part of an episode is none: the same command imports all of it again.
                recorder.discard()
            recorder.close(_CLOSE_S)
        return Imported(
            tuple(steps.summaries),
            tuple(steps.failures),
            (*map(str, self._bag.remarks), *steps.remarks),
        )

    def _planned(self) -> list[PlannedEpisode]:
        known = known_texts(self._settings.recorder.root)
        missing = missing_spans(known, self._bag, self._text, self._spans)
        places = span_places(self._bag, self._spans)
        return [
            PlannedEpisode(
                span,
                _at(self._text, place),
                _at(str(self._bag.path), place),
                span in missing and span in self._wanted,
            )
            for span, place in zip(self._spans, places, strict=True)
        ]

    def _messages(self, steps: EpisodeSteps) -> Iterator[Message]:
        """Yield the messages that the episodes need, in the order of their receive times."""
        begin_ns = max(0, steps.needed_from_ns)
        # The last message of such a topic holds, however long ago it was.
        lasting = self._samples.lasting_topics | self._robot_targets.keys()
        if lasting and begin_ns > (self._bag.begin_ns or 0):
            yield from self._bag.messages(lasting, None, begin_ns)
        topics = self._samples.topics | self._robot_targets.keys()
        for message in self._bag.messages(topics, begin_ns):
            if steps.is_over:
                break
            if message.receive_ns >= steps.needed_from_ns or message.topic in lasting:
                yield message

    def _tick(self) -> None:
        """Do what a live recorder does between two looks at its topics."""
        # The same instants in each import, wherever it begins to read.
        self._due_ns = (self._now_ns // TICK_NS + 1) * TICK_NS
        self._robot.settle(self._now_ns / NS_PER_S)
        self._recorder.close_rows()
        self._wait_for_encoders(lambda: self._recorder.num_queued <= _MAX_QUEUED)

    def _wait_for_trials(self) -> None:
        self._wait_for_encoders(lambda: not self._recorder.is_trying_encoders)

    def _wait_for_encoders(self, is_done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + self._timeout_s
        queued = self._recorder.num_queued
        # An episode that has failed gets no more pictures; saving it tells why.
        while not is_done() and not self._recorder.failure:
            time.sleep(_POLL_S)
            if self._recorder.num_queued < queued:
                queued = self._recorder.num_queued
                deadline_s = time.monotonic() + self._timeout_s
            if time.monotonic() > deadline_s:
                why = f'no progress in {self._timeout_s:g} s'
                raise EncoderError(f'the encoders do not take the pictures of the bag: {why}')


def finalize(config: RecorderConfig) -> None:
    """Finalize a dataset to which episodes were added; raise StreamrecError if that fails."""
    recorder = Recorder(config)
    try:
        recorder.finalize().result()
    finally:
        recorder.close(_CLOSE_S)


IMPORT_OPTIONS: Mapping[str, Any] = {'recovery': DISCARD, 'resume': True}
"""Parameters that an import sets: what a killed import left is imported again from its begin."""
