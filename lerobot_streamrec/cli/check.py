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
"""The command `streamrec check`, which shows what is wrong with a dataset and can repair it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import sys

import click
from lerobot_streamrec.cli.progress import (
    AnyPlace,
    check_bar,
    progress_bar,
    reading_places,
    show_json,
    show_remarks,
    shown_option,
    workers_options,
)
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.check.findings import CheckReport, Finding, some
from lerobot_streamrec.dataset.repair.repair import (
    Examination,
    examine,
    finish_interrupted,
    MIN_SECONDS,
    Repair,
    repair_dataset,
)
from lerobot_streamrec.errors import ConfigError, count_text, DatasetLockedError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.remote_files import is_place, shown
from lerobot_streamrec.workers import Workers
from rich.console import Console
from rich.table import Table
from rich.text import Text

SHOWN_ALIKE = 3
"""Number of findings shown of each kind and feature."""

_STYLES = {'error': 'bold red', 'warning': 'yellow'}


def render(report: CheckReport, console: Console) -> None:
    """
    Print a report.

    :param console: output; it shows colours only if it is a terminal
    """
    if report.findings:
        console.print(_table(report.findings))
    style = 'bold green' if report.is_whole else 'bold red'
    console.print(Text(verdict(report), style), soft_wrap=True)


def verdict(report: CheckReport) -> str:
    """Return a report's summary in one sentence."""
    num_episodes = count_text(len(report.episodes), 'episode')
    cameras = count_text(len(report.video_keys), 'camera')
    size = f'{num_episodes}, {count_text(report.num_rows, "row")}, {cameras}'
    how = '' if report.decoded else ' (pictures were not decoded)'
    warnings = count_text(len(report.warnings), 'warning')
    if report.is_whole:
        return f'whole: {size}{f", {warnings}" if report.warnings else ""}{how}'
    errors = count_text(len(report.errors), 'error')
    sound = f'{len(report.sound_episodes())} of {num_episodes} sound'
    return shown(f'{errors}, {warnings} in {report.root}: {sound}{how}')


