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
"""Texts about saved episodes that are set later, such as verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lerobot_streamrec.dataset.about.card import refresh_card
from lerobot_streamrec.dataset.about.episode_texts import annotate_episodes, no_episode
from lerobot_streamrec.dataset.format.episode_index import committed_episodes, EpisodeIndex
from lerobot_streamrec.dataset.format.episode_table import (
    checked_text,
    refuse_text_name,
    TEXT_COLUMNS,
)
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.info import read_info
from lerobot_streamrec.dataset.rebuild.new_tree import DISK
from lerobot_streamrec.dataset.rebuild.plan import locked
from lerobot_streamrec.errors import EpisodeStateError


def label_episodes(root: Path, indices: Sequence[int], texts: Mapping[str, str]) -> None:
    """
    Take the lock of a dataset, and set texts about some of its episodes.

    Interrupted at any instant, each episode has either its old texts or the new ones, and the same
    call finishes the work.

    :param root: the dataset's folder
    :param indices: indices of the episodes
    :param texts: texts by column of meta/episodes; an empty text withdraws an earlier one
    :raise ConfigError: if a column cannot have such a name
    :raise EpisodeError: if a verdict is not allowed, or there is no such episode
    :raise DatasetError: if the dataset is in use, or a file cannot be read or written
    """
    for name in texts:
        if name not in TEXT_COLUMNS:
            refuse_text_name('--set', name)
    checked = {name: checked_text(name, text) for name, text in texts.items()}
    with locked(root, DISK) as folder:
        info, files = read_info(folder), Files(folder)
        known = EpisodeIndex(folder, info)
        by_file = known.rows(info)
        num_episodes = len(committed_episodes(folder, info, by_file))
        for index in indices:
            if not 0 <= index < num_episodes:
                raise EpisodeStateError(no_episode(index, num_episodes))
        annotate_episodes(files, info, by_file, set(indices), checked)
        known.keep(files, info)
        refresh_card(files)
