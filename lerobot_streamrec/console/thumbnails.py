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
"""Small pictures of recorded episodes, made from their videos."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from lerobot_streamrec.console.episode_list import FramePlace
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.mp4.frames_at import frames_at
from lerobot_streamrec.video.tools.thumbnail import grey_of_depth, jpeg_of

MIN_WIDTH, MAX_WIDTH = 64, 640
"""The allowed widths of a thumbnail, in pixels."""

_MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """
    A small picture.

    :param jpeg: the whole file
    :param tag: text that changes with the picture
    """

    jpeg: bytes
    tag: str


class Thumbnails:
    """
    Makes thumbnails, and keeps those that were asked for last. Owned by one thread.

    :param max_bytes: size of all that are kept
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._kept: OrderedDict[str, Thumbnail] = OrderedDict()

    def make(self, place: FramePlace, width: int) -> Thumbnail:
        """
        Return a thumbnail of a frame; decoding one takes up to a few tenths of a second.

        :param place: the frame
        :param width: width in pixels; a narrower video keeps its own width
        :raise OSError: if the file does not exist
        :raise VideoError, UndecodableError: if it cannot be read or decoded
        """
        found = place.path.stat()
        # A file of another episode may get the name of one that was undone.
        tag = f'"{found.st_ino:x}-{found.st_mtime_ns:x}-{place.at_s:.4f}-{width}"'
        key = f'{place.path} {tag}'
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        (pixels,) = frames_at(place.path, [place.at_s], tolerance_s=place.tolerance_s)
        is_depth = pixels.ndim == 2
        frame = Frame(grey_of_depth(pixels), 'gray') if is_depth else Frame(pixels, 'rgb24')
        made = self._kept[key] = Thumbnail(jpeg_of(frame, width), tag)
        self._size_bytes += len(made.jpeg)
        while self._size_bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._size_bytes -= len(oldest.jpeg)
        return made
