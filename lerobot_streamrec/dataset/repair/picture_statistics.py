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
"""Statistics of cameras from decoded pictures, where what is said of them is wrong or missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lerobot_streamrec.dataset.format.decoded_camera import DecodedCamera, statistics_of_frames
from lerobot_streamrec.dataset.rebuild.pieces import Kept, Piece
from lerobot_streamrec.dataset.repair.plan import RepairPlan
from lerobot_streamrec.dataset.repair.row_reader import RowReader
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
from lerobot_streamrec.stats.image_histogram import ImageHistogram, lattice_stride
from lerobot_streamrec.video.mp4.damage_scan import decode_picture, InspectedFrame


def of_videos(
    plan: RepairPlan, key: str, episodes: Sequence[Kept]
) -> dict[Kept, FeatureStatistics]:
    """Decode the frames of some episodes; each of their files is read once."""
    camera = DecodedCamera(plan.sources.info.features[key].info)
    in_file: dict[str, list[Kept]] = defaultdict(list)
    for one in episodes:
        in_file[plan.source_of(one).shots[key].path].append(one)
    found: dict[Kept, FeatureStatistics] = {}
    for path, members in in_file.items():
        members.sort(key=lambda one: plan.source_of(one).shots[key].first)
        spans = [(plan.source_of(one).shots[key].first, one.source.length) for one in members]
        whole = plan.sources.root / path
        counted = statistics_of_frames(whole, camera, plan.sources.fps, spans)
        found.update(zip(members, counted, strict=True))
    return found


def of_columns(
    plan: RepairPlan, key: str, episodes: Sequence[Kept], pieces: Sequence[Piece]
) -> dict[Kept, FeatureStatistics]:
    """Decode the pictures of some episodes that stand in a column of their rows."""
    wanted, read = set(episodes), RowReader(plan)
    found = {}
    for piece in pieces:
        if wanted.isdisjoint(piece.episodes):
            continue
        for episode, rows in read(piece, [key]):
            if episode in wanted:
                histogram = ImageHistogram()
                for cell in rows.column(key):
                    frame = decode_picture(cell['bytes'].as_py())
                    stride = lattice_stride(frame.height, frame.width)
                    histogram.push(InspectedFrame(0.0, frame).rgb(stride))
                found[episode] = histogram.statistics()
    return found
