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
"""Undoing the last saved episode, which reverses its commit."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
import json
import logging
from pathlib import Path

from lerobot_streamrec.dataset.commit.transaction import Transaction
from lerobot_streamrec.dataset.format.features import camera_feature
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.layout import (
    DATA_PATH,
    EPISODES_PATH,
    FileIndex,
    INFO,
    QUARANTINE,
    record_path,
    row_stamps_path,
    STATS,
    TASKS,
    VIDEO_PATH,
)
from lerobot_streamrec.dataset.format.state import DatasetState, stats_content
from lerobot_streamrec.dataset.format.statistics_file import (
    forget_statistics_after,
    kept_stats_path,
    mended_stats_json,
    parse_stats_json,
    read_sidecar,
    sidecar_bytes,
    sidecar_path,
    weighted_by_rows,
)
from lerobot_streamrec.dataset.format.take_record import numbered_files
from lerobot_streamrec.dataset.format.tasks import TaskTable
from lerobot_streamrec.errors import DatasetError, EpisodeStateError
from lerobot_streamrec.installed import streamrec_command
import pyarrow as pa
import pyarrow.parquet as pq

UNDO_DEPTH = 16
"""The statistics before this many of the last episodes are kept, so that these can be undone."""

UNDONE = 'undone-episode'
"""The prefix of the names of undone episodes in the quarantine folder."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UndoneEpisode:
    """
    An episode that is no longer in the dataset.

    :param episode_index: the number that it had
    :param num_rows: the number of its rows
    :param seconds: its duration
    :param folder: the folder that now holds its files; None if they could not be moved
    """

    episode_index: int
    num_rows: int
    seconds: float
    folder: Path | None

    def __str__(self) -> str:
        where = f'; it is kept in {self.folder} until finalize' if self.folder else ''
        return (
            f'undid episode {self.episode_index}: {self.num_rows} rows, {self.seconds:.1f} s'
            f'{where}'
        )


def keep_statistics_of_others(files: Files, state: DatasetState, transaction: Transaction) -> None:
    """Keep the present statistics for ``undo`` if another writer saved the last episode."""
    total = state.info.total_episodes
    if state.statistics is None or files.path(sidecar_path(total)).exists():
        return
    content = files.content(STATS)
    if content is not None:
        stated = parse_stats_json(content, files.root, state.info.total_frames)
        content = mended_stats_json(content, stated, state.statistics)
        transaction.replace(kept_stats_path(total), content)
    transaction.replace(sidecar_path(total), sidecar_bytes(state.statistics))


def undo_last(
    files: Files, state: DatasetState, transaction: Transaction
) -> tuple[DatasetState, UndoneEpisode]:
    """
    Remove the last episode from the dataset; info.json changes before the files are moved.

    :param files: the access to the disk
    :param state: the present state of the dataset
    :param transaction: the transaction that the caller rolls back if this function raises
    :return: the new state of the dataset, and the undone episode
    :raise EpisodeStateError: if there is no episode, the last one shares files with others, or the
        statistics without it were not kept
    :raise DatasetError: if a file could not be read or changed
    """
    if not state.info.total_episodes:
        raise EpisodeStateError('there is no saved episode to undo')
    num_rows, state = _at_last_episode(files, state)
    before = _state_before(files, state, num_rows)
    index, folder = before.info.total_episodes, None
    if before.statistics is None:
        # A dataset without episodes has no info.json, so readers find nothing.
        transaction.withdraw(INFO)
    else:
        transaction.replace(STATS, stats_content(files, before.info, before.statistics))
        transaction.commit(INFO, before.info.as_bytes())
    # The episode is undone now. The rest may fail, since opening the dataset again cleans up, no
    # reader looks at these files, and those of the next episode will replace them.
    try:
        if before.info.total_tasks < state.info.total_tasks and index:
            files.replace(TASKS, before.tasks.as_bytes())
        forget_statistics_after(files, index)
        folder = files.quarantine_together(f'{UNDONE}-{index:06d}', _paths(files, before))
    except DatasetError as error:
        _log.warning('the files of the undone episode %d could not be moved: %s', index, error)
    return before, UndoneEpisode(index, num_rows, num_rows / state.info.fps, folder)


