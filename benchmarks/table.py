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
"""The table of the benchmark, in Markdown that is also readable as plain text."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.recording_setup import Scenario

_COLUMNS = {
    'recorder_cpu': ('recorder CPU s/s', '.3f'),
    'bare_cpu': ('bare encoder CPU s/s', '.3f'),
    'ratio': ('ratio', '.2f'),
    'bare_fps': ('bare encoder fps', '.0f'),
    'save_ms': ('save ms', '.0f'),
    'peak_queued': ('peak queue', 'd'),
    'peak_rss_mib': ('peak RSS MB', '.0f'),
    'repeated': ('repeated frames', 'd'),
    'rows': ('rows', 'd'),
}
_FIRST = ('cameras', '     size')


def _line(cells: list[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _headings() -> str:
    names = [*_FIRST, *(name for name, _ in _COLUMNS.values())]
    rules = ['-' * (len(name) - 1) + ':' for name in names]
    return f'{_line(names)}\n{_line(rules)}'


HEADINGS = _headings()
"""The two lines above the table."""


def format_row(scenario: Scenario, summary: Mapping[str, float]) -> str:
    """Return one line of the table."""
    size = f'{scenario.width}x{scenario.height}'
    cells = [str(scenario.num_cameras).rjust(len(_FIRST[0])), size.rjust(len(_FIRST[1]))]
    for key, (name, form) in _COLUMNS.items():
        cells.append(format(summary[key], form).rjust(len(name)))
    return _line(cells)