def _table(findings: tuple[Finding, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column('', no_wrap=True)
    table.add_column('where', overflow='fold')
    table.add_column('what', overflow='fold', ratio=1)
    for group in _alike(findings):
        for number, finding in enumerate(group[:SHOWN_ALIKE]):
            # The advice is the same for the whole group, so only its first finding shows it.
            what = finding.fact if number else finding.message
            severity = finding.kind.severity.value
            # The content of files must not be read as rich's markup.
            table.add_row(
                Text(severity, _STYLES[severity]),
                Text(_where(finding)),
                Text(f'{what} [{finding.kind.code}]'),
            )
        if len(group) > SHOWN_ALIKE:
            table.add_row('', '', Text(f'and {len(group) - SHOWN_ALIKE} more like this', 'dim'))
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


def plan_lines(examined: Examination) -> Iterator[str]:
    """Yield the lines that describe a repair, or none if there is nothing to repair."""
    plan = examined.plan
    if plan is None:
        return
    num_rows = sum(one.source.length for one in plan.kept)
    yield f'A repair keeps {count_text(len(plan.kept), "episode")}, {count_text(num_rows, "row")}:'
    for one in plan.cut:
        text = f'{one.num_kept} of {count_text(one.num_rows, "row")}'
        yield f'  episode {one.source.episode_index} is cut to {text}: {"; ".join(one.reasons)}'
    for one in plan.set_aside:
        yield f'  episode {one.source.episode_index} is set aside: {"; ".join(one.reasons)}'
    moved = [
        f'{one.source.episode_index} -> {one.episode_index}'
        for one in plan.kept
        if one.episode_index != one.source.episode_index
    ]
    if moved:
        yield f'  episodes are renumbered: {some(moved)}'
    if plan.mended:
        codes = ', '.join(sorted(plan.mended))
        yield f'  rebuilt from rows and images: {codes}'
    if plan.unneeded:
        files = count_text(len(plan.unneeded), 'file')
        yield f'  {files} that no episode needs, set aside: {some(sorted(plan.unneeded))}'
    yield '  Everything else is moved to .streamrec/quarantine; nothing is deleted.'


EXIT_SOUND = 0
EXIT_ERRORS = 1


def repair(root: Path, *, dry_run: bool, yes: bool, as_json: bool, min_seconds: float) -> int:
    """
    Repair a dataset.

    :param dry_run: True to only show what would be done
    :param yes: True to repair without asking
    :param as_json: True to print JSON
    :param min_seconds: minimum length of an episode that was cut, in seconds; shorter ones are set
        aside
    :return: exit status: 0 if the dataset is whole now, 1 if not
    :raise click.UsageError: if the root holds no dataset, or if nobody can answer the question
    """
    if not (dry_run or yes or (sys.stdin.isatty() and not as_json)):
        raise click.UsageError(
            'a repair asks before it changes anything, and there is no terminal to ask on: add '
            '--yes to repair without asking, or --dry-run to see what it would do'
        )
    try:
        if not dry_run and root.is_dir():
            finish_interrupted(root)
        with check_bar() as watch:
            examined = examine(root, min_seconds=min_seconds, watch=watch)
    except DatasetLockedError:
        raise
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    if not as_json:
        render(examined.report, Console())
        for line in plan_lines(examined):
            click.echo(line)
    if dry_run or examined.plan is None:
        return _end(examined, Repair(examined.report), as_json=as_json)
    if not yes:
        click.confirm(f'Repair {root}?', abort=True, err=True)
    with check_bar() as watch, progress_bar('writing') as progress:
        done = repair_dataset(root, examined=examined, watch=watch, progress=progress)
    show_remarks(done.remarks)
    return _end(examined, done, as_json=as_json)


def _end(examined: Examination, done: Repair, *, as_json: bool) -> int:
    if as_json:
        plan = examined.plan.as_json() if examined.plan else None
        show_json({**done.report.as_json(), 'repair': {'plan': plan, **done.as_json()}})
    elif done.plan is not None:
        click.echo(
            f'repaired {done.report.root} in {done.seconds:.1f} s: '
            f'{count_text(len(done.report.episodes), "episode")} with '
            f'{count_text(done.report.num_rows, "row")}; '
            f'the old versions of {count_text(done.num_files, "file")} are in {done.quarantine}'
        )
    return EXIT_SOUND if done.report.is_whole else EXIT_ERRORS


@click.command()
@click.argument('root', type=AnyPlace)
@click.option('--json', 'as_json', is_flag=True, help='Print the whole report as JSON.')
@click.option('--fast', is_flag=True, help='Do not decode images; count packets of videos.')
@click.option(
    '--repair', 'is_repair', is_flag=True, help='Keep verified episodes and set the rest aside.'
)
@click.option('--dry-run', is_flag=True, help='With --repair: only show what would be done.')
@click.option('--yes', is_flag=True, help='With --repair: do not ask for confirmation.')
@shown_option(
    '--min-seconds',
    type=click.FloatRange(min=0),
    default=MIN_SECONDS,
    help='With --repair: set aside cut episodes that are shorter than this.',
)
@reading_places('meta/')
@workers_options('processes', 'ray')
def check(
    root: Path,
    as_json: bool,
    fast: bool,
    is_repair: bool,
    dry_run: bool,
    yes: bool,
    min_seconds: float,
    workers: Workers,
) -> int:
    """
    Check the LeRobot v3.0 dataset in ROOT, a folder or a URL, whichever program wrote it.

    Nothing in ROOT is changed without --repair. Exit status: 0 if readers can use the dataset, 1
    if not, 2 if ROOT holds no dataset.
    """
    if is_repair:
        if is_place(root):
            again = streamrec_command('sync', 'FOLDER', 'URL')
            raise click.UsageError(
                f'--repair changes files, and {root} cannot be changed from here: copy it to a '
                f'folder, repair that, and copy it to an empty place: {again}'
            )
        if fast:
            raise click.UsageError('--repair has to decode the images: leave out --fast')
        return repair(root, dry_run=dry_run, yes=yes, as_json=as_json, min_seconds=min_seconds)
    if dry_run or yes:
        raise click.UsageError('--dry-run and --yes only apply together with --repair')
    try:
        with check_bar() as watch:
            report = check_dataset(root, decode=not fast, progress=watch, workers=workers)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        show_json(report.as_json())
    else:
        render(report, Console())
    return EXIT_SOUND if report.is_whole else EXIT_ERRORS
