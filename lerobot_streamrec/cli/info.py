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
"""The command `streamrec info`, which prints the figures of a dataset."""

from __future__ import annotations

from pathlib import Path

import click
from lerobot_streamrec.cli.progress import DatasetPlace, reading_places, show_json
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.errors import count_text
from lerobot_streamrec.remote_files import shown
from lerobot_streamrec.report.summary import seconds_text, size_text, summarize, Summary
from rich.console import Console
from rich.table import Table
from rich.text import Text

SHOWN_TASKS = 10
"""Number of tasks that are shown; --json shows all."""


@click.command(short_help='Print the size, cameras, features and tasks of a dataset.')
@click.argument('root', type=DatasetPlace)
@click.option('--json', 'as_json', is_flag=True, help='Print the figures as JSON.')
@reading_places('meta/')
def info(root: Path, as_json: bool) -> None:
    """
    Print the figures of the dataset ROOT, a folder or a URL, whoever wrote it.

    Only metadata are read: `streamrec report` also looks at pictures and series.
    """
    summary = summarize(read_catalog(root))
    if as_json:
        show_json(summary.as_json())
    else:
        Console().print(_table(summary))


def _table(summary: Summary) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style='bold', no_wrap=True)
    table.add_column(overflow='fold')
    for name, value in _lines(summary):
        # The content of files must not be read as rich's markup.
        table.add_row(Text(name), Text(value))
    return table


def _lines(summary: Summary) -> list[tuple[str, str]]:
    seconds = summary.num_rows / summary.fps
    mean = f', {seconds_text(seconds / summary.num_episodes)} each' if summary.num_episodes else ''
    lines = [
        ('dataset', shown(str(summary.root))),
        ('episodes', f'{summary.num_episodes:,}'),
        ('recorded', f'{seconds_text(seconds)}{mean}'),
        ('rows', f'{summary.num_rows:,} at {summary.fps} per second'),
        ('robot', summary.robot_type or 'not stated'),
        ('size', size_text(summary.size_bytes)),
    ]
    for camera in summary.cameras:
        depth = ', depth' if camera.is_depth else ''
        size = f'{camera.width} x {camera.height}, {camera.codec or "unknown codec"}{depth}'
        lines.append((camera.key, f'{size}, {size_text(camera.size_bytes)}'))
    for vector in summary.vectors:
        names = ', '.join(vector.names)
        lines.append((vector.key, f'{len(vector.names)} x {vector.dtype}: {names}'))
    if about := dict.fromkeys(one.about for one in summary.robot_files):
        num_files = count_text(len(summary.robot_files), 'file')
        lines.append(('meta/robot', f'{num_files}: {", ".join(about)}'))
    tasks = list(summary.tasks.items())
    for number, (task, count) in enumerate(tasks[:SHOWN_TASKS]):
        lines.append(('' if number else 'tasks', f'{count:,} x {task}'))
    if len(tasks) > SHOWN_TASKS:
        lines.append(('', f'and {len(tasks) - SHOWN_TASKS:,} more tasks'))
    return lines
