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
Reading the numbers of a vector straight from the bytes of a message.

The place of a number in a message depends only on the lengths of the lists and texts before it.
They are the same in almost all messages of a publisher: joint names and frame ids do not change.
The first message of a layout is examined field by field, and the later ones with the same lengths
and texts give their numbers by place. Any other message is decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from types import SimpleNamespace
from typing import Any

from lerobot_streamrec.conversions.cdr import BEGIN, CdrCursor
from lerobot_streamrec.conversions.elements import Elements
from lerobot_streamrec.conversions.leaves import expand
from lerobot_streamrec.conversions.parts import TimedVector, together, Vector
from lerobot_streamrec.conversions.paths import Definitions, DTYPES, list_parts, type_shape
from lerobot_streamrec.conversions.reader import SelectorReader
from lerobot_streamrec.errors import MessageError, VectorError
import numpy as np
import numpy.typing as npt

# A publisher uses one layout, and a topic has few publishers.
_MAX_LAYOUTS = 8
# A larger message is a picture or a cloud, and comparing all its lengths would be slow.
_MAX_BYTES = 1 << 16


class _OpenLayoutError(Exception):
    """The places of the numbers depend on more than lengths and texts, or are unknown."""


class _Place(int):
    """The place of a number in a message. Its value is unknown, so nothing may depend on it."""

    def __str__(self) -> str:
        raise _OpenLayoutError


