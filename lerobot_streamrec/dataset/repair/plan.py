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
"""
The plan of a repair: which episodes are kept, and in which files. Nothing changes yet.

The rows of the plan are read with all columns and with new numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
import math
from pathlib import Path, PurePosixPath

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow, VideoPlace
from lerobot_streamrec.dataset.format.features import arrow_type, DEFAULT_FEATURES
from lerobot_streamrec.dataset.format.info import CODEBASE_VERSION, DatasetInfo
from lerobot_streamrec.dataset.format.layout import (
    CHUNKS_SIZE,
    FileIndex,
    is_left_by_recording,
    OWN,
)
from lerobot_streamrec.dataset.format.parquet import read_parquet, read_schema
from lerobot_streamrec.dataset.rebuild.new_tree import foreign_files
from lerobot_streamrec.dataset.rebuild.pieces import Kept, kept_episodes, Piece, VideoSurveys
from lerobot_streamrec.dataset.repair.row_sources import Rows, Tasks
from lerobot_streamrec.dataset.repair.sources import Source, Sources
from lerobot_streamrec.dataset.repair.verdicts import Cutting, judged, Verdict
from lerobot_streamrec.errors import RepairError
import numpy as np
import pyarrow as pa

_FOLDERS = ('data', 'videos', 'meta/episodes')


def stray_files(root: Path) -> tuple[str, ...]:
    """Return the foreign files in folders of the format, and files left over from a recording."""
    return tuple(sorted(one for one in foreign_files(root) if _is_stray(PurePosixPath(one))))


def _is_stray(path: PurePosixPath) -> bool:
    # Other hidden folders belong to other programs.
    if path.parts[0] == OWN.name or any(one.startswith('.') for one in path.parts[:-1]):
        return False
    return is_left_by_recording(path.as_posix()) or any(
        path.is_relative_to(folder) for folder in _FOLDERS
    )


_SHOWN = 3

# Faults of data files that require a rewrite but do not harm the content of rows.
_WRONG_IN_ROWS = {kinds.EXTRA_COLUMN, kinds.TIMESTAMP_OFF_GRID, kinds.WRONG_INDEX}
# Findings on files or rows that the repair moves away.
_OF_STRAYS = {kinds.LEFTOVER_IMAGES, kinds.ORPHAN_FILE, kinds.ORPHAN_ROWS, kinds.STRAY_FILE}
NOT_MENDED = {
    kinds.CHANGED_MEANWHILE,
    kinds.INDEX_OUT_OF_TABLE,
    kinds.LINK_OUT_OF_ROOT,
    kinds.RECORDER_RUNS,
    kinds.UNENCODED_EPISODE,
    kinds.UNFINISHED_TAKE,
    kinds.VIDEO_TOO_LONG,
    kinds.WRONG_INDEX_TABLE,
}
"""Findings that are no faults of the files, or that rewriting the files would not mend."""
_NOT_SAID = {*_OF_STRAYS, *NOT_MENDED, kinds.UNCOMMITTED_EPISODE}


@dataclass(frozen=True, slots=True, eq=False)
class RepairPlan:
    """
    The episodes to keep, and the files that will hold them.

    :param sources: the broken dataset
    :param verdicts: verdicts on all its episodes
    :param verdicts_of_kept: verdict on each episode of the new dataset
    :param data: pieces of the data files; each becomes one new file
    :param videos: pieces of the video files, likewise, per video key
    :param surveys: surveys of the videos that were read for the plan
    :param strays: stray files that belong to no dataset, as paths below the root
    """

    sources: Sources
    verdicts: tuple[Verdict, ...]
    verdicts_of_kept: Mapping[Kept, Verdict]
    data: tuple[Piece, ...]
    videos: Mapping[str, tuple[Piece, ...]]
    surveys: VideoSurveys
    strays: tuple[str, ...]

    @property
    def kept(self) -> tuple[Kept, ...]:
        """The episodes of the new dataset."""
        return tuple(self.verdicts_of_kept)

    @property
    def catalog(self) -> Catalog:
        """The broken dataset, as the catalog that dataset/rebuild works with."""
        return next(iter(self.verdicts_of_kept)).catalog

    @property
    def cut(self) -> tuple[Verdict, ...]:
        """The episodes of which only the first rows are kept."""
        return tuple(one for one in self.verdicts if one.is_cut)

    @property
    def set_aside(self) -> tuple[Verdict, ...]:
        """The episodes of which nothing is kept."""
        return tuple(one for one in self.verdicts if not one.is_kept)

    @property
    def mended(self) -> dict[str, int]:
        """The findings that rewriting mends: number of findings per code."""
        found = (one.kind for one in self.sources.report.findings)
        return Counter(one.code for one in found if not one.harms_content and one not in _NOT_SAID)

    @property
    def unneeded(self) -> frozenset[str]:
        """Files that no episode needs, as paths below the root."""
        findings = self.sources.report.findings
        orphans = {one.path for one in findings if one.kind in _OF_STRAYS}
        return frozenset({one for one in orphans if (self.sources.root / one).is_file()}).union(
            self.strays
        )

    def source_of(self, episode: Kept) -> Source:
        """Return the remains of an episode that is kept."""
        return self.verdicts_of_kept[episode].source

    def as_json(self) -> dict[str, object]:
        """Return the plan as JSON values."""
        new = {one.source.episode_index: one.episode_index for one in self.kept}
        return {
            'episodes': [
                {**one.as_json(), 'new_episode_index': new.get(one.source.episode_index)}
                for one in self.verdicts
            ],
            'num_kept': len(self.kept),
            'num_cut': len(self.cut),
            'num_set_aside': len(self.set_aside),
            'mended': self.mended,
            'unneeded': sorted(self.unneeded),
        }


def plan_repair(sources: Sources, min_seconds: float) -> RepairPlan:
    """
    Plan a repair that keeps all rows that can be verified.

    :param sources: the broken dataset
    :param min_seconds: minimum duration of a cut episode; shorter ones are set aside
    :raise RepairError: if no episode can be kept
    """
    min_rows = max(1, math.ceil(min_seconds * sources.fps))
    verdicts = [judged(one, sources, min_rows) for one in sources.episodes]
    cutting = Cutting(sources, verdicts, min_rows)
    cutting.settle()
    chosen = [one for one in verdicts if one.is_kept]
    if not chosen:
        raise RepairError(_nothing_left(sources, verdicts))
    catalog = _catalog(sources)
    kept = kept_episodes((catalog, _as_row(one, sources, cutting)) for one in chosen)
    kept_of = dict(zip(chosen, kept, strict=True))
    return RepairPlan(
        sources=sources,
        verdicts=tuple(verdicts),
        verdicts_of_kept=dict(zip(kept, chosen, strict=True)),
        data=tuple(_data_pieces(sources, chosen, kept_of)),
        videos={
            key: tuple(
                _piece(
                    sources,
                    path,
                    [kept_of[one] for one in group],
                    is_whole=cutting.stays(key, path, group),
                )
                for path, group in cutting.files(key)
            )
            for key in sources.info.video_keys
        },
        surveys=cutting.surveys,
        strays=stray_files(sources.root),
    )


def _nothing_left(sources: Sources, verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        lost = '; '.join([*sources.lost.values()][:_SHOWN])
        lost = lost or 'it has neither rows nor episodes'
        return f'no episode of {sources.root} can be kept: {lost}. Nothing has changed.'
    shown = '; '.join(
        f'episode {one.source.episode_index}: {", ".join(one.reasons)}'
        for one in verdicts[:_SHOWN]
    )
    more = f'; and {len(verdicts) - _SHOWN} more' if len(verdicts) > _SHOWN else ''
    return f'no episode of {sources.root} can be kept: {shown}{more}. Nothing has changed.'


def _catalog(sources: Sources) -> Catalog:
    """Describe the broken dataset as the catalog that dataset/rebuild works with."""
    size = sources.raw_info.get('chunks_size')
    info = DatasetInfo(
        fps=sources.fps,
        robot_type=None,
        features=sources.info.features,
        chunks_size=size if isinstance(size, int) and size > 0 else CHUNKS_SIZE,
        extra={'codebase_version': CODEBASE_VERSION},
    )
    tasks = tuple(text or '' for text in sources.tasks)
    return Catalog(sources.root, info, sources.raw_info, tasks, None, ())


def _as_row(verdict: Verdict, sources: Sources, cutting: Cutting) -> EpisodeRow:
    source, fps = verdict.source, sources.fps
    assert source.rows is not None
    numbers = dict.fromkeys(source.rows.task_numbers[: verdict.num_kept].tolist())
    videos = {}
    for key, shot in source.shots.items():
        begin_s = shot.first / fps
        if not sources.reader.frames(key, shot.path).is_exact:
            begin_s = cutting.stated_s(key, shot.path, verdict) or begin_s
        videos[key] = VideoPlace(FileIndex(), begin_s, begin_s + verdict.num_kept / fps)
    return EpisodeRow(
        episode_index=source.episode_index,
        tasks=tuple(dict.fromkeys(sources.tasks[number] or '' for number in numbers)),
        length=verdict.num_kept,
        from_index=source.rows.from_index,
        data_file=FileIndex(),
        meta_file=FileIndex(),
        videos=videos,
        statistics={},
    )


def _data_pieces(
    sources: Sources, chosen: Sequence[Verdict], kept_of: Mapping[Verdict, Kept]
) -> list[Piece]:
    findings = sources.report.findings
    wrong = {one.path for one in findings if one.kind.harms_content or one.kind in _WRONG_IN_ROWS}
    checked = set(sources.table.data_files) - wrong
    found = []
    for path, members in groupby(chosen, lambda one: one.source.rows and one.source.rows.path):
        group = list(members)
        assert path is not None
        rows = [one.source.rows for one in group if one.source.rows is not None]
        begins = [one.begin for one in rows]
        is_whole = (
            path in checked
            and sum(one.num_kept for one in group) == sources.row_counts[path]
            and begins == sorted(begins)
            and all(one.num_kept == rows.length for one, rows in zip(group, rows, strict=True))
            and all(_has_first_numbers(one, sources.tasks) for one in rows)
        )
        found.append(_piece(sources, path, [kept_of[one] for one in group], is_whole=is_whole))
    return found


def _has_first_numbers(rows: Rows, tasks: Tasks) -> bool:
    """Return whether no task of the rows also has a lower number."""
    numbers = set(rows.task_numbers.tolist())
    return all(tasks.index(tasks[number]) == number for number in numbers)


def _piece(sources: Sources, path: str, episodes: Sequence[Kept], *, is_whole: bool) -> Piece:
    full = sources.root / path
    return Piece(full, FileIndex(), tuple(episodes), is_whole, full.stat().st_size)


def kept_rows(
    plan: RepairPlan, piece: Piece, columns: list[str] | None
) -> Iterator[tuple[Kept, pa.Table]]:
    """
    Read the rows of a piece that a plan keeps; it replaces ``rows_of`` in a repair.

    :param columns: names of features to read; None: all features
    :return: the rows of each episode
    """
    features = plan.sources.info.columns
    present = read_schema(piece.path).names
    wanted = [key for key in features if columns is None or key in columns]
    # task_index is the only number of a row that is read; all others are computed.
    read = [key for key in {*wanted, 'task_index'} if key in present]
    table = read_parquet(piece.path, read)
    if set(present) != set(features):
        # The metadata may describe columns that the new file will not have.
        table = table.replace_schema_metadata(None)
    for episode in piece.episodes:
        rows = plan.source_of(episode).rows
        assert rows is not None
        yield episode, _numbered(table.slice(rows.begin, episode.source.length), wanted, episode)


def _numbered(rows: pa.Table, columns: list[str], episode: Kept) -> pa.Table:
    """Put the columns in order, and compute the frame numbers and timestamps anew."""
    frame_index = np.arange(len(rows), dtype=np.int64)
    # The numbers within the dataset are filled in when the rows are written.
    unknown = np.zeros(len(rows), dtype=np.int64)
    new = {
        'timestamp': (frame_index / episode.catalog.info.fps).astype(np.float32),
        'frame_index': frame_index,
        'episode_index': unknown,
        'index': unknown,
        'task_index': np.asarray(rows.column('task_index').to_numpy(), dtype=np.int64),
    }
    fields, arrays = [], []
    for key in columns:
        if key in new:
            fields.append(pa.field(key, arrow_type(DEFAULT_FEATURES[key])))
            arrays.append(pa.array(new[key]))
        else:
            fields.append(rows.schema.field(key))
            arrays.append(rows.column(key))
    return pa.table(arrays, schema=pa.schema(fields, metadata=rows.schema.metadata))
