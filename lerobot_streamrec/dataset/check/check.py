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
"""The check of a whole dataset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.dataset_statistics import (
    check_dataset_statistics,
    check_episode_statistics,
)
from lerobot_streamrec.dataset.check.episode_order import (
    check_order,
    check_spans,
    committed_episodes,
)
from lerobot_streamrec.dataset.check.episodes import EpisodeTable, read_episodes, Subject
from lerobot_streamrec.dataset.check.findings import (
    CheckReport,
    EpisodeHealth,
    Finding,
    Findings,
    Progress,
)
from lerobot_streamrec.dataset.check.info import check_info, CheckedInfo
from lerobot_streamrec.dataset.check.orphans import (
    check_leftovers,
    check_links,
    check_orphans,
    check_robot_files,
)
from lerobot_streamrec.dataset.check.rows import check_success, RowCheck, RowFacts
from lerobot_streamrec.dataset.check.tasks import check_index_tables, check_tasks
from lerobot_streamrec.dataset.check.videos import VideoCheck, VideoFindings
from lerobot_streamrec.dataset.format.files import lock_holder
from lerobot_streamrec.dataset.format.layout import INFO, LOCK, refuse_special_files
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.workers import HERE, Workers

_FOLDERS = ('meta', 'data', 'videos')

Watcher = Callable[[Progress], None]


def check_dataset(
    root: Path,
    *,
    decode: bool = True,
    progress: Watcher | None = None,
    is_locked: bool = False,
    workers: Workers = HERE,
) -> CheckReport:
    """
    Find everything that is wrong with a LeRobot v3.0 dataset, whoever wrote it.

    The check only reads: it takes no lock and writes nothing below the root. Faulty content
    becomes a finding, never an exception. The call blocks until all videos are decoded or, without
    decoding, until all other files are read. Memory holds one data file at a time, or one column
    of a large one.

    :param root: the dataset's folder
    :param decode: True to decode all images and frames, False to count the packets of the videos
    :param progress: called in this thread before each file
    :param is_locked: True if the caller holds the dataset's lock, so that no recorder runs
    :param workers: they read the videos; the report is the same for all of them
    :raise WorkerError: if a process dies again and again
    :raise ConfigError: if the root is not a folder or holds no part of a dataset
    :raise DatasetError: if the root holds a pipe, a socket or a device, which would block readers
    """
    if not root.is_dir():
        raise ConfigError('ROOT', str(root), 'it is not a folder; give the folder of a dataset')
    if not any((root / name).exists() for name in _FOLDERS):
        raise ConfigError(
            'ROOT', str(root), 'it holds no LeRobot dataset; give the folder that contains meta'
        )
    refuse_special_files(root)
    return _Check(root, decode, progress, is_locked, workers).run()


class _Check:
    """One check; it proceeds from the smallest files to the largest."""

    def __init__(
        self,
        root: Path,
        decode: bool,
        progress: Watcher | None,
        is_locked: bool,
        workers: Workers,
    ) -> None:
        self._root = root
        self._decode = decode
        self._progress = progress
        self._is_locked = is_locked
        self._workers = workers
        self._findings = Findings()

    def run(self) -> CheckReport:
        """Run all parts of the check and return the report."""
        holder = None if self._is_locked else lock_holder(self._root)
        if holder is not None:
            what = 'A recorder has the dataset open'
            self._findings.about(str(LOCK)).add(kinds.RECORDER_RUNS, what, holder)
        before = self._info_bytes()
        check_links(self._root, self._findings)
        check_leftovers(self._root, is_recording=holder is not None, findings=self._findings)
        info = check_info(self._root, self._findings)
        report = CheckReport(self._root, self._decode) if info is None else self._check(info)
        if info is not None and self._info_bytes() != before:
            what = 'The dataset changed during the check'
            self._findings.about(str(INFO)).add(kinds.CHANGED_MEANWHILE, what)
        return replace(report, findings=self._findings.sorted())

    def _info_bytes(self) -> bytes:
        try:
            return (self._root / INFO).read_bytes()
        except OSError:
            return b''

    def _step(self, step: str, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(Progress(step, done, total))

    def _check(self, info: CheckedInfo) -> CheckReport:
        root, findings = self._root, self._findings
        tasks = check_tasks(root, info.totals.get('tasks'), findings)
        everything = read_episodes(root, info, findings, partial(self._step, 'episodes'))
        table = committed_episodes(everything, info, findings)
        check_order(table, findings)
        check_spans(table, info.fps, findings)
        subject = Subject(root, info, table, findings, self._decode)
        rows = RowCheck(subject, tasks).run(partial(self._step, 'rows'))
        check_success(subject, rows)
        check_index_tables(root, info, rows.moments, findings)
        videos = VideoCheck(subject).run(partial(self._step, 'videos'), self._workers)
        moments = {**rows.moments, **videos.moments}
        check_episode_statistics(subject, moments, partial(self._step, 'statistics'))
        if len(table):
            # An interrupted recorder leaves statistics that include one episode too many.
            compare = table.is_complete and len(table) == len(everything)
            check_dataset_statistics(subject, moments, compare=compare)
        check_robot_files(subject)
        # If a part of meta/episodes is unreadable, the files that its episodes need are unknown.
        if table.is_complete:
            known = _files(everything) - _files(table)
            check_orphans(subject, _files(table), known)
        return self._report(info, table, rows, videos)

    def _report(
        self, info: CheckedInfo, table: EpisodeTable, rows: RowFacts, videos: VideoFindings
    ) -> CheckReport:
        of_episode: dict[int, list[Finding]] = defaultdict(list)
        of_file: dict[str, list[Finding]] = defaultdict(list)
        for finding in self._findings.sorted():
            if finding.episode_index is not None:
                of_episode[finding.episode_index].append(finding)
            # Episodes that lack broken frames have findings of their own (frame-count).
            elif finding.kind.harms_content and finding.kind is not kinds.BROKEN_FRAMES:
                of_file[finding.path].append(finding)
        episodes = tuple(
            EpisodeHealth(
                index,
                length,
                bool(rows.readable[row]),
                {key: bool(present[row]) for key, present in videos.present.items()},
                (
                    *of_episode.get(index, ()),
                    *(one for path in _files_of(table, row) for one in of_file.get(path, ())),
                ),
            )
            for row, (index, length) in enumerate(
                zip(table.index.tolist(), table.length.tolist(), strict=True)
            )
        )
        return CheckReport(
            self._root, self._decode, rows.num_rows, info.video_keys, episodes=episodes
        )


def _files_of(table: EpisodeTable, row: int) -> tuple[str, ...]:
    videos = (spans.files[row] for spans in table.videos.values())
    return (table.data_files[row], table.meta_files[row], *videos)


def _files(table: EpisodeTable) -> set[str]:
    videos = (path for spans in table.videos.values() for path in spans.files)
    return {*table.data_files, *table.meta_files, *videos}
