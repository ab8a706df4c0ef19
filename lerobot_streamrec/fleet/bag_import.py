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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
import hashlib
from pathlib import Path
import re
import time
from typing import Any

from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.takes.salvage import DISCARD
from lerobot_streamrec.errors import (
    ConfigError,
    DiskFullError,
    EncoderError,
    ForeignMessageError,
    MessageError,
)
from lerobot_streamrec.fleet.bag_episodes import BAG, BagEpisodes, PlannedEpisode
from lerobot_streamrec.fleet.bag_parts import Message
from lerobot_streamrec.fleet.bag_reader import Bag
from lerobot_streamrec.fleet.bag_spans import Span
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.saving.summary import EpisodeSummary
from lerobot_streamrec.recording.status import RecorderState
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.settings.recorder_settings import (
    recorder_node_name,
    Settings,
    settings_of,
)
from lerobot_streamrec.settings.sample_reader import SampleReader
from lerobot_streamrec.settings.stream_settings import Source
from lerobot_streamrec.settings.topic_names import full_topic_name
from lerobot_streamrec.settings.transports import choose_topic, Target
from lerobot_streamrec.sync.row_clock import NS_PER_S

# As often as a live recorder reads its topics.
_TICK_NS = NS_PER_S // 100
_MAX_QUEUED = 30
_POLL_S = 0.002
_CLOSE_S = 30.0
_HASH_DIGITS = 16
_PLACE = re.compile(r' @-?[0-9.]+ s$')

