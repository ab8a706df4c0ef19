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
Classes for message types that are not installed, good enough to send and receive encoded bytes.

A subscription needs to know a type by its name only: the recorder reads fields from the bytes.
The middleware learns the name from a structure of C that every message package generates for
each of its types. Here the structure of an installed type is copied, and its name replaced.

Sources: rosidl_runtime_c/message_type_support_struct.h of Humble and Jazzy; the type descriptions
of rosidl_typesupport_fastrtps_cpp/message_type_support.h and
rosidl_typesupport_introspection_c/message_introspection.h both begin with namespace and name.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

# Both descriptions consist of at most ten pointers and numbers.
_NUM_WORDS = 12
_FIND = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)


class _TypeSupport(ctypes.Structure):
    """The beginning of rosidl_message_type_support_t, as in every distribution."""

    _fields_ = (
        ('identifier', ctypes.c_char_p),
        ('description', ctypes.c_void_p),
        ('find', _FIND),
        # Type hash, description and sources from Jazzy on; the copies keep those of the original.
        ('later', ctypes.c_void_p * 3),
    )


class _Renamed:
    """
    A copy of a type support that goes by another name. Must live as long as the process.

    :param address: address of the original
    :param package: package of the new name
    :param name: name of the type in the package
    """

    def __init__(self, address: int, package: str, name: str) -> None:
        self._original = _TypeSupport.from_address(address)
        self._address = address
        self._package, self._name = package, ctypes.create_string_buffer(name.encode())
        self._copies: dict[bytes, _TypeSupport] = {}
        self._kept: list[Any] = []
        self._find = _FIND(self._find_copy)
        self.support = _TypeSupport.from_buffer_copy(self._original)
        self.support.find = self._find

    def _find_copy(self, _support: int, identifier: bytes) -> int | None:
        """Return the type support for a middleware; called by it, and must not raise."""
        if identifier not in self._copies:
            address = self._original.find(self._address, identifier)
            if not address:
                return None
            self._copies[identifier] = self._copy(_TypeSupport.from_address(address))
        return ctypes.addressof(self._copies[identifier])

    def _copy(self, original: _TypeSupport) -> _TypeSupport:
        words = (ctypes.c_void_p * _NUM_WORDS).from_address(original.description)
        description = (ctypes.c_void_p * _NUM_WORDS)(*words)
        # A namespace is written as in C++ or as in C.
        between = b'::' if b'::' in ctypes.string_at(words[0] or 0) else b'__'
        namespace = ctypes.create_string_buffer(self._package.encode() + between + b'msg')
        description[0] = ctypes.addressof(namespace)
        description[1] = ctypes.addressof(self._name)
        copy = _TypeSupport.from_buffer_copy(original)
        copy.description = ctypes.addressof(description)
        self._kept += [description, namespace]
        return copy


@cache
def renamed_class(like: type, message_type: str) -> type:
    """
    Return a class with which rclpy can send and take a type as bytes, but not as an object.

    :param like: class of an installed type without a bound on its size
    :param message_type: name of a type, such as ``foxglove_msgs/msg/CompressedVideo``
    """
    package, _, name = message_type.partition('/msg/')
    metaclass: Any = type(like)
    if metaclass._TYPE_SUPPORT is None:
        metaclass.__import_type_support__()
    renamed = _Renamed(_capsule_address(metaclass._TYPE_SUPPORT), package, name)
    parts = {
        **{one: value for one, value in vars(metaclass).items() if one.startswith('_')},
        '_TYPE_SUPPORT': _capsule(ctypes.addressof(renamed.support)),
        'renamed': renamed,
    }
    return type(f'Metaclass_{name}', (type,), parts)(name, (), {'__module__': f'{package}.msg'})


def _capsule_address(capsule: Any) -> int:
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, (ctypes.py_object,)
    address_of = ctypes.pythonapi.PyCapsule_GetPointer
    address_of.restype, address_of.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    return int(address_of(capsule, name_of(capsule)))


def _capsule(address: int) -> Any:
    make = ctypes.pythonapi.PyCapsule_New
    make.restype = ctypes.py_object
    make.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return make(address, None, None)
