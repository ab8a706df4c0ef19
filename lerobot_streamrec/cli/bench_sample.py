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
"""What ``codecs --bench`` encodes: made for it, or of a dataset or a video."""

from __future__ import annotations

from pathlib import Path

from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.video.codecs.depth_config import is_depth
from lerobot_streamrec.video.mp4.damage_scan import video_facts
from lerobot_streamrec.video.trials.bench import Sample, synthetic_sample, video_sample


def sample_of(
    source: Path | None, folder: Path, *, size: tuple[int, int], fps: int, seconds: float
) -> Sample:
    """
    Get the pictures.

    :param source: a dataset's folder, an MP4; None: pictures are made
    :param folder: for them
    :param size: width and height of pictures that are made, in pixels
    :param fps: of pictures that are made
    :param seconds: how long they last
    :raise ConfigError: if there are none
    :raise DatasetError: if the source cannot be read
    """
    if source is None:
        width, height = size
        return synthetic_sample(folder, width=width, height=height, fps=fps, seconds=seconds)
    if not source.is_dir():
        rate = round(video_facts(source).fps) or fps
        return video_sample(folder, source, fps=rate, seconds=seconds)
    catalog = read_catalog(source)
    features = catalog.info.features
    cameras = [
        key for key, spec in features.items() if spec.is_video and not is_depth(spec.info)
    ]
    if not cameras or not catalog.episodes:
        raise ConfigError('--source', str(source), 'it has no episode with a colour camera')
    place = catalog.episodes[0].videos[cameras[0]]
    return video_sample(
        folder,
        catalog.video_path(cameras[0], place.file),
        fps=catalog.info.fps,
        seconds=min(seconds, place.to_timestamp - place.from_timestamp),
        from_s=place.from_timestamp,
    )
