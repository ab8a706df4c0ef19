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
"""Clouds of points made by hand, as sensor_msgs/PointCloud2 describes them."""

from __future__ import annotations

from array import array
import struct
from types import SimpleNamespace

TYPE = 'sensor_msgs/msg/PointCloud2'
# The formats of struct for the datatypes 1 to 8 of sensor_msgs/PointField.
FORMATS = dict(enumerate('bBhHiIfd', start=1))
FLOAT32, FLOAT64, UINT16 = 7, 8, 4
FILLING = b'\xa5'


def point_field(name, datatype=FLOAT32, offset=0, count=1):
    return SimpleNamespace(name=name, offset=offset, datatype=datatype, count=count)


def cloud(fields, *, data, point_step, width, height=1, order='<', row_step=None):
    """Make a cloud as a program without ROS sees it."""
    return SimpleNamespace(
        header=SimpleNamespace(frame_id='skin'),
        height=height,
        width=width,
        fields=fields,
        is_bigendian=order == '>',
        point_step=point_step,
        row_step=width * point_step if row_step is None else row_step,
        data=array('B', data),
        is_dense=True,
    )


def cloud_of(columns, *, order='<', gap=0):
    """
    Make a cloud with one row.

    :param columns: numbers of the points for each field, by its name and datatype
    :param order: byte order, ``<`` or ``>``
    :param gap: number of bytes before each number
    """
    fields, end = [], 0
    for name, datatype in columns:
        fields.append(point_field(name, datatype, end + gap))
        end += gap + struct.calcsize(f'={FORMATS[datatype]}')
    points = zip(*columns.values(), strict=True)
    data = b''.join(
        FILLING * gap + struct.pack(f'{order}{FORMATS[one.datatype]}', value)
        for point in points
        for one, value in zip(fields, point, strict=True)
    )
    width = len(next(iter(columns.values())))
    return cloud(fields, data=data, point_step=end, width=width, order=order)


def as_message(made, message_class, field_class):
    """Return a cloud as a message of ROS, without its header."""
    parts = {name: value for name, value in vars(made).items() if name != 'header'}
    parts['fields'] = [field_class(**vars(one)) for one in made.fields]
    return message_class(**parts)
