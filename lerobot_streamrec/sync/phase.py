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
Where in the period row 0 should stand.

A row shows the newest picture at or before its instant. If that instant falls where a camera's
pictures arrive, jitter of a millisecond decides whether a picture is seen twice and the next one
never. So row 0 goes as far from all pictures as the cameras' phases allow: half a period after
the picture for one camera, in the middle of the widest gap for several.
"""

from __future__ import annotations

from collections.abc import Iterable

from lerobot_streamrec.sync.grid import NS_PER_S


def locked_start_ns(not_before_ns: int, picture_stamps_ns: Iterable[int], fps: int) -> int:
    """
    Choose the instant of row 0.

    :param not_before_ns: the earliest instant allowed
    :param picture_stamps_ns: recent stamps of all cameras, any order; none: no phase to keep
    :param fps: rows per second
    :return: instant in nanoseconds, less than one period after ``not_before_ns``
    """
    period_ns = NS_PER_S // fps
    phases = sorted({stamp % period_ns for stamp in picture_stamps_ns})
    if not phases:
        return not_before_ns
    following = [*phases[1:], phases[0] + period_ns]
    widest = max(range(len(phases)), key=lambda at: following[at] - phases[at])
    middle_ns = (phases[widest] + following[widest]) // 2
    return not_before_ns + (middle_ns - not_before_ns) % period_ns
