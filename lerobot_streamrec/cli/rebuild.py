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
"""`streamrec compact`, `delete` and `merge`, which make a dataset from episodes of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from lerobot_streamrec.cli.progress import (
    AnyPlace,
    change_text,
    DatasetPath,
    DatasetPlace,
    dry_run_option,
    episode_numbers,
    measure_text,
    new_place,
    progress_bar,
    reading_places,
    show_plan,
    show_remarks,
    Url,
    workers_options,
)
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.episode_table import VERDICTS
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset, plan_compaction
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes, plan_deletion
from lerobot_streamrec.dataset.rebuild.foreign_files import numbered_meta_files
from lerobot_streamrec.dataset.rebuild.label import label_episodes
from lerobot_streamrec.dataset.rebuild.merge import (
    check_roots,
    merge_datasets,
    plan_merge,
    READ_WHOLE,
)
from lerobot_streamrec.errors import ConfigError, count_text
from lerobot_streamrec.workers import Workers

F = TypeVar('F', bound=Callable[..., Any])


def _episodes_option(verb: str) -> Callable[[F], F]:
    """Return the decorator of the option that names the episodes of a command."""
    return click.option(
        '--episodes',
        required=True,
        callback=episode_numbers,
        help=f'Episodes to {verb}, such as 3,7,10-14.',
    )


@click.command(short_help='Merge several datasets into a new one.')
@click.argument('out', type=AnyPlace)
@click.argument('roots', type=DatasetPlace, nargs=-1, required=True)
@dry_run_option
@reading_places(*READ_WHOLE)
@workers_options('processes', 'ray')
def merge(out: Path | Url, roots: tuple[Path, ...], dry_run: bool, workers: Workers) -> None:
    """
    Merge all episodes of the datasets ROOTS, in this order, into the new dataset OUT.

    Each of them is a folder or a URL: s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.

    The datasets must have the same fps, robot_type and features; differences are shown. They stay
    as they are, and OUT shares identical files with them where the file system allows it. Other
    files, such as README.md, are copied; if names collide, they go to OUT/merged_from.
    """
    with new_place(out) as folder:
        if dry_run:
            check_roots(folder, roots)
            plan = plan_merge([read_catalog(root) for root in roots], workers=workers)
            show_remarks(plan.remarks)
            click.echo(f'would merge {count_text(len(plan.files.kept), "episode")} into {out}:')
            show_plan(plan.files)
            return
        with progress_bar('merging') as progress:
            change = merge_datasets(folder, roots, progress=progress, workers=workers)
    show_remarks(change.remarks)
    click.echo(
        f'merged {count_text(len(roots), "dataset")} into {out}: '
        f'{count_text(change.num_episodes, "episode")}, {change_text(change)}'
    )


@click.command()
@click.argument('root', type=DatasetPath)
@dry_run_option
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
    show_remarks(change.remarks)
    if change.before.num_files == change.after.num_files:
        click.echo(f'{root} is already compact: {measure_text(change.after)}')
        return
    click.echo(f'compacted {root}: {change_text(change)}')


def _show(root: Path) -> None:
    plan = plan_compaction(read_catalog(root))
    if plan is not None:
        show_remarks(plan.remarks)
    if plan is None or not plan.joins:
        click.echo(f'{root} is already compact')
        return
    click.echo(f'would compact {root}:')
    show_plan(plan)


@click.command(short_help='Delete episodes, and renumber those after them.')
@click.argument('root', type=DatasetPath)
@_episodes_option('delete')
@click.option('--yes', is_flag=True, help='Do not ask for confirmation.')
@dry_run_option
def delete(root: Path, episodes: frozenset[int], yes: bool, dry_run: bool) -> None:
    """
    Delete episodes of the dataset ROOT for good, and renumber those after them.

    Videos are not encoded again. The dataset stays whole if the command is interrupted.
    """
    catalog = read_catalog(root)
    plan = plan_deletion(catalog, episodes)
    num_rows = sum(one.source.length for one in plan.kept)
    what = f'{count_text(len(episodes), "episode")} of {root}'
    left = f'{count_text(len(plan.kept), "episode")} with {count_text(num_rows, "row")}'
    if dry_run:
        click.echo(f'would delete {what}, leaving {left}:')
        show_plan(plan)
        show_remarks(numbered_meta_files(catalog))
        return
    if not yes:
        click.confirm(f'Delete {what} for good, leaving {left}?', abort=True, err=True)
    with progress_bar('deleting') as progress:
        change = delete_episodes(root, episodes, seen=catalog, progress=progress)
    show_remarks(change.remarks)
    left = count_text(change.num_episodes, 'episode')
    click.echo(f'deleted {what}: {left} left, {change_text(change)}')


@click.command(short_help='Set the verdict or other texts of saved episodes.')
@click.argument('root', type=DatasetPath)
@_episodes_option('label')
@click.option('--verdict', help=f'{" or ".join(VERDICTS)}; an empty text withdraws it.')
@click.option('--notes', help='Free text.')
@click.option('--operator', help='Name of the person who taught.')
@click.option(
    '--set', 'others', multiple=True, metavar='NAME=TEXT', help='Any other column of texts.'
)
def label(root: Path, episodes: frozenset[int], others: tuple[str, ...], **given: str) -> None:
    """
    Set texts about episodes of the dataset ROOT, in the columns of meta/episodes.

    LeRobot's episode_filter gets these columns. Rows and videos stay as they are. If the command
    is interrupted, every episode has its old texts or the new ones, and the same command goes on.
    While a recorder writes to the dataset, use its command topic: "verdict failure 3".
    """
    texts = {name: text for name, text in given.items() if text is not None}
    for one in others:
        name, is_pair, text = one.partition('=')
        if not is_pair:
            raise ConfigError('--set', one, 'NAME=TEXT is needed')
        texts[name] = text
    if not texts:
        raise ConfigError('label', '', 'give --verdict, --notes, --operator or --set')
    label_episodes(root, sorted(episodes), texts)
    said = ', '.join(f'{name} {text!r}' for name, text in texts.items())
    click.echo(f'labelled {count_text(len(episodes), "episode")} of {root}: {said}')
