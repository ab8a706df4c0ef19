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
"""Frames of an episode as PNG files, one folder per camera."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from pathlib import Path

from lerobot_streamrec.dataset.format.catalog import Catalog, read_catalog
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.durable import folder_written_beside
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.video.codecs.depth_config import DepthConfig, stored_depth
from lerobot_streamrec.video.tools.encoding_jobs import Progress
from lerobot_streamrec.video.tools.extract import Choice, Episode, write_frames


def video_key_of(info: DatasetInfo, name: str, root: Path) -> str:
    """
    Find a camera by its video key, or by the last part of it.

    :raise ConfigError: naming the cameras that there are
    """
    keys = info.video_keys
    found = [key for key in keys if name in (key, key.rpartition('.')[2])]
    # A whole name is meant, even if another camera's ends with it.
    found = [name] if name in found else found
    if len(found) != 1:
        allowed = f'{root} has {", ".join(keys) or "no camera"}; name one of them'
        raise ConfigError('camera', name, allowed)
    return found[0]


def extract_episode(
    root: Path,
    episode_index: int,
    folder: Path,
    choice: Choice | None = None,
    *,
    cameras: Collection[str] = (),
    progress: Progress | None = None,
) -> dict[str, int]:
    """
    Write frames of an episode as ``<video key>/frame-000012.png``, by their ``frame_index``.

    Colours have 8 bits; depth has 16, in millimetres. Nothing is left of a failure.

    :param root: the dataset's folder
    :param episode_index: of the episode
    :param folder: empty or not there; it appears with all its files
    :param choice: which frames, in seconds into the episode; None: all
    :param cameras: video keys, or their last parts; none: all cameras
    :param progress: is told the frames done and to do, camera by camera
    :return: per video key: how many there are
    :raise ConfigError: if there is no such episode or camera
    :raise DatasetCorruptError: if the dataset cannot be read
    :raise VideoError: if a video cannot be read, or the folder is not empty or not to be written
    """
    catalog = read_catalog(root)
    names = [video_key_of(catalog.info, one, root) for one in cameras]
    keys = tuple(dict.fromkeys(names)) or catalog.info.video_keys
    if not keys:
        raise ConfigError('root', str(root), 'it has no camera')
    if not 0 <= episode_index < len(catalog.episodes):
        last = len(catalog.episodes) - 1
        allowed = f'{root} has the episodes 0 to {last}' if last >= 0 else f'{root} has none'
        raise ConfigError('episode', episode_index, allowed)
    with folder_written_beside(folder) as part:
        found = {}
        for number, key in enumerate(keys):
            (part / key).mkdir()

            def tell(done: int, total: int, before: int = number) -> None:
                if progress:
                    progress(before * total + done, len(keys) * total)

            episode = _episode(catalog, episode_index, key)
            found[key] = write_frames(episode, part / key, choice or Choice(), tell)
    return found


def _episode(catalog: Catalog, episode_index: int, key: str) -> Episode:
    row = catalog.episodes[episode_index]
    place = row.videos[key]
    begin_s = Fraction(place.from_timestamp)
    stored = stored_depth(catalog.info.features[key].info)
    return Episode(
        path=catalog.video_path(key, place.file),
        begin_s=begin_s,
        end_s=begin_s + Fraction(row.length, catalog.info.fps),
        depth=stored.config if stored else DepthConfig(),
    )
