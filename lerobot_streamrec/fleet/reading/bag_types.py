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
"""The message types of a bag: their fields, and the decoding of whole messages, without ROS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
import re
from typing import Any

from lerobot_streamrec.errors import MessageError
from lerobot_streamrec.fleet.reading.bag_parts import Definition
from rosbags.interfaces import Nodetype
from rosbags.interfaces.typing import FieldDesc, Typesdict
from rosbags.serde import SerdeError
from rosbags.typesys import (
    get_types_from_idl,
    get_types_from_msg,
    get_typestore,
    Stores,
    TypesysError,
)
from rosbags.typesys.store import Typestore

_NAMES = {
    'bool': 'boolean',
    'byte': 'octet',
    'char': 'uint8',
    'float32': 'float',
    'float64': 'double',
    'float128': 'long double',
}
_SEPARATOR = '=' * 80 + '\n'
_PREPROCESSOR = re.compile(r'^[ \t]*#.*$', re.MULTILINE)
# C++ and IDL need a member, so a message without fields has this one.
_NO_FIELD = 'structure_needs_at_least_one_member'
# From the newest to the oldest.
_DISTRIBUTIONS = tuple(one for one in reversed(Stores) if one.value.startswith('ros2_'))


class BagTypes:
    """
    The types that a bag defines itself, and for others those of a ROS distribution.

    Owned by the thread that reads the bag.

    :param definitions: definitions in the bag, by type
    :param ros_distro: distribution that recorded the bag, such as ``humble``; None if unknown
    :param sample: function that returns a message of a type, to see which distribution's
        definition fits; None if there is none
    :param tell: function that takes the reason why a definition cannot be used
    """

    def __init__(
        self,
        definitions: Mapping[str, Definition],
        ros_distro: str | None,
        sample: Callable[[str], bytes | None],
        tell: Callable[[str], None],
    ) -> None:
        known = [one for one in _DISTRIBUTIONS if one.value == f'ros2_{ros_distro}']
        self._distributions = [*known, *(one for one in _DISTRIBUTIONS if one not in known)]
        self._is_known = bool(known)
        self._sample = sample
        self._own = get_typestore(Stores.EMPTY)
        self._stores: dict[str, Typestore | None] = {}
        for name, definition in definitions.items():
            if problem := self._add(name, definition):
                tell(f'its definition of {name} cannot be used ({problem})')

    def _add(self, name: str, definition: Definition) -> str | None:
        try:
            types = _parsed(name, definition)
            for used in _used_types(types):
                if used not in types and used not in self._own.fielddefs:
                    return f'it needs {used}, which it does not define'
            self._own.register(types)
        # The code that is made of a strange definition may not even compile.
        except (TypesysError, SyntaxError, ValueError) as error:
            return str(error).splitlines()[0]
        return None

    def fields(self, type_name: str) -> Mapping[str, str] | None:
        """
        Return the fields of a type and their types, in order; None if it is unknown.

        :param type_name: name such as ``geometry_msgs/msg/Point`` or ``geometry_msgs/Point``
        :return: types as in ``get_fields_and_field_types``, such as ``sequence<double>``
        """
        name = _long(type_name)
        store = self._store(name)
        if store is None:
            return None
        return {field: type_text(kind) for field, kind in fields_in(store, name)}

    def decode(self, type_name: str, data: bytes) -> Any:
        """
        Decode a message into an object whose attributes are those of rclpy's.

        Lists of numbers are NumPy arrays, and a ``byte`` is an int.

        :param type_name: name of its type, such as ``sensor_msgs/msg/JointState``
        :param data: the message in CDR
        :raise MessageError: if the message is damaged, or the type is unknown
        """
        name = _long(type_name)
        store = self._store(name)
        if store is None:
            raise MessageError(
                f'a message of {len(data)} bytes cannot be decoded: neither the bag nor a ROS '
                f'distribution defines {name}'
            )
        try:
            return _decoded(store, name, data)
        except (SerdeError, KeyError) as error:
            raise MessageError(
                f'a message of {len(data)} bytes cannot be decoded as {name}: {error}'
            ) from error

    def _store(self, name: str) -> Typestore | None:
        if name in self._own.fielddefs:
            return self._own
        if name not in self._stores:
            self._stores[name] = self._fitting(name)
        return self._stores[name]

    def _fitting(self, name: str) -> Typestore | None:
        """Return the types of a distribution that has this one, and with which a message fits."""
        holders = [one for one in self._distributions if name in _stock(one).fielddefs]
        if not holders:
            return None
        found = holders[0]
        if not self._is_known and (data := self._sample(name)) is not None:
            found = next((one for one in holders if _fits(_stock(one), name, data)), found)
            # The types that it consists of have to come from the same distribution.
            self._distributions.remove(found)
            self._distributions.insert(0, found)
        return _stock(found)


def fields_in(store: Typestore, name: str) -> list[tuple[str, FieldDesc]]:
    """Return the fields of a type in a store, and how Rosbags describes their types."""
    return [(field, kind) for field, kind in store.fielddefs[name][1] if field != _NO_FIELD]


@cache
def _stock(distribution: Stores) -> Typestore:
    return get_typestore(distribution)


def _fits(store: Typestore, name: str, data: bytes) -> bool:
    try:
        _decoded(store, name, data)
    except (SerdeError, KeyError):
        return False
    return True


def _decoded(store: Typestore, name: str, data: bytes) -> Any:
    # The generated code takes a list that cannot be as a reason to fail in several ways.
    try:
        return store.deserialize_cdr(data, name)
    except (IndexError, MemoryError, OverflowError, TypeError, UnicodeError) as error:
        raise SerdeError(str(error)) from error


def _long(type_name: str) -> str:
    return type_name if type_name.count('/') > 1 else type_name.replace('/', '/msg/')


def _parsed(name: str, definition: Definition) -> Typesdict:
    """
    Return the types that a definition consists of.

    :raise TypesysError: if it cannot be parsed
    """
    text = definition.text.replace('\r\n', '\n')
    if definition.encoding == 'ros2msg':
        return get_types_from_msg(text, name)
    found: Typesdict = {}
    for part in filter(None, text.split(_SEPARATOR)):
        # Each part begins with a line that names its type, except for a definition of one type.
        idl = part.partition('\n')[2] if part.startswith('IDL: ') else part
        # Rosbags does not know the lines that include others, and what they include is here.
        found.update(get_types_from_idl(_PREPROCESSOR.sub('', idl)))
    return found


def _used_types(types: Typesdict) -> Iterator[str]:
    """Yield the names of the types that fields of others have."""
    for _, fields in types.values():
        for _, kind in fields:
            match kind:
                case (Nodetype.NAME, str(name)) | (_, ((Nodetype.NAME, str(name)), _)):
                    yield name


def type_text(kind: FieldDesc) -> str:
    """Return the type of a field as ``get_fields_and_field_types`` writes it."""
    match kind:
        case (Nodetype.BASE, (str(name), limit)):
            return _NAMES.get(name, name) + (f'<{limit}>' if limit else '')
        case (Nodetype.NAME, str(name)):
            return name.replace('/msg/', '/')
        case (Nodetype.ARRAY, (element, length)):
            return f'{type_text(element)}[{length}]'
        case (Nodetype.SEQUENCE, (element, limit)):
            return f'sequence<{type_text(element)}{f", {limit}" if limit else ""}>'
    raise AssertionError(kind)
