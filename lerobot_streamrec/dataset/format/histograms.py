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
The camera histograms of episodes: their form in the records, and how to count videos again.

With the histograms, the statistics of any selection of episodes are exact; LeRobot's format keeps
only the quantiles of each episode. A colour channel consists of 256 counts as little-endian 64-bit
integers, deflated and in base64: some 400 to 900 characters. A depth channel has the prefix
``exponent:first:`` and one count for each bin of width ``2**exponent`` from the first bin to the
last: some thousand characters.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
import math
from pathlib import Path
from typing import Any, Protocol
import zlib

from lerobot_streamrec.stats.distribution import Distribution, MAX_SPAN_BINS
from lerobot_streamrec.stats.feature_statistics import Array, FeatureStatistics
from lerobot_streamrec.stats.histograms import (
    DepthHistogram,
    ImageHistogram,
    lattice_stride,
    LEVELS,
    SCALE,
)
from lerobot_streamrec.video.codecs.depth_config import depth_of_codes, is_depth, stored_depth
from lerobot_streamrec.video.mp4.damage_scan import (
    decode_picture,
    inspect_frames,
    InspectedFrame,
)
import numpy as np
import numpy.typing as npt


class Histogram(Protocol):
    """A histogram of images, of colour or depth."""

    def push(self, pixels: npt.NDArray[Any], /) -> None:
        """Count the pixels of an image."""

    def statistics(self) -> FeatureStatistics:
        """
        Return the statistics of the counted pixels.

        :raise ValueError: if no pixel was counted
        """


class DecodedCamera:
    """
    A camera whose decoded frames are counted: colours, or depth in its own unit.

    :param info: the info of the camera's feature
    """

    def __init__(self, info: Mapping[str, object]) -> None:
        self.is_depth = is_depth(info)
        """True if its frames are codes of depth."""
        self.extent = 1.0
        """The largest value that a frame can show, in the unit of statistics; 0 if unknown."""
        self._levels: npt.NDArray[np.float64] | None = None
        if self.is_depth:
            stored = stored_depth(info)
            if stored is None or not stored.unit:
                self.extent = 0.0
            else:
                levels = depth_of_codes(stored.config, stored.unit)
                self._levels = levels.astype(np.float64)
                self.extent = float(levels[-1])

    @property
    def is_known(self) -> bool:
        """True if the meaning of its pixel values is known."""
        return self.extent > 0

    @property
    def num_channels(self) -> int:
        """The number of channels of its statistics."""
        return 1 if self.is_depth else 3

    def histogram(self) -> Histogram:
        """Return an empty histogram for its frames; ``is_known`` must be True."""
        return ImageHistogram() if self._levels is None else DepthHistogram(self._levels)

    def pixels(self, frame: InspectedFrame, stride: int) -> npt.NDArray[Any]:
        """
        Return every ``stride``-th pixel of a frame in both directions, for the histogram.

        :raise DatasetCorruptError: if the frame cannot be converted
        """
        return frame.codes(stride) if self.is_depth else frame.rgb(stride)


def statistics_of_frames(
    path: Path, camera: DecodedCamera, fps: float, spans: Sequence[tuple[int, int]]
) -> list[FeatureStatistics]:
    """
    Decode a video once and return the statistics of the episodes in it.

    :param path: the video
    :param camera: the camera, whose ``is_known`` must be True
    :param fps: the frames per second of the dataset
    :param spans: the first frame and the number of frames of each episode, ascending
    :return: the statistics of each episode
    :raise DatasetCorruptError: if the video cannot be read
    :raise ValueError: if an episode has no frame in the video
    """
    histograms = [camera.histogram() for _ in spans]
    begins = [first for first, _ in spans]
    for frame in inspect_frames(path):
        if frame.frame is None:
            continue
        number = round(frame.time_s * fps)
        place = bisect_right(begins, number) - 1
        if place >= 0 and number < begins[place] + spans[place][1]:
            stride = lattice_stride(frame.frame.height, frame.frame.width)
            histograms[place].push(camera.pixels(frame, stride))
    return [one.statistics() for one in histograms]