Progress = Callable[[int], None]
"""Is called with the receive time of the message that is read, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Imported:
    """
    The result of an import.

    :param summaries: the episodes that were imported now
    :param failures: episodes that could not be imported, with the reasons
    :param num_skipped: number of episodes that the dataset had already
    :param remarks: what is damaged in the bag, and what could not be done as planned
    """

    summaries: tuple[EpisodeSummary, ...]
    failures: tuple[str, ...] = ()
    num_skipped: int = 0
    remarks: tuple[str, ...] = ()


def bag_text(bag: Bag, progress: Callable[[int, int], None] | None = None) -> str:
    """
    Return the text by which the column ``BAG`` knows a bag. This reads all of its files.

    :param progress: called with the number of bytes read and in all
    :raise OSError: if a file cannot be read
    """
    whole = hashlib.sha256()
    for one in bag.digests(progress):
        whole.update(f'{one.name} {one.size_bytes} {one.sha256}\n'.encode())
    return f'{bag.path.resolve().name} sha256:{whole.hexdigest()[:_HASH_DIGITS]}'


def whole_span(bag: Bag) -> Span:
    """Return the span of a bag that is one episode."""
    return Span(bag.begin_ns or 0, bag.end_ns or 0)


def span_place(bag: Bag, span: Span) -> str:
    """Return the place of an episode in a bag, such as ``@12.345 s``; empty: it is all of it."""
    begin_ns = bag.begin_ns or 0
    if span.begin_ns <= begin_ns and span.end_ns >= (bag.end_ns or 0):
        return ''
    return f'@{(span.begin_ns - begin_ns) / NS_PER_S:.3f} s'


def missing_spans(root: Path, bag: Bag, text: str, spans: Sequence[Span]) -> list[Span]:
    """
    Return the episodes of a bag that a dataset lacks.

    :param root: the dataset's folder, which may not exist yet
    :param text: text from ``bag_text``
    :param spans: all episodes of the bag
    :raise ConfigError: if the dataset has episodes of a bag of this name with other content, or
        other episodes of this bag
    """
    if not (root / 'meta' / 'info.json').is_file():
        return list(spans)
    known = {one.texts.get(BAG, '') for one in read_catalog(root).episodes}
    wanted = {_episode_text(bag, text, span): span for span in spans}
    missing = [span for one, span in wanted.items() if one not in known]
    for one in sorted(known - wanted.keys()) if missing else ():
        whole = _PLACE.sub('', one)
        if whole == text:
            why = 'its episodes now begin elsewhere'
        elif whole.rpartition(' ')[0] == text.rpartition(' ')[0]:
            why = 'this bag has changed since then'
        else:
            continue
        advice = 'delete them, rename the bag, or choose another root'
        raise ConfigError('BAG', text, f'the dataset has episodes of {one}, and {why}: {advice}')
    return missing


def _episode_text(bag: Bag, text: str, span: Span) -> str:
    return f'{text} {span_place(bag, span)}'.strip()


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
            there = f'the bag has it as {" and as ".join(found)}' if found else _lacks(bag, topic)
            raise ConfigError(parameter, '', f'{there}; set {parameter}')
        return found[0]

    def fields_of(parameter: str, message_type: str) -> Mapping[str, str]:
        fields = bag.fields(message_type)
        if fields is None:
            raise ConfigError(parameter, message_type, 'neither the bag nor ROS defines this type')
        return fields

    return settings_of(params, namespace, type_of, fields_of, replaced)


def _lacks(bag: Bag, topic: str) -> str:
    names = ', '.join(sorted({one.name for one in bag.topics})) or 'none'
    return f'{bag.path} has no topic {topic}; it has {names}'


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
    :param text: text from ``bag_text``
    :param spans: all episodes of the bag, in their order
    :raise ConfigError: if the bag lacks a topic
    """

    def __init__(
        self, bag: Bag, settings: Settings, namespace: str, text: str, spans: Sequence[Span]
    ) -> None:
        self._bag = bag
        self._text = text
        self._spans = spans
        self._settings = settings
        self._node_name = recorder_node_name(namespace)
        self._now_ns = bag.begin_ns or 0
        self._due_ns = 0
        self._timeout_s = settings.recorder.save_timeout_s
        self._readers: dict[tuple[str, str], list[tuple[StreamConfig, SampleReader]]] = {}
        for source in settings.sources:
            self._add(source)
        self._recorder = _Recorder(
            settings.recorder, lambda: self._now_ns, lambda: self._now_ns
        )

    def _add(self, source: Source) -> None:
        topic = full_topic_name(source.stream.topic, self._node_name)
        target = Target(topic, source.message_type)
        if source.stream.is_camera:
            is_depth = source.stream.depth is not None
            target = choose_topic(topic, source.transport, self._bag.types_of, is_depth=is_depth)
        if target.message_type not in self._bag.types_of(target.topic):
            raise ConfigError(f'{source.parameter}.topic', topic, _lacks(self._bag, target.topic))
        decode = partial(self._bag.decode, target.message_type)
        reader = SampleReader(source, target.message_type, self._bag.fields, decode)
        entries = self._readers.setdefault((target.topic, target.message_type), [])
        entries.append((source.stream, reader))

    def run(self, progress: Progress = lambda _: None, *, is_last: bool = True) -> Imported:
        """
        Read the bag, and save its episodes.

        An episode that cannot be imported does not keep the others from it.

        :param progress: called with the receive time of the message that is read, in nanoseconds
        :param is_last: True to finalize the dataset as well
        :raise ConfigError: as ``missing_spans`` does
        :raise StreamrecError: if the dataset, its disk or an encoder fails
        """
        recorder = self._recorder
        try:
            if recorder.status().num_deferred:
                # They are episodes of this bag, perhaps, and count once they are encoded.
                recorder.finalize().result()
            planned = self._planned()
            episodes = BagEpisodes(recorder, self._settings, planned, self._wait_for_trials)
            for message in self._messages(episodes):
                self._now_ns = max(self._now_ns, message.receive_ns)
                if self._now_ns >= self._due_ns:
                    self._tick()
                    progress(self._now_ns)
                self._take(message, episodes)
            self._tick()
            episodes.end()
            if is_last and episodes.summaries:
                recorder.finalize().result()
        finally:
            if recorder.state in (RecorderState.RECORDING, RecorderState.PAUSED):
                # A part of an episode is none: the same command imports all of it again.
                recorder.discard()
            recorder.close(_CLOSE_S)
        return Imported(
            tuple(episodes.summaries),
            tuple(episodes.failures),
            episodes.num_skipped,
            (*map(str, self._bag.remarks), *episodes.remarks),
        )

    def _planned(self) -> list[PlannedEpisode]:
        root = self._settings.recorder.root
        missing = missing_spans(root, self._bag, self._text, self._spans)
        return [
            PlannedEpisode(
                span,
                _episode_text(self._bag, self._text, span),
                f'{self._bag.path} {span_place(self._bag, span)}'.strip(),
                span in missing,
            )
            for span in self._spans
        ]

    def _messages(self, episodes: BagEpisodes) -> Iterator[Message]:
        """Yield the messages that the episodes need, in the order of their receive times."""
        begin_ns = max(0, episodes.needed_from_ns)
        topics = {topic for topic, _ in self._readers}
        # The last message of such a topic holds, however long ago it was.
        lasting = {
            topic
            for (topic, _), found in self._readers.items()
            if not all(stream.max_age_ns for stream, _ in found)
        }
        if lasting and begin_ns > (self._bag.begin_ns or 0):
            yield from self._bag.messages(lasting, None, begin_ns)
        for message in self._bag.messages(topics, begin_ns):
            if episodes.is_over:
                break
            if message.receive_ns >= episodes.needed_from_ns or message.topic in lasting:
                yield message

    def _take(self, message: Message, episodes: BagEpisodes) -> None:
        recorder = self._recorder
        for stream, reader in self._readers.get((message.topic, message.type_name), ()):
            key = stream.key
            try:
                stamp_ns, value = reader.read(message.data, lambda: self._now_ns)
            except MessageError as error:
                episodes.advance(self._now_ns, None)
                is_foreign = isinstance(error, ForeignMessageError)
                (recorder.ignore if is_foreign else recorder.reject)(key, str(error))
            else:
                episodes.advance(self._now_ns, stamp_ns + stream.offset_ns)
                push = recorder.push_image if stream.is_camera else recorder.push_vector
                push(key, stamp_ns, value)

    def _tick(self) -> None:
        """Do what a live recorder does between two looks at its topics."""
        # The same instants in each import, wherever it begins to read.
        self._due_ns = (self._now_ns // _TICK_NS + 1) * _TICK_NS
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


IMPORT_OPTIONS: Mapping[str, Any] = {'recovery': DISCARD, 'resume': True}
"""Parameters that an import sets: what a killed import left is imported again from its begin."""
