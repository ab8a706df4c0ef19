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
"""The check of meta/info.json, which also provides its content to the other checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
import re
from typing import Any

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.findings import Findings
from lerobot_streamrec.dataset.check.reading import UNREADABLE
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES, FeatureSpec, parse_feature
from lerobot_streamrec.dataset.format.info import STORAGE_FORMATS, version_advice
from lerobot_streamrec.dataset.format.info_rules import (
    Fault,
    info_faults,
    is_path_below_root,
    load_object,
    PATH_FIELD,
    read_small_file,
    shown_value,
)
from lerobot_streamrec.dataset.format.layout import DATA_PATH, INFO, VIDEO_PATH

_TEXTS = ('string', 'language')
_PICTURES = ('image', 'video')
_TOTALS = ('episodes', 'frames', 'tasks')


@dataclass(frozen=True, slots=True)
class CheckedInfo:
    """
    The usable part of info.json.

    :param fps: rows per second, above 0
    :param features: the features whose description can be used
    :param totals: the totals of ``episodes``, ``frames`` and ``tasks``, without unusable ones
    :param data_path: the template of the paths of data files
    :param video_path: the template of the paths of videos
    """

    fps: float
    features: Mapping[str, FeatureSpec]
    totals: Mapping[str, int]
    data_path: str
    video_path: str

    @property
    def video_keys(self) -> tuple[str, ...]:
        """The features whose frames are in MP4 files."""
        return tuple(key for key, spec in self.features.items() if spec.is_video)

    @property
    def columns(self) -> tuple[str, ...]:
        """The features that are columns of the data files."""
        return tuple(key for key, spec in self.features.items() if not spec.is_video)

    @property
    def numeric(self) -> tuple[str, ...]:
        """The features that consist of numbers."""
        left_out = (*_TEXTS, *_PICTURES)
        return tuple(key for key, spec in self.features.items() if spec.dtype not in left_out)

    @property
    def cameras(self) -> tuple[str, ...]:
        """The features that consist of images, in MP4 files or in columns."""
        return tuple(key for key, spec in self.features.items() if spec.dtype in _PICTURES)

    def data_file(self, chunk_index: int, file_index: int) -> str:
        """Return the path of a data file below the root."""
        return _filled(self.data_path, chunk_index, file_index, '')

    def video_file(self, video_key: str, chunk_index: int, file_index: int) -> str:
        """Return the path of a video below the root."""
        return _filled(self.video_path, chunk_index, file_index, video_key)


def _filled(template: str, chunk_index: int, file_index: int, video_key: str) -> str:
    values = {'chunk_index': chunk_index, 'file_index': file_index}

    def value(match: re.Match[str]) -> str:
        return str(values[match[1]]).zfill(int(match[2] or 0)) if match[1] else video_key

    return PATH_FIELD.sub(value, template)


def check_info(root: Path, findings: Findings) -> CheckedInfo | None:
    """Check info.json; return None if it is too broken for any other check."""
    findings = findings.about(str(INFO))
    try:
        raw, faults = load_object(read_small_file(root / INFO))
    except FileNotFoundError:
        findings.add(kinds.MISSING_FILE, 'The file is missing')
        return None
    except UNREADABLE as error:
        findings.add(kinds.UNREADABLE_FILE, f'The file cannot be read ({error})')
        return None
    version = raw.get('codebase_version')
    if not isinstance(version, str) or not version.startswith('v3.'):
        kind = replace(kinds.WRONG_VERSION, advice=version_advice(version, root))
        findings.add(kind, 'codebase_version is not supported', version, 'v3.0')
        return None
    storage = raw.get('storage_format')
    if storage not in STORAGE_FORMATS:
        findings.add(kinds.WRONG_STORAGE, 'storage_format is not supported', storage, 'lerobot')
        return None
    faults += info_faults(raw)
    _add_faults(faults, findings)
    _check_splits(raw.get('splits'), raw.get('total_episodes'), findings)
    unusable = {fault.name for fault in faults}
    if unusable & {'fps', 'features'}:
        return None
    totals = {name: raw[f'total_{name}'] for name in _TOTALS if f'total_{name}' not in unusable}
    return CheckedInfo(
        fps=float(raw['fps']),
        features=_features(raw['features'], {fault.feature for fault in faults}),
        totals=totals,
        # A wrong template below the root still gives the paths of the files.
        data_path=raw['data_path'] if is_path_below_root(raw.get('data_path')) else DATA_PATH,
        video_path=raw['video_path'] if is_path_below_root(raw.get('video_path')) else VIDEO_PATH,
    )


def _add_faults(faults: Sequence[Fault], findings: Findings) -> None:
    for fault in faults:
        kind, what = kinds.WRONG_INFO, f'{fault.name} cannot be used'
        if fault.feature is not None:
            kind = kinds.WRONG_FEATURE
            name = shown_value(fault.feature)
            what = f'The description of {name} cannot be used ({fault.name})'
        of_feature = findings.about(findings.path, feature=fault.feature)
        of_feature.add(kind, what, fault.value, fault.allowed)


def _check_splits(splits: object, total_episodes: object, findings: Findings) -> None:
    # All writers make this one split. Other splits are made by users, who may choose any range.
    if not isinstance(splits, dict) or set(splits) != {'train'}:
        return
    expected = f'0:{total_episodes}'
    if splits['train'] != expected:
        what = 'splits does not contain exactly the episodes of the dataset'
        findings.add(kinds.WRONG_SPLITS, what, splits['train'], expected)


def _features(raw: Mapping[str, Any], unusable: Set[str | None]) -> dict[str, FeatureSpec]:
    """Return the usable features; the default features are known without a description."""
    described = {key: parse_feature(entry) for key, entry in raw.items() if key not in unusable}
    return {**described, **{key: one for key, one in DEFAULT_FEATURES.items() if key in unusable}}
