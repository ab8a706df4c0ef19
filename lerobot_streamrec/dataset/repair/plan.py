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
"""The plan of a repair: which episodes are kept, and in which files. Nothing changes yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path, PurePosixPath

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow, VideoPlace
from lerobot_streamrec.dataset.format.info import CODEBASE_VERSION, DatasetInfo
from lerobot_streamrec.dataset.format.layout import (
    CHUNKS_SIZE,
    FileIndex,
    is_left_by_recording,
    OWN,
)
from lerobot_streamrec.dataset.rebuild.new_tree import foreign_files
from lerobot_streamrec.dataset.rebuild.pieces import Kept, kept_episodes, Piece
from lerobot_streamrec.dataset.repair.cutting import Cutting
from lerobot_streamrec.dataset.repair.row_sources import Rows
from lerobot_streamrec.dataset.repair.sources import Source, Sources
from lerobot_streamrec.dataset.repair.task_sources import Tasks
from lerobot_streamrec.dataset.repair.verdicts import judge_episodes, least_rows, Verdict
from lerobot_streamrec.errors import RepairError

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
# Findings that a repair does not mend by rewriting files.
_NOT_SAID = {
    *_OF_STRAYS,
    kinds.CHANGED_MEANWHILE,
    kinds.INDEX_OUT_OF_TABLE,
    kinds.LINK_OUT_OF_ROOT,
    kinds.RECORDER_RUNS,
    kinds.UNCOMMITTED_EPISODE,
    kinds.UNENCODED_EPISODE,
    kinds.UNFINISHED_TAKE,
    kinds.VIDEO_TOO_LONG,
    kinds.WRONG_INDEX_TABLE,
}


@dataclass(frozen=True, slots=True, eq=False)
class RepairPlan:
    """
    The episodes to keep, and the files that will hold them.

    :param sources: the broken dataset
    :param verdicts: verdicts on all its episodes
    :param kept: episodes of the new dataset
    :param data: pieces of the data files; each becomes one new file
    :param videos: pieces of the video files, likewise, per video key
    :param strays: stray files that belong to no dataset, as paths below the root
    """

    sources: Sources
    verdicts: tuple[Verdict, ...]
    kept: tuple[Kept, ...]
    data: tuple[Piece, ...]
    videos: Mapping[str, tuple[Piece, ...]]
    strays: tuple[str, ...]
    _of_index: dict[int, Verdict] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Index the verdicts by episode."""
        self._of_index.update({one.source.episode_index: one for one in self.verdicts})

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
        found: dict[str, int] = {}
        for one in self.sources.report.findings:
            if not one.kind.harms_content and one.kind not in _NOT_SAID:
                found[one.kind.code] = found.get(one.kind.code, 0) + 1
        return found

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
        return self.verdict_of(episode).source

    def verdict_of(self, episode: Kept) -> Verdict:
        """Return the verdict on an episode that is kept."""
        return self._of_index[episode.source.episode_index]

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
    min_rows = least_rows(sources, min_seconds)
    verdicts = judge_episodes(sources, min_rows)
    cutting = Cutting(sources, verdicts, min_rows)
    cutting.settle()
    chosen = [one for one in verdicts if one.is_kept]
    if not chosen:
        raise RepairError(_nothing_left(sources, verdicts))
    catalog = _catalog(sources)
    kept = kept_episodes((catalog, _as_row(one, sources, cutting)) for one in chosen)
    of_verdict = dict(zip(map(id, chosen), kept, strict=True))
    return RepairPlan(
        sources=sources,
        verdicts=tuple(verdicts),
        kept=kept,
        data=tuple(_data_pieces(sources, chosen, of_verdict)),
        videos={
            key: tuple(
                _piece(
                    sources,
                    path,
                    [of_verdict[id(one)] for one in group],
                    is_whole=cutting.stays(key, path, group),
                )
                for path, group in cutting.files(key)
            )
            for key in sources.info.video_keys
        },
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
    sources: Sources, chosen: Sequence[Verdict], kept: Mapping[int, Kept]
) -> list[Piece]:
    findings = sources.report.findings
    wrong = {
        one.path for one in findings if one.kind.harms_content or one.kind in _WRONG_IN_ROWS
    }
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
        found.append(
            _piece(sources, path, [kept[id(one)] for one in group], is_whole=is_whole)
        )
    return found


def _has_first_numbers(rows: Rows, tasks: Tasks) -> bool:
    """Return whether no task of the rows also has a lower number."""
    numbers = set(rows.task_numbers.tolist())
    return all(tasks.index(tasks[number]) == number for number in numbers)


def _piece(sources: Sources, path: str, episodes: Sequence[Kept], *, is_whole: bool) -> Piece:
    full = sources.root / path
    return Piece(full, FileIndex(), tuple(episodes), is_whole, full.stat().st_size)
