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
"""Episodes by the recorder's events: those that were saved, and what was said about each."""

from __future__ import annotations

from ast import literal_eval
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import json
import re
from types import MappingProxyType
from typing import Any, NamedTuple

from lerobot_streamrec.dataset.format.episode_table import (
    checked_text,
    NOTES,
    OPERATOR,
    refuse_text_name,
    VERDICT,
)
from lerobot_streamrec.errors import ConfigError, EpisodeError
from lerobot_streamrec.fleet.planning.bag_spans import Mark, Span
from lerobot_streamrec.recording.operating.command import Command, OFF, ON, Verb
from lerobot_streamrec.recording.operating.events import (
    COUNTS_ONCE,
    FAILED,
    RECORDER,
    REFUSED,
    SAVED,
)
from lerobot_streamrec.sync.row_clock import NS_PER_S

_VERBS = {*(verb.value for verb in Verb), SAVED, FAILED, REFUSED}
_START, _SAVE, _ROTATE = Verb.START.value, Verb.SAVE.value, Verb.ROTATE.value
_COLUMNS = {Verb.VERDICT.value: VERDICT, Verb.NOTE.value: NOTES}

# What recorders say that give no keys ``task`` and ``text``.
_TASK = re.compile(
    r'.*?recording episode \d+: (.*?)(?: \(with [\d.]+ s from before the start\))?', re.DOTALL
)
_SAID_OF = re.compile(r'(?:verdict|notes) of episode (\d+): (.*)', re.DOTALL)
_SUBTASK = re.compile(r'(subtask) (.*)', re.DOTALL)


class Complaints:
    """
    Counts what is wrong, and keeps the first of it. Owned by one thread.

    :param nouns: name of the things that are counted
    """

    def __init__(self, nouns: str) -> None:
        self._nouns = nouns
        self._num = 0
        self._first = ''

    def add(self, reason: object) -> None:
        """Add a reason."""
        self._first = self._first if self._num else str(reason)
        self._num += 1

    def __str__(self) -> str:
        return f'{self._nouns}: {self._num}, the first: {self._first}' if self._num else ''


class Told(NamedTuple):
    """
    An event of a recorder.

    :param receive_ns: receive time, in nanoseconds since 1970
    :param verb: verb of the event, see docs/operating.md
    :param text: verdict, note or subtask; who drives, ``on`` or ``off``, or empty for a pause in
        which a human takes over; None: none was given
    :param task: task of an episode that began
    :param episode: index of the episode; None if it is unknown
    :param is_success: False: the command was refused, or the episode is not saved
    :param source: sender of the command
    :param first_row_ns: instant of the first row that follows; None if it is unknown
    :param last_row_ns: instant of the last row before it; None if it is unknown
    :param texts: texts about an exported episode, by column of meta/episodes
    """

    receive_ns: int
    verb: str
    text: str | None = None
    task: str = ''
    episode: int | None = None
    is_success: bool = True
    source: str = ''
    first_row_ns: int | None = None
    last_row_ns: int | None = None
    texts: Mapping[str, str] = MappingProxyType({})


def read_event(receive_ns: int, line: str) -> Told | None:
    """
    Read an event of this recorder or of an older one.

    :param receive_ns: its receive time, in nanoseconds since 1970
    :param line: a line of JSON
    :return: the event; None if its command only repeated the one before
    :raise ValueError: if it is not an event, with the reason
    """
    try:
        fields = json.loads(line)
        verb, message = fields['verb'], str(fields.get('message', ''))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f'{line[:80]!r} is not a line of JSON with a verb') from None
    if verb not in _VERBS:
        raise ValueError(f'the verb is {verb!r}: allowed are {", ".join(sorted(_VERBS))}')
    if fields.get('repeat') or message.endswith(COUNTS_ONCE):
        return None
    said_of = _SAID_OF.fullmatch(message)
    task = fields.get('task')
    if task is None and verb in (_START, _ROTATE):
        found = _TASK.fullmatch(message)
        task = found[1] if found is not None else ''
    index = _whole(fields, 'episode')
    return Told(
        receive_ns,
        verb,
        _text(verb, fields, message),
        str(task or ''),
        int(said_of[1]) if said_of is not None and index is None else index,
        fields.get('success') is True,
        str(fields.get('source', '')),
        _whole(fields, 'first_row_ns'),
        _whole(fields, 'last_row_ns'),
        _texts(fields.get('texts', {})),
    )


