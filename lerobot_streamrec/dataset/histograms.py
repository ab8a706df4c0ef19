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
Every episode's camera histograms, in the record that is kept of it.

With them, the statistics of any choice of episodes are exact; what LeRobot's format keeps of an
episode has no more than its quantiles. A channel of colour is 256 counts, as little-endian 64-bit
integers, deflated, in base64: some 400 to 900 characters. Depth has ``exponent:first:`` before
that, and as many counts as there are bins of ``2**exponent`` from the first to the last: some
thousand characters.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
import zlib

from lerobot_streamrec.stats.distribution import Distribution, MAX_SPAN_BINS
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
from lerobot_streamrec.stats.image_histogram import LEVELS, SCALE
import numpy as np

_COUNTS = np.dtype('<i8')
_DEPTH_SCALE = 1.0


def histograms_json(statistics: Mapping[str, FeatureStatistics]) -> dict[str, list[str]]:
    """Return the histograms of cameras, a text per channel; those of 256 levels and of depth."""
    return {
        key: [_packed(one) for one in feature.distributions]
        if feature.scale == SCALE
        else [_packed_depth(one) for one in feature.distributions]
        for key, feature in statistics.items()
        # Those of vectors are not kept.
        if feature.distributions
        and feature.values['mean'].ndim == 3
        and (feature.scale == _DEPTH_SCALE or all(map(_is_of_levels, feature.distributions)))
    }


def with_histograms(
    statistics: FeatureStatistics, record: Mapping[str, Any] | None, video_key: str
) -> FeatureStatistics:
    """
    Add to an episode's statistics what its record knows.

    :param statistics: as they stand in meta/episodes
    :param record: kept of the episode; None if there is none
    :param video_key: whose statistics
    :return: the same without distributions if the record has none that belong to them
    """
    try:
        texts = (record or {})['histograms'][video_key]
        distributions = tuple(map(_unpacked, texts))
        scale = _DEPTH_SCALE if ':' in texts[0] else SCALE
    except (KeyError, TypeError, ValueError, IndexError, binascii.Error, zlib.error):
        return statistics
    totals = {int(one.counts.sum()) for one in distributions}
    if totals != {statistics.count} or len(distributions) != statistics.values['mean'].size:
        return statistics
    return replace(statistics, distributions=distributions, scale=scale)


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
