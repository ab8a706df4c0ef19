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
"""A terminal as one screen that is drawn in place, by curses; it is given back as it was."""

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
from types import TracebackType
from typing import BinaryIO

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.clients.keyboard_keys import BACKSPACE, ENTER, ESCAPE, LEFT, RIGHT
from lerobot_streamrec.nodes.clients.keyboard_screen import Line, Style
from rich.cells import cell_len

# Over ssh the bytes of an arrow key may come in two pieces: escape alone stops the recording.
_ESCAPE_DELAY_MS = 100
_SPECIAL = {
    curses.KEY_LEFT: LEFT,
    curses.KEY_RIGHT: RIGHT,
    curses.KEY_ENTER: ENTER,
    curses.KEY_BACKSPACE: BACKSPACE,
}
_CONTROLS = {'\x1b': ESCAPE, '\r': ENTER, '\n': ENTER, '\x7f': BACKSPACE, '\x08': BACKSPACE}
# Arrow keys of terminals that send them otherwise than their description says.
_SEQUENCES = {'[C': RIGHT, 'OC': RIGHT, '[D': LEFT, 'OD': LEFT}
_COLOURS = {
    Style.GOOD: curses.COLOR_GREEN,
    Style.WARNING: curses.COLOR_YELLOW,
    Style.ERROR: curses.COLOR_RED,
}
_ATTRIBUTES = {Style.BOLD: curses.A_BOLD, Style.GOOD: curses.A_BOLD, Style.DIM: curses.A_DIM}
# For terminals without these characters.
_PLAINER = str.maketrans('→←…', '><~')
_MAX_KEPT_BYTES = 4096
_STDERR = 2


class Terminal:
    """
    The terminal of this process. Used in a ``with`` statement by the main thread.

    Text that the middleware or others write to standard error would spoil the screen. It is kept,
    and its end is written when the terminal has been given back.

    :raise ConfigError: if there is no terminal, or none that is known here
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
            why = 'no terminal of this name is known here that can draw a screen'
            raise ConfigError('TERM', name, f'{why}; try TERM=xterm or TERM=linux')
        self._attributes: dict[Style, int] = {}
        self._kept: BinaryIO | None = None

    def __enter__(self) -> Terminal:
        self._before = termios.tcgetattr(self._fd)
        # The size is the terminal's own, also after a change.
        for name in ('LINES', 'COLUMNS'):
            os.environ.pop(name, None)
        self._keep_errors()
        if locale.setlocale(locale.LC_CTYPE) in ('C', 'POSIX'):
            # As Python itself does: nothing is known of the terminal, and today it is this one.
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._give_back()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        rows, columns = self._window.getmaxyx()
        return columns, rows

    @property
    def is_gone(self) -> bool:
        """Whether the window or the connection has been closed."""
        try:
            termios.tcgetattr(self._fd)
        except termios.error:
            return True
        return False

    def read_key(self, timeout_s: float) -> str | None:
        """
        Wait for a key.

        :param timeout_s: longest time to wait
        :return: a character or a name of ``keyboard_keys``; None: no key that is known
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
        """Forget keys that have been typed and not been read, such as the rest of a paste."""
        curses.flushinp()

    def draw(self, lines: Sequence[Line]) -> None:
        """
        Show lines in place of those before.

        :param lines: none wider than the screen
        """
        self._window.erase()
        for row, line in enumerate(lines):
            column = 0
            for text, style in line:
                shown = text if self._is_unicode else self._plain(text)
                # The last cell cannot be written without an error, nor what a shrunken screen
                # has no room for until the next drawing.
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
        """Tell the escape key from a sequence of bytes that begins with the same one."""
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
        # Anything else is a key together with Alt, or a function key.
        return _SEQUENCES.get(sequence)

    def _keep_errors(self) -> None:
        if os.isatty(_STDERR):
            sys.stderr.flush()
            self._kept = tempfile.TemporaryFile()  # noqa: SIM115
            self._stderr = os.dup(_STDERR)
            os.dup2(self._kept.fileno(), _STDERR)

    def _give_back(self) -> None:
        """Restore everything; a terminal that is gone by now needs nothing."""
        with contextlib.suppress(curses.error):
            curses.endwin()
        with contextlib.suppress(termios.error):
            # Keys that were typed ahead are not meant for the shell.
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
    """Return how each style looks here; colours are a help, and nothing depends on them."""
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
