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
Depth to the codes 0..4095 of LeRobot's depth videos, and back.

The formulas and their order of operations in single precision are LeRobot's, so that the codes
are the same. The format knows no code for "no depth": 0, NaN and what is negative become code 0,
which readers show as ``depth_min``; what is too far, +inf among it, becomes the last code.
"""

from __future__ import annotations

import math
from typing import Any

from lerobot_streamrec.depth_frame import DepthFrame, METRES, MILLIMETRES
from lerobot_streamrec.video.codecs.depth_config import DepthConfig
import numpy as np
import numpy.typing as npt

MAX_CODE = 4095
NUM_CODES = MAX_CODE + 1

_MM_PER_M = 1000.0
_MAX_UINT16 = 65535


class DepthQuantiser:
    """
    Makes codes of depth pictures. Owned by one thread.

    :param config: which depth becomes which code
    :param unit: of all pictures, ``MILLIMETRES`` or ``METRES``
    """

    def __init__(self, config: DepthConfig, unit: str) -> None:
        factor = _MM_PER_M if unit == MILLIMETRES else 1.0
        self._config = config
        self._low = np.float32(config.depth_min * factor)
        self._high = np.float32(config.depth_max * factor)
        self._shift = np.float32(config.shift * factor)
        # Millimetres are few: each is computed once.
        self._table: npt.NDArray[np.uint16] | None = None
        if unit == MILLIMETRES:
            self._table = self._computed(np.arange(_MAX_UINT16 + 1, dtype=np.float32))

    def codes(self, frame: DepthFrame) -> npt.NDArray[np.uint16]:
        """
        Return the codes of a picture.

        :param frame: in this quantiser's unit
        :return: ``(height, width)`` uint16, contiguous
        """
        if self._table is not None:
            codes: npt.NDArray[np.uint16] = self._table[frame.values]
            return codes
        return self._computed(frame.values.astype(np.float32))

    def _computed(self, depth: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
        """Compute codes in place of what is given."""
        # NaN is no number for fmax, and the limits have the first and the last code.
        np.fmax(depth, self._low, out=depth)
        np.minimum(depth, self._high, out=depth)
        low: Any = self._low
        span: Any = self._high - self._low
        if self._config.use_log:
            low = math.log(float(self._low + self._shift))
            span = math.log(float(self._high + self._shift)) - low
            depth += self._shift
            np.log(depth, out=depth)
        depth -= low
        depth /= span
        depth *= MAX_CODE
        np.rint(depth, out=depth)
        np.clip(depth, 0, MAX_CODE, out=depth)
        return depth.astype(np.uint16)


def depth_of_codes(config: DepthConfig, unit: str) -> npt.NDArray[np.float32]:
    """
    Return what LeRobot's reader makes of each code.

    :param config: how depth was quantised
    :param unit: to be returned, ``MILLIMETRES`` (whole ones) or ``METRES``
    :return: ``(4096,)`` float32, ascending
    """
    low, high = config.depth_min, config.depth_max
    if config.use_log:
        low, high = math.log(low + config.shift), math.log(high + config.shift)
    depth = np.arange(NUM_CODES, dtype=np.float32)
    depth *= (high - low) / MAX_CODE
    depth += low
    if config.use_log:
        np.exp(depth, out=depth)
        depth -= config.shift
    np.clip(depth, config.depth_min, config.depth_max, out=depth)
    if unit == METRES:
        return depth
    return np.clip(np.rint(depth * np.float32(_MM_PER_M)), 0, _MAX_UINT16)
