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
"""The command `streamrec merge`, which merges several datasets into a new one."""

from __future__ import annotations

from pathlib import Path

import click
from lerobot_streamrec.cli.progress import (
    count_text,
    DatasetPath,
    measure_text,
    progress_bar,
    show_plan,
    show_remarks,
)
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.rebuild.merge import check_roots, merge_datasets, plan_merge


@click.command(short_help='Merge several datasets into a new one.')
@click.argument('out', type=click.Path(path_type=Path))
@click.argument('roots', type=DatasetPath, nargs=-1, required=True)
@click.option('--dry-run', is_flag=True, help='Show what would be done, and change nothing.')
def merge(out: Path, roots: tuple[Path, ...], dry_run: bool) -> None:
    """
    Merge all episodes of the datasets ROOTS, in this order, into the new dataset OUT.

    The datasets must have the same fps, robot_type and features; differences are shown. They stay
    as they are, and OUT shares identical files with them where the file system allows it. Other
    files, such as README.md, are copied; if names collide, they go to OUT/merged_from.
    """
    if dry_run:
        check_roots(out, roots)
        plan = plan_merge([read_catalog(root) for root in roots])
        show_remarks(plan)
        click.echo(f'would merge {count_text(len(plan.files.kept), "episode")} into {out}:')
        show_plan(plan.files)
        return
    with progress_bar('merging') as progress:
        change = merge_datasets(out, roots, progress=progress)
    show_remarks(change)
    click.echo(
        f'merged {count_text(len(roots), "dataset")} into {out}: '
        f'{count_text(change.num_episodes, "episode")}, {measure_text(change.before)} became '
        f'{measure_text(change.after)} in {change.seconds:.1f} s'
    )
