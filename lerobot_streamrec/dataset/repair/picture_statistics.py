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

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from lerobot_streamrec.dataset.decoded_camera import DecodedCamera
from lerobot_streamrec.dataset.rebuild.pieces import Kept, Piece
from lerobot_streamrec.dataset.repair.plan import RepairPlan
from lerobot_streamrec.dataset.repair.row_reader import RowReader
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
from lerobot_streamrec.stats.image_histogram import ImageHistogram, lattice_stride
from lerobot_streamrec.video.inspect import decode_picture, inspect_frames, InspectedFrame


def of_videos(
    plan: RepairPlan, key: str, episodes: Sequence[Kept]
) -> dict[Kept, FeatureStatistics]:
    """Decode the frames of some episodes; each of their files is read once."""
    camera = DecodedCamera(plan.sources.info.features[key].info)
    in_file: dict[str, list[Kept]] = defaultdict(list)
    for one in episodes:
        in_file[plan.source_of(one).shots[key].path].append(one)
    found = {}
    for path, members in in_file.items():
        histograms = {one: camera.histogram() for one in members}
        members.sort(key=lambda one: plan.source_of(one).shots[key].first)
        begins = [plan.source_of(one).shots[key].first for one in members]
        for frame in inspect_frames(plan.sources.root / path):
            if frame.frame is None:
                continue
            number = round(frame.time_s * plan.sources.fps)
            place = bisect_right(begins, number) - 1
            if place >= 0 and number < begins[place] + members[place].source.length:
                stride = lattice_stride(frame.frame.height, frame.frame.width)
                histograms[members[place]].push(camera.pixels(frame, stride))
        found.update({one: histogram.statistics() for one, histogram in histograms.items()})
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
