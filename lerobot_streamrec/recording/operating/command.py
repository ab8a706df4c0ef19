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
"""The commands of an operator as texts, and the rules against those given by mistake."""

from __future__ import annotations

from dataclasses import dataclass
import difflib
from enum import Enum
import re

from lerobot_streamrec.dataset.format.episode_table import NOTES, VERDICT, VERDICTS
from lerobot_streamrec.errors import EpisodeError
from lerobot_streamrec.recording.operating.config import OperatingConfig
from lerobot_streamrec.sync.row_clock import NS_PER_S


class Verb(Enum):
    """The operations that an operator can command."""

    START = 'start'
    SAVE = 'save'
    DISCARD = 'discard'
    ROTATE = 'rotate'
    PAUSE = 'pause'
    RESUME = 'resume'
    UNDO = 'undo'
    VERDICT = 'verdict'
    NOTE = 'note'
    SUBTASK = 'subtask'
    INTERVENE = 'intervene'
    FINALIZE = 'finalize'
    TOGGLE = 'toggle'


ON, OFF = 'on', 'off'
# Without one of these words, ``intervene`` changes who drives.
_STATES = (ON, OFF)

SAYING = (Verb.VERDICT, Verb.NOTE)
"""The verbs that say something about an episode."""

COMMAND_TOPIC, TASK_TOPIC = '~/command', '~/task'
"""The topics of commands, and of the task of the next episodes; std_msgs/msg/String."""
SAID = {VERDICT: Verb.VERDICT, NOTES: Verb.NOTE, 'subtask': Verb.SUBTASK}
"""The topics that say something about an episode, below ``~/``, and the commands they give."""

_NO_VERDICT = 'none'
_VERDICTS = (*VERDICTS, _NO_VERDICT)
_TAKES_TEXT = (Verb.START, Verb.ROTATE, Verb.SUBTASK)
# Two of these in a row may both be meant, because their texts can differ.
_TEXT_MATTERS = (*SAYING, Verb.SUBTASK, Verb.INTERVENE)
FORMS = (
    'start [task]',
    f'save [{"|".join(VERDICTS)}]',
    'discard',
    'rotate [task]',
    'pause',
    'resume',
    'undo',
    f'verdict {"|".join(_VERDICTS)} [<episode>]',
    'note [<episode>:] <text>',
    'subtask <text>',
    f'intervene [{"|".join(_STATES)}]',
    'finalize',
    'toggle',
)
"""All commands, as messages list them."""

_NOTED_EPISODE = re.compile(r'(\d+)\s*:')
_SENDER = re.compile(r'\[([^\]]*)\]\s*')


@dataclass(frozen=True, slots=True)
class Command:
    """
    One command.

    :param verb: operation to carry out
    :param text: task, verdict or note; empty: none
    :param episode: index of the saved episode that gets the verdict or note; None: the running
        episode, or else the last one
    """

    verb: Verb
    text: str = ''
    episode: int | None = None

    def __str__(self) -> str:
        index = '' if self.episode is None else str(self.episode)
        if self.verb is Verb.VERDICT:
            return f'{self.verb.value} {self.text or _NO_VERDICT} {index}'.strip()
        return f'{self.verb.value} {f"{index}: " if index else ""}{self.text}'.strip()


def parse_command(text: str) -> Command:
    """
    Parse a command. The case of its first word and surrounding blanks do not matter.

    :param text: the command, such as ``save success``, ``start fold the towel``, ``verdict success
        12`` or ``note 12: the cube fell``
    :raise EpisodeError: if it is not a command, with what is allowed and the nearest match
    """
    word, rest = _first_word(text)
    try:
        verb = Verb(word.lower())
    except ValueError:
        raise _unknown(text) from None
    if verb in _TAKES_TEXT:
        return Command(verb, rest)
    if verb is Verb.NOTE:
        return _note(rest)
    if verb is Verb.VERDICT:
        word, index = _first_word(rest)
        return Command(verb, _verdict(verb, word), _episode(index) if index else None)
    if verb is Verb.INTERVENE and rest:
        return Command(verb, _state(rest))
    if verb is Verb.SAVE and rest:
        return Command(verb, _verdict(verb, rest))
    if rest:
        raise EpisodeError(
            f'{text.strip()!r} has extra words: {verb.value} takes no text; {_allowed()}'
        )
    return Command(verb)


def busy_text(verb: Verb, source: str) -> str:
    """Return the refusal of a command that is still being carried out for somebody."""
    return f'{verb.value} is already being carried out for {source}: wait for its answer'


