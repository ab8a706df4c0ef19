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
Exact statistics of a camera's images from one histogram of integers per channel.

LeRobot adds up squares in single precision and loses up to several per cent over long episodes.
Here every value is counted, so min, max, mean, std and quantiles are exact for the sampled pixels,
however many there are. The sampled pixels are those of LeRobot's own streaming recorder: every
n-th pixel in both directions of every frame.
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


class ImageHistogram:
    """
    Counts of the levels 0 to 255 per channel. Owned by one thread.

    :param num_channels: number of channels, 3 for RGB
    """

    def __init__(self, num_channels: int = 3) -> None:
        self._counts = np.zeros((num_channels, LEVELS), dtype=np.int64)
        self._last = self._counts.copy()
        self._num_pictures = 0

    def push(self, pixels: npt.NDArray[np.uint8]) -> None:
        """
        Count the pixels of an image.

        :param pixels: ``(h, w, channels)`` uint8, any strides
        """
        for channel in range(len(self._counts)):
            self._last[channel] = np.bincount(pixels[..., channel].ravel(), minlength=LEVELS)
        self.push_again()

    def push_again(self) -> None:
        """Count the last image once more, for a frame that repeats it."""
        self._counts += self._last
        self._num_pictures += 1

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
