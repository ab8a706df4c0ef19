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
"""Files that an interrupted commit placed, and nothing counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
import json
import logging
from pathlib import Path
import re

from lerobot_streamrec.dataset.format.episode_table import CommittedFiles
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.layout import FileIndex, record_path, STAGING
from lerobot_streamrec.dataset.format.take_record import parse_take_record, RECORD, video_name
from lerobot_streamrec.errors import DatasetCorruptError

_log = logging.getLogger(__name__)

_FILE = re.compile(r'chunk-(\d{3,})/file-(\d{3,})\.(parquet|mp4)')
# Takes whose folders can still be there are the last ones.
_RECORDS_READ = 16


def numbered_files(folder: Path) -> dict[FileIndex, Path]:
    """List the files of a kind (data, episodes, or one video key) by number."""
    found = {}
    for path in folder.glob('chunk-*/file-*'):
        match = _FILE.fullmatch(path.relative_to(folder).as_posix())
        if match:
            found[FileIndex(int(match[1]), int(match[2]))] = path
    return found


def saved_take_ids(files: Files, total_episodes: int) -> set[str]:
    """
    Return which of the last takes are episodes, whether or not their folders are gone.

    :param files: the way to the disk
    :param total_episodes: number in info.json; a record beyond is of a commit that was interrupted
    """
    found = set()
    for index in range(max(0, total_episodes - _RECORDS_READ), total_episodes):
        with suppress(OSError, ValueError, AttributeError):
            record = json.loads(files.path(record_path(index)).read_bytes())
            found.add(str(record.get('take_id')))
    return found


def return_videos(
    files: Files, total_episodes: int, committed: Mapping[str, frozenset[FileIndex]]
) -> None:
    """
    Move videos that an interrupted commit had placed back to their take, which can be recovered.

    :param files: the way to the disk
    :param total_episodes: number in info.json
    :param committed: per video key the numbers that episodes refer to
    :raise DatasetError: if they cannot be moved
    """
    saved = saved_take_ids(files, total_episodes)
    for folder in sorted(files.path(STAGING).glob('*/')):
        try:
            record = parse_take_record((folder / RECORD).read_bytes(), folder)
        except (OSError, DatasetCorruptError):
            continue
        if folder.is_symlink() or record.take_id in saved:
            continue
        for key in record.cameras:
            video = folder / video_name(key)
            placed = [
                path
                for number, path in numbered_files(files.path(f'videos/{key}')).items()
                if number not in committed.get(key, frozenset())
            ]
            # One commit goes on at a time; more than one file is not its doing.
            if len(placed) == 1 and not video.exists():
                files.adopt(placed[0], files.relative(video))


def quarantine_uncommitted(files: Files, committed: CommittedFiles) -> None:
    """Move away what a crash between two steps of a commit left, lest readers see it."""
    for folder, numbers in (
        ('meta/episodes', committed.meta),
        ('data', committed.data),
        *((f'videos/{key}', numbers) for key, numbers in committed.videos.items()),
    ):
        present = numbered_files(files.path(folder))
        quarantine_all(files, (present[number] for number in sorted(present.keys() - numbers)))


def quarantine_all(files: Files, paths: Iterable[Path]) -> None:
    """Move away files or folders that belong to no saved episode."""
    for path in paths:
        moved = files.quarantine(path, 'uncommitted')
        _log.warning('%s belongs to no saved episode; moved to %s', path, moved)
