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
"""The conversion of keys and answers into commands. Independent of ROS."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from lerobot_streamrec.nodes.clients.news import Event, Status

LEFT, RIGHT, ESCAPE, ENTER, BACKSPACE = 'left', 'right', 'escape', 'enter', 'backspace'
"""The names of keys that are not characters. Any other key is its character."""

SILENT_S = 2.0
"""The time without a status after which the recorder counts as silent, in seconds."""
UNANSWERED_S = 3.0
"""The time without an answer after which a command counts as unanswered, in seconds."""
_FORGOTTEN_S = 30.0
# A key that is held down repeats after 0.25 to 0.66 s, and then many times a second.
_HELD_S = 0.7
_NUM_EVENTS = 50
_MAX_NOTE = 500
_CLEAR_LINE = '\x15'

_COMMANDS = {
    RIGHT: 'save',
    LEFT: 'discard',
    'u': 'undo',
    's': 'verdict success',
    'f': 'verdict failure',
    'r': 'rotate',
    'i': 'intervene',
}
# The recorder answers with these verbs if no episode is running: rotate then starts one, and
# discard takes back the saved episode during the reset phase.
_ANSWERED_AS = {'rotate': 'start', 'discard': 'undo'}
# Phases that occur only with automatic episodes.
_AUTOMATIC_PHASES = ('resetting', 'done')


class Stage(Enum):
    """The steps of the stop that the escape key begins."""

    SAVING = 'waiting for the answer to the save'
    WRITING = 'waiting until the episode is on the disk'
    FINALIZING = 'waiting until the dataset is finalized'


@dataclass(frozen=True, slots=True)
class Sent:
    """
    A command that has no answer yet.

    :param text: the command
    :param sent_s: time of sending on the steady clock
    """

    text: str
    sent_s: float

    @property
    def verb(self) -> str:
        """The first word of the command."""
        return self.text.partition(' ')[0]


class Keyboard:
    """
    The state of the keyboard. It converts keys and events into commands, which the caller sends.

    :param name: name with which the commands are signed
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.events: deque[Event] = deque(maxlen=_NUM_EVENTS)
        """The latest answers to commands from all sources; the newest answer is the last one."""
        self.sent: list[Sent] = []
        """The commands without an answer, the oldest first."""
        self.note: str | None = None
        """The note that is being typed; None if keys are commands."""
        self.notice = ''
        """The reaction to the last key if it gave no command."""
        self.stage: Stage | None = None
        """The present step of a stop; None if no stop is under way."""
        self.has_left = False
        """True if the program should end."""
        self.parting = ''
        """The outcome of a stop, to be printed when the screen is closed."""
        self._episode: int | None = None
        self._starts_again = False
        self._last_key = ('', 0.0)

    def press(self, key: str, status: Status | None, now_s: float) -> list[str]:
        """
        Handle a key.

        :param key: a character or one of the names above
        :param status: newest status; None if none has arrived
        :param now_s: time on the steady clock
        :return: commands to send
        """
        if self.note is not None:
            return self._type(key, now_s)
        before, before_s = self._last_key
        self._last_key = (key, now_s)
        if key == before and now_s - before_s < _HELD_S:
            self.notice = f'a key that is held down or repeated within {_HELD_S} s counts once'
            return []
        self.notice = ''
        if key == 'q' or (key == ESCAPE and (self.stage is not None or status is None)):
            self.leave()
        elif key == ESCAPE:
            return self._stop(status, now_s)
        elif self.stage is not None:
            self.notice = 'stopping: only escape and q have an effect now'
        elif key == 'n':
            self.note = ''
        else:
            return self._command(key, status, now_s)
        return []

    def hear(self, event: Event, now_s: float) -> list[str]:
        """
        Handle an event of the recorder.

        :param event: event that any source may have caused
        :param now_s: time on the steady clock
        :return: commands to send
        """
        self.events.append(event)
        is_own = event.source == self._name
        if is_own:
            # Commands with the same verb are answered in order. An older unanswered one is lost.
            self.sent = [
                one
                for one in self.sent
                if event.verb not in (one.verb, _ANSWERED_AS.get(one.verb))
            ]
        if is_own and event.verb == 'discard' and self._starts_again:
            self._starts_again = False
            return self._send('start', now_s) if event.success else []
        return self._go_on_stopping(event, is_own, now_s) if self.stage is not None else []

    def leave(self) -> None:
        """End the program at once without sending anything more."""
        self.has_left = True
        if self.stage is not None:
            self.parting = f'left while {self.stage.value}'

    def _command(self, key: str, status: Status | None, now_s: float) -> list[str]:
        if key == ' ':
            return self._send(space_command(status), now_s)
        if key not in _COMMANDS:
            if key != '?':
                self.notice = f'the key {key!r} has no command'
            return []
        # In an automatic session the recorder repeats the episode by itself.
        self._starts_again = key == LEFT and not _is_automatic(status)
        return self._send(_COMMANDS[key], now_s)

    def _type(self, key: str, now_s: float) -> list[str]:
        """Handle a key while a note is being typed."""
        note = self.note or ''
        if key in (ENTER, ESCAPE):
            self.note, text = None, note.strip()
            # If this key is held down, its repetitions must not count as commands.
            self._last_key = (key, now_s)
            return self._send(f'note {text}', now_s) if key == ENTER and text else []
        if key == BACKSPACE:
            self.note = note[:-1]
        elif key == _CLEAR_LINE:
            self.note = ''
        elif len(key) == 1 and key.isprintable():
            self.note = (note + key)[:_MAX_NOTE]
        return []

    def _stop(self, status: Status | None, now_s: float) -> list[str]:
        """Begin a stop: save a running episode, finalize the dataset, and end the program."""
        self._starts_again = False
        if status is not None and status.is_running:
            self.stage, self._episode = Stage.SAVING, status.episode_index
            return self._send('save', now_s)
        self.stage = Stage.FINALIZING
        return self._send('finalize', now_s)

    def _go_on_stopping(self, event: Event, is_own: bool, now_s: float) -> list[str]:
        is_ours = event.episode is None or event.episode == self._episode
        if self.stage is Stage.SAVING and is_own and event.verb == 'save':
            self._episode = event.episode if event.episode is not None else self._episode
            self.stage = Stage.WRITING if event.success else None
        elif self.stage is Stage.WRITING and event.verb == 'saved' and is_ours:
            self.stage = Stage.FINALIZING if event.success else None
            if event.success:
                return self._send('finalize', now_s)
        elif self.stage is Stage.FINALIZING and is_own and event.verb == 'finalize':
            self.has_left = event.success
            self.parting = event.message if event.success else ''
            self.stage = None
        else:
            return []
        if self.stage is None and not event.success:
            self.notice = f'not stopped because {event.verb} failed; press escape to try again'
        return []

    def _send(self, command: str, now_s: float) -> list[str]:
        self.sent = [one for one in self.sent if now_s - one.sent_s < _FORGOTTEN_S]
        self.sent.append(Sent(command, now_s))
        return [command]


