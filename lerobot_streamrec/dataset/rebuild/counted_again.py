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
A deviation of pictures that cannot be as an episode states it, computed from its video.

LeRobot 0.4 squared pixels in 8 bits: it stored a standard deviation of 0 for nearly all pictures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.decoded_camera import DecodedCamera, statistics_of_frames
from lerobot_streamrec.dataset.format.episode_reader import read_statistics
from lerobot_streamrec.dataset.rebuild.pieces import Kept
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics

Counted = dict[Kept, dict[str, FeatureStatistics]]


def counted_again(kept: Sequence[Kept], remarks: list[str]) -> Counted:
    """
    Decode the episodes of which a camera's deviation is smaller than its quantiles allow for.

    :param kept: episodes, of any datasets
    :param remarks: takes the videos that cannot be decoded; their stated statistics stay
    :return: statistics per episode and camera: as stated, but for the deviation
    """
    found: Counted = defaultdict(dict)
    for (catalog, key, path), members in _impossible(kept).items():
        camera, fps = DecodedCamera(catalog.info.features[key].info), catalog.info.fps
        ordered = sorted(members, key=lambda one: one[0].source.videos[key].from_timestamp)
        spans = [
            (round(one.source.videos[key].from_timestamp * fps), one.source.length)
            for one, _ in ordered
        ]
        try:
            counted = statistics_of_frames(path, camera, fps, spans)
        except (DatasetCorruptError, ValueError) as error:
            remarks.append(f'the old statistics of {path} stay, since it cannot be read: {error}')
            continue
        for (one, stated), statistics in zip(ordered, counted, strict=True):
            # All else was right, and taken before the codec.
            values = {**stated.values, 'std': statistics.values['std']}
            found[one][key] = replace(stated, values=values)
    return found


def _impossible(
    kept: Sequence[Kept],
) -> dict[tuple[Catalog, str, Path], list[tuple[Kept, FeatureStatistics]]]:
    """Return the episodes to count again and their stated statistics, by their videos."""
    found = defaultdict(list)
    at = {(one.catalog, one.source.episode_index): one for one in kept}
    for catalog in dict.fromkeys(one.catalog for one in kept):
        features, total = catalog.info.features, catalog.info.total_episodes
        keys = [
            one for one in catalog.info.video_keys if DecodedCamera(features[one].info).is_known
        ]
        for index, statistics in read_statistics(catalog.root, total, keys):
            one = at.get((catalog, index))
            for key, stated in statistics.items():
                if one is not None and not stated.has_possible_deviation:
                    path = catalog.video_path(key, one.source.videos[key].file)
                    found[catalog, key, path].append((one, stated))
    return found
