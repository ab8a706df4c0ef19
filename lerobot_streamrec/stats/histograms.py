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
Exact statistics of a camera's images from histograms of integers.

LeRobot adds up squares in single precision and loses up to several per cent over long episodes.
Here every value is counted, so min, max, mean, std and quantiles are exact for the sampled pixels,
however many there are. The sampled pixels are those of LeRobot's own streaming recorder: every
n-th pixel in both directions of every frame.

As in LeRobot, invalid pixels of depth images count as depth 0, which is how images in millimetres
mark them. In metres, NaN and negative depths count as 0 too, and infinity counts as the largest
depth of the video; otherwise the mean would not be a number.
"""

from __future__ import annotations

from lerobot_streamrec.stats.distribution import Distribution
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics, quantiles_of
import numpy as np
import numpy.typing as npt

LEVELS = 256
SCALE = 1.0 / 255.0

_FULL_BELOW_PIXELS = 300
_TARGET_PIXELS = 150


def lattice_stride(height: int, width: int) -> int:
    """Return the step between the pixels that LeRobot samples, in both directions."""
    if max(height, width) < _FULL_BELOW_PIXELS:
        return 1
    return max(1, (width if width > height else height) // _TARGET_PIXELS)


class _LevelCounts:
    """Counts of the pixels that have each level, of all images and of the last one."""

    def __init__(self, *shape: int) -> None:
        self._counts = np.zeros(shape, dtype=np.int64)
        self._last = self._counts.copy()
        self._num_pictures = 0

    def push_again(self) -> None:
        """Count the last image once more, for a frame that repeats it."""
        self._counts += self._last
        self._num_pictures += 1


class ImageHistogram(_LevelCounts):
    """
    Counts of the levels 0 to 255 per channel. Owned by one thread.

    :param num_channels: number of channels, 3 for RGB
    """

    def __init__(self, num_channels: int = 3) -> None:
        super().__init__(num_channels, LEVELS)

    def push(self, pixels: npt.NDArray[np.uint8]) -> None:
        """
        Count the pixels of an image.

        :param pixels: ``(h, w, channels)`` uint8, any strides
        """
        for channel in range(len(self._counts)):
            self._last[channel] = np.bincount(pixels[..., channel].ravel(), minlength=LEVELS)
        self.push_again()

    def statistics(self) -> FeatureStatistics:
        """
        Return the statistics of all counted images, scaled to 0 to 1.

        :raise ValueError: if no image was counted
        """
        num_pixels = int(self._counts[0].sum())
        if not num_pixels:
            raise ValueError('no picture was counted')
        levels = np.arange(LEVELS, dtype=np.float64)
        mean = self._counts @ levels / num_pixels
        # Centred on the mean, since a difference of large sums would lose precision.
        variance = ((levels - mean[:, None]) ** 2 * self._counts).sum(axis=1) / num_pixels
        seen = [np.flatnonzero(counts) for counts in self._counts]
        values = {
            'min': _per_channel([at[0] for at in seen]),
            'max': _per_channel([at[-1] for at in seen]),
            'mean': _per_channel(mean),
            'std': _per_channel(np.sqrt(variance)),
        }
        distributions = tuple(Distribution.of_counts(counts) for counts in self._counts)
        values.update(quantiles_of(distributions, values, SCALE))
        return FeatureStatistics(values, self._num_pictures, distributions, SCALE)


def _per_channel(levels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return values scaled to 0 to 1, in the shape that LeRobot expects, ``(channels, 1, 1)``."""
    return (np.asarray(levels, dtype=np.float64) * SCALE).reshape(-1, 1, 1)


_PICTURES_AT_ONCE = 16


class DepthHistogram(_LevelCounts):
    """
    Counts of depths that have a limited number of levels. Owned by one thread.

    :param levels: ``(n,)`` float64, ascending: depth of level 0, 1, ...; by default the 65536
        millimetre values of 16 bits
    """

    def __init__(self, levels: npt.NDArray[np.float64] | None = None) -> None:
        self._levels = np.arange(1 << 16, dtype=np.float64) if levels is None else levels
        super().__init__(len(self._levels))

    def push(self, levels: npt.NDArray[np.uint16]) -> None:
        """
        Count the pixels of an image.

        :param levels: ``(h, w)`` uint16, any strides and byte order
        """
        self._last = np.bincount(levels.ravel(), minlength=len(self._levels))
        self.push_again()

    def statistics(self) -> FeatureStatistics:
        """
        Return the statistics of all counted images.

        :raise ValueError: if no image was counted
        """
        seen = np.flatnonzero(self._counts)
        if not seen.size:
            raise ValueError('no picture was counted')
        levels, counts = self._levels[seen], self._counts[seen]
        num_pixels = int(counts.sum())
        mean = float(levels @ counts) / num_pixels
        # Centred on the mean, since a difference of large sums would lose precision.
        variance = float((levels - mean) ** 2 @ counts) / num_pixels
        extremes = (float(levels.min()), float(levels.max()))
        distribution = Distribution.of_levels(levels, counts)
        return _statistics(extremes, mean, variance, distribution, self._num_pictures)


class DepthMoments:
    """
    Statistics of depths that may be any number of metres. Owned by one thread.

    :param depth_max: depth of pixels that are too far to be measured, in metres
    """

    def __init__(self, depth_max: float) -> None:
        self._depth_max = depth_max
        self._last: npt.NDArray[np.float64] | None = None
        self._waiting: list[npt.NDArray[np.float64]] = []
        self._total: FeatureStatistics | None = None

    def push(self, metres: npt.NDArray[np.float32]) -> None:
        """
        Count the pixels of an image.

        :param metres: ``(h, w)`` float32, any strides and byte order; may hold NaN and infinity
        """
        depth = metres.astype(np.float64).ravel()
        depth[np.isposinf(depth)] = self._depth_max
        np.fmax(depth, 0.0, out=depth)
        self._last = depth
        self._wait(depth)

    def push_again(self) -> None:
        """Count the last image once more, for a frame that repeats it."""
        if self._last is not None:
            self._wait(self._last)

    def _wait(self, depth: npt.NDArray[np.float64]) -> None:
        self._waiting.append(depth)
        if len(self._waiting) >= _PICTURES_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        depth, num_pictures = np.concatenate(self._waiting), len(self._waiting)
        self._waiting.clear()
        mean = float(depth.mean())
        added = _statistics(
            (float(depth.min()), float(depth.max())),
            mean,
            float(((depth - mean) ** 2).mean()),
            Distribution.of(depth),
            num_pictures,
        )
        self._total = added if self._total is None else self._total.merged(added)

    def statistics(self) -> FeatureStatistics:
        """
        Return the statistics of all counted images.

        :raise ValueError: if no image was counted
        """
        if self._waiting:
            self._flush()
        if self._total is None:
            raise ValueError('no picture was counted')
        return self._total


def _statistics(
    extremes: tuple[float, float],
    mean: float,
    variance: float,
    distribution: Distribution,
    num_pictures: int,
) -> FeatureStatistics:
    """Return statistics in the shape that LeRobot expects, ``(1, 1, 1)``."""
    named = {'min': extremes[0], 'max': extremes[1], 'mean': mean, 'std': variance**0.5}
    values = {name: np.full((1, 1, 1), value) for name, value in named.items()}
    values.update(quantiles_of((distribution,), values))
    return FeatureStatistics(values, num_pictures, (distribution,))
