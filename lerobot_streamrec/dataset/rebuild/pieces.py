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
"""Pieces of data, meta and video files: the parts from which new files are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow, VideoPlace
from lerobot_streamrec.dataset.format.layout import FileIndex
from lerobot_streamrec.dataset.format.take_record import read_record
from lerobot_streamrec.errors import DatasetCorruptError, VideoError
from lerobot_streamrec.video.mp4.concat import Segment
from lerobot_streamrec.video.mp4.packet_index import (
    cut_problem,
    difference,
    read_traits,
    survey_video,
    VideoSurvey,
)
from lerobot_streamrec.workers import in_batches, Workers

_SMALL_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """
    One episode of the new dataset.

    :param catalog: dataset that the episode comes from
    :param source: the episode's row in that dataset
    :param episode_index: new index of the episode
    :param from_index: new global index of its first row
    """

    catalog: Catalog
    source: EpisodeRow
    episode_index: int
    from_index: int

    @property
    def is_at_its_place(self) -> bool:
        """True if the numbers in its rows stay as they are."""
        return (self.episode_index, self.from_index) == (
            self.source.episode_index,
            self.source.from_index,
        )

    @property
    def record(self) -> dict[str, Any] | None:
        """The recorder's own record of the episode; None if it is missing or unreadable."""
        return read_record(self.catalog.root, self.source.episode_index)

    def row(
        self, data_file: FileIndex, meta_file: FileIndex, videos: Mapping[str, VideoPlace]
    ) -> EpisodeRow:
        """Return the episode's new row in meta/episodes, with the statistics of its source."""
        return replace(
            self.source,
            episode_index=self.episode_index,
            from_index=self.from_index,
            data_file=data_file,
            meta_file=meta_file,
            videos=videos,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """
    Consecutive episodes in one file.

    :param path: path of the file
    :param file: chunk and file number in the dataset that it comes from
    :param episodes: at least one episode
    :param is_whole: True if the file holds no other episode
    :param size_bytes: size of the file, or the estimated share of these episodes
    """

    path: Path
    file: FileIndex
    episodes: tuple[Kept, ...]
    is_whole: bool
    size_bytes: int

    @property
    def catalog(self) -> Catalog:
        """The dataset to which the file belongs."""
        return self.episodes[0].catalog

    @property
    def is_small(self) -> bool:
        """Whether it takes less time to read the file whole than to open it twice."""
        return self.size_bytes <= _SMALL_BYTES

    @property
    def seconds(self) -> float:
        """The total duration of the episodes."""
        return sum(one.source.length for one in self.episodes) / self.catalog.info.fps


def small_pieces(pieces: Sequence[Piece]) -> list[Piece]:
    """Return pieces with catalogs that hold no other episode, which are small when pickled."""
    small = {one.catalog: one.catalog.without_episodes() for one in pieces}

    def with_small(episode: Kept) -> Kept:
        return replace(episode, catalog=small[episode.catalog])

    return [replace(one, episodes=tuple(map(with_small, one.episodes))) for one in pieces]


NewFiles = Mapping[FileIndex, Sequence[Piece]]
"""The pieces of which each new file of one kind is made, by the number of the file."""


def file_index(number: int, chunks_size: int) -> FileIndex:
    """Return the chunk and file number of the n-th file of one kind, counted from 0."""
    return FileIndex(*divmod(number, chunks_size))


def as_new_files(groups: Iterable[Sequence[Piece]], chunks_size: int) -> NewFiles:
    """Return the new files of one kind, each of which is made of a group of pieces."""
    return {file_index(number, chunks_size): group for number, group in enumerate(groups)}


def places_of(files: NewFiles) -> dict[Kept, FileIndex]:
    """Return the new file that holds each episode."""
    return {
        episode: file
        for file, group in files.items()
        for piece in group
        for episode in piece.episodes
    }


def kept_episodes(chosen: Iterable[tuple[Catalog, EpisodeRow]]) -> tuple[Kept, ...]:
    """Give the episodes of a new dataset numbers in the given order."""
    kept: list[Kept] = []
    from_index = 0
    for catalog, source in chosen:
        kept.append(Kept(catalog, source, len(kept), from_index))
        from_index += source.length
    return tuple(kept)


def pieces_of(
    kept: Sequence[Kept],
    file_of: Callable[[EpisodeRow], FileIndex],
    template: str,
    video_key: str = '',
) -> list[Piece]:
    """
    Group consecutive episodes that are in the same file.

    :param file_of: returns the file, of one kind, that holds an episode
    :param template: template of the paths of these files
    :param video_key: the camera of video files
    :raise DatasetCorruptError: if a file is missing
    """
    counts = {
        catalog: Counter(map(file_of, catalog.episodes))
        for catalog in dict.fromkeys(one.catalog for one in kept)
    }
    found = []
    for (catalog, file), group in groupby(kept, lambda one: (one.catalog, file_of(one.source))):
        episodes, path = tuple(group), catalog.root / file.path(template, video_key)
        if not path.is_file():
            raise DatasetCorruptError(f'{path} is missing, and episodes refer to it')
        total = counts[catalog][file]
        size_bytes = path.stat().st_size * len(episodes) // total
        found.append(Piece(path, file, episodes, len(episodes) == total, size_bytes))
    return found


def packed(
    pieces: Sequence[Piece],
    can_join: Callable[[Piece, Piece], bool],
    *,
    limit_bytes: int,
    limit_s: float = float('inf'),
) -> list[list[Piece]]:
    """
    Join neighbouring pieces as long as a file does not become too large.

    :param can_join: called only for neighbours that would fit into one file
    :param limit_bytes: size limit of a file; a larger piece keeps its own file
    :param limit_s: limit of a file's duration
    :return: the pieces of each new file
    """
    groups: list[list[Piece]] = []
    size_bytes, seconds = 0, 0.0
    for piece in pieces:
        fits = size_bytes + piece.size_bytes <= limit_bytes and seconds + piece.seconds <= limit_s
        if groups and fits and can_join(groups[-1][-1], piece):
            groups[-1].append(piece)
            size_bytes, seconds = size_bytes + piece.size_bytes, seconds + piece.seconds
        else:
            groups.append([piece])
            size_bytes, seconds = piece.size_bytes, piece.seconds
    return groups


def first_frame(video_key: str, episode: Kept) -> int:
    """Return the position of an episode's first frame in its source file."""
    return round(episode.source.videos[video_key].from_timestamp * episode.catalog.info.fps)


@dataclass(slots=True)
class VideoSurveys:
    """
    Surveys of the videos of a plan; each video is read once.

    :param remarks: sentences on why files are left as they are
    :param to_first_error: True to accept files that are cut short, or that have frames slightly
        off their timestamps
    """

    remarks: list[str] = field(default_factory=list)
    to_first_error: bool = False
    _known: dict[Path, VideoSurvey | str] = field(default_factory=dict)
    _traits: dict[Path, dict[str, object]] = field(default_factory=dict)

    def read_ahead(self, pieces: Sequence[Piece], workers: Workers) -> None:
        """Survey the small videos of a plan that joins files, which needs all of their surveys."""
        asked = [(one.path, one.catalog.info.fps) for one in pieces if one.is_small]
        asked = [one for one in asked if one[0] not in self._known]
        for one, found in in_batches('surveys', _surveyed, asked, workers):
            self._known[one[0]] = found

    def segments(self, video_key: str, piece: Piece) -> list[Segment]:
        """
        Return the segments of the video that hold the frames of a piece's episodes.

        :raise VideoError: if the segments cannot be copied
        """
        video = self.survey(piece.path, piece.catalog.info.fps)
        runs: list[list[int]] = []
        for episode in piece.episodes:
            begin, length = first_frame(video_key, episode), episode.source.length
            if runs and sum(runs[-1]) == begin:
                runs[-1][1] += length
            else:
                runs.append([begin, length])
        for begin, length in runs:
            if problem := cut_problem(video, begin, length):
                raise VideoError(problem)
        return [Segment(video, begin, length) for begin, length in runs]

    def can_join(self, video_key: str, one: Piece, other: Piece) -> bool:
        """Return whether two pieces may be joined; if not, the reason becomes a remark."""
        try:
            # Large files are read whole only if their headers match.
            problem = difference(*(self._traits_of(piece) for piece in (one, other)))
            if problem:
                raise VideoError(f'{other.path} is not joined to the file before it: {problem}')
            for piece in (one, other):
                self.segments(video_key, piece)
        except VideoError as error:
            if str(error) not in self.remarks:
                self.remarks.append(str(error))
            return False
        return True

    def _traits_of(self, piece: Piece) -> dict[str, object]:
        if piece.is_small:
            with suppress(VideoError):
                return self.survey(piece.path, piece.catalog.info.fps).traits
        if piece.path not in self._traits:
            self._traits[piece.path] = read_traits(piece.path)
        return self._traits[piece.path]

    def survey(self, path: Path, fps: int) -> VideoSurvey:
        """
        Return the survey of a video.

        :raise VideoError: if the video cannot be read, or its frames are not at ``k / fps``
        """
        known = self._known.get(path)
        if known is None:
            known = _survey(path, fps, to_first_error=self.to_first_error)
            self._known[path] = known
        if isinstance(known, str):
            raise VideoError(known)
        return known


def _survey(path: Path, fps: int, *, to_first_error: bool = False) -> VideoSurvey | str:
    """Return the survey of a video, or the reason why there is none."""
    try:
        return survey_video(path, fps, to_first_error=to_first_error)
    except VideoError as error:
        return str(error)


def _surveyed(asked: Sequence[tuple[Path, int]]) -> list[VideoSurvey | str]:
    return [_survey(path, fps) for path, fps in asked]