class _Examination:
    """
    An examination of one message: the places of its numbers, and the bytes that decide them.

    :param data: the whole message
    :param definitions: function that returns the fields of message types
    :raise MessageError: if the bytes are not plain CDR
    """

    def __init__(self, data: bytes, definitions: Definitions) -> None:
        self._cursor = CdrCursor(data)
        self._definitions = definitions
        self.order = self._cursor.order
        self.dtypes: dict[int, str] = {}
        """The type of the number at each place, as NumPy names it."""
        self.mask = bytearray(len(data))
        """255 for each byte that decides about the places of numbers, and 0 for the others."""
        # The two bytes after the byte order are options, which may differ.
        self._fix(0, BEGIN // 2)

    def read(self, type_name: str) -> Any:
        """
        Return a value that has the place of each number instead of the number.

        :param type_name: name of its type, as in ``get_fields_and_field_types``
        :raise MessageError: if the message ends before it
        """
        if (dtype := DTYPES.get(type_name)) is not None:
            return _Place(self._places(dtype, 1)[0])
        if type_name == 'string' or type_name.startswith('string<'):
            return self._fixed(self._cursor.text)
        if type_name == 'octet':
            self._cursor.move(1)
            return b''
        if parts := list_parts(type_name):
            return self._list(*parts)
        fields = self._definitions(type_name)
        if fields is None:
            raise _OpenLayoutError
        if not fields:
            # A message without fields is sent as one byte.
            self._cursor.move(1)
        return SimpleNamespace(**{name: self.read(kind) for name, kind in fields.items()})

    def _list(self, type_name: str, length: int | None) -> Any:
        count = self._fixed(self._cursor.size) if length is None else length
        if (dtype := DTYPES.get(type_name)) is not None:
            return self._places(dtype, count)
        # Each element has at least one byte, so a wrong count ends at the end of the message.
        return [self.read(type_name) for _ in range(count)]

    def _places(self, dtype: str, count: int) -> npt.NDArray[np.intp]:
        item_bytes = np.dtype(dtype).itemsize
        places = self._cursor.move(item_bytes, count) + item_bytes * np.arange(count)
        self.dtypes.update(dict.fromkeys(places.tolist(), dtype))
        return places

    def _fixed(self, read: Callable[[], Any]) -> Any:
        """Read a length or a text, which later messages of this layout must have as well."""
        begin = self._cursor.aligned(4)
        value = read()
        self._fix(begin, self._cursor.place)
        return value

    def _fix(self, begin: int, end: int) -> None:
        self.mask[begin:end] = b'\xff' * (end - begin)


class _Run:
    """
    Neighbours in a vector that have the same type.

    :param places: place of each number in the message
    :param dtype: their type, as NumPy names it, with the byte order
    """

    def __init__(self, places: npt.NDArray[np.intp], dtype: str) -> None:
        self._is_bool = dtype.endswith('?')
        self._dtype = np.dtype('u1' if self._is_bool else dtype)
        item_bytes = self._dtype.itemsize
        self._count, self._begin = len(places), int(places[0])
        in_order = self._begin + item_bytes * np.arange(len(places))
        self._is_in_order = bool((places == in_order).all())
        self._bytes = (places[:, None] + np.arange(item_bytes)).ravel()

    def __call__(self, data: bytes) -> Vector:
        """Return the numbers of a message."""
        if self._is_in_order:
            numbers = np.frombuffer(data, self._dtype, self._count, self._begin)
        else:
            numbers = np.frombuffer(data, np.uint8)[self._bytes].view(self._dtype)
        return numbers != 0 if self._is_bool else numbers


@dataclass(frozen=True, slots=True)
class _Layout:
    """
    Messages of the same length with the same lengths of lists and the same texts.

    :param size_bytes: length of a message
    :param mask: has 1 in each bit that all these messages share; bit 0 is in the first byte
    :param shared: the bits that they share
    :param runs: readers of the numbers, in the order of the vector
    :param error: why no message of this layout can be read; None if all can
    """

    size_bytes: int
    mask: int
    shared: int
    runs: tuple[_Run, ...] = ()
    error: VectorError | None = None

    def is_of(self, data: bytes) -> bool:
        """Tell whether a message has this layout."""
        if len(data) != self.size_bytes:
            return False
        return int.from_bytes(data, 'little') & self.mask == self.shared

    def read(self, data: bytes) -> Vector:
        """Return the numbers of a message of this layout, ``(d,)``."""
        if len(self.runs) == 1:
            return self.runs[0](data)
        return together([run(data) for run in self.runs])


class VectorBytesReader:
    """
    Takes the numbers that selectors select from the bytes of messages. Owned by one thread.

    :param elements: elements of the vector
    :param message_type: type of the messages, such as ``sensor_msgs/msg/JointState``
    :param definitions: function that returns the fields of message types
    :param decode: function that decodes a whole message, or raises a MessageError
    """

    def __init__(
        self,
        elements: Elements,
        message_type: str,
        definitions: Definitions,
        decode: Callable[[bytes], Any],
    ) -> None:
        self._reader = elements.make_reader()
        self._finder = SelectorReader(elements.selectors, elements.names)
        self._message_type = message_type
        self._definitions = definitions
        self._decode = decode
        self._layouts: list[_Layout] = []
        shape = type_shape(message_type, definitions)
        # Numbers decide about these: the times of a trajectory, and a cloud's own description.
        self._is_open = elements.is_timed or any(
            leaf.column for one in elements.selectors for leaf in expand(one, shape)
        )

    def __call__(self, data: bytes) -> Vector | TimedVector:
        """
        Return the numbers of a message as they were published, ``(d,)``, or its trajectory.

        :param data: the whole message
        :raise ForeignMessageError: if the message has none of the selected names, or no numbers
            for them
        :raise MessageError: if the message is damaged, a number is missing, or a quaternion is
            not a rotation
        """
        for place, layout in enumerate(self._layouts):
            if layout.is_of(data):
                if place:
                    # Most messages are like the one before.
                    self._layouts.insert(0, self._layouts.pop(place))
                return self._numbers(layout, data)
        message = self._decode(data)
        if not self._is_open and len(data) <= _MAX_BYTES:
            self._learn(data, message)
        return self._reader(message)

    def _numbers(self, layout: _Layout, data: bytes) -> Vector:
        if layout.error is not None:
            raise type(layout.error)(str(layout.error))
        values = layout.read(data)
        self._finder.check_rotations(values)
        return values

    def _learn(self, data: bytes, message: Any) -> None:
        if len(self._layouts) == _MAX_LAYOUTS:
            # Its texts or lengths change all the time, and learning costs more than decoding.
            self._is_open = True
            self._layouts.clear()
            return
        try:
            self._layouts.insert(0, self._examine(data, message))
        except (_OpenLayoutError, MessageError):
            self._is_open = True

    def _examine(self, data: bytes, message: Any) -> _Layout:
        found = _Examination(data, self._definitions)
        stand_in = found.read(self._message_type)
        mask = int.from_bytes(found.mask, 'little')
        shared = int.from_bytes(data, 'little') & mask
        places = _picked(self._finder, stand_in)
        assert isinstance(self._reader, SelectorReader)
        values = _picked(self._reader, message)
        if isinstance(values, VectorError) and isinstance(places, VectorError):
            return _Layout(len(data), mask, shared, error=values)
        if isinstance(values, VectorError) or isinstance(places, VectorError):
            raise _OpenLayoutError
        dtypes = [found.order + found.dtypes[place] for place in places.tolist()]
        by_type = groupby(zip(places.tolist(), dtypes, strict=True), lambda one: one[1])
        runs = tuple(
            _Run(np.array([place for place, _ in group]), dtype) for dtype, group in by_type
        )
        layout = _Layout(len(data), mask, shared, runs)
        if not np.array_equal(layout.read(data), values, equal_nan=values.dtype.kind == 'f'):
            # This middleware encodes messages in another way.
            raise _OpenLayoutError
        return layout


def _picked(reader: SelectorReader, message: Any) -> Vector | VectorError:
    try:
        return reader.pick(message)
    except VectorError as error:
        return error
