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
"""The features of a dataset: their descriptions in info.json and their Arrow types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
import json
import re
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.video.codecs.depth_config import (
    DEPTH_UNIT,
    is_depth,
    IS_DEPTH_MAP,
    stored_depth,
)
import pyarrow as pa

IMAGES = 'observation.images.'
"""The beginning of the key of every camera."""
STATE, ACTION = 'observation.state', 'action'
"""The keys of the robot's state and of the action, as LeRobot's policies expect them."""

INTERVENTION = 'intervention'
"""The key of the flag that a human drives, as LeRobot's rollout writes it."""
SUCCESS, DONE = 'next.success', 'next.done'
"""The keys of the flags of an episode's last row."""
SUBTASK_INDEX, LANGUAGE = 'subtask_index', 'language_persistent'
"""The keys of subtasks: a number in meta/subtasks.parquet, and rows of text with their times."""

VIDEO_CODEC = 'video.codec'
CAMERA_NAMES = ('height', 'width', 'channels')

MAX_CHANNELS = 4
"""The largest number of channels of an image."""

_KEY = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.-]*')


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """
    The description of one feature.

    :param dtype: numpy's name for the type, or ``video``
    :param shape: ``(d,)``, ``(N, d)`` for a window of N samples, or ``(height, width, channels)``
        for a camera; None if not known yet
    :param names: one name per element of a vector or of a sample; None for scalars
    :param info: the properties of a camera: codec and encoder settings
    :param entry: the description as it was read from info.json, with all unknown keys; None for a
        feature that no file describes yet
    """

    dtype: str
    shape: tuple[int, ...] | None
    names: tuple[str, ...] | None = None
    info: Mapping[str, object] = field(default_factory=dict)
    entry: Mapping[str, object] | None = field(default=None, compare=False)

    @property
    def is_video(self) -> bool:
        """True if the feature's frames are in MP4 files instead of a column."""
        return self.dtype == 'video'

    @property
    def is_window(self) -> bool:
        """True if each row holds several samples of a vector, the oldest first."""
        shape = self.shape or ()
        return len(shape) == 2 and self.names is not None and len(self.names) == shape[1]

    @property
    def picture_shape(self) -> tuple[int, ...] | None:
        """A camera's ``(height, width, channels)``, regardless of the order in info.json."""
        if self.shape is None or len(self.shape) != 3 or self.shape[2] <= MAX_CHANNELS:
            return self.shape
        # Older datasets state the shape as (channels, height, width).
        return (*self.shape[1:], self.shape[0])

    def has_size(self, height: int, width: int) -> bool:
        """Return whether a camera's images have this size, in pixels."""
        return self.picture_shape is not None and self.picture_shape[:2] == (height, width)

    def as_json(self) -> dict[str, object]:
        """Return the entry for info.json; an entry that was read is returned unchanged."""
        if self.entry is not None:
            return dict(self.entry)
        entry: dict[str, object] = {
            'dtype': self.dtype,
            'shape': list(self.shape or ()),
            'names': None if self.names is None else list(self.names),
        }
        if self.info:
            entry['info'] = dict(self.info)
        return entry


def camera_feature(
    height: int | None = None,
    width: int | None = None,
    info: Mapping[str, object] | None = None,
) -> FeatureSpec:
    """Return a colour camera, or a depth camera if ``info`` says so; the size may be unknown."""
    channels = 1 if is_depth(info or {}) else 3
    shape = None if height is None or width is None else (height, width, channels)
    return FeatureSpec('video', shape, CAMERA_NAMES, info or {})


def vector_feature(
    names: tuple[str, ...], dtype: str = 'float32', window: int = 1
) -> FeatureSpec:
    """Return a vector with one element per name, or a window of several samples of it."""
    shape = (len(names),) if window == 1 else (window, len(names))
    return FeatureSpec(dtype, shape, names)


