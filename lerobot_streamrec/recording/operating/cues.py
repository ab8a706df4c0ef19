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
"""Cues for an operator who watches the robot: the terminal's bell, speech, or a program."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
import logging
import os
from pathlib import Path
import queue
import shlex
import shutil
import subprocess
import threading
from typing import TypeVar

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import check_choices, option
from lerobot_streamrec.recording.operating.command import Verb
from lerobot_streamrec.recording.operating.events import Event, FAILED, SAVED

NONE, BELL, SPEECH = 'none', 'bell', 'speech'
CUES = (NONE, BELL, SPEECH)
THREAD_NAME = 'cues'
SPEAKER = 'spd-say'
"""The client of speech-dispatcher."""

_MAX_WAITING = 8
_COMMAND_TIMEOUT_S = 10.0
_TERMINAL = Path('/dev/tty')
_TEXTS = {
    Verb.START.value: 'recording episode {episode}',
    Verb.SAVE.value: 'saving',
    SAVED: 'saved episode {episode}',
    Verb.DISCARD.value: 'discarded',
    Verb.ROTATE.value: 'next episode',
    Verb.PAUSE.value: 'paused',
    Verb.RESUME.value: 'recording continues',
    Verb.UNDO.value: 'undone',
    Verb.FINALIZE.value: 'finalized',
}
_FAILURES = {SAVED: 'the episode was not saved', FAILED: 'the recording has failed'}

_log = logging.getLogger(__name__)

_T = TypeVar('_T')


@dataclass(frozen=True, slots=True)
class CuesConfig:
    """
    How an operator learns of events.

    :raise ConfigError: at construction, if a value is not allowed
    """

    kind: str = option(
        NONE,
        f'How the operator learns of events: {", ".join(CUES)}',
        name='cues',
        choices=CUES,
    )
    command: str = option(
        '',
        'A program to run at each event, with {event}, {verb}, {message}, {episode} in its '
        'arguments; empty: none',
        name='cues.command',
    )

    def __post_init__(self) -> None:
        check_choices(self)
        if not self.command:
            return
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise ConfigError('cues.command', self.command, f'{error}: mend the quotes') from None
        if not words or shutil.which(words[0]) is None:
            raise ConfigError(
                'cues.command',
                self.command,
                'its first word has to be a program that this user may run, such as '
                "'/home/me/light.sh {event}'",
            )


class Cues:
    """
    Gives cues in a thread of its own. Nobody waits for them, and excess cues are dropped.

    ``tell`` and ``close`` belong to one thread, and ``tell`` never blocks.

    :param config: settings
    :param terminal: device on which the bell rings
    :param command_timeout_s: a speaker or program that takes longer is ended
    """

    def __init__(
        self,
        config: CuesConfig,
        *,
        terminal: Path = _TERMINAL,
        command_timeout_s: float = _COMMAND_TIMEOUT_S,
    ) -> None:
        self._config = config
        self._terminal = terminal
        self._command_timeout_s = command_timeout_s
        self._kind = config.kind
        if self._kind == SPEECH and shutil.which(SPEAKER) is None:
            _log.warning(
                'cues is speech, but the program %s is not installed: the bell rings instead; '
                'install speech-dispatcher',
                SPEAKER,
            )
            self._kind = BELL
        self._events: queue.Queue[Event | None] = queue.Queue(_MAX_WAITING)
        self._thread: threading.Thread | None = None
        if self._kind != NONE or config.command:
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=False)
            self._thread.start()

    def tell(self, event: Event) -> None:
        """Queue the cue of an event, unless too many are waiting."""
        if self._thread is not None and not event.is_repeat:
            with suppress(queue.Full):
                self._events.put_nowait(event)

    def close(self, timeout_s: float) -> bool:
        """
        Give the waiting cues, then end the thread. Idempotent.

        :param timeout_s: longest time to wait for that, in seconds
        :return: False if the thread still runs
        """
        if self._thread is None:
            return True
        with suppress(queue.Full):
            self._events.put(None, timeout=timeout_s)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            if self._kind == BELL:
                _attempt(self._ring, 1 if event.success else 2)
            elif self._kind == SPEECH:
                _attempt(self._execute, [SPEAKER, '--', spoken(event)])
            if self._config.command:
                words = shlex.split(self._config.command)
                _attempt(self._execute, [_filled(word, event) for word in words])

    def _ring(self, times: int) -> None:
        bell = b'\a' * times
        try:
            terminal = os.open(self._terminal, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            # Under a service manager or a launch file there is no terminal: stderr gets the bell.
            terminal = os.dup(2)
        try:
            os.write(terminal, bell)
        finally:
            os.close(terminal)

    def _execute(self, command: list[str]) -> None:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=self._command_timeout_s,
            check=True,
        )


def _attempt(act: Callable[[_T], None], argument: _T) -> None:
    """Give a cue, and log a failure, which must not prevent the next cues."""
    try:
        act(argument)
    except (OSError, subprocess.SubprocessError) as error:
        _log.warning('a cue could not be given: %s', error)


def spoken(event: Event) -> str:
    """Return the text that is spoken at an event."""
    if not event.success:
        return _FAILURES.get(event.verb, event.message)
    text = _TEXTS.get(event.verb, event.message)
    # The message of a note or a verdict contains the user's text, which is no format string.
    return text.format(episode=event.episode) if event.verb in _TEXTS else text


def _filled(word: str, event: Event) -> str:
    values = {
        'event': event.verb if event.success else f'{event.verb}_failed',
        'verb': event.verb,
        'message': event.message,
        'episode': '' if event.episode is None else str(event.episode),
    }
    for name, value in values.items():
        word = word.replace(f'{{{name}}}', value)
    return word
