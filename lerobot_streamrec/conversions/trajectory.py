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
"""Trajectories as vectors of the time: what is commanded at an instant."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lerobot_streamrec.errors import VectorError
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class TimedVector:
    """
    A vector that changes with the time since its message's stamp.

    :param times_ns: of the points, since the stamp, ascending
    :param values: per point, ``(d,)`` numbers as published
    """

    times_ns: tuple[int, ...]
    values: tuple[npt.NDArray[Any], ...]

    def converted(
        self, convert: Callable[[npt.NDArray[np.generic]], npt.NDArray[np.float64]]
    ) -> TimedVector:
        """Return the same trajectory with the vector of each point converted."""
        return TimedVector(self.times_ns, tuple(convert(one) for one in self.values))

    def at(self, age_ns: int) -> npt.NDArray[np.float64]:
        """
        Return the vector at an age, ``(d,)`` float64, linear between two points.

        Before the first point it is the first one's, after the last one the last one's.

        :param age_ns: since the message's stamp
        """
        after = bisect_right(self.times_ns, age_ns)
        if after in (0, len(self.times_ns)):
            return self.values[max(after - 1, 0)].copy()
        before_ns, after_ns = self.times_ns[after - 1], self.times_ns[after]
        share = (age_ns - before_ns) / (after_ns - before_ns)
        value: npt.NDArray[np.float64] = (1.0 - share) * self.values[
            after - 1
        ] + share * self.values[after]
        return value


def point_times(points: Sequence[Any], where: str) -> tuple[int, ...]:
    """
    Return the instants of a trajectory's points since its stamp, in nanoseconds.

    :param points: trajectory_msgs/JointTrajectoryPoint or alike
    :param where: they stand, for the error
    :raise VectorError: if there are none, or the times do not ascend
    """
    if not points:
        raise VectorError(f'{where} is empty: a trajectory needs at least one point')
    times_ns = tuple(
        one.time_from_start.sec * 1_000_000_000 + one.time_from_start.nanosec for one in points
    )
    for place, (before_ns, after_ns) in enumerate(pairwise(times_ns)):
        if after_ns <= before_ns:
            raise VectorError(
                f'{where}[{place + 1}].time_from_start is {after_ns / 1e9:g} s, not later than '
                f'the {before_ns / 1e9:g} s of the point before it'
            )
    return times_ns
