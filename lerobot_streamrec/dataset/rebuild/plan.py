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
"""Which files a new dataset gets, and out of which files they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.episode_reader import read_schema
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.layout import FileIndex
from lerobot_streamrec.dataset.rebuild.pieces import Kept, packed, Piece, pieces_of
from lerobot_streamrec.dataset.rebuild.video_pieces import VideoSurveys

MAX_VIDEO_S = 900.0
"""Beyond 1024 s, LeRobot's reader does not find every frame: it counts seconds in float32."""

Groups = Sequence[Sequence[Piece]]


@dataclass(frozen=True, slots=True)
class Plan:
    """
    One new file per group of pieces, in order.

    :param kept: all episodes
    :param data: data files
    :param meta: episodes files
    :param videos: per video key
    :param surveys: of the videos that were looked at
    """

    kept: tuple[Kept, ...]
    data: Groups
    meta: Groups
    videos: Mapping[str, Groups]
    surveys: VideoSurveys

    @property
    def kinds(self) -> dict[str, Groups]:
        """All files by what they are: data, episodes, or a video key."""
        return {'data': self.data, 'episodes': self.meta, **self.videos}

    @property
    def joins(self) -> bool:
        """Whether any two files become one."""
        return any(len(group) > 1 for groups in self.kinds.values() for group in groups)

    @property
    def num_files(self) -> tuple[int, int]:
        """How many files there are before and after."""
        kinds = self.kinds.values()
        return sum(len(g) for groups in kinds for g in groups), sum(map(len, kinds))

    @property
    def size_bytes(self) -> int:
        """How much all pieces hold together."""
        groups = [group for one in self.kinds.values() for group in one]
        return sum(piece.size_bytes for group in groups for piece in group)

    @property
    def remarks(self) -> list[str]:
        """Why files stay as they are that could have been joined."""
        return self.surveys.remarks


def file_index(number: int, chunks_size: int) -> FileIndex:
    """Return the number of the n-th file of a kind."""
    return FileIndex(*divmod(number, chunks_size))


def make_plan(kept: tuple[Kept, ...], *, pack: bool) -> Plan:
    """
    Decide on the files of a new dataset. Changes nothing.

    :param kept: its episodes, not empty; the first one's dataset says how large files may become
    :param pack: whether neighbouring files become one as far as they fit; False: the episodes of
        a file stay in a file of their own
    :raise DatasetCorruptError: if a file is missing or cannot be read
    """
    first = kept[0].catalog
    surveys = VideoSurveys()
    data = pieces_of(kept, lambda one: one.data_file, Catalog.data_path)
    meta = pieces_of(kept, lambda one: one.meta_file, Catalog.meta_path)
    videos = {}
    for key in first.info.video_keys:
        pieces = pieces_of(
            kept,
            partial(_video_file, key),
            lambda catalog, file, key=key: catalog.video_path(key, file),  # type: ignore[misc]
        )
        videos[key] = (
            packed(
                pieces,
                partial(surveys.can_join, key),
                limit_bytes=first.video_limit_bytes,
                limit_s=MAX_VIDEO_S,
            )
            if pack
            else _each(pieces)
        )
    limit = first.data_limit_bytes
    return Plan(
        kept=kept,
        data=packed(data, _same_columns, limit_bytes=limit) if pack else _each(data),
        meta=packed(meta, lambda *_: True, limit_bytes=limit) if pack else _each(meta),
        videos=videos,
        surveys=surveys,
    )


def _each(pieces: Sequence[Piece]) -> list[list[Piece]]:
    return [[piece] for piece in pieces]


def _video_file(key: str, episode: EpisodeRow) -> FileIndex:
    return episode.videos[key].file


def _same_columns(one: Piece, other: Piece) -> bool:
    ours, theirs = read_schema(one.path), read_schema(other.path)
    return bool(ours.equals(theirs, check_metadata=False))