def count_picture(content: bytes, histogram: ImageHistogram | None) -> tuple[int, int]:
    """
    Decode a picture file and count its pixels.

    :param content: the bytes of the file, such as a PNG
    :param histogram: the histogram that counts its colours; None to count nothing
    :return: the height and the width of the picture, in pixels
    :raise DatasetCorruptError: if the picture cannot be decoded
    """
    frame = decode_picture(content)
    if histogram is not None:
        stride = lattice_stride(frame.height, frame.width)
        histogram.push(InspectedFrame(0.0, frame).rgb(stride))
    return frame.height, frame.width


_COUNTS = np.dtype('<i8')
_DEPTH_SCALE = 1.0
# Relative to the width of a bin, since statistics are sums of many numbers.
_ROUNDING = 1e-6


def histograms_json(statistics: Mapping[str, FeatureStatistics]) -> dict[str, list[str]]:
    """Return the histograms of all cameras of 256 levels or of depth, as a text per channel."""
    return {
        key: [_packed(one) for one in feature.distributions]
        if feature.scale == SCALE
        else [_packed_depth(one) for one in feature.distributions]
        for key, feature in statistics.items()
        # The distributions of vectors are not kept.
        if feature.distributions
        and feature.is_of_pictures
        and (feature.scale == _DEPTH_SCALE or all(map(_is_of_levels, feature.distributions)))
    }


def with_histograms(
    statistics: FeatureStatistics, record: Mapping[str, Any] | None, video_key: str
) -> FeatureStatistics:
    """
    Return a camera's statistics of an episode with the distributions from its record.

    :param statistics: the statistics in meta/episodes
    :param record: the recorder's own record of the episode; None if there is none
    :param video_key: the camera
    :return: the unchanged statistics if the record has no histograms that agree with them
    """
    try:
        texts = (record or {})['histograms'][video_key]
        distributions = tuple(map(_unpacked, texts))
        scale = _DEPTH_SCALE if ':' in texts[0] else SCALE
    except (KeyError, TypeError, ValueError, IndexError, binascii.Error, zlib.error):
        return statistics
    if not _belong_to(distributions, scale, statistics.values):
        return statistics
    return replace(statistics, distributions=distributions, scale=scale)


def _belong_to(
    distributions: tuple[Distribution, ...], scale: float, values: Mapping[str, Array]
) -> bool:
    """Return True if distributions and statistics agree, so that both are of the same images."""
    if len(distributions) != values['mean'].size:
        return False
    if len({one.total for one in distributions}) > 1:
        return False
    for channel, one in enumerate(distributions):
        # Values lie at or above the lower edge of their bin. A colour level fills its bin alone.
        width = math.ldexp(scale, one.exponent)
        slack = _ROUNDING * width if scale == SCALE else (1 + _ROUNDING) * width
        for name, edge in (('min', one.quantile(0)), ('mean', one.mean), ('max', one.quantile(1))):
            beyond = values[name].ravel()[channel] - edge * scale
            if not -_ROUNDING * width <= beyond <= slack:
                return False
    return True


def _is_of_levels(one: Distribution) -> bool:
    return one.exponent == 0 and one.indices[0] >= 0 and one.indices[-1] < LEVELS


def _packed(one: Distribution, first: int = 0, size: int = LEVELS) -> str:
    counts = np.zeros(size, dtype=_COUNTS)
    counts[one.indices - first] = one.counts
    return base64.b64encode(zlib.compress(counts.tobytes(), 9)).decode()


def _packed_depth(one: Distribution) -> str:
    first, size = int(one.indices[0]), int(one.indices[-1] - one.indices[0]) + 1
    return f'{one.exponent}:{first}:{_packed(one, first, size)}'


def _unpacked(text: str) -> Distribution:
    *place, packed = text.split(':')
    counts = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=_COUNTS)
    is_sized = counts.size <= MAX_SPAN_BINS if place else counts.size == LEVELS
    if not is_sized or counts.min() < 0 or not counts.any():
        raise ValueError('not a histogram')
    distribution = Distribution.of_counts(counts.astype(np.int64))
    if not place:
        return distribution
    exponent, first = map(int, place)
    return replace(distribution, exponent=exponent, indices=distribution.indices + first)
