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
"""Progress bars, texts and argument types that the commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from lerobot_streamrec.dataset.rebuild.assemble import Progress
from lerobot_streamrec.dataset.rebuild.merge import MergePlan
from lerobot_streamrec.dataset.rebuild.plan import Change, Measure, Plan
from rich import progress
from rich.console import Console

DatasetPath = click.Path(exists=True, file_okay=False, path_type=Path)
"""An existing folder on the command line."""


VideoPath = click.Path(exists=True, dir_okay=False, path_type=Path)
"""An existing file on the command line."""

NewPath = click.Path(path_type=Path)
"""A path that a command creates."""


@contextmanager
def progress_bar(text: str, *, is_bytes: bool = True) -> Iterator[Progress | None]:
    """
    Show a progress bar and yield the function that moves it; yield None without a terminal.

    :param text: name of the activity
    :param is_bytes: True if the progress counts bytes, False if it counts frames
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        progress.TextColumn(text),
        progress.BarColumn(),
        progress.DownloadColumn() if is_bytes else progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(text, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


Steps = Callable[[str], None]
"""A function that is called with a description when a step begins."""


@contextmanager
def steps_bar(num_steps: int) -> Iterator[Steps]:
    """Show the current step and the number of steps on a terminal, and nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        # Older releases of rich end even a disabled bar with an empty line.
        yield lambda _text: None
        return
    columns = (
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn('{task.description}'),
    )
    with progress.Progress(*columns, console=console, transient=True) as bars:
        task, begun = bars.add_task('', total=num_steps), iter(range(num_steps))
        yield lambda text: bars.update(task, description=text, completed=next(begun, num_steps))


def size_text(size_bytes: int) -> str:
    """Return a size in B, kB, MB or GB with three digits."""
    size = float(size_bytes)
    for unit in ('B', 'kB', 'MB'):
        if size < 1000:
            return f'{size:.3g} {unit}'
        size /= 1000
    return f'{size:.3g} GB'


def count_text(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 row`` or ``2 rows``."""
    return f'{number} {noun}{"" if number == 1 else "s"}'


def measure_text(measure: Measure) -> str:
    """Return the number of files of a dataset and their size."""
    return f'{count_text(measure.num_files, "file")} of {size_text(measure.size_bytes)}'


def show_remarks(change: Change | Plan | MergePlan) -> None:
    """Print on stderr what stayed as it was, with the reason."""
    for remark in change.remarks:
        click.echo(f'note: {remark}', err=True)


def show_plan(plan: Plan) -> None:
    """Print how many files of each kind a plan would leave."""
    for kind, groups in plan.kinds.items():
        before = len({piece.path for group in groups for piece in group})
        click.echo(f'  {kind}: {count_text(before, "file")} -> {len(groups)}')
