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
"""The screen of `keyboard`, as a pure function from its state to lines of styled text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from lerobot_streamrec.nodes.clients.keyboard_keys import (
    Keyboard,
    Sent,
    SILENT_S,
    space_command,
    UNANSWERED_S,
)
from lerobot_streamrec.nodes.clients.news import Event, Status
from lerobot_streamrec.recording.operating.takeover import POLICY
from rich.cells import cell_len, set_cell_size

_WIDE, _TALL = 72, 16
_NUM_UNANSWERED = 3
_CUT = '…'


class Style(Enum):
    """The look of a text. No information is in the style alone."""

    PLAIN = 'plain'
    BOLD = 'bold'
    DIM = 'dim'
    GOOD = 'good'
    WARNING = 'warning'
    ERROR = 'error'


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style = Style.PLAIN


Line = list[Span]


@dataclass(frozen=True, slots=True)
class View:
    """
    All state that the screen shows.

    :param recorder: full name of the recorder's node
    :param began_s: time on the steady clock at which this program began to listen
    :param status: newest status; None if none has arrived
    :param is_heard: True if a node subscribes to the commands
    :param keyboard: state of the keyboard, with note, notice and answers
    """

    recorder: str
    began_s: float
    status: Status | None
    is_heard: bool
    keyboard: Keyboard


def screen(view: View, size: tuple[int, int], now_s: float) -> list[Line]:
    """
    Lay out the screen for any size; text that does not fit is cut, the help first.

    :param view: state to show
    :param size: columns and rows
    :param now_s: time on the steady clock
    :return: as many lines as there are rows, none wider than the columns
    """
    width, height = size
    is_large = width >= _WIDE and height >= _TALL
    head = _head(view, width, now_s)[:height]
    prompt = _prompt(view.keyboard, width)[: height - len(head)]
    left = height - len(head) - len(prompt)
    problems = list(_problems(view, width, 4 if is_large else 2, now_s))[: max(1, left // 2)]
    left = max(0, left - len(problems))
    keys = _help(view.status, width, is_large=is_large)[: max(0, left - 1)]
    left -= len(keys)
    answers = _answers(view, width, left, now_s)
    # Blank lines fill the remaining room, so that the help is always at the bottom.
    blank: list[Line] = [[]] * (left - len(answers))
    lines = [*head, *blank[:1], *problems, *blank[1:2], *answers, *blank[2:], *prompt, *keys]
    return [_fitted(line, width) for line in lines[:height]]


def _head(view: View, width: int, now_s: float) -> list[Line]:
    status = view.status
    if status is None:
        return [[Span(view.recorder, Style.BOLD)]]
    value, is_running = status.value, status.is_running
    is_silent = now_s - status.heard_s > SILENT_S
    style = {'recording': Style.GOOD, 'paused': Style.WARNING, 'closed': Style.WARNING}
    phase_style = Style.DIM if is_silent else style.get(status.phase, Style.BOLD)
    first = [Span(status.phase.upper(), phase_style)]
    if value('phase_seconds_left'):
        first.append(Span(f'  {value("phase_seconds_left")} s left', Style.BOLD))
    first.append(Span(f'  {"" if is_running else "next: "}episode {value("episode_index")}'))
    if is_running:
        first.append(Span(f'  {value("seconds")} s  {value("rows")} rows'))
    if value('takeover') not in ('', POLICY):
        first.append(Span(f'  {value("takeover")}', Style.WARNING))
    gap = width - cell_len(view.recorder) - sum(cell_len(one.text) for one in first)
    if gap > 1:
        first.append(Span(' ' * gap + view.recorder, Style.DIM))
    counts = [value('automatic')] if value('automatic') else []
    counts.append(f'saved {value("saved_episodes")}')
    if value('pending_episodes') not in ('', '0'):
        counts.append(f'being saved {value("pending_episodes")}')
    if value('repeated_frames') not in ('', '0'):
        counts.append(f'repeated frames {value("repeated_frames")}')
    if (free_mib := value('disk_free_mib')).isascii() and free_mib.isdigit():
        counts.append(f'disk {int(free_mib) / 1024:.1f} GiB free')
    task = [Span('task  ', Style.DIM), Span(value('task') or '(none)')]
    if value('subtask'):
        task.append(Span(f': {value("subtask")}'))
    return [first, task, [Span('   '.join(counts))]]


def _problems(view: View, width: int, max_lines: int, now_s: float) -> Iterator[Line]:
    """Yield the problems of the recorder, and of the connection to it."""
    status, name = view.status, view.recorder.rpartition('/')[2]
    other = (
        f'To use another recorder, start with --ros-args -p recorder:=/left/{name}, or in its '
        'namespace with --ros-args -r __ns:=/left'
    )
    if status is None:
        if now_s - view.began_s <= SILENT_S:
            yield [Span(f'looking for a recorder at {view.recorder}', Style.DIM)]
            return
        text = f'no recorder at {view.recorder}: is it running, with the same ROS_DOMAIN_ID? '
        yield from _wrapped(f'{text}{other}', width, 6, Style.ERROR)
        return
    if (age_s := now_s - status.heard_s) > SILENT_S:
        text = f'last heard {age_s:.1f} s ago: {view.recorder} has ended, or cannot be reached'
        yield from _wrapped(text, width, max_lines, Style.ERROR)
    elif not view.is_heard:
        text = f'nobody listens to {view.recorder}/command: your keys have no effect'
        yield from _wrapped(text, width, max_lines, Style.ERROR)
    if status.level:
        style = Style.WARNING if status.level == 1 else Style.ERROR
        yield from _wrapped(status.message, width, max_lines, style)
    told = status.message if status.level else ''
    blockers = [one for one in status.value('blockers').split('; ') if one not in told]
    if blockers and not status.is_running:
        text = f'no episode can start: {"; ".join(blockers)}'
        yield from _wrapped(text, width, max_lines, Style.WARNING)


def _answers(view: View, width: int, num_lines: int, now_s: float) -> list[Line]:
    """Return the latest answers that fit, the newest one last and in full."""
    keyboard = view.keyboard
    lines: list[Line] = [
        _fitted([_unanswered(one, now_s)], width) for one in keyboard.sent[-_NUM_UNANSWERED:]
    ]
    for event in reversed(keyboard.events):
        if len(lines) >= num_lines:
            break
        is_newest = event is keyboard.events[-1]
        text, style = _answer(event), Style.PLAIN if event.success else Style.ERROR
        lines = [*_wrapped(text, width, 3 if is_newest else 1, style), *lines]
    if not lines and view.status is not None and (last := view.status.value('last_result')):
        lines = list(_wrapped(f'last result: {last}', width, 2, Style.DIM))
    return lines[len(lines) - num_lines :] if len(lines) > num_lines else lines


def _answer(event: Event) -> str:
    who = f'{event.at} {event.source or "?"} {event.verb}'
    return f'{who}: {"" if event.success else "FAILED: "}{event.message}'


def _unanswered(sent: Sent, now_s: float) -> Span:
    age_s = now_s - sent.sent_s
    if age_s < UNANSWERED_S:
        return Span(f'{sent.text} ...', Style.DIM)
    return Span(f'{sent.text}: unanswered for {age_s:.0f} s', Style.WARNING)


def _prompt(keyboard: Keyboard, width: int) -> list[Line]:
    if keyboard.note is not None:
        begin, hint = 'note> ', '   (enter sends, escape cancels)'
        room = max(1, width - len(begin) - 1)
        text = keyboard.note[-room:]
        while cell_len(text) > room:
            text = text[1:]
        shown_hint = hint if len(hint) + cell_len(text) <= room else ''
        return [[Span(begin, Style.BOLD), Span(f'{text}_'), Span(shown_hint, Style.DIM)]]
    if keyboard.stage is not None:
        text = f'stopping, {keyboard.stage.value}; escape again leaves at once'
        return list(_wrapped(text, width, 2, Style.WARNING))
    return list(_wrapped(keyboard.notice, width, 2, Style.WARNING)) if keyboard.notice else []


def _help(status: Status | None, width: int, *, is_large: bool) -> list[Line]:
    """Return the keys with their present effect, as many in a line as fit."""
    space = space_command(status)
    items = [
        ('space', space),
        ('→', 'save, or end the reset' if is_large else 'save'),
        ('←', 'discard and record again' if is_large else 'again'),
        ('esc', 'stop: save, finalize, leave' if is_large else 'stop'),
        ('s', 'success'),
        ('f', 'failure'),
        ('u', 'undo'),
        ('r', 'rotate'),
        ('n', 'note'),
        *([('i', 'intervene')] if status is not None and status.value('takeover') else []),
        ('q', 'quit, recording goes on' if is_large else 'quit'),
    ]
    lines: list[Line] = [[]]
    for key, meaning in items:
        used = sum(cell_len(one.text) for one in lines[-1])
        if used and used + cell_len(key) + 1 + cell_len(meaning) > width:
            lines.append([])
        lines[-1] += [Span(key, Style.BOLD), Span(f' {meaning}   ')]
    return lines


def _wrapped(text: str, width: int, max_lines: int, style: Style) -> Iterator[Line]:
    """Break a text into lines between words; cut what does not fit."""
    lines = ['']
    for word in text.split():
        longer = f'{lines[-1]} {word}' if lines[-1] else word
        if cell_len(longer) <= width or not lines[-1] or len(lines) == max_lines:
            lines[-1] = longer
        else:
            lines.append(word)
    yield from (_fitted([Span(line, style)], width) for line in lines)


def _fitted(line: Sequence[Span], width: int) -> Line:
    """Cut a line to a width, and replace unprintable characters by blanks."""
    fitted: Line = []
    left = width
    for span in line:
        text = ''.join(one if one.isprintable() else ' ' for one in span.text)
        if cell_len(text) > left:
            cut = set_cell_size(text, left - 1) + _CUT if left > 0 else ''
            fitted.append(Span(cut, span.style))
            break
        fitted.append(Span(text, span.style))
        left -= cell_len(text)
    return fitted
