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
"""meta/info.json: the description of the dataset, and the commit point of every episode."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
import re
from typing import Any

from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES, FeatureSpec, parse_feature
from lerobot_streamrec.dataset.format.info_rules import (
    info_faults,
    json_bytes,
    load_object,
    read_small_file,
    shown_value,
    TEXTS,
)
from lerobot_streamrec.dataset.format.layout import CHUNKS_SIZE, DATA_PATH, INFO, VIDEO_PATH
from lerobot_streamrec.errors import (
    DatasetCorruptError,
    DatasetError,
    DatasetMismatchError,
    DatasetUnsupportedError,
    UnusableDatasetError,
)
from lerobot_streamrec.installed import streamrec_command

CODEBASE_VERSION = 'v3.0'

_FROM_V21 = (
    '`python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=OWNER/NAME --root={} '
    '--push-to-hub=false` (in LeRobot 0.4 the module is '
    'lerobot.datasets.v30.convert_dataset_v21_to_v30)'
)
_FROM_V20 = '`python -m lerobot.datasets.v21.convert_dataset_v20_to_v21 --repo-id=OWNER/NAME`'


def version_advice(version: object, root: object) -> str:
    """
    Return a sentence that explains how to convert a dataset of another version to v3.0.

    :param version: the codebase_version in its info.json
    :param root: the dataset's folder
    """
    convert = _FROM_V21.format(root)
    if version == 'v2.1':
        return f'LeRobot converts it: {convert}.'
    if version == 'v2.0':
        return f'LeRobot 0.3 converts it to v2.1: {_FROM_V20}; newer releases to v3.0: {convert}.'
    if str(version).startswith(('v1', 'v2')):
        return 'Convert it to v2.0 with an old LeRobot release, then to v3.0 with newer releases.'
    return 'Install a newer lerobot_streamrec, or correct codebase_version in meta/info.json.'


def refuse_other_version(version: object, root: object) -> None:
    """
    Refuse a dataset that is not v3.0.

    :param version: the codebase_version in info.json
    :param root: the dataset's folder
    :raise DatasetUnsupportedError: with LeRobot's command that converts the dataset, if it exists
    """
    if version != CODEBASE_VERSION:
        raise DatasetUnsupportedError(
            f'{root} is a dataset with codebase_version {shown_value(version)}, and '
            f'{CODEBASE_VERSION} is needed. {version_advice(version, root)}'
        )


_RANGE = re.compile(r'(\d{1,18}):(\d{1,18})')


def is_own(splits: object) -> bool:
    """Return True if users made splits, beside the split of all episodes that writers make."""
    return isinstance(splits, dict) and bool(splits) and set(splits) != {'train'}


def grown_splits(splits: object, total_episodes: int) -> object:
    """
    Return the splits of a dataset to which episodes were appended.

    :param splits: the old splits; splits made by users stay unchanged
    :param total_episodes: the new number of episodes
    """
    if is_own(splits):
        return splits
    return {'train': f'0:{total_episodes}'} if total_episodes else {}


def chosen_splits(splits: object, kept: Sequence[int]) -> object:
    """
    Return the splits of a dataset that keeps some episodes of another dataset.

    :param splits: the splits of the source; ranges and lists of users are renumbered, and any
        other values stay unchanged
    :param kept: the old numbers of the kept episodes, ascending
    """
    if not is_own(splits):
        return grown_splits(splits, len(kept))
    assert isinstance(splits, dict)
    return {name: _chosen(said, kept) for name, said in splits.items()}


def _chosen(said: object, kept: Sequence[int]) -> object:
    if isinstance(said, list):
        new = {old: number for number, old in enumerate(kept)}
        return [new[one] for one in said if isinstance(one, int) and one in new]
    match = _RANGE.fullmatch(said) if isinstance(said, str) else None
    if match is None:
        return said
    return ':'.join(str(bisect_left(kept, int(one))) for one in match.groups())


STORAGE_FORMATS = (None, 'lerobot')
"""The values of ``storage_format`` for rows in parquet files and videos in MP4 files."""


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """
    The content of info.json; it is frozen, so that any thread may read a snapshot.

    :param fps: rows per second
    :param robot_type: any text, or None
    :param features: all features in order, with the default features last in new datasets
    :param total_episodes: number of committed episodes
    :param total_frames: number of committed rows
    :param total_tasks: number of rows of tasks.parquet
    :param chunks_size: number of files per chunk folder
    :param splits: the splits as they were read
    :param extra: the keys that this package does not write, as they were read
    """

    fps: int
    robot_type: str | None
    features: Mapping[str, FeatureSpec]
    total_episodes: int = 0
    total_frames: int = 0
    total_tasks: int = 0
    chunks_size: int = CHUNKS_SIZE
    splits: object = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def as_bytes(self) -> bytes:
        """Return the file's content."""
        has_videos = any(spec.is_video for spec in self.features.values())
        content: dict[str, object] = {
            'codebase_version': CODEBASE_VERSION,
            'fps': self.fps,
            'features': {key: spec.as_json() for key, spec in self.features.items()},
            'total_episodes': self.total_episodes,
            'total_frames': self.total_frames,
            'total_tasks': self.total_tasks,
            'chunks_size': self.chunks_size,
            'data_files_size_in_mb': 100,
            'video_files_size_in_mb': 200,
            'data_path': DATA_PATH,
            'video_path': VIDEO_PATH if has_videos else None,
            'robot_type': self.robot_type,
            'splits': grown_splits(self.splits, self.total_episodes),
        }
        content.update({key: value for key, value in self.extra.items() if key not in _REWRITTEN})
        return json_bytes(content)

    def after(self, num_rows: int, total_tasks: int) -> DatasetInfo:
        """Return the content after one more episode is committed."""
        return replace(
            self,
            total_episodes=self.total_episodes + 1,
            total_frames=self.total_frames + num_rows,
            total_tasks=total_tasks,
        )

    def refuse_other_rows(self, root: Path, num_rows: int) -> None:
        """
        Refuse a dataset whose episodes have another number of rows.

        :raise DatasetCorruptError: with both numbers
        """
        if num_rows != self.total_frames:
            raise DatasetCorruptError(
                f'{root}: info.json counts {self.total_frames} rows, the episodes have {num_rows}'
            )

    @property
    def video_keys(self) -> tuple[str, ...]:
        """The features whose frames are in MP4 files."""
        return tuple(key for key, spec in self.features.items() if spec.is_video)

    @property
    def keys_with_statistics(self) -> tuple[str, ...]:
        """The features with statistics: all but texts."""
        return tuple(key for key, spec in self.features.items() if spec.dtype not in TEXTS)


