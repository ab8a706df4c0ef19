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
"""A dataset that grows by whole episodes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
import json
from pathlib import Path
import time

from lerobot_streamrec.dataset.data_rows import Columns, default_columns, rows_table
from lerobot_streamrec.dataset.draft import EpisodeDraft, SavedEpisode
from lerobot_streamrec.dataset.episode_table import EpisodeRow, VideoPlace
from lerobot_streamrec.dataset.features import (
    camera_feature,
    differences,
    FeatureSpec,
    vector_feature,
    with_info,
)
from lerobot_streamrec.dataset.files import Files
from lerobot_streamrec.dataset.histograms import histograms_json
from lerobot_streamrec.dataset.info import DatasetInfo
from lerobot_streamrec.dataset.layout import (
    DATA_PATH,
    EPISODES_PATH,
    FileIndex,
    INFO,
    record_path,
    STATS,
    TASKS,
    VIDEO_PATH,
)
from lerobot_streamrec.dataset.lock import DatasetLock
from lerobot_streamrec.dataset.parquet import to_bytes
from lerobot_streamrec.dataset.state import DatasetState
from lerobot_streamrec.dataset.statistics_file import (
    AllStatistics,
    merged_statistics,
    sidecar_bytes,
    sidecar_path,
    stats_json,
)
from lerobot_streamrec.dataset.transaction import Transaction
from lerobot_streamrec.errors import CommitError, DatasetMismatchError
from lerobot_streamrec.stats.feature_statistics import vector_statistics
from lerobot_streamrec.video.probe import probe_video

_REOPEN = 'End the recorder, look after the disk, and start it again.'


class DatasetWriter:
    """
    Commits episodes: after each ``commit`` the dataset on disk is whole and can be trained on.

    Owned by one thread, except ``info``, which is a frozen snapshot. Every episode gets files of
    its own, so that the cost of a commit does not depend on what was recorded before.

    :param files: the way to the disk
    :param state: what is on it
    :param lock: keeps others out until ``close``
    """

    def __init__(self, files: Files, state: DatasetState, lock: DatasetLock) -> None:
        self._files = files
        self._state = state
        self._lock = lock
        self._doubt = ''

    @property
    def root(self) -> Path:
        """The dataset's folder."""
        return self._files.root

    @property
    def info(self) -> DatasetInfo:
        """What is committed, as info.json says it."""
        return self._state.info

    def commit(self, draft: EpisodeDraft) -> SavedEpisode:
        """
        Make an episode durable. ``info.json`` is replaced last: before that, nothing counts.

        :raise DatasetMismatchError: if the episode does not fit the dataset
        :raise CommitError: if it could not be written; the dataset is as it was
        """
        if self._doubt:
            raise CommitError(f'nothing can be saved any more since {self._doubt}. {_REOPEN}')
        begin_s = time.monotonic()
        transaction = Transaction(self._files)
        try:
            info = self._info_for(draft)
            size_bytes, state = self._write(draft, info, transaction)
        except DatasetMismatchError:
            raise
        # Whatever it was: what is on disk must be put in order before anybody hears of it.
        except Exception as error:
            if not transaction.take_back():
                self._doubt = str(error)
                raise CommitError(
                    f'whether the episode is saved cannot be told: {error}. {_REOPEN}'
                ) from error
            raise CommitError(f'the episode was not saved: {error}') from error
        before, self._state = self._state, state
        # Nothing needs it any more, and the episode is saved whether or not it can be deleted.
        with suppress(OSError):
            self._files.path(sidecar_path(before.info.total_episodes)).unlink(missing_ok=True)
        return SavedEpisode(
            episode_index=before.info.total_episodes,
            num_rows=draft.num_rows,
            num_videos=len(draft.videos),
            size_bytes=size_bytes,
            commit_s=time.monotonic() - begin_s,
        )

    def _info_for(self, draft: EpisodeDraft) -> DatasetInfo:
        """Check that the episode is whole and fits; complete what the first one decides."""
        info = self._state.info
        root = self._files.root
        for key, video in draft.videos.items():
            if video.num_frames != draft.num_rows:
                raise CommitError(
                    f'{key} has {video.num_frames} frames for {draft.num_rows} rows'
                )
            if not video.path.is_file():
                raise CommitError(f'{key} has no video: {video.path} is gone')
        recorded: dict[str, FeatureSpec] = {
            key: camera_feature(video.height, video.width) for key, video in draft.videos.items()
        }
        for key, rows in draft.vectors.items():
            names = (info.features[key].names if key in info.features else None) or ()
            width = rows.shape[1]
            # Messages were read by these names; their number is all that can differ here.
            recorded[key] = vector_feature(
                names if len(names) == width else tuple(map(str, range(width)))
            )
        present = {
            key: spec if spec.shape else recorded.get(key, spec)
            for key, spec in info.features.items()
        }
        found = differences(recorded, present)
        if found:
            raise DatasetMismatchError(root, found)
        return replace(info, features=self._described(draft, present))

    def _described(
        self, draft: EpisodeDraft, features: Mapping[str, FeatureSpec]
    ) -> dict[str, FeatureSpec]:
        """Add what the first episode's videos say of themselves, once."""
        return {
            key: spec
            if not spec.is_video or spec.info
            else with_info(
                spec, {**probe_video(draft.videos[key].path), **draft.videos[key].encoder_info}
            )
            for key, spec in features.items()
        }

    def set_aside(self, folder: Path) -> Path:
        """
        Keep a take that could not be saved, out of the readers' sight.

        :param folder: below the staging folder
        :return: where it lies now
        :raise DatasetError: if it cannot be moved
        """
        return self._files.quarantine(folder, 'unsaved')

    def remove(self, folder: Path) -> None:
        """Delete a take's staging folder, once its episode is saved or discarded."""
        self._files.remove_tree(folder)

    def close(self) -> None:
        """Let other recorders in. Idempotent."""
        self._lock.release()

    def _write(
        self, draft: EpisodeDraft, info: DatasetInfo, transaction: Transaction
    ) -> tuple[int, DatasetState]:
        """Write everything, info.json last; returns the bytes written and what is there then."""
        state = self._state
        tasks = state.tasks.with_task(draft.task)
        columns = self._columns(draft, tasks.index(draft.task))
        statistics: AllStatistics = {
            **{key: vector_statistics(values) for key, values in columns.items()},
            **{key: video.statistics for key, video in draft.videos.items()},
        }
        total = merged_statistics(state.statistics, statistics)
        row = self._episode_row(draft, statistics)
        new_info = info.after(draft.num_rows, len(tasks.tasks))
        data = to_bytes(rows_table(info.features, columns))
        size_bytes = len(data) + sum(v.path.stat().st_size for v in draft.videos.values())

        for key, video in draft.videos.items():
            transaction.adopt(video.path, row.videos[key].file.path(VIDEO_PATH, key))
        transaction.create(row.data_file.path(DATA_PATH), data)
        transaction.create(row.meta_file.path(EPISODES_PATH), to_bytes(row.as_table()))
        if tasks is not state.tasks:
            transaction.replace(TASKS, tasks.as_bytes())
        transaction.replace(sidecar_path(new_info.total_episodes), sidecar_bytes(total))
        transaction.replace(STATS, stats_json(total))
        transaction.replace(record_path(row.episode_index), _record(draft, row))
        transaction.commit(INFO, new_info.as_bytes())
        return size_bytes, state.after(new_info, tasks, total, row)

    def _columns(self, draft: EpisodeDraft, task_index: int) -> Columns:
        info = self._state.info
        return {
            **draft.vectors,
            **default_columns(
                draft.num_rows,
                fps=info.fps,
                episode_index=info.total_episodes,
                from_index=info.total_frames,
                task_index=task_index,
            ),
        }

    def _episode_row(self, draft: EpisodeDraft, statistics: AllStatistics) -> EpisodeRow:
        state = self._state
        seconds = draft.num_rows / state.info.fps
        return EpisodeRow(
            episode_index=state.info.total_episodes,
            tasks=(draft.task,),
            length=draft.num_rows,
            from_index=state.info.total_frames,
            data_file=state.next_data,
            meta_file=state.next_meta,
            videos={
                key: VideoPlace(state.next_video.get(key, FileIndex()), 0.0, seconds)
                for key in draft.videos
            },
            statistics=statistics,
        )


def _record(draft: EpisodeDraft, row: EpisodeRow) -> bytes:
    cameras = {key: video.statistics for key, video in draft.videos.items()}
    content = {
        'episode_index': row.episode_index,
        'length': row.length,
        **draft.record,
        'histograms': histograms_json(cameras),
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + '\n').encode()