SINGLE_FLAG = FeatureSpec('bool', (1,))
"""The description of one flag per row, without a name."""
SUBTASK_FEATURES = {
    SUBTASK_INDEX: FeatureSpec('int64', (1,)),
    LANGUAGE: FeatureSpec('language', (1,)),
}
"""The descriptions of the features that hold subtasks."""

DEFAULT_FEATURES: dict[str, FeatureSpec] = {
    'timestamp': FeatureSpec('float32', (1,)),
    'frame_index': FeatureSpec('int64', (1,)),
    'episode_index': FeatureSpec('int64', (1,)),
    'index': FeatureSpec('int64', (1,)),
    'task_index': FeatureSpec('int64', (1,)),
}
"""The features that LeRobot adds to every dataset; users cannot define them."""


def check_feature_key(name: str, key: str) -> str:
    """
    Refuse a key that cannot name a feature; the key becomes the name of a folder.

    :param name: the setting that contains the key
    :param key: the key, such as ``observation.images.front``
    :return: the key
    :raise ConfigError: if the key is the name of a default feature, or has characters other than
        letters, digits, ``_``, ``-`` and single dots
    """
    if key in DEFAULT_FEATURES or not _KEY.fullmatch(key) or '..' in key:
        raise ConfigError(
            name,
            key,
            'letters, digits, _, - and single dots are allowed, but none of the names '
            f'{", ".join(DEFAULT_FEATURES)}',
        )
    return key


def with_info(spec: FeatureSpec, info: Mapping[str, object]) -> FeatureSpec:
    """Return a camera's feature with the properties of its first video."""
    entry = None if spec.entry is None else {**spec.entry, 'info': dict(info)}
    return replace(spec, info=info, entry=entry)


def parse_feature(entry: Mapping[str, Any]) -> FeatureSpec:
    """
    Parse the description of a feature in info.json.

    Older releases call the info of a camera ``video_info``, and put the names of a vector into a
    dictionary of lists.

    :raise KeyError, TypeError: if the entry is not the description of a feature
    """
    names = entry.get('names')
    if isinstance(names, dict):
        lists = [one for one in names.values() if isinstance(one, list)]
        names = [name for one in lists for name in one] if len(lists) == len(names) else None
    return FeatureSpec(
        dtype=entry['dtype'],
        shape=tuple(entry['shape']),
        names=tuple(names) if isinstance(names, list) else None,
        info={**(entry.get('video_info') or {}), **(entry.get('info') or {})},
        entry=dict(entry),
    )


# The fields of LeRobot's persistent language rows (lerobot/datasets/language.py).
_UTTERANCE = pa.struct(
    [
        pa.field('role', pa.string()),
        pa.field('content', pa.string()),
        pa.field('style', pa.string()),
        pa.field('timestamp', pa.float32()),
        pa.field('camera', pa.string()),
        pa.field('tool_calls', pa.list_(pa.string())),
    ]
)


def arrow_type(spec: FeatureSpec) -> pa.DataType:
    """Return the Arrow type of a feature's column."""
    if spec.dtype == 'language':
        return pa.list_(_UTTERANCE)
    assert spec.shape is not None
    element = pa.from_numpy_dtype(spec.dtype)
    if len(spec.shape) == 2:
        # As the package datasets stores its Array2D.
        return pa.list_(pa.list_(element))
    return element if spec.shape == (1,) else pa.list_(element, spec.shape[0])


def data_schema(features: Mapping[str, FeatureSpec]) -> pa.Schema:
    """
    Return the schema of the data files, in the order of the features.

    ``datasets.load_dataset`` and the viewer of the Hub read its metadata.
    """
    columns = {key: spec for key, spec in features.items() if not spec.is_video}
    described = {key: _hugging_face_feature(spec) for key, spec in columns.items()}
    metadata = {'huggingface': json.dumps({'info': {'features': described}})}
    fields = [pa.field(key, arrow_type(spec)) for key, spec in columns.items()]
    return pa.schema(fields, metadata=metadata)


