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
"""Readers of selectors, and hand-made messages for them."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

from lerobot_streamrec.conversions.reader import SelectorReader
from lerobot_streamrec.conversions.selector import parse_selectors
import numpy as np


def reader(*texts, names=()):
    return SelectorReader(parse_selectors('state.selectors', texts), names)


def read(message, *texts):
    return reader(*texts)(message).tolist()


def vector3(x, y, z):
    return SimpleNamespace(x=x, y=y, z=z)


def quaternion(x=0.0, y=0.0, z=0.0, w=1.0):
    return SimpleNamespace(x=x, y=y, z=z, w=w)


def transform(child, *xyz):
    return SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=7, nanosec=8), frame_id='base'),
        child_frame_id=child,
        transform=SimpleNamespace(translation=vector3(*xyz), rotation=quaternion()),
    )


STATES = SimpleNamespace(
    joint_names=['elbow', 'wrist'],
    interface_values=[
        SimpleNamespace(interface_names=['position', 'effort'], values=[1.0, 2.0]),
        SimpleNamespace(interface_names=['effort', 'position'], values=[3.0, 4.0]),
    ],
)
TREE = SimpleNamespace(transforms=[transform('camera', 1, 2, 3), transform('tool0', 4, 5, 6)])
NUMBERS = SimpleNamespace(data=array('f', [0, 1, 2, 3, 4, 5, 6]))
MIXED = SimpleNamespace(
    flag=True,
    count=np.int32(3),
    label='x',
    flags=[True, False],
    words=['a', 'b'],
    fixed=np.array([0.5, 1.5]),
    bytes=[b'\x01'],
    some=[1.0, None],
    empty=[],
    nothing=None,
    pose=SimpleNamespace(position=vector3(1, 2, 3), orientation=quaternion()),
)
