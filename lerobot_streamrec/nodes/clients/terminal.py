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
"""A terminal as a full screen, drawn with curses and restored at the end."""

from __future__ import annotations

from collections.abc import Sequence
import contextlib
import curses
import locale
import os
import select
import sys
import tempfile
import termios
from typing import BinaryIO

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.clients.keyboard_keys import BACKSPACE, ENTER, ESCAPE, LEFT, RIGHT
from lerobot_streamrec.nodes.clients.keyboard_screen import Line, Style
from rich.cells import cell_len

# Over ssh the bytes of an arrow key may arrive in two pieces. Escape alone stops the recording.
_ESCAPE_DELAY_MS = 100
_SPECIAL = {
    curses.KEY_LEFT: LEFT,
    curses.KEY_RIGHT: RIGHT,
    curses.KEY_ENTER: ENTER,
    curses.KEY_BACKSPACE: BACKSPACE,
}
_CONTROLS = {'\x1b': ESCAPE, '\r': ENTER, '\n': ENTER, '\x7f': BACKSPACE, '\x08': BACKSPACE}
# The arrow keys of terminals that send other bytes than their terminfo entry says.
_SEQUENCES = {'[C': RIGHT, 'OC': RIGHT, '[D': LEFT, 'OD': LEFT}
_COLOURS = {
    Style.GOOD: curses.COLOR_GREEN,
    Style.WARNING: curses.COLOR_YELLOW,
    Style.ERROR: curses.COLOR_RED,
}
_ATTRIBUTES = {Style.BOLD: curses.A_BOLD, Style.GOOD: curses.A_BOLD, Style.DIM: curses.A_DIM}
# Replacements for terminals without these characters.
_PLAINER = str.maketrans('→←…', '><~')
_MAX_KEPT_BYTES = 4096
_STDERR = 2


class Terminal:
    """
    The terminal of this process, for a ``with`` statement in the main thread.

    Text on standard error, such as that of the middleware, would spoil the screen. It is kept, and
    the end of it is written after the terminal has been restored.

    :raise ConfigError: if terminfo has no entry for TERM that can draw a screen
    """

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        name = os.environ.get('TERM', '')
        try:
            curses.setupterm(name or 'unknown', sys.stdout.fileno())
            is_able = curses.tigetstr('cup') is not None
        except curses.error:
            is_able = False
        if not is_able:
            why = 'this machine knows no terminal of this name that can draw a screen'
            raise ConfigError('TERM', name, f'{why}; try TERM=xterm or TERM=linux')
        self._attributes: dict[Style, int] = {}
        self._kept: BinaryIO | None = None

    def __enter__(self) -> Terminal:
        self._before = termios.tcgetattr(self._fd)
        # These variables would override the terminal's size, even after it has changed.
        for name in ('LINES', 'COLUMNS'):
            os.environ.pop(name, None)
        self._keep_errors()
        if locale.setlocale(locale.LC_CTYPE) in ('C', 'POSIX'):
            # Python does the same: without a locale, a modern terminal is assumed to use UTF-8.
            with contextlib.suppress(locale.Error):
                locale.setlocale(locale.LC_CTYPE, 'C.UTF-8')
        try:
            curses.set_escdelay(_ESCAPE_DELAY_MS)
            self._window = curses.initscr()
            self._is_unicode = self._window.encoding.lower().replace('-', '') == 'utf8'
            curses.noecho()
            curses.cbreak()
            self._window.keypad(True)
            self._window.nodelay(True)
            with contextlib.suppress(curses.error):
                curses.curs_set(0)
            self._attributes = _attributes()
        except BaseException:
            self._give_back()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    @property
    def size(self) -> tuple[int, int]:
        """The number of columns and rows."""
        rows, columns = self._window.getmaxyx()
        return columns, rows

    @property
    def is_gone(self) -> bool:
        """True if the window or the connection has been closed."""
        try:
            termios.tcgetattr(self._fd)
        except termios.error:
            return True
        return False

    def read_key(self, timeout_s: float) -> str | None:
        """
        Wait for a key.

        :param timeout_s: longest time to wait
        :return: a character or a name from ``keyboard_keys``; None if no known key was pressed
        """
        key = self._read()
        if key is None:
            select.select([self._fd], [], [], timeout_s)
            key = self._read()
        if isinstance(key, int):
            return _SPECIAL.get(key)
        if key != '\x1b':
            return _CONTROLS.get(key, key) if key is not None else None
        return self._after_escape()

    def drop_typed_ahead(self) -> None:
        """Discard keys that were typed but not read yet, such as the rest of a paste."""
        curses.flushinp()

    def draw(self, lines: Sequence[Line]) -> None:
        """
        Replace the content of the screen.

        :param lines: lines that are no wider than the screen
        """
        self._window.erase()
        for row, line in enumerate(lines):
            column = 0
            for text, style in line:
                shown = text if self._is_unicode else self._plain(text)
                # curses raises an error for the last cell of the screen, and for text outside a
                # screen that has just shrunk.
                with contextlib.suppress(curses.error):
                    self._window.addstr(row, column, shown, self._attributes[style])
                column += cell_len(shown)
        self._window.refresh()

    def _plain(self, text: str) -> str:
        encoding = self._window.encoding
        return text.translate(_PLAINER).encode(encoding, 'replace').decode(encoding)

    def _read(self) -> str | int | None:
        try:
            return self._window.get_wch()
        except curses.error:
            return None

    def _after_escape(self) -> str | None:
        """Return the key after an escape byte: the escape key itself, or a key with a sequence."""
        key = self._read()
        if key is None or key == '\x1b':
            if key is not None:
                curses.unget_wch(key)
            return ESCAPE
        sequence = str(key)
        if sequence in ('[', 'O'):
            while isinstance(key := self._read(), str):
                sequence += key
                if '@' <= key <= '~':
                    break
        # Any other sequence is a function key, or a key together with Alt.
        return _SEQUENCES.get(sequence)

    def _keep_errors(self) -> None:
        if os.isatty(_STDERR):
            sys.stderr.flush()
            self._kept = tempfile.TemporaryFile()  # noqa: SIM115
            self._stderr = os.dup(_STDERR)
            os.dup2(self._kept.fileno(), _STDERR)

    def _give_back(self) -> None:
        """Restore the terminal and standard error; ignore errors if the terminal is gone."""
        with contextlib.suppress(curses.error):
            curses.endwin()
        with contextlib.suppress(termios.error):
            # Unread keys were meant for this program, not for the shell.
            termios.tcflush(self._fd, termios.TCIFLUSH)
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
        if self._kept is not None:
            sys.stderr.flush()
            os.dup2(self._stderr, _STDERR)
            os.close(self._stderr)
            with self._kept as kept, contextlib.suppress(OSError):
                kept.seek(max(0, kept.seek(0, os.SEEK_END) - _MAX_KEPT_BYTES))
                os.write(_STDERR, kept.read())
            self._kept = None


def _attributes() -> dict[Style, int]:
    """Return the curses attributes of each style; colours are used if the terminal has them."""
    found = {style: _ATTRIBUTES.get(style, curses.A_NORMAL) for style in Style}
    if os.environ.get('NO_COLOR') or not curses.has_colors():
        return found
    with contextlib.suppress(curses.error):
        curses.start_color()
        curses.use_default_colors()
        for number, (style, colour) in enumerate(_COLOURS.items(), start=1):
            curses.init_pair(number, colour, -1)
            found[style] |= curses.color_pair(number)
    return found
