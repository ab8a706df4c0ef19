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
"""The writer of a dataset, which adds and removes whole episodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
import math
from pathlib import Path
import time
from typing import TYPE_CHECKING

from lerobot_streamrec.dataset.about.derived_columns import DERIVED, derived_columns
from lerobot_streamrec.dataset.about.episode_texts import (
    annotate_episodes,
    no_episode,
    record_bytes,
    texts_of,
    with_columns,
)
from lerobot_streamrec.dataset.commit.transaction import Transaction
from lerobot_streamrec.dataset.commit.undo import (
    keep_statistics_of_others,
    purge_undone,
    UNDO_DEPTH,
    undo_last,
    UndoneEpisode,
)
from lerobot_streamrec.dataset.format.data_rows import (
    Columns,
    default_columns,
    row_stamps_table,
    rows_table,
)
from lerobot_streamrec.dataset.format.episode_index import EpisodeIndex
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow, VideoPlace
from lerobot_streamrec.dataset.format.features import (
    camera_feature,
    differences,
    FeatureSpec,
    LANGUAGE,
    vector_feature,
    with_info,
)
from lerobot_streamrec.dataset.format.files import DatasetLock, Files
from lerobot_streamrec.dataset.format.histograms import histograms_json
from lerobot_streamrec.dataset.format.info import DatasetInfo, read_info
from lerobot_streamrec.dataset.format.layout import (
    DATA_PATH,
    EPISODES_PATH,
    FileIndex,
    INFO,
    record_path,
    row_stamps_path,
    STATS,
    TASKS,
    VIDEO_PATH,
)
from lerobot_streamrec.dataset.format.parquet import to_bytes
from lerobot_streamrec.dataset.format.state import (
    DatasetState,
    EpisodeDraft,
    resumed_state,
    SavedEpisode,
)
from lerobot_streamrec.dataset.format.statistics_file import (
    AllStatistics,
    counted_like,
    kept_stats_path,
    merged_statistics,
    sidecar_bytes,
    sidecar_path,
    stats_json,
)
from lerobot_streamrec.dataset.format.take_record import REASON
from lerobot_streamrec.errors import (
    CommitError,
    DatasetMismatchError,
    EpisodeStateError,
)
from lerobot_streamrec.stats.feature_statistics import vector_statistics
from lerobot_streamrec.video.mp4.video_info import probe_video

if TYPE_CHECKING:
    from lerobot_streamrec.dataset.rebuild.assemble import Progress
    from lerobot_streamrec.dataset.rebuild.plan import Change

_REOPEN = 'End the recorder, check the disk, and start it again.'


class DatasetWriter:
    """
    The writer of one dataset, which is complete and ready for training after each ``commit``.

    One thread owns the writer; other threads may only read ``info``, a frozen snapshot. Every
    episode gets its own files, so that the cost of a commit does not grow with the dataset.

    :param files: the access to the disk
    :param state: the present state of the dataset
    :param lock: the lock on the dataset, which is held until ``close``
    :param index: the rows of the episodes files, for the next start
    """

    def __init__(
        self, files: Files, state: DatasetState, lock: DatasetLock, index: EpisodeIndex
    ) -> None:
        self.files = files
        """The access to the disk."""
        self._state = state
        self._lock = lock
        self._index = index
        self._doubt = ''

    @property
    def root(self) -> Path:
        """The dataset's folder."""
        return self.files.root

    @property
    def info(self) -> DatasetInfo:
        """The committed content of info.json."""
        return self._state.info

    def commit(self, draft: EpisodeDraft) -> SavedEpisode:
        """
        Save an episode durably; it becomes part of the dataset when info.json is replaced last.

        :raise DatasetMismatchError: if the episode does not fit the dataset
        :raise CommitError: if the episode could not be written; the dataset is then unchanged,
            unless the message says that this is unknown
        """
        begin_s = time.monotonic()
        with self._transaction('saved') as transaction:
            info = self._info_for(draft)
            size_bytes, row, state = self._write(draft, info, transaction)
        before, self._state = self._state, state
        self._index.add(row, self.files.path(row.meta_file.path(EPISODES_PATH)))
        self._index.keep(self.files, state.info)
        # Undoing needs only recent statistics. Failing to delete old ones does no harm.
        with suppress(OSError):
            old = state.info.total_episodes - UNDO_DEPTH - 1
            for relative in (sidecar_path(old), kept_stats_path(old)):
                self.files.path(relative).unlink(missing_ok=True)
        return SavedEpisode(
            episode_index=before.info.total_episodes,
            num_rows=draft.num_rows,
            num_videos=len(draft.videos),
            size_bytes=size_bytes,
            commit_s=time.monotonic() - begin_s,
        )

    def undo(self) -> UndoneEpisode:
        """
        Remove the last episode from the dataset; its files go to the quarantine folder.

        :raise EpisodeStateError: if there is no episode, or the last one cannot be undone
        :raise CommitError: if a change failed; the dataset is then unchanged, unless the message
            says that this is unknown
        """
        with self._transaction('undone') as transaction:
            self._state, undone = undo_last(self.files, self._state, transaction)
        return undone

    def compact(self, progress: Progress | None = None) -> Change:
        """
        Merge small files up to LeRobot's file sizes, and delete undone episodes for good.

        The call blocks while everything that is not yet in a full file is copied.

        :param progress: gets the bytes done and to do; if it raises, the work ends
        :raise DatasetError: if the files cannot be merged; the dataset is then unchanged
        :raise VideoError: if a video cannot be read or written; the dataset is then unchanged
        """
        # A recording starts earlier without the tools that rebuild datasets.
        from lerobot_streamrec.dataset.rebuild.compact import compact, no_change

        self._refuse_in_doubt()
        purge_undone(self.files)
        if not self._state.info.total_episodes:
            return no_change(self.root)
        self._index.keep(self.files, self.info, least=1)
        try:
            return compact(self.root, progress=progress)
        finally:
            # Merging has renumbered the files.
            info = read_info(self.root)
            self._state = resumed_state(self.files, info, self._index)

    def annotate(self, metadata: Mapping[str, str], index: int | None = None) -> int:
        """
        Set texts about an episode, in meta/episodes and in the recorder's own record.

        :param metadata: texts by column; an empty text withdraws an earlier one
        :param index: index of the episode; None: the last one
        :return: the episode's index
        :raise EpisodeStateError: if there is no such episode
        :raise CommitError: if an earlier error has left it unknown which episode is the last
        :raise DatasetError: if a file cannot be read or written
        """
        self._refuse_in_doubt()
        total = self._state.info.total_episodes
        if index is None and not total:
            raise EpisodeStateError('there is no saved episode to annotate')
        index = total - 1 if index is None else index
        if index >= total:
            raise EpisodeStateError(no_episode(index, total))
        by_file = self._index.rows(self.info)
        changed = annotate_episodes(self.files, self.info, by_file, [index], metadata)
        self._state = self._state.with_columns(metadata).with_statistics(changed)
        return index

    def _refuse_in_doubt(self) -> None:
        if self._doubt:
            raise CommitError(f'no change is possible after this error: {self._doubt}. {_REOPEN}')

    @contextmanager
    def _transaction(self, done: str) -> Iterator[Transaction]:
        self._refuse_in_doubt()
        transaction = Transaction(self.files)
        try:
            yield transaction
        except (DatasetMismatchError, EpisodeStateError):
            raise
        # Any other error needs a rollback on disk before it is reported.
        except Exception as error:
            if not transaction.take_back():
                self._doubt = str(error)
                raise CommitError(
                    f'it is unknown whether the episode was {done}: {error}. {_REOPEN}'
                ) from error
            raise CommitError(f'the episode was not {done}: {error}') from error

    def _info_for(self, draft: EpisodeDraft) -> DatasetInfo:
        """Check that the episode is complete and fits; return the info with its features."""
        info = self._state.info
        root = self.files.root
        for key, video in draft.videos.items():
            if video.num_frames != draft.num_rows:
                raise CommitError(f'{key} has {video.num_frames} frames for {draft.num_rows} rows')
            if not video.path.is_file():
                raise CommitError(f'{key} has no video: {video.path} is missing')
        recorded: dict[str, FeatureSpec] = {
            key: camera_feature(video.height, video.width, video.encoder_info)
            for key, video in draft.videos.items()
        }
        for key, rows in draft.vectors.items():
            spec, width = info.features.get(key), rows.shape[1]
            # The recorder read the messages by these names, so only their number can differ.
            recorded[key] = (
                replace(spec, dtype=rows.dtype.name)
                if spec is not None and math.prod(spec.shape or ()) == width
                else vector_feature(tuple(map(str, range(width))), rows.dtype.name)
            )
        present = {
            key: spec if spec.shape else recorded.get(key, spec)
            for key, spec in info.features.items()
        }
        recorded |= {key: spec for key, spec in present.items() if key in DERIVED}
        found = differences(recorded, present)
        if found:
            raise DatasetMismatchError(root, found)
        return replace(info, features=self._described(draft, present))

    def _described(
        self, draft: EpisodeDraft, features: Mapping[str, FeatureSpec]
    ) -> dict[str, FeatureSpec]:
        """Add the properties of the first episode's videos, once per camera."""
        present = self._state.info.features
        return {
            key: spec
            if not spec.is_video or present[key].info
            else with_info(
                spec, {**probe_video(draft.videos[key].path), **draft.videos[key].encoder_info}
            )
            for key, spec in features.items()
        }

    def set_aside(self, folder: Path, reason: str) -> Path:
        """
        Move a take that could not be saved to the quarantine folder.

        :param folder: the take's folder below the staging folder
        :param reason: why it could not be saved, a sentence for people; a full disk may lose it
        :return: the new path of the folder
        :raise DatasetError: if the folder cannot be moved
        """
        with suppress(OSError):
            (folder / REASON).write_text(reason, 'utf-8')
        return self.files.quarantine(folder, 'unsaved')

    def remove(self, folder: Path) -> None:
        """Delete the folder of a take whose episode was saved or discarded."""
        self.files.remove_tree(folder)

    def close(self) -> None:
        """Release the lock on the dataset; repeated calls do nothing."""
        if self._lock.is_held:
            self._index.keep(self.files, self.info, least=1)
        self._lock.release()

    def _write(
        self, draft: EpisodeDraft, info: DatasetInfo, transaction: Transaction
    ) -> tuple[int, EpisodeRow, DatasetState]:
        """Write all files, info.json last; return their bytes, the row and the new state."""
        state = self._state
        tasks = state.tasks.with_task(draft.task)
        derived, changed = derived_columns(
            self.files, info, draft.record, draft.num_rows, draft.vectors
        )
        columns = {**derived, **self._columns(draft, tasks.index(draft.task))}
        pictures = {
            key: replace(video.statistics, num_rows=draft.num_rows)
            for key, video in draft.videos.items()
        }
        statistics: AllStatistics = {
            **{key: vector_statistics(columns[key]) for key in columns if key != LANGUAGE},
            **counted_like(state.statistics, pictures),
        }
        total = merged_statistics(state.statistics, statistics)
        row = self._episode_row(draft, statistics)
        new_info = info.after(draft.num_rows, len(tasks.tasks))
        data = to_bytes(rows_table(info.features, columns))
        size_bytes = len(data) + sum(v.path.stat().st_size for v in draft.videos.values())

        for key, video in draft.videos.items():
            transaction.adopt(video.path, row.videos[key].file.path(VIDEO_PATH, key))
        transaction.create(row.data_file.path(DATA_PATH), data)
        stats = stats_json(total, info.features, self.files.content(STATS))
        if wider := with_columns(self.files, state.first_meta, state.episode_columns, row.texts):
            transaction.replace(*wider)
        meta = to_bytes(row.as_table(state.episode_columns))
        transaction.create(row.meta_file.path(EPISODES_PATH), meta)
        if tasks is not state.tasks:
            transaction.replace(TASKS, tasks.as_bytes())
        for relative, content in changed.items():
            transaction.replace(relative, content)
        keep_statistics_of_others(self.files, state, transaction)
        transaction.replace(sidecar_path(new_info.total_episodes), sidecar_bytes(total))
        transaction.replace(STATS, stats)
        counted = histograms_json({key: one.statistics for key, one in draft.videos.items()})
        record = record_bytes(draft.record, counted, row, new_info, len(state.tasks.tasks))
        transaction.replace(record_path(row.episode_index), record)
        if draft.row_stamps:
            content = to_bytes(row_stamps_table(draft.row_stamps))
            transaction.replace(row_stamps_path(row.episode_index), content)
        transaction.commit(INFO, new_info.as_bytes())
        return size_bytes, row, state.after(new_info, tasks, total, row)

    def _columns(self, draft: EpisodeDraft, task_index: int) -> Columns:
        info = self._state.info
        rows = draft.num_rows
        return {
            **{
                key: values.reshape(rows, *(info.features[key].shape or ()))
                for key, values in draft.vectors.items()
            },
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
            texts=texts_of(draft.record, self.root),
        )