def space_command(status: Status | None) -> str:
    """Return the command that the space bar gives now."""
    phase = status.phase if status is not None else ''
    return {'recording': 'pause', 'paused': 'resume'}.get(phase, 'start')


def _is_automatic(status: Status | None) -> bool:
    return status is not None and (
        bool(status.value('automatic') or status.value('phase_seconds_left'))
        or status.phase in _AUTOMATIC_PHASES
    )


def left_behind(status: Status | None, recorder: str, now_s: float) -> str:
    """
    Return a text about what the recorder continues to do when the keyboard has ended.

    :param status: newest status; None if none has arrived
    :param recorder: full name of the recorder's node
    :param now_s: time on the steady clock
    """
    if status is None:
        return f'no recorder was heard at {recorder}'
    episode = f'episode {status.value("episode_index")}'
    said = {
        'recording': f'{episode} is still being recorded ({status.value("rows")} rows so far)',
        'paused': f'{episode} stays paused, and is not saved yet',
        'resetting': 'automatic episodes go on without the keyboard',
    }.get(status.phase, 'no episode is running')
    pending = status.value('pending_episodes')
    if pending not in ('', '0'):
        said += f'; saved episodes that are still being written: {pending}'
    if (age_s := now_s - status.heard_s) > SILENT_S:
        said += f', according to its last status {age_s:.0f} s ago'
    return f'{recorder}: {said}'
