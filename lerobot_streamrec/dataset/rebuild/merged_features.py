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
"""Whether datasets are of the same kind, as LeRobot sees it, and what info.json says of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lerobot_streamrec.dataset.catalog import Catalog
from lerobot_streamrec.errors import DatasetsDifferError

# How a camera was encoded may differ: it becomes unknown then.
_ENCODER_KEYS = (
    'video.g',
    'video.crf',
    'video.preset',
    'video.fast_decode',
    'video.extra_options',
    'video.video_backend',
)
_NO_OPTIONS = 'video.extra_options'


def merged_info(catalogs: Sequence[Catalog]) -> dict[str, Any]:
    """
    Return what info.json says of a dataset made of others; its counts are the first one's.

    :raise DatasetsDifferError: naming every difference to the first one
    """
    first = catalogs[0]
    found = [text for other in catalogs[1:] for text in _differences(first, other)]
    if found:
        raise DatasetsDifferError(found)
    features = dict(first.raw_info['features'])
    for key in first.info.video_keys:
        infos = [one.raw_info['features'][key].get('info') or {} for one in catalogs]
        info = dict(infos[0])
        for name in _ENCODER_KEYS:
            if any(one.get(name) != info.get(name) for one in infos):
                info[name] = {} if name == _NO_OPTIONS else None
        if info:
            features[key] = {**features[key], 'info': info}
    return {**first.raw_info, 'features': features}


def _differences(first: Catalog, other: Catalog) -> list[str]:
    found = []
    for name in ('fps', 'robot_type'):
        ours, theirs = first.raw_info.get(name), other.raw_info.get(name)
        if ours != theirs:
            found.append(f'{name} is {ours!r} in {first.root} and {theirs!r} in {other.root}')
    features = (first.raw_info['features'], other.raw_info['features'])
    for key in dict.fromkeys((*features[0], *features[1])):
        if key not in features[0] or key not in features[1]:
            has, lacks = (first, other) if key in features[0] else (other, first)
            found.append(f'feature {key} is in {has.root} and not in {lacks.root}')
            continue
        ours, theirs = (_traits(one[key]) for one in features)
        found += [
            f'{key} has {name} {ours.get(name)!r} in {first.root} and '
            f'{theirs.get(name)!r} in {other.root}'
            for name in dict.fromkeys((*ours, *theirs))
            if ours.get(name) != theirs.get(name)
        ]
    return found


def _traits(feature: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that must be equal of a feature, by name."""
    info = feature.get('info') or {}
    return {
        **{name: value for name, value in feature.items() if name != 'info'},
        **{name: value for name, value in info.items() if name not in _ENCODER_KEYS},
    }
