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
"""The command `streamrec compact`, which merges small files into few large ones."""

from __future__ import annotations

from pathlib import Path

import click
from lerobot_streamrec.cli.progress import (
    DatasetPath,
    measure_text,
    progress_bar,
    show_plan,
    show_remarks,
)
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset, plan_compaction


@click.command()
@click.argument('root', type=DatasetPath)
@click.option('--dry-run', is_flag=True, help='Show what would be done, and change nothing.')
def compact(root: Path, dry_run: bool) -> None:
    """
    Merge the small files of the dataset ROOT up to LeRobot's sizes.

    Rows, timestamps, statistics and images stay as they are: videos are not encoded again. The
    dataset stays whole if the command is interrupted. Files that are already large are not
    written again.
    """
    if dry_run:
        _show(root)
        return
    with progress_bar('compacting') as progress:
        change = compact_dataset(root, progress=progress)
    show_remarks(change)
    if change.before.num_files == change.after.num_files:
        click.echo(f'{root} is already compact: {measure_text(change.after)}')
        return
    click.echo(
        f'compacted {root}: {measure_text(change.before)} became {measure_text(change.after)} '
        f'in {change.seconds:.1f} s'
    )


def _show(root: Path) -> None:
    plan = plan_compaction(read_catalog(root))
    if plan is not None:
        show_remarks(plan)
    if plan is None or not plan.joins:
        click.echo(f'{root} is already compact')
        return
    click.echo(f'would compact {root}:')
    show_plan(plan)
