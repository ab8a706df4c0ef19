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
episode has no more than its quantiles. A channel is 256 counts, as little-endian 64-bit integers,
deflated, in base64: some 400 to 900 characters.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
import zlib

from lerobot_streamrec.stats.distribution import Distribution
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
from lerobot_streamrec.stats.image_histogram import LEVELS, SCALE
import numpy as np

_COUNTS = np.dtype('<i8')


def histograms_json(statistics: Mapping[str, FeatureStatistics]) -> dict[str, list[str]]:
    """Return the histograms of cameras, a text per channel; those of 256 levels only."""
    return {
        key: [_packed(one) for one in feature.distributions]
        for key, feature in statistics.items()
        if feature.scale == SCALE
        and feature.distributions
        and all(map(_is_of_levels, feature.distributions))
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
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error):
        return statistics
    totals = {int(one.counts.sum()) for one in distributions}
    if totals != {statistics.count} or len(distributions) != statistics.values['mean'].size:
        return statistics
    return replace(statistics, distributions=distributions, scale=SCALE)


def _is_of_levels(one: Distribution) -> bool:
    return one.exponent == 0 and one.indices[0] >= 0 and one.indices[-1] < LEVELS


def _packed(one: Distribution) -> str:
    counts = np.zeros(LEVELS, dtype=_COUNTS)
    counts[one.indices] = one.counts
    return base64.b64encode(zlib.compress(counts.tobytes(), 9)).decode()


def _unpacked(text: str) -> Distribution:
    counts = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=_COUNTS)
    if counts.shape != (LEVELS,) or counts.min() < 0 or not counts.any():
        raise ValueError('not a histogram')
    return Distribution.of_counts(counts.astype(np.int64))
