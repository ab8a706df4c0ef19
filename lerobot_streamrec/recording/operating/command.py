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
"""Commands of an operator, their text, and those that are given by mistake."""

from __future__ import annotations

from dataclasses import dataclass
import difflib
from enum import Enum
import re

from lerobot_streamrec.errors import EpisodeError
from lerobot_streamrec.recording.metadata import VERDICTS
from lerobot_streamrec.recording.operating.config import OperatingConfig
from lerobot_streamrec.sync.row_clock import NS_PER_S


class Verb(Enum):
    """Everything that an operator can ask for."""

    START = 'start'
    SAVE = 'save'
    DISCARD = 'discard'
    ROTATE = 'rotate'
    PAUSE = 'pause'
    RESUME = 'resume'
    UNDO = 'undo'
    VERDICT = 'verdict'
    NOTE = 'note'
    FINALIZE = 'finalize'
    TOGGLE = 'toggle'


_NO_VERDICT = 'none'
_VERDICTS = (*VERDICTS, _NO_VERDICT)
_TAKES_TASK = (Verb.START, Verb.ROTATE)
FORMS = (
    'start [task]',
    f'save [{"|".join(VERDICTS)}]',
    'discard',
    'rotate [task]',
    'pause',
    'resume',
    'undo',
    f'verdict {"|".join(_VERDICTS)}',
    'note <text>',
    'finalize',
    'toggle',
)
"""All commands, as people are told them."""

_SENDER = re.compile(r'\[([^\]]*)\]\s*')


@dataclass(frozen=True, slots=True)
class Command:
    """
    One command.

    :param verb: the verb
    :param text: a task, a verdict or a note; empty: none
    """

    verb: Verb
    text: str = ''

    def __str__(self) -> str:
        is_taken_back = self.verb is Verb.VERDICT and not self.text
        return f'{self.verb.value} {_NO_VERDICT if is_taken_back else self.text}'.strip()


def parse_command(text: str) -> Command:
    """
    Read a command. Neither the case of its first word nor surrounding blanks matter.

    :param text: such as ``save success`` or ``start fold the towel``
    :raise EpisodeError: with the list of commands, and the one that is nearest to the text
    """
    word, rest = _first_word(text)
    try:
        verb = Verb(word.lower())
    except ValueError:
        raise _unknown(text) from None
    if verb in _TAKES_TASK:
        return Command(verb, rest)
    if verb is Verb.NOTE:
        if not rest:
            raise EpisodeError('note is given without a text: write note <text>')
        return Command(verb, rest)
    if verb is Verb.VERDICT or (verb is Verb.SAVE and rest):
        return Command(verb, _verdict(verb, rest))
    if rest:
        raise EpisodeError(
            f'{text.strip()!r} has a word too many: {verb.value} takes none; {_allowed()}'
        )
    return Command(verb)


def split_sender(text: str) -> tuple[str, str]:
    """
    Take the name of the sender from a command such as ``[pedal] toggle``.

    A topic does not tell who published a message, so that a sender may sign it.

    :param text: the published text
    :return: the name, empty without one, and the command
    """
    signed = _SENDER.match(text.strip())
    if signed is None:
        return '', text
    return signed.group(1).strip(), text.strip()[signed.end() :]


def _first_word(text: str) -> tuple[str, str]:
    words = text.split(maxsplit=1)
    return (words[0], words[1].strip()) if len(words) > 1 else (text.strip(), '')


def _verdict(verb: Verb, word: str) -> str:
    allowed = VERDICTS if verb is Verb.SAVE else _VERDICTS
    if word.lower() not in allowed:
        raise EpisodeError(
            f'{verb.value} {word}: allowed are {", ".join(allowed)}{_hint(word, allowed)}'
        )
    return '' if word.lower() == _NO_VERDICT else word.lower()


def _unknown(text: str) -> EpisodeError:
    words = text.split()
    if not words:
        return EpisodeError(f'the command is empty; {_allowed()}')
    near = _hint(words[0], tuple(verb.value for verb in Verb))
    return EpisodeError(f'{text.strip()!r} is no command{near}; {_allowed()}')


def _hint(word: str, allowed: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.lower(), allowed, n=1, cutoff=0.5)
    return f': did you mean {near[0]}?' if near else ''


def _allowed() -> str:
    return f'allowed are {", ".join(FORMS)}'


_MEANT_WITHIN_S = 2.0
# Two of these in a row may both be meant, since they say different things.
_SAYING = (Verb.VERDICT, Verb.NOTE)


class Slips:
    """
    Remembers the last command and the last short save. Owned by the executor's thread.

    :param config: the limits
    """

    def __init__(self, config: OperatingConfig) -> None:
        self._config = config
        self._last: tuple[Command, int] | None = None
        self._short: tuple[int, int] | None = None

    def is_repeat(self, command: Command, now_ns: int) -> bool:
        """
        Tell whether a press counts together with the one before, and take note of it if not.

        ``toggle`` stands for ``start`` and ``save``, whichever fits.

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
        Say why a short episode is not saved; empty if it is, since that was asked for twice.

        :param episode_index: the running episode
        :param seconds: its length
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
            f'{limit_s:g}), so that this may be a slip and it goes on: ask again within '
            f'{_MEANT_WITHIN_S:g} s to save it, or discard it'
        )


def _is_alike(one: Command, other: Command) -> bool:
    verbs = {one.verb, other.verb}
    if Verb.TOGGLE in verbs and verbs <= {Verb.TOGGLE, Verb.START, Verb.SAVE}:
        return True
    if one.verb in _SAYING:
        return one == other
    return one.verb is other.verb