def _texts(found: Any) -> dict[str, str]:
    """Return texts by column, after checking both; raise ValueError if they are none."""
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise ValueError(f'texts is {found!r}: an object of texts by column is needed')
    try:
        for name in found.keys() - {VERDICT, NOTES, OPERATOR}:
            refuse_text_name('texts', name)
        return {name: checked_text(name, one) for name, one in found.items()}
    except (ConfigError, EpisodeError) as error:
        raise ValueError(str(error)) from None


def _whole(fields: Mapping[str, Any], key: str) -> int | None:
    value = fields.get(key)
    return value if type(value) is int else None


def _text(verb: str, fields: Mapping[str, Any], message: str) -> str | None:
    if 'text' in fields:
        return None if fields['text'] is None else str(fields['text'])
    if verb == Verb.INTERVENE.value:
        is_pause = 'take hold of the leader' in message
        return '' if is_pause else ON if 'a human drives' in message else OFF
    quoted = _SAID_OF.fullmatch(message) or _SUBTASK.fullmatch(message)
    try:
        return None if quoted is None else str(literal_eval(quoted[2]))
    except (ValueError, SyntaxError):
        return None


@dataclass(slots=True, eq=False)
class Take:
    """
    An episode that was begun.

    :param begin_ns: receive time of the command that began it, in nanoseconds
    :param task: its task; empty if it is unknown
    :param index: index in the dataset of the recorder; -1 if it is unknown
    :param first_row_ns: instant of its first row; None if it is unknown
    """

    begin_ns: int
    task: str
    index: int
    first_row_ns: int | None
    last_row_ns: int | None = None
    end_ns: int = 0
    texts: dict[str, str] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    is_paused: bool = False
    has_failed: bool = False
    has_own_end: bool = False

    def seconds(self, now_ns: int) -> float:
        """Return about how long it has been recorded, without its pauses."""
        length_ns = 0 if self.is_paused else now_ns
        for mark in self.marks:
            if mark.command.verb is Verb.PAUSE:
                length_ns += mark.receive_ns
            elif mark.command.verb is Verb.RESUME:
                length_ns -= mark.receive_ns
        return (length_ns - self.begin_ns) / NS_PER_S

    def span(self) -> Span:
        """Return where it is in the bag."""
        texts = {name: text for name, text in self.texts.items() if text}
        return Span(
            self.begin_ns,
            self.end_ns,
            self.task,
            texts,
            tuple(self.marks),
            self.first_row_ns,
            self.last_row_ns,
        )


