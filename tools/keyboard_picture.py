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
"""
Draw the keyboard's screen for docs/operating.md: `python tools/keyboard_picture.py`.

The function that draws the real screen makes the picture, from an invented session.
"""

from __future__ import annotations

import io
from pathlib import Path
import re

from lerobot_streamrec.nodes.clients.keyboard_keys import Keyboard
from lerobot_streamrec.nodes.clients.keyboard_screen import screen, Style, View
from lerobot_streamrec.nodes.clients.recorder_link import Event, Status
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

PICTURE = Path(__file__).resolve().parents[1] / 'docs' / 'images' / 'keyboard.svg'
SIZE = (80, 20)
NOW_S = 100.0
_STYLES = {
    Style.PLAIN: '',
    Style.BOLD: 'bold',
    Style.DIM: 'dim',
    Style.GOOD: 'bold green',
    Style.WARNING: 'yellow',
    Style.ERROR: 'red',
}
_VALUES = {
    'phase': 'recording',
    'phase_seconds_left': '17.6',
    'episode_index': '12',
    'seconds': '12.4',
    'rows': '372',
    'task': 'Fold the towel',
    'automatic': '12 of 50 automatic episodes',
    'saved_episodes': '12',
    'pending_episodes': '1',
    'disk_free_mib': '81920',
}
_EVENTS = (
    Event('10:24:02', 'pedal', 'save', True, 'saving episode 10 (731 rows, 24.4 s)', 10),
    Event('10:24:03', 'pedal', 'saved', True, 'episode 10: 731 rows, 24.4 s, 3 videos', 10),
    Event('10:24:10', 'keyboard', 'verdict', True, "verdict of episode 10: 'success'", 10),
    Event('10:24:12', 'voice', 'resume', False, 'no episode is being recorded: call start first'),
    Event('10:24:31', 'gamepad /joy button 2', 'start', True, 'recording episode 12', 12),
)


def session() -> View:
    """Return the session that the picture shows."""
    keyboard = Keyboard('keyboard')
    keyboard.events.extend(_EVENTS)
    message = 'the encoder of observation.images.wrist is behind: 41 frames queued'
    return View('/episode', 0.0, Status(_VALUES, 1, message, NOW_S), True, keyboard)


def draw() -> str:
    """Return the picture as SVG, without references to fonts on the web."""
    console = Console(record=True, width=SIZE[0], file=io.StringIO(), force_terminal=True)
    for line in screen(session(), SIZE, NOW_S):
        pieces = [(span.text, _STYLES[span.style]) for span in line]
        console.print(Text.assemble(*pieces, no_wrap=True, overflow='crop'))
    title = 'ros2 run lerobot_streamrec keyboard'
    svg = console.export_svg(title=title, theme=MONOKAI, unique_id='keyboard')
    svg = re.sub(r'@font-face \{.*?\}\s*|<!--.*?-->\s*', '', svg, flags=re.DOTALL)
    return re.sub(r'font-family: [^;]+;', 'font-family: monospace;', svg)


if __name__ == '__main__':
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(draw(), encoding='utf-8')
    print(PICTURE)
