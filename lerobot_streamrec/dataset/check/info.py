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
"""Checks meta/info.json, and reads of it what the other checks need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import math
from pathlib import Path
import re

from lerobot_streamrec.dataset.check.findings import Findings
from lerobot_streamrec.dataset.check.kinds import (
    WRONG_FEATURE,
    WRONG_INFO,
    WRONG_SPLITS,
    WRONG_STORAGE,
    WRONG_VERSION,
)
from lerobot_streamrec.dataset.check.reading import read_json, UNREADABLE
from lerobot_streamrec.dataset.features import DEFAULT_FEATURES, FeatureSpec
from lerobot_streamrec.dataset.info import STORAGE_FORMATS
from lerobot_streamrec.dataset.layout import DATA_PATH, INFO, VIDEO_PATH
import numpy as np

_WHERE = str(INFO)
_TEXTS = ('string', 'language')
_PICTURES = ('image', 'video')

# A template is filled in by hand: str.format would follow attributes, and pad without limit.
_FIELD = re.compile(r'\{(chunk_index|file_index|video_key)(?::0?([1-9]))?d?\}')


@dataclass(frozen=True, slots=True)
class CheckedInfo:
    """
    What is usable of info.json.

    :param fps: rows per second, above 0
    :param features: those whose description can be used
    :param totals: of ``episodes``, ``frames``, ``tasks``; those that are whole numbers
    :param data_path: template
    :param video_path: template
    """

    fps: float
    features: Mapping[str, FeatureSpec]
    totals: Mapping[str, int]
    data_path: str
    video_path: str

    @property
    def video_keys(self) -> tuple[str, ...]:
        """Features whose frames stand in MP4 files."""
        return tuple(key for key, spec in self.features.items() if spec.is_video)

    @property
    def columns(self) -> tuple[str, ...]:
        """Features that are columns of the data files."""
        return tuple(key for key, spec in self.features.items() if not spec.is_video)

    @property
    def numeric(self) -> tuple[str, ...]:
        """Features made of numbers."""
        left_out = (*_TEXTS, *_PICTURES)
        return tuple(key for key, spec in self.features.items() if spec.dtype not in left_out)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Features made of pictures, in MP4 files or in columns."""
        return tuple(key for key, spec in self.features.items() if spec.dtype in _PICTURES)

    def data_file(self, chunk_index: int, file_index: int) -> str:
        """Return a data file's path below the root."""
        return _filled(self.data_path, chunk_index, file_index, '')

    def video_file(self, video_key: str, chunk_index: int, file_index: int) -> str:
        """Return a video's path below the root."""
        return _filled(self.video_path, chunk_index, file_index, video_key)


def _filled(template: str, chunk_index: int, file_index: int, video_key: str) -> str:
    values: dict[str, int | str] = {
        'chunk_index': chunk_index,
        'file_index': file_index,
        'video_key': video_key,
    }

    def value(match: re.Match[str]) -> str:
        return str(values[match[1]]).zfill(int(match[2] or 0))

    return _FIELD.sub(value, template)


def check_info(root: Path, findings: Findings) -> CheckedInfo | None:
    """Check info.json; None if nothing else can be checked without it."""
    raw = read_json(root, INFO, findings)
    if raw is None:
        return None
    version = raw.get('codebase_version')
    if not isinstance(version, str) or not version.startswith('v3.'):
        findings.add(
            WRONG_VERSION, _WHERE, 'codebase_version is another', found=version, expected='v3.0'
        )
        return None
    storage = raw.get('storage_format')
    if storage not in STORAGE_FORMATS:
        findings.add(
            WRONG_STORAGE, _WHERE, 'storage_format is another', found=storage, expected='lerobot'
        )
        return None
    fps, described = raw.get('fps'), raw.get('features')
    if not _is_number(fps) or not 0 < float(str(fps)) < math.inf:
        _wrong(findings, 'fps', fps, 'a number above 0')
        return None
    if not isinstance(described, dict):
        _wrong(findings, 'features', described, 'an object with a description of each feature')
        return None
    totals = {name: raw.get(f'total_{name}') for name in ('episodes', 'frames', 'tasks')}
    for name, total in totals.items():
        if not _is_count(total):
            _wrong(findings, f'total_{name}', total, 'a whole number, 0 or more')
    _check_splits(raw.get('splits'), totals['episodes'], findings)
    features = _features(described, findings)
    return CheckedInfo(
        fps=float(str(fps)),
        features=features,
        totals={name: int(str(total)) for name, total in totals.items() if _is_count(total)},
        data_path=_template(raw, 'data_path', DATA_PATH, findings),
        video_path=_template(raw, 'video_path', VIDEO_PATH, findings)
        if any(spec.is_video for spec in features.values())
        else VIDEO_PATH,
    )


