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
"""Series of numbers, made small enough for a page that holds hundreds of episodes."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

MAX_POINTS = 600
"""Number of points of a series in the page; longer ones are decimated."""

_LEVELS = 65534
_MISSING = 65535


def decimated(values: Values, max_points: int = MAX_POINTS) -> Values:
    """
    Shorten series, but keep their extremes.

    The rows are divided into stretches of equal length. Of each stretch, every element keeps its
    smallest and its largest value in the order in which they occur; the page draws them at the
    beginning and in the middle of the stretch.

    :param values: ``(rows, d)``; NaN where there is no value
    :param max_points: largest number of points, an even number
    :return: ``(n, d)``; the rows as they are if there are no more than ``max_points``
    """
    num_rows, num_elements = values.shape
    if num_rows <= max_points:
        return values
    num_stretches = max_points // 2
    # The page computes the same bounds, so they must not depend on rounding.
    bounds = np.arange(num_stretches + 1, dtype=np.int64) * num_rows // num_stretches
    points = np.full((max_points, num_elements), np.nan)
    for number, (first, end) in enumerate(pairwise(bounds.tolist())):
        stretch = values[first:end]
        gaps = np.isnan(stretch)
        low = np.where(gaps, np.inf, stretch).argmin(axis=0)
        high = np.where(gaps, -np.inf, stretch).argmax(axis=0)
        for place, rows in enumerate((np.minimum(low, high), np.maximum(low, high))):
            points[2 * number + place] = stretch[rows, np.arange(num_elements)]
    return points


def packed(values: Values) -> dict[str, Any]:
    """
    Return series in 16 bits per value, as JSON.

    :param values: ``(n, d)``; values that are not finite become gaps
    :return: ``low`` and ``high`` of each element, and ``data``: base64 of little-endian uint16,
        element by element. A number k means ``low + k / 65534 * (high - low)``, 65535 a gap
    """
    finite = np.isfinite(values)
    some = finite.any(axis=0)
    low = np.where(some, np.where(finite, values, np.inf).min(axis=0), 0.0)
    high = np.where(some, np.where(finite, values, -np.inf).max(axis=0), 0.0)
    span = np.where(high > low, high - low, 1.0)
    levels = np.rint((np.where(finite, values, low) - low) / span * _LEVELS)
    numbers = np.where(finite, levels, _MISSING).astype('<u2')
    return {
        'low': low.tolist(),
        'high': high.tolist(),
        'data': base64.b64encode(np.ascontiguousarray(numbers.T).tobytes()).decode('ascii'),
    }
