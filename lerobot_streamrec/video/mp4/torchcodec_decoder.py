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
"""Decoding of frames at given instants with torchcodec, if it is installed."""

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

# Errors that torchcodec raises for broken files, and errors of values that a file does not state.
_ERRORS = (RuntimeError, ValueError, OSError, LookupError, TypeError)


@lru_cache(maxsize=1)
def torchcodec_problem() -> str:
    """
    Return why torchcodec cannot be used; empty if it can.

    Loads torchcodec and torch, which takes seconds.
    """
    if find_spec('torchcodec') is None:
        return 'it is not installed'
    try:
        import_module('torchcodec.decoders')
    # A torchcodec that does not match this torch or FFmpeg may raise any error.
    except Exception as error:  # noqa: BLE001
        return f'it cannot be loaded ({_reason(error)})'
    return ''


class TorchcodecDecoder:
    """
    Decodes colour frames with torchcodec. Owned by one thread at a time.

    It finds the nearest frames if frames are evenly spaced, as in every dataset.

    :param path: a video file
    :raise ConfigError: if torchcodec cannot be used
    :raise VideoError: if the file cannot be read as a video
    """

    def __init__(self, path: Path) -> None:
        if problem := torchcodec_problem():
            raise ConfigError('backend', 'torchcodec', f'{problem}; use pyav or auto')
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
        """The shape of a frame: ``(height, width, 3)``."""
        return (*self._size, 3)

    def read(self, times_s: Sequence[Fraction]) -> Iterator[tuple[Fraction, Pixels]]:
        """
        Yield the frame that is nearest to each instant.

        :param times_s: instants in seconds into the file
        :return: for each instant, the time at which the frame is shown, in seconds, and its pixels
        :raise VideoError: if the file cannot be decoded there
        """
        # torchcodec returns the frame shown at an instant. Half a period later, the frame that is
        # shown is the one nearest to the instant.
        wanted = [
            float(min(max(one + self._half_period_s, self._begin_s), self._last_s))
            for one in times_s
        ]
        try:
            batch = self._decoder.get_frames_played_at(wanted)
            if not self._is_shown_then(batch, wanted):
                # torchcodec 0.11 cannot leave the end of a file with reordered frames.
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
        """Return True if the frames of a batch are shown at about the requested instants."""
        off_s = np.abs(np.asarray(batch.pts_seconds.tolist()) - wanted)
        return bool((off_s <= float(self._half_period_s * 5 / 2)).all())

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._decoder = None


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
