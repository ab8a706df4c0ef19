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
"""Numbers between two samples: on a straight line, orientations on the shortest arc."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

_WIDTH = 4
# So near to each other, the arc is a line as far as doubles can tell.
_STRAIGHT = 1.0 - 1e-9


def interpolated(
    before: Vector, after: Vector, fraction: float, quaternions: Sequence[int] = ()
) -> Vector:
    """
    Return what stands between two vectors.

    :param before: ``(d,)``
    :param after: ``(d,)``
    :param fraction: 0 for ``before``, 1 for ``after``
    :param quaternions: where four elements begin that are an orientation, x, y, z, w
    :return: ``(d,)``
    """
    between = before + (after - before) * fraction
    for at in quaternions:
        place = slice(at, at + _WIDTH)
        between[place] = _slerp(before[place], after[place], fraction)
    return between


def _slerp(before: Vector, after: Vector, fraction: float) -> Vector:
    """Go along the shorter of the two arcs (Shoemake, Animating Rotation with Quaternions)."""
    cosine = float(np.dot(before, after) / (np.linalg.norm(before) * np.linalg.norm(after)))
    if cosine < 0.0:
        # The same orientation by its other name, which is nearer.
        after, cosine = -after, -cosine
    if cosine > _STRAIGHT:
        mixed: Vector = before + (after - before) * fraction
    else:
        angle = np.arccos(cosine)
        mixed = (
            np.sin((1.0 - fraction) * angle) * before + np.sin(fraction * angle) * after
        ) / np.sin(angle)
    return mixed / np.linalg.norm(mixed)