def _hugging_face_feature(spec: FeatureSpec) -> dict[str, Any]:
    if spec.dtype == 'language':
        return {'feature': _struct_features(), '_type': 'List'}
    if len(spec.shape or ()) == 2:
        return {'shape': list(spec.shape or ()), 'dtype': spec.dtype, '_type': 'Array2D'}
    value = {'dtype': spec.dtype, '_type': 'Value'}
    if pa.types.is_fixed_size_list(arrow_type(spec)):
        assert spec.shape is not None
        return {'feature': value, 'length': spec.shape[0], '_type': 'List'}
    return value


def _struct_features() -> dict[str, Any]:
    texts = {'dtype': 'string', '_type': 'Value'}
    kinds: dict[str, Any] = {'timestamp': {**texts, 'dtype': 'float32'}}
    kinds['tool_calls'] = {'feature': texts, '_type': 'List'}
    return {one.name: kinds.get(one.name, texts) for one in _UTTERANCE}


def differences(
    wanted: Mapping[str, FeatureSpec], present: Mapping[str, FeatureSpec]
) -> list[str]:
    """
    Compare the features of a recording with those of a dataset, without the default features.

    :param wanted: the features of the recording; unknown shapes match any shape
    :param present: the features of the dataset
    :return: a text with both values for each difference
    """
    found = []
    for key in [*wanted, *(key for key in present if key not in wanted)]:
        if key in DEFAULT_FEATURES:
            continue
        ours, theirs = wanted.get(key), present.get(key)
        if ours is None or theirs is None:
            found.append(
                f'feature {key} is not recorded now, but is in the dataset'
                if ours is None
                else f'feature {key} is recorded now and not in the dataset'
            )
            continue
        if ours.dtype != theirs.dtype:
            found.append(f'{key} has dtype {theirs.dtype} in the dataset, {ours.dtype} now')
        elif ours.shape is not None and ours.picture_shape != theirs.picture_shape:
            found.append(f'{key} has shape {theirs.shape} in the dataset, {ours.shape} now')
        # A single number may have a name or none.
        elif not ours.is_video and _have_other_names(ours, theirs):
            found.append(f'{key} has names {theirs.names} in the dataset, {ours.names} now')
        if ours.is_video and theirs.is_video and theirs.shape is not None:
            found += _depth_differences(key, ours.info, theirs.info)
            found += _codec_difference(key, ours.info, theirs.info)
    return found


def _have_other_names(ours: FeatureSpec, theirs: FeatureSpec) -> bool:
    is_free = ours.shape == (1,) and not (ours.names and theirs.names)
    return ours.names != theirs.names and not is_free


def _depth_differences(
    key: str, ours: Mapping[str, object], theirs: Mapping[str, object]
) -> list[str]:
    """Compare the meaning of pixels; an unknown unit matches any unit."""
    now, there = depth_traits(ours), depth_traits(theirs)
    return [
        f'{key} has {name} {there[name]} in the dataset, {now[name]} now'
        for name in now
        if name in there and now[name] != there[name]
    ]


def _codec_difference(
    key: str, ours: Mapping[str, object], theirs: Mapping[str, object]
) -> list[str]:
    """Compare the codecs; an unknown codec matches any codec."""
    now, there = ours.get(VIDEO_CODEC), theirs.get(VIDEO_CODEC)
    if not now or not there or now == there:
        return []
    return [f'{key} has {VIDEO_CODEC} {there} in the dataset, {now} now (encoder.vcodec)']


def depth_traits(info: Mapping[str, object]) -> dict[str, object]:
    """Return the entries that define the meaning of a camera's pixels, by LeRobot's names."""
    stored = stored_depth(info)
    if stored is None:
        return {IS_DEPTH_MAP: is_depth(info)}
    unit = {DEPTH_UNIT: stored.unit} if stored.unit else {}
    return {**stored.config.as_info(), **unit}
