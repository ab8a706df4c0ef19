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
"""Deletion of episodes from a dataset."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
import time

from lerobot_streamrec.dataset.about.card import refresh_card
from lerobot_streamrec.dataset.format.catalog import Catalog, read_catalog
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.rebuild.assemble import assemble_chosen, Progress
from lerobot_streamrec.dataset.rebuild.exchange import rebuilding
from lerobot_streamrec.dataset.rebuild.foreign_files import numbered_meta_files
from lerobot_streamrec.dataset.rebuild.new_tree import DISK, Disk
from lerobot_streamrec.dataset.rebuild.pieces import kept_episodes
from lerobot_streamrec.dataset.rebuild.plan import Change, changing, make_plan, measured, Plan
from lerobot_streamrec.errors import ConfigError, RebuildError


def plan_deletion(catalog: Catalog, indices: Collection[int]) -> Plan:
    """
    Plan the files of a dataset without some of its episodes; files are not joined.

    :param indices: indices of the episodes to delete
    :raise ConfigError: if there is no such episode, or if none would be left
    :raise DatasetCorruptError: if a file is missing or cannot be read
    """
    total = len(catalog.episodes)
    unknown = sorted(set(indices) - set(range(total)))
    if unknown or not indices:
        raise ConfigError(
            'episodes',
            ','.join(map(str, unknown)),
            f'{catalog.root} has the episodes 0 to {total - 1}; name those to delete'
            if total
            else f'{catalog.root} has no episode',
        )
    if len(set(indices)) == total:
        raise ConfigError(
            'episodes',
            ','.join(map(str, sorted(set(indices)))),
            f'these are all episodes of {catalog.root}; delete the folder instead',
        )
    chosen = (one for one in catalog.episodes if one.episode_index not in set(indices))
    return make_plan(kept_episodes((catalog, one) for one in chosen), pack=False)


def delete_episodes(
    root: Path,
    indices: Collection[int],
    *,
    seen: Catalog | None = None,
    progress: Progress | None = None,
    disk: Disk = DISK,
) -> Change:
    """
    Take the lock of a dataset and delete episodes for good; later episodes get lower numbers.

    A file stays as it is if no deleted episode is in it or before it. A video that cannot be cut
    without encoding it again is kept whole: it still contains the deleted episode's frames, which
    no reader shows.

    :param root: the dataset's folder
    :param indices: indices of the episodes to delete
    :param seen: the dataset as the user saw it when choosing the episodes; None: the user did not
        look at it
    :param progress: receives the number of bytes done and the total
    :param disk: file operations, which tests replace
    :raise ConfigError: if there is no such episode, or if none would be left
    :raise DatasetError: if they cannot be deleted; the dataset is unchanged then
    :raise VideoError: if a video cannot be read or written; the dataset is unchanged then
    """
    begin_s = time.monotonic()
    with changing(root, disk, without=indices) as locked:
        catalog = read_catalog(locked)
        plan = plan_deletion(catalog, indices)
        if seen and any(catalog.episodes[one] != seen.episodes[one] for one in indices):
            raise RebuildError(
                f'{locked} has changed since the episodes were chosen; nothing was deleted. '
                'Look at it and choose again.'
            )
        before = measured(locked)
        with rebuilding(locked, disk) as tree:
            remarks = assemble_chosen(plan, tree, catalog.raw_info, progress)
        refresh_card(Files(locked))
        remarks = [*plan.remarks, *remarks, *numbered_meta_files(catalog)]
        return Change.since(begin_s, before, locked, len(plan.kept), remarks)
