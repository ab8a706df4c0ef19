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
"""State and action messages to vectors of fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from lerobot_streamrec.errors import ConfigError, VectorError
import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

JOINT_FIELDS = ('position', 'velocity', 'effort')

# Vectors are stored as float32, where what is larger becomes infinite.
_LIMIT = float(np.finfo(np.float32).max)


class JointStateMessage(Protocol):
    """What is looked at of a sensor_msgs/JointState."""

    name: Sequence[str]
    position: Any
    velocity: Any
    effort: Any


class ArrayMessage(Protocol):
    """What is looked at of a std_msgs/Float64MultiArray."""

    data: Any


class JointStateReader:
    """
    Takes joints by name, whatever order the message has, and however many more are in it.

    Owned by one thread.

    :param names: joints in the order of the vector
    :param field: one of ``JOINT_FIELDS``
    """

    def __init__(self, names: Sequence[str], field: str = 'position') -> None:
        self._names = tuple(names)
        self._field = field
        self._seen: tuple[str, ...] = ()
        self._places = np.empty(0, dtype=np.intp)

    def __call__(self, message: JointStateMessage) -> Vector:
        """
        Return the joints' numbers, ``(d,)`` float64.

        :raise VectorError: if a joint or a number is missing, or a number cannot be stored
        """
        seen = tuple(message.name)
        if seen != self._seen or not self._places.size:
            self._places = self._find(seen)
            self._seen = seen
        values = np.asarray(getattr(message, self._field), dtype=np.float64)
        if values.shape != (len(seen),):
            raise VectorError(
                f'joint state names {len(seen)} joints but has {values.size} values of '
                f'{self._field}'
            )
        return _storable(values[self._places], self._names)

    def _find(self, seen: tuple[str, ...]) -> npt.NDArray[np.intp]:
        missing = [name for name in self._names if name not in seen]
        if missing:
            raise VectorError(
                f'joint state lacks {", ".join(missing)}; it has {", ".join(seen) or "no joints"}'
            )
        return np.array([seen.index(name) for name in self._names], dtype=np.intp)


class ArrayReader:
    """
    Takes all numbers of a multi-array as they stand.

    :param names: what they mean; their count must be the message's
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)

    def __call__(self, message: ArrayMessage) -> Vector:
        """
        Return the numbers, ``(d,)`` float64.

        :raise VectorError: if there are more or fewer than names, or one cannot be stored
        """
        values = np.array(message.data, dtype=np.float64)
        if values.shape != (len(self._names),):
            raise VectorError(
                f'array has {values.size} numbers, {len(self._names)} are named: '
                f'{", ".join(self._names)}'
            )
        return _storable(values, self._names)


def vector_reader(
    parameter: str, message_type: str, names: Sequence[str], field: str
) -> Callable[[Any], Vector]:
    """
    Choose the reader of a message type.

    :param parameter: the setting that names the type, for the error
    :param message_type: such as ``sensor_msgs/msg/JointState``
    :param names: elements of the vector
    :param field: which numbers of a joint state
    :raise ConfigError: if the type is not one of ``MESSAGE_TYPES``
    """
    if message_type == JOINT_STATE:
        return JointStateReader(names, field)
    if message_type == FLOAT64_ARRAY:
        return ArrayReader(names)
    raise ConfigError(parameter, message_type, f'allowed are {", ".join(MESSAGE_TYPES)}')


JOINT_STATE = 'sensor_msgs/msg/JointState'
FLOAT64_ARRAY = 'std_msgs/msg/Float64MultiArray'
MESSAGE_TYPES = (JOINT_STATE, FLOAT64_ARRAY)
"""Message types that can be state or action."""


def _storable(values: Vector, names: tuple[str, ...]) -> Vector:
    # The largest of all tells of NaN and infinity as well: neither is at most the limit.
    if np.abs(values).max(initial=0.0) <= _LIMIT:
        return values
    bad = [
        f'{name} = {value}'
        for name, value in zip(names, values, strict=True)
        if not abs(value) <= _LIMIT
    ]
    raise VectorError(
        f'not a number that a dataset can hold (finite, at most {_LIMIT:.3g}): {", ".join(bad)}'
    )
