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
The rules for meta/info.json: types and ranges on which every tool relies.

Tools refuse a dataset at the first fault (``dataset/format/info.py``); the check reports all
faults (``dataset/check/info.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import json
import math
from pathlib import Path
import re
from reprlib import Repr
from typing import Any

from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES, MAX_CHANNELS
from lerobot_streamrec.dataset.format.layout import CHUNKS_SIZE, DATA_PATH, VIDEO_PATH
from lerobot_streamrec.remote_files import opened

MAX_COUNT = 2**53
"""The limit for counts: every JSON reader represents smaller whole numbers exactly."""

PATH_FIELD = re.compile(r'\{(chunk_index|file_index)(?::(?:0([1-9]))?d?)?\}|\{(video_key)\}')
"""
A field of a path template, with the number of its digits.

Templates are filled in without ``str.format``, which would follow attributes and pad without
limit.
"""

REPLACEMENTS: dict[str, object] = {
    'chunks_size': CHUNKS_SIZE,
    'data_files_size_in_mb': 100,
    'video_files_size_in_mb': 200,
    'robot_type': None,
}
"""The values that a repair writes instead of unusable ones."""

TEXTS = ('string', 'language')
_PICTURES = ('image', 'video')
_NUMBERS = tuple(
    ['bool', 'float16', 'float32', 'float64']
    + [f'{sign}int{bits}' for sign in ('', 'u') for bits in (8, 16, 32, 64)]
)

_MAX_BYTES = 16 * 2**20
_MAX_DEPTH = 32
_MAX_DIGITS = 300
_MIN_FPS, _MAX_FPS = 1e-3, 1e4
_MAX_CHUNKS_SIZE = 2**31
_MAX_FILE_MB = 2**31
_MAX_PATH = 255
_MAX_SIDE = 16_384
_MAX_ELEMENTS = 2**24

_repr = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 80


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One value that info.json must not have.

    :param name: the name of the value, such as ``fps``
    :param value: the value, shortened for messages
    :param allowed: the values that it may have, as a noun
    :param feature: the feature that it describes, or None
    """

    name: str
    value: str
    allowed: str
    feature: str | None = None

    def __str__(self) -> str:
        return f'{self.name} is {self.value}: {self.allowed} is needed'


def shown_value(value: object) -> str:
    """Return a value of any size as a short text on one line."""
    return ' '.join(_repr.repr(value).split())


def json_bytes(content: object, indent: int = 4) -> bytes:
    """Return the bytes of a JSON file that people can read."""
    return (json.dumps(content, indent=indent, ensure_ascii=False) + '\n').encode()


def read_small_file(path: Path, max_bytes: int = _MAX_BYTES) -> bytes:
    """
    Read a small regular file; anything else is refused unopened, since a pipe would block.

    :raise OSError: if it cannot be read or is not a regular file
    :raise ValueError: if it has more than ``max_bytes`` bytes
    """
    size = path.stat().st_size
    if not path.is_file():
        raise OSError('it is not a regular file')
    if size > max_bytes:
        raise ValueError(f'it has {size} bytes, at most {max_bytes} are allowed')
    with opened(path) as file:
        return file.read()


def load_object(content: bytes) -> tuple[dict[str, Any], list[Fault]]:
    """
    Read the JSON text of an object.

    :return: the object, and the faults of its text in spite of which it could be read
    :raise ValueError: if the text cannot be used
    """
    if len(content) > _MAX_BYTES:
        raise ValueError(f'it has {len(content)} bytes, at most {_MAX_BYTES} are allowed')
    faults: list[Fault] = []
    if content.startswith(b'\xef\xbb\xbf'):
        content = content[3:]
        mark = 'a byte order mark'
        faults.append(Fault('its beginning', mark, 'JSON without one'))

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            ((name, count),) = Counter(name for name, _ in pairs).most_common(1)
            what = f'the number of entries {shown_value(name)}'
            faults.append(Fault(what, str(count), 'one entry of a name'))
        return found

    try:
        raw = json.loads(content.decode(), object_pairs_hook=unique, parse_int=_whole_number)
    except RecursionError as error:
        raise ValueError('its values are nested too deeply') from error
    if not isinstance(raw, dict):
        raise ValueError(f'it holds {shown_value(raw)} instead of an object')
    _refuse_unwritable(raw)
    return raw, faults


def _whole_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f'a number in it has {len(digits)} digits')
    return int(digits)


def _refuse_unwritable(raw: object) -> None:
    """Refuse values that can be read but not written again: deep nesting, lone surrogates."""
    level: list[object] = [raw]
    for _ in range(_MAX_DEPTH):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below += [*value.keys(), *value.values()]
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str) and not _is_text(value):
                raise ValueError(f'the text {shown_value(value)} in it is not Unicode')
        if not below:
            return
        level = below
    raise ValueError(f'its values are nested more than {_MAX_DEPTH} deep')


def _is_text(value: str) -> bool:
    return not any('\ud800' <= letter <= '\udfff' for letter in value)


def info_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """
    Yield a fault for every value of info.json that no tool may use; the version is not checked.

    :param raw: the whole content
    """
    fps: Any = raw.get('fps')
    if not _is_number(fps) or not _MIN_FPS <= fps <= _MAX_FPS:
        yield _fault('fps', fps, f'a number from {_MIN_FPS:g} to {_MAX_FPS:g}')
    for name in ('total_episodes', 'total_frames', 'total_tasks'):
        if not _is_count(raw.get(name)):
            yield _fault(name, raw.get(name), 'a whole number that is not negative')
    yield from _file_size_faults(raw)
    robot_type = raw.get('robot_type')
    if robot_type is not None and not isinstance(robot_type, str):
        yield _fault('robot_type', robot_type, 'a text or null')
    features = raw.get('features')
    if not isinstance(features, dict):
        yield _fault('features', features, 'an object that describes each feature')
        return
    for key, entry in features.items():
        if key not in DEFAULT_FEATURES:
            yield from _feature_faults(key, entry)
    yield from _default_feature_faults(features)
    yield from _path_faults(raw, features)


def _file_size_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    size = raw.get('chunks_size', CHUNKS_SIZE)
    if not _is_count(size) or not 1 <= size <= _MAX_CHUNKS_SIZE:
        allowed = f'a whole number from 1 to {_MAX_CHUNKS_SIZE}'
        yield _fault('chunks_size', size, allowed)
    for name in ('data_files_size_in_mb', 'video_files_size_in_mb'):
        size = raw.get(name, REPLACEMENTS[name])
        if not _is_number(size) or not 0 < size <= _MAX_FILE_MB:
            yield _fault(name, size, f'a number above 0 and up to {_MAX_FILE_MB}')


def _fault(name: str, value: object, allowed: str, feature: str | None = None) -> Fault:
    return Fault(name, shown_value(value), allowed, feature)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_COUNT


def _feature_faults(key: str, entry: object) -> Iterator[Fault]:
    """Yield the faults in the description of one feature."""
    where = f'features[{shown_value(key)}]'
    # The key becomes the name of a folder and a part of column names.
    unfit = any(letter in '/\\' or not letter.isprintable() for letter in key)
    if not key or unfit or key in ('.', '..') or len(key.encode()) > _MAX_PATH:
        allowed = f'of 1 to {_MAX_PATH} printable characters without / and \\'
        yield _fault('a feature', key, f"a name other than '.' and '..', {allowed}", key)
        return
    if not isinstance(entry, dict):
        yield _fault(where, entry, 'an object with dtype and shape', key)
        return
    dtype, shape = entry.get('dtype'), entry.get('shape')
    if dtype not in (*_NUMBERS, *TEXTS, *_PICTURES):
        allowed = f'one of {", ".join((*_NUMBERS, *TEXTS, *_PICTURES))}'
        yield _fault(f'{where}.dtype', dtype, allowed, key)
    elif problem := _shape_problem(shape, is_picture=dtype in _PICTURES):
        yield _fault(f'{where}.shape', shape, problem, key)
    names = entry.get('names')
    if names is not None and not isinstance(names, list | dict):
        yield _fault(f'{where}.names', names, 'a list, an object or null', key)
    for name in ('info', 'video_info'):
        info = entry.get(name)
        if info is not None and not isinstance(info, dict):
            yield _fault(f'{where}.{name}', info, 'an object or null', key)


def _shape_problem(shape: object, *, is_picture: bool) -> str:
    """Return a description of the allowed shapes; empty if the shape is allowed."""
    is_list = isinstance(shape, list) and bool(shape)
    if not is_list or not all(_is_count(size) and size > 0 for size in shape):  # type: ignore[attr-defined]
        return 'a list of whole numbers above 0'
    assert isinstance(shape, list)
    if not is_picture:
        is_small = math.prod(shape) <= _MAX_ELEMENTS
        return '' if is_small else f'a shape with at most {_MAX_ELEMENTS} elements'
    # Older datasets state the shape as (channels, height, width).
    is_possible = len(shape) == 3 and (shape[2] <= MAX_CHANNELS or shape[0] <= MAX_CHANNELS)
    if is_possible and max(shape) <= _MAX_SIDE:
        return ''
    return (
        f'[height, width, channels] with sides of 1 to {_MAX_SIDE} pixels and 1 to '
        f'{MAX_CHANNELS} channels'
    )


def _default_feature_faults(features: Mapping[str, Any]) -> Iterator[Fault]:
    for key, spec in DEFAULT_FEATURES.items():
        entry = features.get(key, {})
        is_described = isinstance(entry, dict) and isinstance(entry.get('shape'), list)
        if not is_described or (entry.get('dtype'), tuple(entry['shape'])) != (
            spec.dtype,
            spec.shape,
        ):
            value = features.get(key, 'missing')
            allowed = f'a description with dtype {spec.dtype} and shape [1]'
            yield _fault(f'features[{key!r}]', value, allowed, key)


def _path_faults(raw: Mapping[str, Any], features: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield faults of path templates, which must give a distinct path below the root per file."""
    if not is_path_template(raw.get('data_path'), DATA_PATH):
        yield _fault('data_path', raw.get('data_path'), f'a path such as {DATA_PATH}')
    has_videos = any(
        isinstance(entry, dict) and entry.get('dtype') == 'video' for entry in features.values()
    )
    video_path = raw.get('video_path')
    if video_path is None and not has_videos:
        return
    if not is_path_template(video_path, VIDEO_PATH):
        yield _fault('video_path', video_path, f'a path such as {VIDEO_PATH}')


def is_path_template(template: object, usual: str) -> bool:
    """
    Return True if a template makes a distinct path below the root for every file.

    :param template: any value
    :param usual: the format's own template, whose fields are required and the only allowed ones
    """
    return is_path_below_root(template) and _fields(str(template)) == _fields(usual)


def is_path_below_root(template: object) -> bool:
    """Return True if all paths that a template makes are below the root."""
    if not isinstance(template, str) or len(template) > _MAX_PATH or not template.isprintable():
        return False
    literal = PATH_FIELD.sub('x', template)
    parts = literal.split('/')
    return not (
        any(letter in '{}\\' for letter in literal)
        or any(part in ('', '.', '..') for part in parts)
        or parts[0].startswith('.')
    )


def _fields(template: str) -> set[str | Any]:
    return {match[1] or match[3] for match in PATH_FIELD.finditer(template)}
