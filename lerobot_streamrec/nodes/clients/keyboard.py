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
"""The main loop of `keyboard`, which joins the terminal, the keys and the link to a recorder."""

from __future__ import annotations

from collections.abc import Sequence
import contextlib
import time

from lerobot_streamrec.nodes.clients.keyboard_keys import Keyboard, left_behind
from lerobot_streamrec.nodes.clients.keyboard_screen import screen, View
from lerobot_streamrec.nodes.clients.recorder_link import RecorderLink
from lerobot_streamrec.nodes.clients.terminal import Terminal
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals

# The longest delay before an answer is shown. Keys are handled at once.
_SLICE_S = 0.05


def run(arguments: Sequence[str], stop: StopSignals) -> int:
    """
    Show the screen and handle keys until the operator or a signal ends the program.

    :param arguments: command line without the program's name
    :param stop: requests to end the program
    :return: exit status
    :raise ConfigError: if there is no usable terminal, or ROS or the node rejects the arguments
    """
    terminal = Terminal()
    with contextlib.closing(RecorderLink('keyboard', arguments)) as link:
        keyboard = Keyboard(link.name)
        with terminal:
            _drive(terminal, link, keyboard, stop)
    goes_on = left_behind(link.status, link.recorder, time.monotonic())
    # Printing fails if the terminal was closed.
    with contextlib.suppress(OSError):
        for text in filter(None, (keyboard.parting, goes_on)):
            print(text, flush=True)
    return 0


def _drive(terminal: Terminal, link: RecorderLink, keyboard: Keyboard, stop: StopSignals) -> None:
    began_s = time.monotonic()
    while not keyboard.has_left and not stop.wait(0) and not terminal.is_gone:
        view = View(link.recorder, began_s, link.status, link.is_heard, keyboard)
        terminal.draw(screen(view, terminal.size, time.monotonic()))
        was_typing = keyboard.note is not None
        commands = []
        if key := terminal.read_key(_SLICE_S):
            commands += keyboard.press(key, link.status, time.monotonic())
        if was_typing and keyboard.note is None:
            # After a pasted note, the remaining lines of the paste must not act as commands.
            terminal.drop_typed_ahead()
        for event in link.take_events():
            commands += keyboard.hear(event, time.monotonic())
        for command in commands:
            link.send(command)
    keyboard.leave()
