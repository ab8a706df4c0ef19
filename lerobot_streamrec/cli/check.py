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
"""`streamrec check`: says everything that is wrong with a dataset, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import json
from pathlib import Path

import click
from lerobot_streamrec.cli.check_report import render
from lerobot_streamrec.dataset.check.check import check_dataset, Watcher
from lerobot_streamrec.dataset.check.report import Progress
from lerobot_streamrec.errors import ConfigError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

EXIT_SOUND = 0
EXIT_ERRORS = 1


@click.command()
@click.argument('root', type=click.Path(path_type=Path))
@click.option('--json', 'as_json', is_flag=True, help='Print the whole report as JSON.')
@click.option('--fast', is_flag=True, help='Do not decode pictures; count packets of videos.')
def check(root: Path, as_json: bool, fast: bool) -> int:
    """
    Check the LeRobot v3.0 dataset in ROOT, whoever wrote it.

    Nothing in ROOT is changed. Exit status: 0 if readers get along with the dataset, 1 if not, 2
    if there is none.
    """
    try:
        with _progress_bar(Console(stderr=True)) as watch:
            report = check_dataset(root, decode=not fast, progress=watch)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        render(report, Console())
    return EXIT_SOUND if report.is_whole else EXIT_ERRORS


@contextmanager
def _progress_bar(console: Console) -> Iterator[Watcher]:
    """Show progress on a terminal, and nothing elsewhere."""
    bar = Bar(
        TextColumn('{task.description:10}'),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task('', total=None)

        def watch(progress: Progress) -> None:
            bar.update(
                task,
                description=progress.step,
                completed=progress.done,
                total=progress.total,
            )

        yield watch
