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
What the episodes files say, kept so that a large dataset opens without reading all of them.

Each episode has a file of its own until the dataset is finalized. A file whose size and times are
those of the index was checked when it was indexed, and is not read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
import json
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.episode_table import (
    EpisodeRow,
    place_columns,
    refuse_other_numbers,
    texts_in,
    VideoPlace,
)
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.info_rules import read_small_file
from lerobot_streamrec.dataset.format.layout import EPISODE_INDEX, FileIndex
from lerobot_streamrec.dataset.format.table_rules import checked_episodes, refuse_odd_tasks
from lerobot_streamrec.errors import DatasetCorruptError, DatasetError

# A change of the rules or of the index's content makes older indices useless.
_VERSION = 2
TEXTS = 'texts'
"""The name in a row under which its texts are."""

_MAX_BYTES = 1 << 30
_FOLDER = 'meta/episodes'
# So many episodes at most are read again after a crash.
_KEEP_EVERY = 100

Row = dict[str, Any]
"""The columns of an episode that ``place_columns`` names, and ``texts``: its texts by column."""


class EpisodeIndex:
    """
    The rows of all episodes files, without their statistics. Belongs to the owner of the dataset.

    :param root: the dataset's folder
    :param info: the dataset's info.json
    """

    def __init__(self, root: Path, info: DatasetInfo) -> None:
        self._root = root
        self._features = _features(info)
        self._columns = place_columns(info.video_keys)
        # Each file's entry as text, which takes a tenth of the memory of its dicts.
        self._kept = {name: _text(one) for name, one in _kept(root, info, self._columns).items()}
        self._num_new = 0

    def rows(self, info: DatasetInfo) -> dict[Path, list[Row]]:
        """
        Read the episodes files that are new or changed, and return the rows of all.

        :param info: the dataset's info.json
        :return: rows by file, in the order of their paths
        :raise UnusableDatasetError: if a file cannot be used, naming the column
        :raise DatasetCorruptError: if a file has a name that no writer of the format uses
        """
        refuse_odd_tasks(self._root)
        kept: dict[str, str] = {}
        rows: dict[Path, list[Row]] = {}
        for path in sorted((self._root / _FOLDER).glob('*/*.parquet')):
            name = f'{path.parent.name}/{path.name}'
            file_number(path)
            stamp, text = _stamp(path), self._kept.get(name)
            known: dict[str, Any] = json.loads(text) if text else {}
            if text is None or stamp is None or known['stamp'] != stamp:
                table = checked_episodes(self._root, path, info)
                names = [one for one in self._columns if one in table.column_names]
                found = zip(table.select(names).to_pylist(), texts_in(table), strict=True)
                known = {'stamp': stamp, 'rows': [{**row, TEXTS: one} for row, one in found]}
                text = _text(known)
                self._num_new += 1
            kept[name] = text
            rows[path] = known['rows']
        self._kept = kept
        return rows

    def is_of(self, info: DatasetInfo) -> bool:
        """Return whether the features are still those for which the files were checked."""
        return self._features == _features(info)

    def add(self, row: EpisodeRow, path: Path) -> None:
        """
        Take in the file of an episode that was saved just now.

        :param row: its only row
        :param path: the file
        """
        values = {name: value for name, (value, _) in row.places().items()}
        cells = {name: values[name] for name in self._columns if name in values}
        cells[TEXTS] = dict(row.texts)
        entry = {'stamp': _stamp(path), 'rows': [cells]}
        self._kept[f'{path.parent.name}/{path.name}'] = _text(entry)
        self._num_new += 1

    def keep(self, files: Files, info: DatasetInfo, *, least: int = _KEEP_EVERY) -> None:
        """
        Write the index, unless few files are new. Without it the dataset only opens more slowly.

        :param files: the access to the disk
        :param info: the dataset's info.json
        :param least: number of new files that is worth it
        """
        if self._num_new < least:
            return
        entries = ','.join(f'{_text(name)}:{text}' for name, text in self._kept.items())
        features = _text(_features(info))
        content = f'{{"version":{_VERSION},"features":{features},"files":{{{entries}}}}}'
        with suppress(DatasetError):
            files.replace(EPISODE_INDEX, content.encode())
            self._num_new = 0


