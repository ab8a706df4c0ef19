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
"""Reads each video of a broken dataset once, and decodes those that are in doubt."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.format.leftovers import numbered_files
from lerobot_streamrec.dataset.repair.frame_sources import Frames, NO_FRAMES, read_frames
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.video.mp4.damage_scan import video_facts


class FrameReader:
    """
    Reads videos when they are asked for.

    :param root: the dataset's folder
    :param info: what is usable of info.json
    :param trusted: files that a check has decoded, and found nothing wrong with
    """

    def __init__(self, root: Path, info: CheckedInfo, trusted: Collection[str]) -> None:
        self._root = root
        self._info = info
        self._trusted = trusted
        self._known: dict[str, Frames] = {}

    def paths(self, video_key: str) -> list[str]:
        """List a camera's files, in the order of their numbers."""
        found = numbered_files(self._root / 'videos' / video_key)
        return [found[number].relative_to(self._root).as_posix() for number in sorted(found)]

    def is_trusted(self, path: str) -> bool:
        """Whether a check has found nothing wrong with a file."""
        return path in self._trusted

    def frames(self, video_key: str, path: str) -> Frames:
        """Return what frames a file has."""
        if path not in self._known:
            self._known[path] = self._read(video_key, path)
        return self._known[path]

    def _read(self, video_key: str, path: str) -> Frames:
        if not path or not (self._root / path).is_file():
            return Frames(NO_FRAMES, False, f'{path or "its file"} is missing')
        frames = read_frames(
            self._root / path, round(self._info.fps), decode=path not in self._trusted
        )
        problem = frames.problem or self._unfit(video_key, path, len(frames))
        return Frames(NO_FRAMES, False, f'{path}: {problem}') if problem else frames

    def _unfit(self, video_key: str, path: str, num_frames: int) -> str:
        """Say why a video cannot be this camera's; empty if it can."""
        try:
            facts = video_facts(self._root / path)
        except DatasetCorruptError as error:
            return str(error)
        shape, size = self._info.features[video_key].shape or (), (facts.height, facts.width)
        # Older datasets say (channels, height, width).
        if size not in (shape[:2], shape[1:]):
            return f'its pictures are {facts.width}x{facts.height}'
        # The rate of a single frame is anything.
        if num_frames > 1 and abs(facts.fps - self._info.fps) > 1e-3 * self._info.fps:
            return f'it has {facts.fps:g} frames per second'
        return ''
