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
"""What counts a camera's pictures on their way to the encoder: colours, or depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lerobot_streamrec.depth_frame import METRES
from lerobot_streamrec.stats.depth_histogram import DepthHistogram, DepthMoments
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
from lerobot_streamrec.stats.image_histogram import ImageHistogram, lattice_stride
from lerobot_streamrec.video.codecs.depth_config import DepthConfig, DepthQuantiser
from lerobot_streamrec.video.encode.encoder_link import CountingEncoder, DepthEncoder
from lerobot_streamrec.video.encode.encoder_thread import VideoEncoder


class PictureStatistics(Protocol):
    """What has counted a camera's pictures."""

    def statistics(self) -> FeatureStatistics:
        """
        Return the statistics of what was counted.

        :raise ValueError: if nothing was counted
        """


@dataclass(frozen=True, slots=True)
class Counting:
    """
    What counts pictures, and how it is put before an encoder.

    :param counted: belongs to the encoder's thread until that has finished
    :param before: makes the chain of counter and encoder
    """

    counted: PictureStatistics
    before: Callable[[VideoEncoder], VideoEncoder]


def counting_of(depth: DepthConfig | None, unit: str, *, height: int, width: int) -> Counting:
    """
    Make what counts a camera's pictures, and brings depth to the codes of its video.

    :param depth: settings of a depth camera; None: it is one of colours
    :param unit: unit of every depth picture; empty: colours
    :param height: height of every picture, in pixels
    :param width: width of every picture, in pixels
    """
    stride = lattice_stride(height, width)
    if depth is None:
        histogram = ImageHistogram()
        return Counting(histogram, lambda video: CountingEncoder(video, histogram, stride))
    quantiser = DepthQuantiser(depth, unit)
    counter = DepthMoments(depth.depth_max) if unit == METRES else DepthHistogram()
    return Counting(counter, lambda video: DepthEncoder(video, quantiser, counter, stride))
