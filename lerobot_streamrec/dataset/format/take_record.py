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
"""take.json: what must be known of a running take to make an episode of what a crash leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
import json
from pathlib import Path
from typing import Any
import uuid

from lerobot_streamrec.dataset.format.cuts import Cut, parse_cuts
from lerobot_streamrec.dataset.format.features import check_feature_key
from lerobot_streamrec.errors import DatasetCorruptError
import numpy as np

RECORD = 'take.json'
DISCARDED = 'discarded.json'
"""Name of the same file once the operator has discarded the take."""
ROWS = 'rows.arrows'


SPOOL_SUFFIX = '.spool'
"""Ends the name of the file where a camera's pictures wait for its encoder."""
REST_SUFFIX = '.rest'
"""Ends the name of the file where they wait since its encoder has failed for good."""


def video_name(video_key: str) -> str:
    """Return the name of a camera's video in the take's folder."""
    return f'{video_key}.mp4'


@dataclass(frozen=True, slots=True)
class TakenCamera:
    """
    A camera's part of a take.

    :param height: height of every frame, in pixels
    :param width: width of every frame, in pixels
    :param encoder_info: its encoder's settings, as LeRobot stores them
    :param encoder: all of them (``config_record``), for who encodes what waits; None: not known
    """

    height: int
    width: int
    encoder_info: Mapping[str, object]
    encoder: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class TakenVector:
    """
    A vector's part of a take.

    :param names: names of its elements
    :param dtype: type of its column, numpy's name
    """

    names: tuple[str, ...]
    dtype: str = 'float32'


def new_take_id() -> str:
    """Return an id unlike that of any other take."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class TakeRecord:
    """
    Written when a take begins, and again when one that was paused goes on.

    :param task: the robot's task
    :param fps: rows per second
    :param start_stamp_ns: instant of row 0, in the streams' time
    :param cameras: per video key
    :param vectors: per key
    :param metadata: metadata that were known before it began
    :param take_id: unlike that of any other take
    :param robot_type: the dataset's: this take may be its first
    :param features: keys of all features, in the order of the settings
    :param cuts: the pauses so far
    """

    task: str
    fps: int
    start_stamp_ns: int
    cameras: Mapping[str, TakenCamera]
    vectors: Mapping[str, TakenVector]
    metadata: Mapping[str, str] = field(default_factory=dict)
    take_id: str = field(default_factory=new_take_id)
    robot_type: str | None = None
    features: tuple[str, ...] = ()
    cuts: tuple[Cut, ...] = ()

    def as_bytes(self) -> bytes:
        """Return the file's content."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + '\n').encode()


def parse_take_record(content: bytes, where: object) -> TakeRecord:
    """
    Read take.json.

    :param content: bytes of the file
    :param where: its path, for messages
    :raise DatasetCorruptError: if it is not whole
    """
    try:
        raw = json.loads(content)
        for key in (*raw['cameras'], *raw['vectors']):
            check_feature_key(RECORD, key)
        return TakeRecord(
            task=str(raw['task']),
            fps=int(raw['fps']),
            start_stamp_ns=int(raw['start_stamp_ns']),
            cameras={key: _camera(one) for key, one in raw['cameras'].items()},
            vectors={
                key: TakenVector(tuple(map(str, one['names'])), np.dtype(one['dtype']).name)
                for key, one in raw['vectors'].items()
            },
            metadata={str(key): str(text) for key, text in raw['metadata'].items()},
            take_id=str(raw['take_id']),
            robot_type=raw.get('robot_type'),
            features=tuple(map(str, raw.get('features', ()))),
            cuts=parse_cuts(raw.get('cuts', ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DatasetCorruptError(f'{where} cannot be read: {error!r}') from error


def read_take_record(folder: Path) -> TakeRecord:
    """
    Read what a take is.

    :param folder: the take's folder
    :raise DatasetCorruptError: if that cannot be read
    """
    path = folder / RECORD
    try:
        return parse_take_record(path.read_bytes(), path)
    except OSError as error:
        raise DatasetCorruptError(f'{path} cannot be read: {error.strerror or error}') from error


def _camera(raw: Mapping[str, Any]) -> TakenCamera:
    encoder = raw.get('encoder')
    return TakenCamera(
        int(raw['height']),
        int(raw['width']),
        dict(raw['encoder_info']),
        None if encoder is None else dict(encoder),
    )
