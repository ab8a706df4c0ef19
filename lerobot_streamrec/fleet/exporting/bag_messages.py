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
"""New messages for a bag: objects like rclpy's with the defaults of ROS, and their bytes."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.fleet.reading.bag_types import fields_in, type_text
from lerobot_streamrec.settings.transports import VIDEO_TYPE
import numpy as np
import numpy.typing as npt
from rosbags.interfaces import Nodetype
from rosbags.interfaces.typing import FieldDesc
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

# Rosbags has no types of Foxglove; the comments are a part of their definition.
_VIDEO = """\
# A single frame of a compressed video bitstream
builtin_interfaces/Time timestamp
# Frame of reference for the video
string frame_id
# Compressed video frame data: in Annex B for h264 and h265, with SPS (and VPS, PPS) before each
# key frame; in the low overhead bitstream format for av1, with a sequence header in each key frame
uint8[] data
# Video format: h264, h265, vp9 or av1
string format
"""
# Rosbags keeps no defaults. These are all of the usual packages that are not zero.
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    'geometry_msgs/msg/Quaternion': {'w': 1.0},
    'sensor_msgs/msg/NavSatStatus': {'status': -2},
}
# A bool has its own byte, and arrays of them are written as bytes.
_DTYPES = {'bool': 'B', 'byte': 'B', 'char': 'B'}
_TEXTS = ('string', 'wstring')

STORE = get_typestore(Stores.ROS2_JAZZY)
"""The types; of the usual packages, only sensor_msgs/Range was another one in Humble."""
STORE.register(get_types_from_msg(_VIDEO, VIDEO_TYPE))


class _Numbers(array):  # type: ignore[type-arg]
    """Numbers that are appended to as rclpy's are, and written by Rosbags as NumPy's are."""

    def view(self, dtype: Any) -> npt.NDArray[Any]:
        """Return the same memory as numbers of another type."""
        return np.asarray(self).view(dtype)


class MessageClass:
    """
    A message type, which is called and asked as a class of rclpy is.

    :param name: name of the type, such as ``sensor_msgs/msg/JointState``
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._fields = {field: type_text(kind) for field, kind in fields_in(STORE, name)}

    def get_fields_and_field_types(self) -> Mapping[str, str]:
        """Return the fields and their types, such as ``sequence<double>``."""
        return self._fields

    def __call__(self) -> Any:
        """Return a message whose fields have their defaults."""
        made = {field: _default(kind) for field, kind in STORE.fielddefs[self._name][1]}
        return SimpleNamespace(**{**made, **_DEFAULTS.get(self._name, {})})


@cache
def message_class(name: str) -> MessageClass:
    """
    Return a message type.

    :raise ConfigError: if it is none of ROS or of Foxglove's video
    """
    if name not in STORE.fielddefs:
        allowed = 'its definition is not in the dataset, and it is none of the types of ROS'
        raise ConfigError('the type', name, allowed)
    return MessageClass(name)


def message_bytes(message: Any, name: str) -> memoryview:
    """
    Return a message in CDR.

    :param message: message from ``MessageClass``
    :param name: name of its type
    """
    return STORE.serialize_cdr(message, name)


def _default(kind: FieldDesc) -> Any:
    """Return the default of a field."""
    match kind:
        case (Nodetype.NAME, str(name)):
            return message_class(name)()
        case (Nodetype.BASE, (str(name), _)):
            return '' if name in _TEXTS else np.dtype(_DTYPES.get(name, name)).type(0).item()
        case (form, ((Nodetype.BASE, (str(name), _)), int(length))) if name not in _TEXTS:
            dtype = np.dtype(_DTYPES.get(name, name))
            fixed = np.zeros(length, dtype)
            return fixed if form == Nodetype.ARRAY else _Numbers(dtype.char)
        case (form, (element, int(length))):
            return [_default(element) for _ in range(length if form == Nodetype.ARRAY else 0)]
    raise AssertionError(kind)
