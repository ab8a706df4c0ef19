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
Depth in a video: the settings, and the codes that stand for distances.

The formulas and their order of operations in single precision are LeRobot's, so the codes are
equal to LeRobot's. The format has no code for missing depth: 0, NaN and negative values become
code 0, which readers show as ``depth_min``. Values beyond ``depth_max``, infinity included, become
the last code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
import math
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.frame import DepthFrame, METRES, MILLIMETRES
from lerobot_streamrec.option import option
from lerobot_streamrec.video.codecs.config import EncoderConfig
import numpy as np
import numpy.typing as npt

DEPTH_PIX_FMT = 'gray12le'

DEPTH_ENCODER = EncoderConfig(
    vcodec='hevc',
    pix_fmt=DEPTH_PIX_FMT,
    # Every preset is lossless. LeRobot's own, medium, makes smaller files, but needs more than one
    # core for 640x480 at 30 frames per second.
    preset='ultrafast',
    extra_options={'x265-params': 'lossless=1'},
)
"""The encoder of all depth cameras."""

_FARTHEST_M = 10_000.0

IS_DEPTH_MAP = 'is_depth_map'
DEPTH_UNIT = 'depth_unit'


@dataclass(frozen=True, slots=True)
class DepthConfig:
    """
    How depth becomes one of 4096 codes (lerobot.configs.video.DepthEncoderConfig).

    :raise ConfigError: at construction, if a value is not allowed
    """

    depth_min: float = option(0.01, 'Depth of the first of 4096 codes, metres', 0.0, _FARTHEST_M)
    depth_max: float = option(10.0, 'Depth of the last of 4096 codes, metres', 0.0, _FARTHEST_M)
    shift: float = option(
        3.5,
        'Added to depth before the logarithm, metres; a large one makes steps more equal',
        -_FARTHEST_M,
        _FARTHEST_M,
        name='depth_shift',
    )
    use_log: bool = option(
        True, 'Steps between codes grow with depth; false: all are equal', name='depth_use_log'
    )

    def __post_init__(self) -> None:
        for name in ('depth_min', 'depth_max', 'shift'):
            value = getattr(self, name)
            if not math.isfinite(value):
                raise ConfigError(name, value, 'a finite number of metres is needed')
        if self.depth_min < 0:
            raise ConfigError('depth_min', self.depth_min, 'depth cannot be negative')
        if self.depth_max <= self.depth_min:
            raise ConfigError(
                'depth_max', self.depth_max, f'it must be above depth_min ({self.depth_min:g} m)'
            )
        if self.use_log and self.depth_min + self.shift <= 0:
            raise ConfigError(
                'shift',
                self.shift,
                f'depth_min ({self.depth_min:g} m) and shift must together be above 0 for a '
                'logarithm; set use_log to false for equal steps',
            )

    def as_info(self) -> dict[str, object]:
        """Return the settings that LeRobot stores in ``features[key]['info']``."""
        return {
            IS_DEPTH_MAP: True,
            **{f'video.{one.name}': getattr(self, one.name) for one in fields(self)},
        }


@dataclass(frozen=True, slots=True)
class StoredDepth:
    """
    The meaning of the codes of a dataset's depth camera.

    :param config: settings with which depth was quantised
    :param unit: unit of its statistics; empty: unknown
    """

    config: DepthConfig
    unit: str = ''


def keeps_codes(config: EncoderConfig) -> bool:
    """Return whether an encoder keeps every depth code."""
    parameters = config.extra_options.get('x265-params', '').split(':')
    is_lossless = config.vcodec == 'hevc' and 'lossless=1' in parameters
    return is_lossless and config.pix_fmt == DEPTH_PIX_FMT


def is_depth(info: Mapping[str, object]) -> bool:
    """
    Return whether a camera is a depth camera; older datasets use another key.

    :param info: ``info`` of the camera's feature
    """
    return bool(info.get(IS_DEPTH_MAP) or info.get(f'video.{IS_DEPTH_MAP}'))


def stored_depth(info: Mapping[str, object]) -> StoredDepth | None:
    """
    Read the depth settings of a camera from info.json, with LeRobot's defaults.

    :param info: ``info`` of the camera's feature
    :return: None for a colour camera, and for a depth camera with invalid settings
    """
    if not is_depth(info):
        return None
    given: dict[str, float] = {}
    for one in fields(DepthConfig):
        value = info.get(f'video.{one.name}')
        if isinstance(value, int | float):
            given[one.name] = bool(value) if one.name == 'use_log' else float(value)
        elif value is not None:
            return None
    try:
        config = DepthConfig(**given)  # type: ignore[arg-type]
    except ConfigError:
        return None
    unit = info.get(DEPTH_UNIT)
    return StoredDepth(config, str(unit) if unit in (MILLIMETRES, METRES) else '')


MAX_CODE = 4095
NUM_CODES = MAX_CODE + 1

_MM_PER_M = 1000.0
_MAX_UINT16 = 65535


class DepthQuantiser:
    """
    The converter of depth pictures to codes. Owned by one thread.

    :param config: mapping from depth to codes
    :param unit: unit of all pictures, ``MILLIMETRES`` or ``METRES``
    """

    def __init__(self, config: DepthConfig, unit: str) -> None:
        factor = _MM_PER_M if unit == MILLIMETRES else 1.0
        self._config = config
        self._low = np.float32(config.depth_min * factor)
        self._high = np.float32(config.depth_max * factor)
        self._shift = np.float32(config.shift * factor)
        # There are only 65536 values in millimetres, so a table holds all codes.
        self._table: npt.NDArray[np.uint16] | None = None
        if unit == MILLIMETRES:
            self._table = self._computed(np.arange(_MAX_UINT16 + 1, dtype=np.float32))

    def codes(self, frame: DepthFrame) -> npt.NDArray[np.uint16]:
        """
        Return the codes of a picture.

        :param frame: depth picture in this quantiser's unit
        :return: ``(height, width)`` uint16, contiguous
        """
        if self._table is not None:
            codes: npt.NDArray[np.uint16] = self._table[frame.values]
            return codes
        return self._computed(frame.values.astype(np.float32))

    def _computed(self, depth: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
        """Compute codes, and overwrite the given array."""
        # fmax replaces NaN, and the limits become the first and the last code.
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
    Return the depth that LeRobot's reader shows for each code.

    :param config: settings with which depth was quantised
    :param unit: unit of the result, ``MILLIMETRES`` (whole numbers) or ``METRES``
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