class Takes:
    """
    The episodes that events tell of. Owned by one thread.

    A save is confirmed by a second event, which may come after the next episode has begun, and so
    may the answer of ``discard``, ``undo``, and of a verdict about a saved episode.
    """

    def __init__(self) -> None:
        self.running: Take | None = None
        self.saved: list[Take] = []
        """The saved episodes that have not been undone, in order."""
        self.is_human = False
        """True if a human drives, in this and later episodes."""
        self.is_taking_over = False
        """True while the episode is paused until the human has the leader in hand."""
        self._fates: Counter[str] = Counter()
        self._saving: list[Take] = []
        self._num_answers_to_come = 0
        self._has_intervened = False
        self._acts: dict[str, Callable[[Told], None]] = {
            _START: self._begin,
            _SAVE: self._end,
            _ROTATE: self._rotate,
            SAVED: self._keep,
            Verb.DISCARD.value: self._discard,
            Verb.UNDO.value: self._undo,
            Verb.VERDICT.value: self._say,
            Verb.NOTE.value: self._say,
            Verb.PAUSE.value: self._pause,
            Verb.RESUME.value: self._resume,
            Verb.SUBTASK.value: self._mark,
            Verb.INTERVENE.value: self._intervene,
        }
        self._failures: dict[str, Callable[[Told], None]] = {
            FAILED: self._fail,
            SAVED: self._lose,
            _SAVE: self._quarantine,
            _ROTATE: self._quarantine,
        }

    def hear(self, told: Told) -> None:
        """Take the next event into account."""
        acts = self._acts if told.is_success else self._failures
        if told.verb in acts:
            acts[told.verb](told)

    def end(self) -> list[Take]:
        """Return those that are saved only if the recorder could finish after the bag's end."""
        unconfirmed = [take for take in self._saving if not take.has_own_end]
        self._fates['not saved'] += len(self._saving) - len(unconfirmed)
        self._fates['not saved before the bag ends'] += self.running is not None
        self.saved += unconfirmed
        return unconfirmed

    def __str__(self) -> str:
        return ', '.join(f'{number} {fate}' for fate, number in self._fates.items() if number)

    # --- begin and end -------------------------------------------------------------------------

    def _begin(self, told: Told) -> None:
        if self.running is not None:
            # Its discard is answered once its files are gone.
            self._num_answers_to_come += 1
            self._drop('discarded')
        self.is_taking_over = False
        index = -1 if told.episode is None else told.episode
        self.running = Take(told.receive_ns, told.task, index, told.first_row_ns)
        if self._has_intervened:
            self._mark(told, Command(Verb.INTERVENE, ON if self.is_human else OFF))

    def _end(self, told: Told) -> None:
        take, self.running = self.running, None
        # It may have begun before the bag, or the command has ended the time between episodes.
        if take is None:
            return
        if told.verb == _SAVE:
            take.texts |= {VERDICT: told.text} if told.text else {}
            take.texts |= told.texts
            take.index = take.index if told.episode is None else told.episode
        take.end_ns, take.last_row_ns = told.receive_ns, told.last_row_ns
        take.has_own_end = told.source == RECORDER
        self._saving.append(take)

    def _rotate(self, told: Told) -> None:
        self._end(told)
        self._begin(told)

    def _drop(self, fate: str) -> None:
        assert self.running is not None
        self._fates['failed' if self.running.has_failed else fate] += 1
        self.running = None

    def _discard(self, _told: Told) -> None:
        if self._num_answers_to_come:
            self._num_answers_to_come -= 1
        elif self.running is not None:
            self._drop('discarded')

    def _fail(self, _told: Told) -> None:
        if self.running is not None:
            self.running.has_failed = True

    def _quarantine(self, told: Told) -> None:
        """Note the refusal of a save, which ends an episode only if it had failed."""
        if self.running is not None and self.running.has_failed:
            self._drop('failed')

    # --- the end of a save, and later ----------------------------------------------------------

    def _keep(self, told: Told) -> None:
        fits = [take for take in self._saving if take.index == told.episode]
        self._fates['begun before the bag'] += not fits
        # If two fit, the save of the first never began.
        if fits:
            end = self._saving.index(fits[-1]) + 1
            self.saved += [take for take in self._saving[:end] if take not in fits[:-1]]
            del self._saving[:end]
            self._fates['not saved'] += len(fits[:-1])

    def _lose(self, _told: Told) -> None:
        if self._saving:
            self._fates['not saved'] += 1
            self._take_out(self._saving.pop(0))

    def _undo(self, _told: Told) -> None:
        # An episode from before the bag may have been undone.
        if self.saved:
            self._fates['undone'] += 1
            self._take_out(self.saved.pop())

    def _take_out(self, gone: Take) -> None:
        """Move those up that came after one that is not in the dataset."""
        for take in (*self._saving, self.running):
            if take is not None and take.index > gone.index:
                take.index -= 1

    # --- what is said --------------------------------------------------------------------------

    def _say(self, told: Told) -> None:
        takes = self.saved[-1:]
        if told.episode is not None:
            known = (*self.saved, *self._saving, self.running)
            takes = [one for one in known if one is not None and one.index == told.episode]
        if takes and told.text is not None:
            takes[-1].texts[_COLUMNS[told.verb]] = told.text

    def _mark(self, told: Told, command: Command | None = None) -> None:
        if self.running is not None:
            command = command or Command(Verb(told.verb), told.text or '')
            is_resume, is_pause = command.verb is Verb.RESUME, command.verb is Verb.PAUSE
            mark = Mark(
                told.receive_ns,
                command,
                None if is_pause else told.first_row_ns,
                told.last_row_ns if is_pause else None,
            )
            self.running.marks.append(mark)
            self.running.is_paused = is_pause or (self.running.is_paused and not is_resume)

    def _pause(self, told: Told) -> None:
        self._mark(told, Command(Verb.PAUSE))

    def _resume(self, told: Told) -> None:
        self.is_taking_over = False
        self._mark(told, Command(Verb.RESUME))

    def _intervene(self, told: Told) -> None:
        if not told.text:
            self.is_taking_over = True
            self._pause(told)
            return
        self.is_human, self._has_intervened = told.text == ON, True
        self._mark(told)
        if self.is_taking_over:
            self._resume(told)