def _wrong(findings: Findings, name: str, found: object, expected: str) -> None:
    findings.add(
        WRONG_INFO, _WHERE, f'{name} cannot be used', found=repr(found), expected=expected
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _check_splits(splits: object, total_episodes: object, findings: Findings) -> None:
    # Only the one split that writers write; others are somebody's own affair.
    if not _is_count(total_episodes) or not isinstance(splits, dict) or set(splits) != {'train'}:
        return
    if splits['train'] != f'0:{total_episodes}':
        findings.add(
            WRONG_SPLITS,
            _WHERE,
            'splits leaves out episodes, or counts too many',
            found=splits['train'],
            expected=f'0:{total_episodes}',
        )


def _template(raw: Mapping[str, object], name: str, usual: str, findings: Findings) -> str:
    template = raw.get(name)
    if isinstance(template, str) and template == usual:
        return usual
    sound = isinstance(template, str) and not re.search(r'[{}]', _FIELD.sub('', template))
    if not sound or '..' in str(template) or str(template).startswith('/'):
        _wrong(findings, name, template, f'a path such as {usual}')
        return usual
    return str(template)


def _features(raw: Mapping[str, object], findings: Findings) -> dict[str, FeatureSpec]:
    features = {}
    for key, entry in raw.items():
        spec = _feature_or_finding(key, entry, findings)
        if spec is not None:
            features[key] = spec
    for key, spec in DEFAULT_FEATURES.items():
        present = features.get(key)
        if present is None or (present.dtype, present.shape) != (spec.dtype, spec.shape):
            # What it is does not change with what is said of it.
            features[key] = spec
            if key in raw and present is None:
                continue
            findings.add(
                WRONG_FEATURE,
                _WHERE,
                f'The feature {key}, which every dataset has, is not described as it must be',
                found=raw.get(key, 'nothing'),
                expected=f'dtype {spec.dtype} and shape [1]',
                feature=key,
            )
    return features


def _feature_or_finding(key: str, entry: object, findings: Findings) -> FeatureSpec | None:
    try:
        return _feature(key, entry)
    except UNREADABLE as error:
        what = f'The description of {key} cannot be used ({error})'
        findings.add(WRONG_FEATURE, _WHERE, what, found=entry, feature=key)
        return None


def _feature(key: str, entry: object) -> FeatureSpec:
    """Take over a description; whatever it raises says what is wrong with it."""
    if not isinstance(entry, dict):
        raise TypeError('it is no object')
    if not key or '/' in key or '\0' in key or key in ('.', '..'):
        raise ValueError('the name cannot be that of a folder')
    dtype, shape = entry.get('dtype'), entry.get('shape')
    if not isinstance(dtype, str):
        raise TypeError('dtype is no text')
    if dtype not in (*_TEXTS, *_PICTURES) and np.dtype(dtype).kind not in 'biuf':
        raise ValueError('dtype is none of the format')
    if not isinstance(shape, list) or not shape or not all(map(_is_count, shape)):
        raise ValueError('shape is no list of whole numbers')
    if dtype in _PICTURES and len(shape) != 3:
        raise ValueError('the shape of pictures is [height, width, channels]')
    info = entry.get('info') or entry.get('video_info') or {}
    if not isinstance(info, dict):
        raise TypeError('info is no object')
    return FeatureSpec(dtype, tuple(shape), info=info)
