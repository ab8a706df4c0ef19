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
Calibrations and static transforms as YAML, in the forms that ROS people read, and back.

A stamp is no part of them, so the same calibration always has the same text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
import json
import math
from typing import Any

from lerobot_streamrec.conversions.cdr import Transform
import yaml

_MATRICES = {
    'camera_matrix': ('k', 3),
    'distortion_coefficients': ('d', 1),
    'rectification_matrix': ('r', 3),
    'projection_matrix': ('p', 3),
}


def calibration_yaml(camera_name: str, info: Any) -> bytes:
    """
    Return a camera's calibration in the form of camera_calibration_parsers.

    ``frame_id`` follows behind the keys of that form, and ``binning_x``, ``binning_y`` and
    ``roi`` if they are set. Its reader ignores them.

    :param camera_name: name of the camera
    :param info: sensor_msgs/CameraInfo, or an object with its fields
    """
    lines = [
        f'image_width: {info.width}',
        f'image_height: {info.height}',
        f'camera_name: {_text(camera_name)}',
    ]
    for key, (name, num_rows) in _MATRICES.items():
        values = getattr(info, name)
        if key == 'distortion_coefficients':
            lines.append(f'distortion_model: {_text(info.distortion_model)}')
        lines += [
            f'{key}:',
            f'  rows: {num_rows}',
            f'  cols: {len(values) // num_rows}',
            f'  data: [{", ".join(map(_number, values))}]',
        ]
    lines.append(f'frame_id: {_text(info.header.frame_id)}')
    lines += _region(info)
    return _encoded(lines)


def fill_calibration(content: bytes, info: Any) -> None:
    """
    Put a calibration into a message.

    :param content: text from ``calibration_yaml``
    :param info: sensor_msgs/CameraInfo, or an object with its fields, that has its defaults
    :raise ValueError: if the text is none
    """
    with _refusing():
        found = yaml.safe_load(content)
        info.width, info.height = int(found['image_width']), int(found['image_height'])
        info.distortion_model = str(found['distortion_model'])
        info.header.frame_id = str(found['frame_id'])
        for key, (name, _) in _MATRICES.items():
            values = [float(one) for one in found[key]['data']]
            if name == 'd':
                info.d.extend(values)
            else:
                getattr(info, name)[:] = values
        info.binning_x, info.binning_y = (int(found.get(f'binning_{one}', 0)) for one in 'xy')
        for name, value in found.get('roi', {}).items():
            setattr(info.roi, name, value)


@contextmanager
def _refusing() -> Iterator[None]:
    """Raise a ValueError for a text that somebody has edited."""
    try:
        yield
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'it cannot be read: {" ".join(str(error).split())}') from error


def _region(info: Any) -> Iterator[str]:
    """Yield the part of the sensor that the pictures show, unless it is the whole."""
    if info.binning_x or info.binning_y:
        yield f'binning_x: {info.binning_x}'
        yield f'binning_y: {info.binning_y}'
    roi = info.roi
    sides = {name: getattr(roi, name) for name in ('x_offset', 'y_offset', 'height', 'width')}
    if any(sides.values()) or roi.do_rectify:
        yield 'roi:'
        yield from (f'  {name}: {value}' for name, value in sides.items())
        yield f'  do_rectify: {json.dumps(bool(roi.do_rectify))}'


def transforms_yaml(transforms: Iterable[Transform]) -> bytes:
    """Return transforms as a list with the field names of geometry_msgs, sorted by child frame."""
    lines = ['transforms:']
    for one in sorted(transforms, key=lambda one: one.child_frame_id):
        lines += [
            f'- frame_id: {_text(one.frame_id)}',
            f'  child_frame_id: {_text(one.child_frame_id)}',
            f'  translation: {_named("xyz", one.translation)}',
            f'  rotation: {_named("xyzw", one.rotation)}',
        ]
    return _encoded(lines)


def transforms_in(content: bytes) -> list[Transform]:
    """
    Return the transforms in a text from ``transforms_yaml``.

    :raise ValueError: if the text is none
    """
    with _refusing():
        return [
            Transform(
                str(one['frame_id']),
                str(one['child_frame_id']),
                tuple(float(one['translation'][name]) for name in 'xyz'),
                tuple(float(one['rotation'][name]) for name in 'xyzw'),
            )
            for one in yaml.safe_load(content)['transforms'] or ()
        ]


def _named(names: Sequence[str], values: Sequence[float]) -> str:
    pairs = zip(names, map(_number, values), strict=True)
    return f'{{{", ".join(f"{name}: {value}" for name, value in pairs)}}}'


def _text(text: str) -> str:
    # A JSON text is a YAML text in double quotes.
    return json.dumps(text, ensure_ascii=False)


def _number(value: float) -> str:
    """Return a number with all its digits, as every reader of YAML takes it for a number."""
    if not math.isfinite(value):
        return '.nan' if math.isnan(value) else f'{"-" if value < 0 else ""}.inf'
    digits, e, exponent = repr(float(value)).partition('e')
    return f'{digits}{"" if "." in digits else ".0"}{e}{exponent}'


def _encoded(lines: Iterable[str]) -> bytes:
    return ''.join(f'{line}\n' for line in lines).encode()