def purge_undone(files: Files) -> None:
    """Delete undone episodes for good, since the operator has declared the dataset finished."""
    for folder in files.path(QUARANTINE).glob(f'{UNDONE}-*'):
        files.remove_tree(folder)


def _at_last_episode(files: Files, state: DatasetState) -> tuple[int, DatasetState]:
    """Return the rows of the last episode, and the state whose next files are its own."""
    index = state.info.total_episodes - 1
    numbers = numbered_files(files.path('meta/episodes'))
    keys = state.info.video_keys
    try:
        meta = max(numbers)
        table = pq.read_table(numbers[meta])
        row = table.slice(table.num_rows - 1).to_pylist()[0]
        at_last = replace(
            state,
            next_data=_file(row, 'data'),
            next_meta=meta,
            next_video={key: _file(row, f'videos/{key}') for key in keys},
        )
        num_rows = pq.read_metadata(files.path(at_last.next_data.path(DATA_PATH))).num_rows
    except (pa.ArrowException, OSError, ValueError, KeyError, IndexError) as error:
        raise DatasetError(f'the last episode cannot be read: {error}') from error
    begins = [row[f'videos/{key}/from_timestamp'] for key in keys]
    is_alone = table.num_rows == 1 and num_rows == row['length'] and not any(begins)
    if row['episode_index'] != index or not is_alone:
        raise EpisodeStateError(
            f'episode {index} shares a file with other episodes, as after finalize; '
            'end the recorder and run: '
            f'{streamrec_command("delete", files.root, "--episodes", index)}'
        )
    return num_rows, at_last


def _file(row: Mapping[str, int], prefix: str) -> FileIndex:
    return FileIndex(row[f'{prefix}/chunk_index'], row[f'{prefix}/file_index'])


def _state_before(files: Files, state: DatasetState, num_rows: int) -> DatasetState:
    """Return the state of the dataset before its last episode, of so many rows, was committed."""
    index = state.info.total_episodes - 1
    if not index:
        features = {
            key: camera_feature() if spec.is_video else spec
            for key, spec in state.info.features.items()
        }
        info = replace(
            state.info, features=features, total_episodes=0, total_frames=0, total_tasks=0
        )
        return replace(state, info=info, tasks=TaskTable(), statistics=None, episode_columns=None)
    num_others = state.info.total_frames - num_rows
    stated = read_sidecar(files.root, index, num_others)
    if stated is None:
        raise EpisodeStateError(
            f'episode {index} cannot be undone, since {files.path(sidecar_path(index))} does not '
            'hold the statistics without it; they are kept for the last episodes of this recorder '
            'only. End the recorder and run: '
            f'{streamrec_command("delete", files.root, "--episodes", index)}'
        )
    tasks = state.tasks.first(_num_tasks(files, state))
    info = replace(
        state.info,
        total_episodes=index,
        total_frames=num_others,
        total_tasks=len(tasks.tasks),
    )
    statistics = weighted_by_rows(files.root, info, stated)
    return replace(state, info=info, tasks=tasks, statistics=statistics)


def _num_tasks(files: Files, state: DatasetState) -> int:
    """Return the number of tasks before the last episode, or that of all tasks if unknown."""
    last = state.info.total_episodes - 1
    # Older releases wrote only the number after each episode, so the previous record has it.
    for index, name in ((last, 'total_tasks_before'), (last - 1, 'total_tasks')):
        with suppress(ValueError, KeyError, TypeError):
            return int(json.loads(files.content(record_path(index)) or b'')[name])
    return len(state.tasks.tasks)


def _paths(files: Files, before: DatasetState) -> dict[str, Path]:
    """Return the episode's files by the names that they get in the quarantine folder."""
    places = {
        'data.parquet': before.next_data.path(DATA_PATH),
        'episodes.parquet': before.next_meta.path(EPISODES_PATH),
        **{f'{key}.mp4': one.path(VIDEO_PATH, key) for key, one in before.next_video.items()},
        'episode.json': record_path(before.info.total_episodes),
        'row_stamps.parquet': row_stamps_path(before.info.total_episodes),
    }
    if not before.info.total_episodes:
        places |= {'tasks.parquet': TASKS, 'stats.json': STATS}
    paths = {name: files.path(relative) for name, relative in places.items()}
    return {name: path for name, path in paths.items() if path.exists()}