# The keys that this package writes itself; file sizes and further keys stay as they were read.
_REWRITTEN = {
    'codebase_version',
    'fps',
    'features',
    'total_episodes',
    'total_frames',
    'total_tasks',
    'chunks_size',
    'robot_type',
    'splits',
}


def with_defaults(features: Mapping[str, FeatureSpec]) -> dict[str, FeatureSpec]:
    """Return the features with LeRobot's five default features appended."""
    return {**features, **DEFAULT_FEATURES}


def parse_info(content: bytes, where: object) -> DatasetInfo:
    """
    Parse info.json.

    :param content: the bytes of info.json
    :param where: the dataset's root, for messages
    :raise UnusableDatasetError: naming the first value that the format does not allow
    :raise DatasetUnsupportedError: if the version, the storage or a fractional fps is unsupported
    :raise DatasetMismatchError: if a path template is not LeRobot's
    """
    return info_of(parse_raw_info(content, where), where)


def parse_raw_info(content: bytes, where: object) -> dict[str, Any]:
    """
    Parse all of info.json, and refuse values that a tool cannot use.

    :param content: the bytes of info.json
    :param where: the dataset's root, for messages
    :raise UnusableDatasetError: naming the first value that the format does not allow
    :raise DatasetUnsupportedError: if the version or the storage is unsupported
    :raise DatasetMismatchError: if a path template is not LeRobot's
    """
    try:
        raw, faults = load_object(content)
    except ValueError as error:
        raise UnusableDatasetError(where, INFO, f'the file cannot be read ({error})') from error
    version = raw.get('codebase_version')
    if isinstance(version, str):
        refuse_other_version(version, where)
    if version != CODEBASE_VERSION:
        problem = f'codebase_version is {shown_value(version)}: {CODEBASE_VERSION!r} is needed'
        raise UnusableDatasetError(where, INFO, problem)
    refuse_other_storage(raw.get('storage_format'), where)
    for fault in chain(faults, info_faults(raw)):
        raise UnusableDatasetError(where, INFO, str(fault))
    for key, template in (('data_path', DATA_PATH), ('video_path', VIDEO_PATH)):
        if raw.get(key) not in (template, None):
            raise DatasetMismatchError(
                where, [f'{key} is {raw[key]!r}, this recorder writes {template!r}']
            )
    return raw