def read_episodes(root: Path, info: DatasetInfo) -> tuple[EpisodeRow, ...]:
    """
    Read the committed episodes, without their statistics.

    :param root: the dataset's folder
    :param info: the dataset's info.json, with the number of committed episodes
    :raise UnusableDatasetError: if a file cannot be used, or episodes are missing or out of order
    """
    return committed_episodes(root, info, EpisodeIndex(root, info).rows(info))


def committed_episodes(
    root: Path, info: DatasetInfo, by_file: Mapping[Path, list[Row]]
) -> tuple[EpisodeRow, ...]:
    """
    Return the committed episodes, without their statistics.

    :param root: the dataset's folder
    :param info: the dataset's info.json, with the number of committed episodes
    :param by_file: the rows of each episodes file, as ``EpisodeIndex.rows`` returns them
    :raise UnusableDatasetError: if episodes are missing or out of order
    """
    found = [
        _episode(row, file_number(path), info) for path, rows in by_file.items() for row in rows
    ]
    committed = found[: info.total_episodes]
    _check_order(root, info, committed)
    return tuple(committed)


def _episode(row: Mapping[str, Any], meta_file: FileIndex, info: DatasetInfo) -> EpisodeRow:
    videos = {
        key: VideoPlace(
            _file(row, f'videos/{key}'),
            float(row[f'videos/{key}/from_timestamp']),
            float(row[f'videos/{key}/to_timestamp']),
        )
        for key in info.video_keys
    }
    return EpisodeRow(
        episode_index=int(row['episode_index']),
        tasks=tuple(row['tasks']),
        length=int(row['length']),
        from_index=int(row['dataset_from_index']),
        data_file=_file(row, 'data'),
        meta_file=meta_file,
        videos=videos,
        statistics={},
        texts=row[TEXTS],
    )


def _file(row: Mapping[str, Any], prefix: str) -> FileIndex:
    return FileIndex(int(row[f'{prefix}/chunk_index']), int(row[f'{prefix}/file_index']))


def _check_order(root: Path, info: DatasetInfo, episodes: Sequence[EpisodeRow]) -> None:
    refuse_other_numbers(root, [one.episode_index for one in episodes], info.total_episodes)
    begin = 0
    for one in episodes:
        if one.from_index != begin or one.length < 1:
            raise DatasetCorruptError(
                f'{root}: episode {one.episode_index} begins at row {one.from_index} and has '
                f'{one.length} rows; it must begin at row {begin} and have at least 1 row'
            )
        begin += one.length


def _kept(root: Path, info: DatasetInfo, columns: Sequence[str]) -> dict[str, Any]:
    """Return the files of the index on the disk; none if it cannot be used."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        content = json.loads(read_small_file(root / EPISODE_INDEX, _MAX_BYTES))
        files: dict[str, Any] = content['files']
        is_of_dataset = content['version'] == _VERSION and content['features'] == _features(info)
        if is_of_dataset and all(_is_sound(one, columns) for one in files.values()):
            return files
    return {}


def _text(content: object) -> str:
    return json.dumps(content, separators=(',', ':'))


def _is_sound(file: Mapping[str, Any], columns: Sequence[str]) -> bool:
    """Return whether an entry of the index is as ``EpisodeIndex`` makes it."""
    times = [name for name in columns if name.endswith('_timestamp')]
    numbers = [name for name in columns if name not in ('tasks', *times)]
    return isinstance(file['stamp'], list) and all(
        row.keys() == {*columns, TEXTS}
        and all(type(row[name]) is int for name in numbers)
        and all(type(row[name]) in (int, float) for name in times)
        and all(isinstance(task, str) for task in row['tasks'])
        and all(isinstance(text, str) for text in row[TEXTS].values())
        for row in file['rows']
    )


def _features(info: DatasetInfo) -> Mapping[str, Any]:
    """Return what the rules for episodes files depend on."""
    return {key: [spec.dtype, spec.is_video] for key, spec in info.features.items()}


def _stamp(path: Path) -> list[int] | None:
    """Return what changes whenever a file does, also if it is replaced by one of equal size."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def file_number(path: Path) -> FileIndex:
    """
    Return the number in the name of a file.

    :raise DatasetCorruptError: if no writer of the format uses such a name
    """
    chunk, file = path.parent.name, path.stem
    try:
        return FileIndex(int(chunk.removeprefix('chunk-')), int(file.removeprefix('file-')))
    except ValueError as error:
        raise DatasetCorruptError(
            f'{path} does not belong there, but readers of the format read it'
        ) from error