def split_sender(text: str) -> tuple[str, str]:
    """
    Split the name of the sender from a command such as ``[pedal] toggle``.

    A topic does not tell who published a message, so a sender may sign it.

    :param text: the published text
    :return: name of the sender, empty without one, and the command
    """
    signed = _SENDER.match(text.strip())
    if signed is None:
        return '', text
    return signed.group(1).strip(), text.strip()[signed.end() :]


def _first_word(text: str) -> tuple[str, str]:
    words = text.split(maxsplit=1)
    return (words[0], words[1].strip()) if len(words) > 1 else (text.strip(), '')


def _note(text: str) -> Command:
    addressed = _NOTED_EPISODE.match(text)
    note = text if addressed is None else text[addressed.end() :].strip()
    if not note:
        raise EpisodeError('the note has no text: write note <text>, or note <episode>: <text>')
    return Command(Verb.NOTE, note, None if addressed is None else int(addressed.group(1)))


def _episode(index: str) -> int:
    if not index.isdecimal():
        raise EpisodeError(
            f'the episode is {index!r}: give the index of a saved episode, as in verdict success '
            '12, or none for the running or the last episode'
        )
    return int(index)


def _state(word: str) -> str:
    if word.lower() not in _STATES:
        raise EpisodeError(f'intervene is followed by {word!r}: allowed are on, off, or nothing')
    return word.lower()


def _verdict(verb: Verb, word: str) -> str:
    allowed = VERDICTS if verb is Verb.SAVE else _VERDICTS
    if word.lower() not in allowed:
        raise EpisodeError(
            f'verdict is {word!r}: allowed are {", ".join(allowed)}{_hint(word, allowed)}'
        )
    return '' if word.lower() == _NO_VERDICT else word.lower()


def _unknown(text: str) -> EpisodeError:
    words = text.split()
    if not words:
        return EpisodeError(f'the command is empty; {_allowed()}')
    near = _hint(words[0], tuple(verb.value for verb in Verb))
    return EpisodeError(f'{text.strip()!r} is not a command{near}; {_allowed()}')


def _hint(word: str, allowed: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.lower(), allowed, n=1, cutoff=0.5)
    return f': did you mean {near[0]}?' if near else ''


def _allowed() -> str:
    return f'allowed are {", ".join(FORMS)}'


_MEANT_WITHIN_S = 2.0


class Slips:
    """
    Remembers the last command and the last refused save, to recognise slips.

    Owned by the recorder's thread.

    :param config: debounce time and shortest episode
    """

    def __init__(self, config: OperatingConfig) -> None:
        self._config = config
        self._last: tuple[Command, int] | None = None
        self._short: tuple[int, int] | None = None

    def is_repeat(self, command: Command, now_ns: int) -> bool:
        """
        Tell whether a command only repeats the one before, and remember it if it does not.

        ``toggle`` counts as the same as ``start`` or ``save``.

        :param command: command of a button, a pedal or a topic
        :param now_ns: steady clock
        """
        if self._last is not None:
            before, before_ns = self._last
            is_soon = now_ns - before_ns < self._config.debounce_s * NS_PER_S
            if is_soon and _is_alike(before, command):
                return True
        self._last = command, now_ns
        return False

    def refusal(self, episode_index: int, seconds: float, now_ns: int) -> str:
        """
        Return the reason why a short episode is not saved; empty if it is long enough.

        A second save within two seconds is not refused.

        :param episode_index: index of the running episode
        :param seconds: length of the running episode
        :param now_ns: steady clock
        """
        limit_s = self._config.min_episode_s
        if seconds >= limit_s:
            return ''
        if self._short is not None:
            index, asked_ns = self._short
            if index == episode_index and now_ns - asked_ns <= _MEANT_WITHIN_S * NS_PER_S:
                self._short = None
                return ''
        self._short = episode_index, now_ns
        return (
            f'episode {episode_index} is only {seconds:.1f} s long (limits.min_episode_s is '
            f'{limit_s:g}), so this may be a slip, and the episode continues: repeat the command '
            f'within {_MEANT_WITHIN_S:g} s to save it, or discard it'
        )


def _is_alike(one: Command, other: Command) -> bool:
    verbs = {one.verb, other.verb}
    if Verb.TOGGLE in verbs and verbs <= {Verb.TOGGLE, Verb.START, Verb.SAVE}:
        return True
    if one.verb in _TEXT_MATTERS:
        return one == other
    return one.verb is other.verb
