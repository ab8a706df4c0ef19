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
"""The search for files below the root that belong to no episode."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path, PurePosixPath

from lerobot_streamrec.dataset.about.robot_files import episodes_by_file, is_intact
from lerobot_streamrec.dataset.about.robot_files import FOLDER as ROBOT
from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.episodes import FOLDER as EPISODES
from lerobot_streamrec.dataset.check.episodes import Subject
from lerobot_streamrec.dataset.check.findings import Findings, some
from lerobot_streamrec.dataset.check.reading import UNREADABLE
from lerobot_streamrec.dataset.format.layout import is_left_by_recording, STAGING
from lerobot_streamrec.dataset.takes.saved_take import SAVED
from lerobot_streamrec.remote_files import readable
import pyarrow.parquet as pq

_IMAGES = 'images'


def check_links(root: Path, findings: Findings) -> None:
    """Find symbolic links whose target is not below the root."""
    inside = root.resolve()
    for relative in _entries(root, links=True):
        try:
            target = (root / relative).resolve()
        except (OSError, RuntimeError):
            continue
        if not target.is_relative_to(inside):
            what = 'A symbolic link leads out of the dataset'
            place = 'a place below the root'
            findings.about(relative).add(kinds.LINK_OUT_OF_ROOT, what, target, place)


def check_leftovers(root: Path, *, is_recording: bool, findings: Findings) -> None:
    """Find the files that interrupted recordings left behind, including LeRobot's."""
    takes = [] if is_recording else sorted((root / STAGING).glob('*'))
    saved = [one for one in takes if (one / SAVED).is_file()]
    if len(takes) > len(saved):
        findings.about(str(STAGING)).add(kinds.UNFINISHED_TAKE, 'A take was not finished')
    for one in saved:
        where = one.relative_to(root).as_posix()
        findings.about(where).add(kinds.UNENCODED_EPISODE, 'An episode waits to be encoded')
    pictures = sum(is_left_by_recording(f'{_IMAGES}/{one}') for one in _entries(root / _IMAGES))
    if pictures:
        what = 'Single images were left behind'
        findings.about(_IMAGES).add(kinds.LEFTOVER_IMAGES, what, f'{pictures} files')
    for path in sorted(root.glob('tmp*')):
        what = 'A temporary folder or file was left behind'
        findings.about(path.name).add(kinds.ORPHAN_FILE, what)


def check_robot_files(subject: Subject) -> None:
    """Find files about the robot that episodes name and that are missing or were changed."""
    table = subject.table
    texts = zip(table.index.tolist(), table.robot_files, strict=True)
    for name, indices in episodes_by_file(texts).items():
        relative = str(ROBOT / name)
        findings = subject.findings.about(relative)
        try:
            content = (subject.root / relative).read_bytes()
        except OSError:
            what = 'Episodes name a file about the robot that is not there'
            findings.add(kinds.MISSING_ROBOT_FILE, what, f'episodes {some(indices)}')
            continue
        if not is_intact(name, content):
            what = 'The content of the file is not that by which it was named'
            findings.add(kinds.CHANGED_ROBOT_FILE, what, f'episodes {some(indices)}')


def check_orphans(subject: Subject, referenced: set[str], known: set[str]) -> None:
    """
    Find files to which no episode refers.

    :param referenced: the files of the episodes
    :param known: files that already have findings
    """
    last = max((path for path in referenced if path.startswith('data/')), default='')
    for folder in ('data', 'videos', EPISODES):
        for below in _entries(subject.root / folder):
            relative = f'{folder}/{below}'
            if relative in referenced or relative in known:
                continue
            path, findings = PurePosixPath(relative), subject.findings.about(relative)
            # Readers read every parquet file that lies one folder deep.
            if path.suffix == '.parquet' and len(path.parts) == len(folder.split('/')) + 2:
                if folder == 'data':
                    _check_rows(subject, last, findings)
                continue
            findings.add(kinds.ORPHAN_FILE, 'No episode refers to the file')


def _check_rows(subject: Subject, last: str, findings: Findings) -> None:
    what = 'No episode refers to the file, and'
    try:
        with pq.ParquetFile(readable(subject.root / findings.path)) as file:
            names, num_rows = file.schema_arrow.names, file.metadata.num_rows
    except UNREADABLE as error:
        findings.add(kinds.STRAY_FILE, f'{what} it cannot be read', error)
        return
    extra, found = [name for name in names if name not in subject.info.columns], f'{num_rows} rows'
    if extra:
        findings.add(kinds.STRAY_FILE, f'{what} some of its columns are no features', some(extra))
    elif num_rows and findings.path < last:
        findings.add(kinds.ORPHAN_ROWS, f'{what} readers read it before others', found)
    else:
        findings.add(kinds.ORPHAN_FILE, f'{what} readers read it after the others', found)


def _entries(folder: Path, *, links: bool = False) -> Iterator[str]:
    """
    Yield the paths of the files below a folder, relative to it and in order.

    Hidden folders are skipped, since they are not a part of the dataset.

    :param links: True to yield symbolic links, including those to folders, instead of files
    """
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for name in sorted([*folders, *files] if links else files):
            path = Path(parent, name)
            if not links or path.is_symlink():
                yield path.relative_to(folder).as_posix()
