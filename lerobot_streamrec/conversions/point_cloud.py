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
The points of clouds: numbers from the ``data`` of sensor_msgs/PointCloud2 messages.

Every message describes its points itself, so each one is read by its own description (source:
sensor_msgs/msg/PointCloud2 and PointField).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lerobot_streamrec.errors import VectorError
import numpy as np
import numpy.typing as npt

POINTS = 'points'
"""The name by which selectors address the points of a cloud; no field of it has this name."""

_CLOUD = frozenset({'height', 'width', 'fields', 'is_bigendian', 'point_step', 'row_step', 'data'})
# NumPy's names of the datatypes of a PointField.
_DTYPES = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 8: 'f8'}


def is_cloud(names: Collection[str]) -> bool:
    """
    Return whether messages are clouds.

    :param names: names of their fields
    """
    return POINTS not in names and _CLOUD.issubset(names)


def num_points(cloud: Any) -> int:
    """
    Return the number of points in a cloud.

    :param cloud: a sensor_msgs/PointCloud2 or a similar object
    :raise VectorError: if its data is too short for them
    """
    height, width, _ = _rows(cloud)
    return height * width


def point_column(cloud: Any, name: str, place: int | None = None) -> npt.NDArray[Any]:
    """
    Return the numbers of one field of all points, row by row, as they were published.

    :param cloud: a sensor_msgs/PointCloud2 or a similar object
    :param name: name of the field
    :param place: place in the field if a point has several numbers in it; negative ones count from
        the end
    :return: ``(num_points,)`` in the type and the byte order of the field; as a rule a view of the
        message's data
    :raise VectorError: if the points do not have this number, or the data is too short
    """
    height, width, row_bytes = _rows(cloud)
    field = _field(cloud, name)
    if field.datatype not in _DTYPES:
        raise VectorError(
            f'the field {name} of the points has datatype {field.datatype}; those of '
            f'sensor_msgs/PointField are 1 (INT8) to 8 (FLOAT64)'
        )
    dtype = np.dtype(('>' if cloud.is_bigendian else '<') + _DTYPES[field.datatype])
    # PCL also takes a count of 0 for a single number, because old drivers left it out.
    count = field.count or 1
    if place is None and count > 1:
        raise VectorError(
            f'each point has {count} numbers in {name}; choose one, such as {POINTS}[0].{name}[0]'
        )
    place = place or 0
    if not -count <= place < count:
        raise VectorError(f'{name}[{place}] is out of range: {name} has {count} numbers per point')
    if not height * width:
        return np.empty(0, dtype)
    end = field.offset + count * dtype.itemsize
    if end > cloud.point_step:
        raise VectorError(
            f'{name} ends at byte {end} of a point, but point_step is {cloud.point_step}'
        )
    offset = field.offset + place % count * dtype.itemsize
    strides = (row_bytes, cloud.point_step)
    return np.ndarray((height, width), dtype, cloud.data, offset, strides).reshape(-1)


def _field(cloud: Any, name: str) -> Any:
    found = [one for one in cloud.fields if one.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise VectorError(f'the points have {name} more than once: which one is meant?')
    there = ', '.join(one.name for one in cloud.fields)
    raise VectorError(f'the points have no field {name}; they have {there or "none"}')


def _rows(cloud: Any) -> tuple[int, int, int]:
    """Return the number of rows, of points in a row, and of bytes from one row to the next."""
    height, width, row_bytes = cloud.height, cloud.width, cloud.row_step
    if not height * width:
        return 0, 0, 0
    least = width * cloud.point_step
    if not least:
        raise VectorError(f'point_step is 0, but the cloud has {height * width} points')
    if height == 1:
        # Some drivers leave row_step out, as the only row needs none.
        row_bytes = max(row_bytes, least)
    if row_bytes < least:
        raise VectorError(
            f'row_step is {row_bytes}, but rows of {width} points of {cloud.point_step} bytes '
            f'need {least}'
        )
    if len(cloud.data) < height * row_bytes:
        raise VectorError(
            f'data has {len(cloud.data)} bytes, but {height} rows of {row_bytes} bytes need '
            f'{height * row_bytes}'
        )
    return height, width, row_bytes
