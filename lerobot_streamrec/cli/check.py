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

import json
from pathlib import Path

import click
from lerobot_streamrec.cli.check_report import check_bar, render
from lerobot_streamrec.cli.repair import EXIT_ERRORS, EXIT_SOUND, repair, RepairOptions
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.repair.repair import MIN_SECONDS
from lerobot_streamrec.errors import ConfigError
from rich.console import Console


@click.command()
@click.argument('root', type=click.Path(path_type=Path))
@click.option('--json', 'as_json', is_flag=True, help='Print the whole report as JSON.')
@click.option('--fast', is_flag=True, help='Do not decode pictures; count packets of videos.')
@click.option(
    '--repair', 'is_repair', is_flag=True, help='Keep what is verified, set the rest aside.'
)
@click.option('--dry-run', is_flag=True, help='With --repair: say what would be done.')
@click.option('--yes', is_flag=True, help='With --repair: do not ask.')
@click.option(
    '--min-seconds',
    type=click.FloatRange(min=0),
    default=MIN_SECONDS,
    show_default=True,
    help='With --repair: an episode that is shorter after being cut is set aside.',
)
def check(
    root: Path,
    as_json: bool,
    fast: bool,
    is_repair: bool,
    dry_run: bool,
    yes: bool,
    min_seconds: float,
) -> int:
    """
    Check the LeRobot v3.0 dataset in ROOT, whoever wrote it.

    Nothing in ROOT is changed without --repair. Exit status: 0 if readers get along with the
    dataset, 1 if not, 2 if there is none.
    """
    if is_repair:
        if fast:
            raise click.UsageError('--fast does not look at pictures, which --repair has to')
        return repair(root, RepairOptions(dry_run, yes, as_json, min_seconds))
    if dry_run or yes:
        raise click.UsageError('--dry-run and --yes go with --repair')
    try:
        with check_bar(Console(stderr=True)) as watch:
            report = check_dataset(root, decode=not fast, progress=watch)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        render(report, Console())
    return EXIT_SOUND if report.is_whole else EXIT_ERRORS
