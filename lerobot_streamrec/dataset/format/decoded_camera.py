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
"""What decoded frames of a camera say of its pictures, in the unit of its statistics."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lerobot_streamrec.stats.depth_histogram import DepthHistogram
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
from lerobot_streamrec.stats.image_histogram import ImageHistogram, lattice_stride
from lerobot_streamrec.video.codecs.depth_config import depth_of_codes, is_depth, stored_depth
from lerobot_streamrec.video.mp4.damage_scan import inspect_frames, InspectedFrame
import numpy as np
import numpy.typing as npt


class Histogram(Protocol):
    """What counts pictures of either kind."""

    def push(self, pixels: npt.NDArray[Any], /) -> None:
        """Count a picture."""

    def statistics(self) -> FeatureStatistics:
        """
        Return the statistics of what was counted.

        :raise ValueError: if nothing was counted
        """


class DecodedCamera:
    """
    Counts frames of a camera's videos: colours, or depth in its own unit.

    :param info: of the camera's feature
    """

    def __init__(self, info: Mapping[str, object]) -> None:
        self.is_depth = is_depth(info)
        """Whether its frames are codes of depth."""
        self.extent = 1.0
        """What the largest value that a frame can show is in its statistics; 0: not known."""
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
        """Whether it is known what its frames mean."""
        return self.extent > 0

    @property
    def num_channels(self) -> int:
        """Channels of its statistics."""
        return 1 if self.is_depth else 3

    def histogram(self) -> Histogram:
        """Return what counts its pictures; it has to be known what they mean."""
        return ImageHistogram() if self._levels is None else DepthHistogram(self._levels)

    def pixels(self, frame: InspectedFrame, stride: int) -> npt.NDArray[Any]:
        """
        Return every stride-th pixel of a frame in both directions, for the histogram.

        :raise DatasetCorruptError: if it cannot be had
        """
        return frame.codes(stride) if self.is_depth else frame.rgb(stride)


def statistics_of_frames(
    path: Path, camera: DecodedCamera, fps: float, spans: Sequence[tuple[int, int]]
) -> list[FeatureStatistics]:
    """
    Decode a video once, and count the frames of several episodes in it.

    :param camera: the camera; the meaning of its frames has to be known
    :param fps: frames per second of the dataset
    :param spans: first frame and number of frames of each episode; ascending
    :return: statistics of each
    :raise DatasetCorruptError: if the video cannot be read
    :raise ValueError: if an episode has no frame in it
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
