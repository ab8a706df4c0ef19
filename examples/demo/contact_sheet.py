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
"""A picture of a whole dataset: a row for each episode and camera, a thumbnail each second."""

from __future__ import annotations

from collections.abc import Mapping
import math
from pathlib import Path
from typing import Any

from examples.demo.dataset_files import Clip, DatasetFiles, decode
from PIL import Image, ImageDraw, ImageFont

THUMBNAIL_WIDTH = 160
MAX_THUMBNAILS = 12
"""A longer episode shows a thumbnail every few seconds instead of each second."""
MAX_ROWS = 60
"""Only the first episodes of a large dataset are shown."""

_GAP = 4
_LABEL_HEIGHT = 16
_PAPER = (250, 250, 248)
_INK = (40, 42, 48)


def make_contact_sheet(root: Path, out_png: Path) -> None:
    """
    Draw the sheet.

    :param root: the dataset's folder
    :param out_png: the file to write
    :raises ValueError: if the dataset has no pictures
    """
    files = DatasetFiles(root)
    strips = [
        _strip(files, episode, video_key)
        for episode in files.episodes[: max(MAX_ROWS // max(len(files.video_keys), 1), 1)]
        for video_key in files.video_keys
    ]
    if not strips:
        raise ValueError(f'no pictures in {root}')
    width = max(strip.width for strip in strips)
    sheet = Image.new('RGB', (width, sum(strip.height for strip in strips)), _PAPER)
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    sheet.save(out_png)


def _strip(files: DatasetFiles, episode: Mapping[str, Any], video_key: str) -> Image.Image:
    """Return the labelled row of one episode and camera."""
    clip = files.clip(episode, video_key)
    step_s = max(math.ceil(len(clip.positions) / files.fps / MAX_THUMBNAILS), 1)
    wanted = clip.positions[:: step_s * files.fps]
    thumbnails = _thumbnails(clip, wanted, files.fps)
    height = max((thumbnail.height for thumbnail in thumbnails), default=0)
    width = _GAP + max(len(thumbnails), 1) * (THUMBNAIL_WIDTH + _GAP)
    strip = Image.new('RGB', (width, _LABEL_HEIGHT + height + 2 * _GAP), _PAPER)
    task = ' / '.join(episode['tasks'])
    label = f'episode {episode["episode_index"]}   {video_key}   {task}   every {step_s} s'
    ImageDraw.Draw(strip).text((_GAP, _GAP), label, fill=_INK, font=ImageFont.load_default(12))
    for place, thumbnail in enumerate(thumbnails):
        left = _GAP + place * (THUMBNAIL_WIDTH + _GAP)
        strip.paste(thumbnail, (left, _LABEL_HEIGHT + _GAP))
    return strip


def _thumbnails(clip: Clip, wanted: range, fps: int) -> list[Image.Image]:
    thumbnails = []
    for frame in decode(clip.path):
        position = round(frame.time_s * fps)
        if position in wanted:
            picture = frame.video_frame.to_image()
            height = round(picture.height * THUMBNAIL_WIDTH / picture.width)
            thumbnails.append(picture.resize((THUMBNAIL_WIDTH, height)))
        if wanted and position >= wanted[-1]:
            break
    return thumbnails
