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
"""Deferred takes, which are saved now and become episodes once their videos are encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lerobot_streamrec.dataset.about.episode_texts import no_episode, with_metadata
from lerobot_streamrec.dataset.commit.undo import UNDONE, UndoneEpisode
from lerobot_streamrec.dataset.commit.writer import DatasetWriter
from lerobot_streamrec.dataset.format.data_rows import read_row_stamps, ROW, row_stamps_table
from lerobot_streamrec.dataset.format.layout import STAGING
from lerobot_streamrec.dataset.format.parquet import to_bytes
from lerobot_streamrec.dataset.format.state import SavedEpisode, VideoDraft
from lerobot_streamrec.dataset.format.take_record import (
    cuts_within,
    instant_ns,
    parse_cuts,
    parse_subtasks,
    read_take_record,
    subtasks_within,
    TakenCamera,
    TakeRecord,
)
from lerobot_streamrec.dataset.takes.journal import Journal, read_journal
from lerobot_streamrec.dataset.takes.saved_take import (
    draft_of,
    read_saved_take,
    SAVED,
    SAVED_STAMPS,
    SavedTake,
)
from lerobot_streamrec.dataset.takes.whole_videos import (
    first_whole_row,
    frame_sources,
    Tell,
    whole_videos,
)
from lerobot_streamrec.durable import sync_file
from lerobot_streamrec.errors import (
    DatasetCorruptError,
    DatasetError,
    EpisodeStateError,
    NothingWholeError,
    StreamrecError,
)
import numpy as np
import numpy.typing as npt

UNENCODABLE = 'unencodable'
"""The name prefix, in the quarantine folder, of a take without a whole row."""


@dataclass(frozen=True, slots=True)
class DeferredTake:
    """
    A saved take whose videos are not completely encoded yet.

    :param folder: the take's folder in staging
    :param saved: description of the saved take
    :param cameras: cameras of the take, per video key; empty if the take's record is unreadable
    """

    folder: Path
    saved: SavedTake
    cameras: Mapping[str, TakenCamera]

    @property
    def num_videos(self) -> int:
        """The number of videos that the episode will have."""
        return len(self.cameras)

    def loss(self, encoded: EncodedTake) -> str:
        """
        Describe the rows of the take that the episode lacks, as the end of a sentence.

        :param encoded: the encoded part of the take
        :return: empty if no row is missing
        """
        said = ''
        if encoded.first_row:
            said += f'; it begins with row {encoded.first_row}, the first whole row'
        if lost := self.saved.num_rows - encoded.num_rows - encoded.first_row:
            said += f'; {lost} rows were incomplete on the disk'
        return said


@dataclass(frozen=True, slots=True)
class EncodedTake:
    """
    Complete videos of a deferred take.

    :param num_rows: number of frames in each video; fewer than the saved rows if the disk has
        lost some
    :param videos: videos per video key
    :param first_row: row of the take with which the videos begin: the first row for which every
        camera has an image that can be decoded
    """

    num_rows: int
    videos: Mapping[str, VideoDraft]
    first_row: int = 0


def encode_take(folder: Path, num_rows: int, tell: Tell = lambda _: None) -> EncodedTake:
    """
    Encode the waiting frames in a take's folder, on any thread but on one at a time.

    An interruption at any instant loses none of the waiting frames.

    :param folder: the take's folder
    :param num_rows: number of rows of the take
    :param tell: receives the number of frames done over all cameras; an exception that it raises
        ends the work
    :raise VideoError: if a file cannot be read or written
    :raise NothingWholeError: if no row is whole, or the take's record cannot be read
    :raise EncoderError: if the frames cannot be encoded
    """
    try:
        record = read_take_record(folder)
    except DatasetCorruptError as error:
        raise NothingWholeError(str(error)) from error
    num_rows = min(num_rows, read_journal(folder, record)[0])
    if not num_rows:
        raise NothingWholeError('none of its rows can be read from the journal')
    sources = frame_sources(folder, record)
    first_row = first_whole_row(sources, num_rows)
    num_whole, videos = whole_videos(sources, num_rows, tell, first_row)
    if not num_whole:
        there = ', '.join(f'{one.num_frames} of {key}' for key, one in sources.items())
        raise NothingWholeError(
            f'no row has a decodable frame of every camera; the disk has {there}'
        )
    return EncodedTake(num_whole, videos, first_row)


class DeferredTakes:
    """
    The deferred takes of a dataset, in order, owned by the thread that commits.

    :param writer: writer of the dataset
    """

    def __init__(self, writer: DatasetWriter) -> None:
        self._writer = writer
        self._files = writer.files
        folders = [path.parent for path in self._files.path(STAGING).glob(f'*/{SAVED}')]
        found = [_deferred(one, saved) for one in folders if (saved := read_saved_take(one))]
        self._takes = sorted(found, key=lambda one: one.saved.order)

    @property
    def takes(self) -> tuple[DeferredTake, ...]:
        """All deferred takes, the oldest first."""
        return tuple(self._takes)

    def defer(
        self,
        folder: Path,
        num_rows: int,
        record: Mapping[str, object],
        vectors: Mapping[str, npt.NDArray[np.generic]] | None = None,
        row_stamps: Mapping[str, npt.NDArray[np.int64]] | None = None,
    ) -> DeferredTake:
        """
        Sync a take to the disk as it is, and then write the file that marks it as saved.

        :param folder: the take's folder in staging, to which nobody else writes any more
        :param num_rows: number of rows of the take
        :param record: the recorder's own record of the episode, as JSON
        :param vectors: array ``(num_rows, d)`` per key; None if the journal has all rows
        :param row_stamps: stamps by column, ``(num_rows,)`` nanoseconds; None if they are not kept
        :raise DatasetError: if the take cannot be written
        """
        order = max((one.saved.order for one in self._takes), default=0) + 1
        saved = SavedTake(order, num_rows, record)
        taken = read_take_record(folder)
        if vectors:
            _complete_journal(folder, taken, num_rows, vectors)
        if row_stamps:
            content = to_bytes(row_stamps_table(row_stamps))
            self._files.replace(self._files.relative(folder / SAVED_STAMPS), content)
        try:
            for path in folder.iterdir():
                sync_file(path)
        except OSError as error:
            raise DatasetError(f'cannot bring {folder} to the disk: {error}') from error
        self._files.replace(self._files.relative(folder / SAVED), saved.as_bytes())
        take = _deferred(folder, saved)
        self._takes.append(take)
        return take

    def commit(self, take: DeferredTake, encoded: EncodedTake) -> SavedEpisode:
        """
        Commit a deferred take as an episode.

        :param take: one of the deferred takes
        :param encoded: the take's videos
        :raise CommitError: if rows or frames are missing, or the episode cannot be written
        :raise DatasetError: if the take's record cannot be read
        """
        # The list has the newest metadata, which may have changed since the caller got the take.
        saved = next(one.saved for one in self._takes if one.folder == take.folder)
        row_stamps = read_row_stamps(take.folder / SAVED_STAMPS)
        draft = draft_of(
            take.folder,
            read_take_record(take.folder),
            encoded.num_rows,
            encoded.videos,
            _record(saved, encoded, row_stamps),
            row_stamps,
            first_row=encoded.first_row,
        )
        episode = self._writer.commit(draft)
        self._writer.remove(take.folder)
        self.forget(take)
        return episode

    def fail(self, take: DeferredTake, error: StreamrecError) -> str:
        """
        Give a take up, until the next start or for good.

        :param take: one of the deferred takes
        :param error: reason why the take cannot become an episode
        :return: a sentence on where the take is now
        """
        self.forget(take)
        if isinstance(error, NothingWholeError):
            # The take would fail each time, and every tool would refuse the dataset because of it.
            try:
                place = self._files.quarantine(take.folder, UNENCODABLE)
            except DatasetError as second:
                return f'It stays in {take.folder}: {second}'
            return f'It can never become an episode and was moved to {place}'
        return f'It stays in {take.folder}'

    def forget(self, take: DeferredTake) -> None:
        """Remove a take from the list; if its files stay, the next start finds them again."""
        self._takes = [one for one in self._takes if one.folder != take.folder]

    def undo_last(self) -> UndoneEpisode:
        """
        Undo the last deferred take, which must not be encoded at the moment.

        :raise DatasetError: if the take cannot be moved
        """
        take = self._takes[-1]
        index = self._writer.info.total_episodes + len(self._takes) - 1
        target = self._files.quarantine_together(f'{UNDONE}-{index:06d}', {'take': take.folder})
        del self._takes[-1]
        return UndoneEpisode(index, take.saved.num_rows, take.saved.seconds, target)

    def annotate(self, metadata: Mapping[str, str], index: int | None = None) -> int:
        """
        Add metadata to a deferred take.

        :param metadata: texts by name; an empty text removes the entry
        :param index: index that its episode will have; None: the last take
        :return: the index that its episode will have
        :raise EpisodeStateError: if there is no such take
        :raise DatasetError: if the metadata cannot be written
        """
        first = self._writer.info.total_episodes
        place = len(self._takes) - 1 if index is None else index - first
        if not 0 <= place < len(self._takes):
            raise EpisodeStateError(no_episode(first + place, first + len(self._takes)))
        take = self._takes[place]
        saved = replace(take.saved, record=with_metadata(take.saved.record, metadata))
        self._files.replace(self._files.relative(take.folder / SAVED), saved.as_bytes())
        self._takes[place] = replace(take, saved=saved)
        return first + place


def _deferred(folder: Path, saved: SavedTake) -> DeferredTake:
    try:
        cameras = read_take_record(folder).cameras
    except DatasetError:
        # The error will be reported when the take is encoded.
        cameras = {}
    return DeferredTake(folder, saved, cameras)


def _complete_journal(
    folder: Path,
    record: TakeRecord,
    num_rows: int,
    vectors: Mapping[str, npt.NDArray[np.generic]],
) -> None:
    """Rewrite the journal if it lacks rows, as after a failed write to the disk."""
    if read_journal(folder, record)[0] == num_rows:
        return
    journal = Journal(folder, record)
    try:
        journal.append(
            [{key: rows[row] for key, rows in vectors.items()} for row in range(num_rows)]
        )
    finally:
        journal.close()


def _record(
    saved: SavedTake, encoded: EncodedTake, row_stamps: Mapping[str, npt.NDArray[np.int64]]
) -> dict[str, object]:
    record = dict(saved.record)
    cuts = parse_cuts(record.get('cuts', ()))
    record['cuts'] = [
        asdict(one) for one in cuts_within(cuts, encoded.num_rows, encoded.first_row)
    ]
    subtasks = parse_subtasks(record.get('subtasks', ()))
    record['subtasks'] = [
        asdict(one) for one in subtasks_within(subtasks, encoded.num_rows, encoded.first_row)
    ]
    if encoded.first_row:
        start_ns, fps = record['start_stamp_ns'], record['fps']
        record['start_stamp_ns'] = (
            int(row_stamps[ROW][encoded.first_row])
            if ROW in row_stamps
            else instant_ns(start_ns, fps, cuts, encoded.first_row)
        )
    if encoded.num_rows < saved.num_rows:
        record['recovered'] = True
        record['rows_lost'] = saved.num_rows - encoded.num_rows
    streams = {key: dict(one) for key, one in dict(record.get('streams', {})).items()}
    for key, video in encoded.videos.items():
        if key in streams:
            # Most undecodable images are only found when they are decoded for the encoder.
            known = streams[key].get('rows_undecodable', 0)
            streams[key]['rows_undecodable'] = known + video.num_undecodable
    return {**record, **({'streams': streams} if streams else {})}
