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
"""What `streamrec check` shows, while it looks and at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lerobot_streamrec.dataset.check.check import Watcher
from lerobot_streamrec.dataset.check.findings import CheckReport, Finding, Progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

SHOWN_ALIKE = 3
"""Of findings of one kind about one feature, so many are shown."""

_STYLES = {'error': 'bold red', 'warning': 'yellow'}


def render(report: CheckReport, console: Console) -> None:
    """
    Print a report.

    :param console: where to; colours only if it is a terminal
    """
    if report.findings:
        console.print(_table(report.findings))
    style = 'bold green' if report.is_whole else 'bold red'
    console.print(Text(verdict(report), style), soft_wrap=True)


def verdict(report: CheckReport) -> str:
    """Sum up a report in a sentence."""
    size = ', '.join(
        [
            counted(len(report.episodes), 'episode'),
            counted(report.num_rows, 'row'),
            counted(len(report.video_keys), 'camera'),
        ]
    )
    how = '' if report.decoded else ' (pictures were not decoded)'
    warnings = counted(len(report.warnings), 'warning')
    if report.is_whole:
        return f'whole: {size}{f", {warnings}" if report.warnings else ""}{how}'
    errors = counted(len(report.errors), 'error')
    sound = f'{len(report.sound_episodes())} of {counted(len(report.episodes), "episode")} sound'
    return f'{errors}, {warnings} in {report.root}: {sound}{how}'


def counted(number: int, noun: str) -> str:
    """Return such as ``1 row`` or ``2 rows``."""
    return f'{number} {noun}{"" if number == 1 else "s"}'


def _table(findings: tuple[Finding, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column('', no_wrap=True)
    table.add_column('where', overflow='fold')
    table.add_column('what', overflow='fold', ratio=1)
    for group in _alike(findings):
        for number, finding in enumerate(group[:SHOWN_ALIKE]):
            # What to do about them is the same for all.
            what = finding.fact if number else finding.message
            severity = finding.kind.severity.value
            # What a file holds is shown as it is: none of it is markup.
            table.add_row(
                Text(severity, _STYLES[severity]),
                Text(_where(finding)),
                Text(f'{what} [{finding.kind.code}]'),
            )
        if len(group) > SHOWN_ALIKE:
            table.add_row('', '', Text(f'and {len(group) - SHOWN_ALIKE} more like it', 'dim'))
    return table


def _alike(findings: tuple[Finding, ...]) -> list[list[Finding]]:
    groups: dict[tuple[str, str | None], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.kind.code, finding.feature), []).append(finding)
    return list(groups.values())


def _where(finding: Finding) -> str:
    if finding.episode_index is None:
        return finding.path
    return f'{finding.path}, episode {finding.episode_index}'


@contextmanager
def check_bar(console: Console) -> Iterator[Watcher]:
    """Show progress on a terminal, and nothing elsewhere."""
    if not console.is_terminal:
        # A bar that is disabled still ends with an empty line in older releases of rich.
        yield lambda _progress: None
        return
    bar = Bar(
        TextColumn('{task.description:10}'),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
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
