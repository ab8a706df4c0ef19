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
"""Frames at given instants by torchcodec, where somebody has installed it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lerobot_streamrec.errors import ConfigError, VideoError
from lerobot_streamrec.video.mp4.frame_decoder import Pixels
import numpy as np

# What a broken file makes torchcodec raise, and values that a file does not tell.
_ERRORS = (RuntimeError, ValueError, OSError, LookupError, TypeError)


@lru_cache(maxsize=1)
def torchcodec_problem() -> str:
    """
    Tell why torchcodec cannot be used; empty if it can.

    Loads it, and torch with it, which takes seconds.
    """
    if find_spec('torchcodec') is None:
        return 'it is not installed'
    try:
        import_module('torchcodec.decoders')
    # Whatever a library says that does not fit to this torch or FFmpeg.
    except Exception as error:  # noqa: BLE001
        return f'it cannot be loaded ({_reason(error)})'
    return ''


class TorchcodecDecoder:
    """
    Frames of colour by torchcodec. Owned by one thread at a time.

    The nearest frame is found where frames are evenly spaced, as in every dataset.

    :param path: a video file
    :raise ConfigError: if torchcodec cannot be used
    :raise VideoError: if it cannot be read as a video
    """

    def __init__(self, path: Path) -> None:
        if problem := torchcodec_problem():
            raise ConfigError('backend', 'torchcodec', f'{problem}; take pyav, or auto')
        if not path.is_file():
            raise VideoError(f'{path} cannot be read as a video: there is no such file')
        self._path = path
        try:
            self._decoder: Any = self._opened()
            metadata = self._decoder.metadata
            self._size = (int(metadata.height), int(metadata.width))
            self._half_period_s = 1 / Fraction(metadata.average_fps) / 2
            self._begin_s = Fraction(metadata.begin_stream_seconds)
            self._last_s = Fraction(metadata.end_stream_seconds) - self._half_period_s
        except _ERRORS as error:
            raise VideoError(f'{path} cannot be read as a video: {_reason(error)}') from error

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a frame: ``(height, width, 3)``."""
        return (*self._size, 3)

    def read(self, times_s: Sequence[Fraction]) -> Iterator[tuple[Fraction, Pixels]]:
        """
        Find the frame that is nearest to each instant.

        :param times_s: seconds into the file
        :return: for each: when the frame is shown, in seconds, and its pixels
        :raise VideoError: if the file cannot be decoded there
        """
        # It finds the frame that is shown at an instant: half a period later, that is the nearest.
        wanted = [
            float(min(max(one + self._half_period_s, self._begin_s), self._last_s))
            for one in times_s
        ]
        try:
            batch = self._decoder.get_frames_played_at(wanted)
            if not self._is_shown_then(batch, wanted):
                # Once it has come to the end of a file with reordered frames, 0.11 stays there.
                self._decoder = self._opened()
                batch = self._decoder.get_frames_played_at(wanted)
            found = batch.pts_seconds.tolist()
            pixels: Pixels = np.asarray(batch.data.numpy())
        except _ERRORS as error:
            raise VideoError(f'{self._path} cannot be decoded: {_reason(error)}') from error
        yield from zip(map(Fraction, found), pixels, strict=True)

    def _opened(self) -> Any:
        decoders = import_module('torchcodec.decoders')
        return decoders.VideoDecoder(str(self._path), dimension_order='NHWC')

    def _is_shown_then(self, batch: Any, wanted: Sequence[float]) -> bool:
        """Whether the frames of a batch are shown at the instants asked for."""
        off_s = np.abs(np.asarray(batch.pts_seconds.tolist()) - wanted)
        return bool((off_s <= float(self._half_period_s * 5 / 2)).all())

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self._decoder = None


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
