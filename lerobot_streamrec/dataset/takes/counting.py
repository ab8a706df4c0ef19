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
"""Counters of image statistics, which see each frame before its encoder, in colour or depth."""

from __future__ import annotations

from lerobot_streamrec.frame import METRES
from lerobot_streamrec.stats.histograms import (
    DepthHistogram,
    DepthMoments,
    ImageHistogram,
    lattice_stride,
)
from lerobot_streamrec.video.codecs.config import VideoSpec
from lerobot_streamrec.video.codecs.depth_config import DepthConfig, DepthQuantiser
from lerobot_streamrec.video.encode.picture_encoder import ColourMeter, DepthMeter

PictureStatistics = ImageHistogram | DepthHistogram | DepthMoments
"""A counter of the statistics of a camera's frames."""


def meter_of(
    depth: DepthConfig | None, unit: str, spec: VideoSpec
) -> tuple[ColourMeter | DepthMeter, PictureStatistics]:
    """
    Make the meter of a camera and its counter, which the encoder's thread owns until it ends.

    :param depth: settings of a depth camera; None for a colour camera
    :param unit: unit of every depth image; empty for a colour camera
    :param spec: size of every frame
    """
    stride = lattice_stride(spec.height, spec.width)
    if depth is None:
        histogram = ImageHistogram()
        return ColourMeter(histogram, stride), histogram
    counter = DepthMoments(depth.depth_max) if unit == METRES else DepthHistogram()
    return DepthMeter(counter, stride, DepthQuantiser(depth, unit)), counter