def info_of(raw: Mapping[str, Any], where: object) -> DatasetInfo:
    """
    Return the part of info.json that this package knows.

    :param raw: the content that ``parse_raw_info`` returned
    :param where: the dataset's root, for messages
    :raise DatasetUnsupportedError: if fps is not a whole number
    """
    features = {key: parse_feature(entry) for key, entry in raw['features'].items()}
    return DatasetInfo(
        fps=whole_fps(raw['fps'], where),
        robot_type=raw.get('robot_type'),
        features=features,
        total_episodes=raw['total_episodes'],
        total_frames=raw['total_frames'],
        total_tasks=raw['total_tasks'],
        chunks_size=raw.get('chunks_size', CHUNKS_SIZE),
        splits=raw.get('splits'),
        extra={key: value for key, value in raw.items() if key not in _REWRITTEN},
    )


def read_info(root: Path) -> DatasetInfo:
    """
    Read the info.json of a dataset.

    :param root: the dataset's folder
    :raise DatasetCorruptError: if the file is missing, or does not match the format
    :raise DatasetUnsupportedError: if the version, the storage or a fractional fps is unsupported
    :raise DatasetMismatchError: if a path template is not LeRobot's
    """
    return parse_info(info_content(root), root)


def info_content(root: Path) -> bytes:
    """
    Read the bytes of info.json.

    :raise DatasetCorruptError: if the file is missing or cannot be read
    """
    try:
        return read_small_file(root / INFO)
    except FileNotFoundError as error:
        problem = f'{root} holds no LeRobot dataset: there is no {INFO}'
        raise DatasetCorruptError(problem) from error
    except (OSError, ValueError) as error:
        raise UnusableDatasetError(root, INFO, f'the file cannot be read ({error})') from error


def whole_fps(fps: float, where: object) -> int:
    """
    Return the fps of a dataset as a whole number.

    :raise DatasetUnsupportedError: if it has a fraction, which no writer of the format allows.
        With a rounded value, all timestamps and videos would have another rate.
    """
    if fps != int(fps):
        raise DatasetUnsupportedError(
            f'{where}/meta/info.json: fps is {fps!r}; only whole numbers above 0 are allowed. '
            f'`{streamrec_command("check", where)}` reads the dataset as it is'
        )
    return int(fps)


def refuse_other_storage(storage_format: object, where: object) -> None:
    """
    Refuse a dataset whose rows and frames are in other files than parquet and MP4.

    :param storage_format: the value in info.json; None if it is missing
    :param where: the dataset's root, for messages
    :raise DatasetUnsupportedError: naming the value
    """
    if storage_format not in STORAGE_FORMATS:
        raise DatasetUnsupportedError(
            f'{where}/meta/info.json: storage_format is {shown_value(storage_format)}; only '
            "'lerobot' (parquet and MP4 files) can be read and written here, so convert the "
            'dataset first'
        )


def known_features(root: Path) -> dict[str, FeatureSpec]:
    """
    Read the features of a dataset; empty if the dataset is missing or unreadable.

    :param root: the dataset's folder
    """
    try:
        return dict(read_info(root).features)
    except DatasetError:
        # The code that opens the dataset reports this error.
        return {}
