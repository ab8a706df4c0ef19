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
"""What a bag says about its episodes: events, the task, and the files about the robot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import json
from pathlib import Path
from typing import Any

from lerobot_streamrec.conversions.robot_yaml import fill_calibration, transforms_in
from lerobot_streamrec.dataset.about.robot_files import (
    CALIBRATION,
    file_name,
    FOLDER,
    names_in,
    PARAMETERS,
    ROBOT_DESCRIPTION,
    Slot,
    slot_of,
)
from lerobot_streamrec.dataset.format.episode_table import (
    BAG,
    checked_text,
    NOTES,
    OPERATOR,
    RECORDED_AT,
    RECORDER,
    refuse_text_name,
    ROBOT_FILES,
    VERDICT,
)
from lerobot_streamrec.dataset.format.features import IMAGES, INTERVENTION
from lerobot_streamrec.dataset.format.take_record import cuts_within, parse_subtasks
from lerobot_streamrec.dataset.rebuild.played_episode import PlayedEpisode
from lerobot_streamrec.errors import ConfigError, EpisodeError
from lerobot_streamrec.fleet.exporting.bag_messages import message_bytes, message_class
from lerobot_streamrec.fleet.exporting.export_plan import ExportPlan, full_name
from lerobot_streamrec.fleet.exporting.export_tracks import Outgoing
from lerobot_streamrec.recording.operating.command import OFF, ON, TASK_TOPIC, Verb
from lerobot_streamrec.recording.operating.events import Event, EVENTS_TOPIC, SAVED
from lerobot_streamrec.settings.sample_reader import (
    DESCRIPTION_TOPIC,
    INFO_TYPE,
    TEXT_TYPE,
    TRANSFORMS_TOPIC,
    TRANSFORMS_TYPE,
)
from lerobot_streamrec.settings.transports import camera_info_topic
from lerobot_streamrec.sync.row_clock import KnownRows, NS_PER_S
import numpy as np
import numpy.typing as npt

_EVENTS, _TASK, _DESCRIPTION = map(full_name, (EVENTS_TOPIC, TASK_TOPIC, DESCRIPTION_TOPIC))
_TRANSFORM = 'geometry_msgs/msg/TransformStamped'
_SOURCE = 'export'
# An import makes its own texts about the recording.
_NOT_CARRIED = {RECORDED_AT, RECORDER, ROBOT_FILES, BAG}

Said = tuple[int, str, str, Mapping[str, Any]]
"""Receive time in nanoseconds, verb, sentence, and further parameters of an event."""


class Words:
    """
    Says what a bag says about its episodes, one after the other. Owned by one thread.

    :param plan: content of the bag
    """

    def __init__(self, plan: ExportPlan) -> None:
        self._plan = plan
        self._task: str | None = None
        self._robot: dict[Slot, str] = {}

    @property
    def parameter_files(self) -> list[Path]:
        """The parameter files with which the last episode was recorded; empty if unknown."""
        found = sorted((slot, name) for slot, name in self._robot.items())
        folder = self._plan.root / FOLDER
        return [folder / name for slot, name in found if slot.kind == PARAMETERS]

    def latched(self, episode: PlayedEpisode, receive_ns: int) -> list[Outgoing]:
        """
        Return the messages of latching topics that are new with an episode.

        :param receive_ns: their receive time, in nanoseconds
        """
        found = []
        if len(episode.row.tasks) > 1:
            self._plan.tell(f'episode {episode.row.episode_index} has several tasks: one is told')
        if (task := _task_of(episode)) != self._task:
            self._task = task
            found.append(_text(receive_ns, _TASK, task, is_latched=True))
        for name in names_in(episode.row.texts.get(ROBOT_FILES, '')):
            slot = slot_of(name)
            if self._robot.get(slot) == name:
                continue
            self._robot[slot] = name
            path = self._plan.root / FOLDER / name
            try:
                content = path.read_bytes()
                found += [
                    Outgoing(receive_ns, topic, kind, message_bytes(one, kind), is_latched=True)
                    for topic, kind, one in self._robot_messages(episode, slot, content)
                ]
            except (OSError, ValueError) as error:
                self._plan.tell(f'{path} is left out: {error}')
        return found

    def _robot_messages(
        self, episode: PlayedEpisode, slot: Slot, content: bytes
    ) -> Iterator[tuple[str, str, Any]]:
        """Yield topic, type and message of a file; raise ValueError if it cannot be read."""
        if slot.kind == ROBOT_DESCRIPTION:
            message = message_class(TEXT_TYPE)()
            message.data = content.decode()
            yield _DESCRIPTION, TEXT_TYPE, message
        elif slot.kind == CALIBRATION:
            for topic, (stream, *_) in self._plan.streams(episode).items():
                name = file_name(CALIBRATION, stream.feature.removeprefix(IMAGES), b'')
                if stream.is_camera and slot_of(name) == slot:
                    message = message_class(INFO_TYPE)()
                    fill_calibration(content, message)
                    yield camera_info_topic(topic), INFO_TYPE, message
        elif slot.kind != PARAMETERS:
            message = message_class(TRANSFORMS_TYPE)()
            for one in transforms_in(content):
                made = message_class(_TRANSFORM)()
                made.header.frame_id, made.child_frame_id = one.frame_id, one.child_frame_id
                moved, turned = made.transform.translation, made.transform.rotation
                moved.x, moved.y, moved.z = one.translation
                turned.x, turned.y, turned.z, turned.w = one.rotation
                message.transforms.append(made)
            yield TRANSFORMS_TOPIC, TRANSFORMS_TYPE, message

    def events(
        self, episode: PlayedEpisode, instants_ns: npt.NDArray[np.int64], delays: tuple[int, int]
    ) -> list[Outgoing]:
        """
        Return what the recorder would have told while it recorded an episode.

        A start and a resume follow the messages of their first row. What holds from a row on comes
        before that row's messages, or after the start.

        :param instants_ns: instants of the rows, ``(rows,)``
        :param delays: time from a row's instant to its first and to its last message, in
            nanoseconds
        """
        index, found = episode.row.episode_index, []
        said = sorted(self._said(episode, instants_ns.tolist(), *delays), key=lambda one: one[0])
        for receive_ns, verb, sentence, keys in said:
            event = Event(_SOURCE, verb, True, sentence, index, **keys)
            line = event.as_json(receive_ns / NS_PER_S)
            if verb == Verb.SAVE.value:
                told = {**json.loads(line), 'texts': self._texts(episode)}
                line = json.dumps(told, ensure_ascii=False)
            found.append(_text(receive_ns, _EVENTS, line))
        return found

    def _texts(self, episode: PlayedEpisode) -> dict[str, str]:
        """Return the texts about an episode that an import can take, by column."""
        found = {}
        for name, text in episode.row.texts.items():
            if not text or name in _NOT_CARRIED:
                continue
            try:
                if name not in (VERDICT, NOTES, OPERATOR):
                    refuse_text_name('texts', name)
                found[name] = checked_text(name, text)
            except (ConfigError, EpisodeError) as error:
                self._plan.tell(f'a text of meta/episodes is left out: {error}', name)
        return found

    def _said(
        self, episode: PlayedEpisode, instants_ns: list[int], early_ns: int, late_ns: int
    ) -> Iterator[Said]:
        row, fps = episode.row, episode.info.fps
        begun_ns, ended_ns = (instants_ns[place] + late_ns + 1 for place in (0, -1))
        task = _task_of(episode)
        told: dict[str, Any] = {'rows': KnownRows(instants_ns[0]), 'task': task}
        yield begun_ns, Verb.START.value, f'recording episode {row.episode_index}: {task}', told
        for place, verb, sentence, said in self._marks(episode):
            receive_ns = instants_ns[place] + early_ns - 1 if place else begun_ns + 1
            told = {'rows': KnownRows(instants_ns[place]), 'text': said}
            yield receive_ns, verb.value, sentence, told
        for cut in cuts_within(episode.cuts, row.length):
            last_ns, first_ns = instants_ns[cut.row - 1 : cut.row + 1]
            length = f'{cut.row} rows, {cut.row / fps:.1f} s'
            told = {'rows': KnownRows(last_ns=last_ns)}
            yield last_ns + late_ns + 1, Verb.PAUSE.value, f'paused after {length}', told
            told = {'rows': KnownRows(first_ns)}
            sentence = f'recording continues after {length}'
            yield first_ns + late_ns + 1, Verb.RESUME.value, sentence, told
        for verb, name in ((Verb.VERDICT, VERDICT), (Verb.NOTE, NOTES)):
            if text := row.texts.get(name):
                sentence = f'{name} of episode {row.episode_index}: {text!r}'
                yield ended_ns, verb.value, sentence, {'text': text}
        length = f'{row.length} rows, {row.length / fps:.1f} s'
        told = {'rows': KnownRows(last_ns=instants_ns[-1])}
        sentence = f'saving episode {row.episode_index} ({length})'
        yield ended_ns + 1, Verb.SAVE.value, sentence, told
        yield ended_ns + 2, SAVED, f'episode {row.episode_index}: {length}', {}

    def _marks(self, episode: PlayedEpisode) -> Iterator[tuple[int, Verb, str, str]]:
        """Yield what holds from a row on: the row, the verb, and a sentence with its text."""
        try:
            subtasks = parse_subtasks(episode.record.get('subtasks', ()))
        # These errors occur if somebody has edited the file.
        except (KeyError, TypeError, ValueError, AttributeError):
            subtasks = ()
        for one in subtasks:
            if 0 <= one.row < episode.row.length:
                yield one.row, Verb.SUBTASK, f'subtask {one.text!r}', one.text
        features = {one.feature for same in self._plan.streams(episode).values() for one in same}
        if INTERVENTION in episode.info.features and INTERVENTION not in features:
            flags = episode.values([INTERVENTION])[INTERVENTION][:, 0].astype(bool)
            for place in [0, *(np.flatnonzero(np.diff(flags)) + 1).tolist()]:
                sentence = 'a human drives' if flags[place] else 'the policy drives'
                yield place, Verb.INTERVENE, sentence, ON if flags[place] else OFF


def _task_of(episode: PlayedEpisode) -> str:
    # A dataset of other recorders may have several tasks in an episode.
    return str(episode.record.get('task') or next(iter(episode.row.tasks), ''))


def _text(receive_ns: int, topic: str, text: str, *, is_latched: bool = False) -> Outgoing:
    message = message_class(TEXT_TYPE)()
    message.data = text
    return Outgoing(receive_ns, topic, TEXT_TYPE, message_bytes(message, TEXT_TYPE), is_latched)
