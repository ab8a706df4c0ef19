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
"""`streamrec check --repair`: the plan, and what was done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import json
from pathlib import Path
import sys

import click
from lerobot_streamrec.cli.check_report import check_bar, render
from lerobot_streamrec.cli.progress import count_text, progress_bar
from lerobot_streamrec.dataset.check.findings import some
from lerobot_streamrec.dataset.repair.repair import (
    Examination,
    examine,
    finish_interrupted,
    Repair,
    repair_dataset,
)
from lerobot_streamrec.dataset.repair.verdicts import Verdict
from lerobot_streamrec.errors import ConfigError, DatasetLockedError
from rich.console import Console


def plan_lines(examined: Examination) -> Iterator[str]:
    """Yield the lines; none if there is nothing to mend."""
    plan = examined.plan
    if plan is None:
        return
    num_rows = sum(one.source.length for one in plan.kept)
    yield f'A repair keeps {count_text(len(plan.kept), "episode")}, {count_text(num_rows, "row")}:'
    for one in plan.cut:
        text = f'{one.num_kept} of {count_text(one.num_rows, "row")}'
        yield f'  episode {one.source.episode_index} is cut to {text}: {_why(one)}'
    for one in plan.set_aside:
        yield f'  episode {one.source.episode_index} is set aside: {_why(one)}'
    moved = [
        f'{one.source.episode_index} -> {one.episode_index}'
        for one in plan.kept
        if one.episode_index != one.source.episode_index
    ]
    if moved:
        yield f'  episodes get other numbers: {some(moved)}'
    if plan.mended:
        codes = ', '.join(sorted(plan.mended))
        yield f'  written anew from rows and pictures: {codes}'
    if plan.unneeded:
        files = count_text(len(plan.unneeded), 'file')
        yield f'  {files} that no episode needs, set aside: {some(sorted(plan.unneeded))}'
    yield '  What is not kept is moved to .streamrec/quarantine; nothing is deleted.'


def _why(verdict: Verdict) -> str:
    return '; '.join(verdict.reasons)


EXIT_SOUND = 0
EXIT_ERRORS = 1


@dataclass(frozen=True, slots=True)
class RepairOptions:
    """
    What the command line says of a repair.

    :param dry_run: whether to show alone what would be done
    :param yes: whether not to ask
    :param as_json: whether to print JSON
    :param min_seconds: what is shorter after being cut is not kept
    """

    dry_run: bool
    yes: bool
    as_json: bool
    min_seconds: float


def repair(root: Path, options: RepairOptions) -> int:
    """
    Repair a dataset.

    :return: exit status: 0 if it is whole now
    """
    if not (options.dry_run or options.yes or _can_ask(options)):
        raise click.UsageError(
            'a repair asks before it changes anything, and nobody can answer here: add --yes to '
            'repair without asking, or --dry-run to see what it would do'
        )
    try:
        if not options.dry_run and root.is_dir():
            finish_interrupted(root)
        with check_bar(Console(stderr=True)) as watch:
            examined = examine(root, min_seconds=options.min_seconds, watch=watch)
    except DatasetLockedError:
        raise
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    if not options.as_json:
        render(examined.report, Console())
        for line in plan_lines(examined):
            click.echo(line)
    if options.dry_run or examined.plan is None:
        return _end(examined, Repair(examined.report), options)
    if not options.yes:
        click.confirm(f'Repair {root}?', abort=True, err=True)
    with check_bar(Console(stderr=True)) as watch, progress_bar('writing') as progress:
        done = repair_dataset(root, examined=examined, watch=watch, progress=progress)
    for remark in done.remarks:
        click.echo(f'note: {remark}', err=True)
    return _end(examined, done, options)


def _can_ask(options: RepairOptions) -> bool:
    return sys.stdin.isatty() and not options.as_json


def _end(examined: Examination, done: Repair, options: RepairOptions) -> int:
    if options.as_json:
        plan = examined.plan.as_json() if examined.plan else None
        content = {**done.report.as_json(), 'repair': {'plan': plan, **done.as_json()}}
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    elif done.plan is not None:
        click.echo(
            f'repaired {done.report.root} in {done.seconds:.1f} s: '
            f'{count_text(len(done.report.episodes), "episode")} with '
            f'{count_text(done.report.num_rows, "row")}; '
            f'{count_text(done.num_files, "file")} of before lie in {done.quarantine}'
        )
    return EXIT_SOUND if done.report.is_whole else EXIT_ERRORS
