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
"""The type of a topic that may not be published yet, and the class of a type, installed or not."""

from __future__ import annotations

from collections.abc import Mapping
import ctypes
from functools import cache
from importlib import import_module
import time
from typing import Any

from lerobot_streamrec.conversions.message_types import whole_type
from lerobot_streamrec.errors import ConfigError, MessageError, StartInterruptedError
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.settings.transports import ENCODED_READERS
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage


def load_message_class(parameter: str, message_type: str) -> type:
    """
    Import the class of a message type.

    :param parameter: parameter that names the type, for the error
    :param message_type: name of the type, such as ``sensor_msgs/msg/JointState``
    :return: class of the messages; for packets of video, which are read from the bytes, one that
        cannot be decoded if the type is not installed
    :raise ConfigError: if the type is not installed on this machine
    """
    if message_type in ENCODED_READERS:
        return class_to_take(message_type)
    return _installed_class(parameter, message_type)


def class_to_take(message_type: str) -> type:
    """
    Return a class for messages that are taken as bytes, whether or not its type is installed.

    :param message_type: name of a type without a bound on its size
    """
    try:
        return _installed_class('type', message_type)
    except ConfigError:
        return _renamed_class(CompressedImage, message_type)


def _installed_class(parameter: str, message_type: str) -> type:
    package, _, name = message_type.partition('/msg/')
    try:
        found = getattr(import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            parameter,
            message_type,
            f'this message type is not installed ({error}); write types in full, such as '
            'sensor_msgs/msg/JointState, and source the workspace that provides the package',
        ) from error
    if not isinstance(found, type):
        raise ConfigError(parameter, message_type, 'this is not a message type')
    return found


def load_fields(parameter: str, message_type: str) -> Mapping[str, str]:
    """
    Return the fields of a type and their types, in order.

    :param parameter: parameter that needs the type, for the error
    :param message_type: name such as ``geometry_msgs/msg/Point`` or ``geometry_msgs/Point``
    :raise ConfigError: if the type is not installed on this machine
    """
    message_class: Any = _installed_class(parameter, whole_type(message_type))
    fields: Mapping[str, str] = message_class.get_fields_and_field_types()
    return fields


def fields_of(message_type: str) -> Mapping[str, str] | None:
    """Return the fields of a type and their types, in order; None if it is not installed."""
    try:
        return load_fields('type', message_type)
    except ConfigError:
        return None


def decode(data: bytes, message_class: type) -> Any:
    """
    Decode a message.

    :param data: the encoded message
    :param message_class: its type
    :raise MessageError: if the message is damaged, or of another type
    """
    try:
        return deserialize_message(data, message_class)
    # rclpy's own errors are RuntimeErrors, and a text may raise a UnicodeError.
    except (RuntimeError, ValueError) as error:
        raise MessageError(
            f'a message of {len(data)} bytes cannot be decoded as {message_class.__name__}: '
            f'{error}'
        ) from error


def types_of(node: Node, topic: str) -> list[str]:
    """Return the types with which a topic is published now."""
    return sorted({offer.topic_type for offer in node.get_publishers_info_by_topic(topic)})


_POLL_S = 0.1
_SAY_EVERY_S = 5.0


def wait_for_type(
    node: Node, timeout_s: float, stop: StopSignals, parameter: str, topic: str
) -> str:
    """
    Return the message type with which a topic is published; wait for a publisher if need be.

    :param node: node through which the graph is read
    :param timeout_s: longest time to wait for the first publisher of the topic
    :param stop: request to end the process, which ends the wait
    :param parameter: parameter that could set the type, for the error
    :param topic: name of the topic
    :raise ConfigError: if nobody publishes the topic in time, or it has several types
    :raise StartInterruptedError: if the process is asked to end
    """
    begin_s = said_s = time.monotonic()
    while not (types := types_of(node, topic)):
        now_s = time.monotonic()
        if now_s > begin_s + timeout_s:
            raise ConfigError(
                parameter,
                '',
                f'nobody has published {topic} for {timeout_s:g} s, so its type is unknown: start '
                f'its publisher first, or set {parameter}',
            )
        if now_s > said_s + _SAY_EVERY_S:
            said_s = now_s
            node.get_logger().info(f'waiting for a publisher of {topic} to learn its type')
        if stop.wait(_POLL_S):
            raise StartInterruptedError(f'asked to end while waiting for {topic}')
    if len(types) > 1:
        text = f'{topic} is published as {" and as ".join(types)}: set {parameter} to one of them'
        raise ConfigError(parameter, '', text)
    return types[0]


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

    The middleware learns the name of a type from a structure of C that every message package
    generates for each of its types. Here that of an installed type is copied, and its name
    replaced.

    Sources: rosidl_runtime_c/message_type_support_struct.h of Humble and Jazzy; the descriptions
    of rosidl_typesupport_fastrtps_cpp/message_type_support.h and
    rosidl_typesupport_introspection_c/message_introspection.h both begin with namespace and name.

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
def _renamed_class(like: type, message_type: str) -> type:
    """
    Return a class with which rclpy can send and take a type as bytes, but not as an object.

    A subscription needs to know a type by its name only: the recorder reads fields from the bytes.

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
