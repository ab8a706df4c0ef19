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
"""Decoding of the frames of a video that are nearest to given instants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from fractions import Fraction
from functools import partial
import math
from pathlib import Path
from typing import Any

from lerobot_streamrec.errors import ConfigError, FrameTimestampError
from lerobot_streamrec.video.mp4.decoder_cache import DecoderCache
from lerobot_streamrec.video.mp4.frame_decoder import FrameDecoder, PyavDecoder
from lerobot_streamrec.video.mp4.torchcodec_decoder import TorchcodecDecoder
import numpy as np
import numpy.typing as npt

TOLERANCE_S = 1e-4
"""LeRobot's tolerance."""

PYAV, TORCHCODEC, AUTO = 'pyav', 'torchcodec', 'auto'
BACKENDS = (AUTO, PYAV, TORCHCODEC)
"""The decoder backends. ``auto`` uses pyav, which is as fast and always available."""


def frames_at(
    path: Path,
    timestamps_s: Sequence[float] | npt.NDArray[np.floating[Any]],
    *,
    tolerance_s: float = TOLERANCE_S,
    backend: str = AUTO,
    cache: DecoderCache | None = None,
    is_depth: bool | None = None,
) -> npt.NDArray[Any]:
    """
    Decode the frame that is nearest to each instant.

    :param path: a video file
    :param timestamps_s: instants in seconds into the file, ``(n,)``, in any order; repeats are
        allowed
    :param tolerance_s: largest distance of a frame from its instant, in seconds
    :param backend: one of ``BACKENDS``; depth is always decoded by pyav
    :param cache: cache that keeps files open for the next call; None to close the file
    :param is_depth: True if frames are depth codes; None to decide by the file's pixel format, for
        which 12-bit gray means depth
    :return: ``(n, height, width, 3)`` uint8 RGB, or ``(n, height, width)`` uint16 depth codes
    :raise FrameTimestampError: if the frame nearest to an instant is too far away, or an instant
        is not a finite number; this error is also a ValueError
    :raise ConfigError: if the backend or the tolerance cannot be used
    :raise VideoError: if the file cannot be read or decoded
    """
    path = Path(path)
    if not (math.isfinite(tolerance_s) and tolerance_s >= 0):
        raise ConfigError('tolerance_s', tolerance_s, 'it must be 0 or more seconds')
    times = _checked_times(path, timestamps_s)
    ascending = sorted(range(len(times)), key=times.__getitem__)
    with _decoder(path, backend, cache, is_depth) as decoder:
        kind = np.uint8 if len(decoder.shape) == 3 else np.uint16
        frames = np.empty((len(times), *decoder.shape), kind)
        if not times:
            return frames
        found = decoder.read([times[place] for place in ascending])
        for place, (at_s, pixels) in zip(ascending, found, strict=True):
            if abs(at_s - times[place]) > Fraction(tolerance_s):
                raise FrameTimestampError(
                    f'{path} has no frame at {float(times[place]):.6f} s: the nearest is at '
                    f'{float(at_s):.6f} s, and the tolerance is {tolerance_s:g} s'
                )
            frames[place] = pixels
    return frames


def _checked_times(
    path: Path, timestamps_s: Sequence[float] | npt.NDArray[np.floating[Any]]
) -> list[Fraction]:
    values = np.asarray(timestamps_s, dtype=np.float64)
    if values.ndim != 1:
        raise FrameTimestampError(
            f'{path}: timestamps have the shape {values.shape}; a list of seconds is needed'
        )
    if not np.isfinite(values).all():
        place = int(np.flatnonzero(~np.isfinite(values))[0])
        raise FrameTimestampError(
            f'{path}: timestamp {place} is {values[place]}; a number of seconds is needed'
        )
    return [Fraction(value) for value in values.tolist()]


@contextmanager
def _decoder(
    path: Path, backend: str, cache: DecoderCache | None, is_depth: bool | None
) -> Iterator[FrameDecoder]:
    kind, open_decoder = _opener(path, backend, is_depth)
    if cache is not None:
        with cache.lease(path, kind, open_decoder) as decoder:
            yield decoder
        return
    with closing(open_decoder(path)) as decoder:
        yield decoder


def _opener(
    path: Path, backend: str, is_depth: bool | None
) -> tuple[str, Callable[[Path], FrameDecoder]]:
    """Return the kind of decoder, as a key of the cache, and the function that opens one."""
    if backend not in BACKENDS:
        raise ConfigError('backend', backend, f'allowed are {", ".join(BACKENDS)}')
    if backend != TORCHCODEC or is_depth:
        return f'{PYAV} {is_depth}', partial(PyavDecoder, is_depth=is_depth)
    if is_depth is None:
        return TORCHCODEC, _torchcodec_unless_depth
    return TORCHCODEC, TorchcodecDecoder


def _torchcodec_unless_depth(path: Path) -> FrameDecoder:
    """Open a file with torchcodec, or with pyav if it holds depth codes."""
    first = PyavDecoder(path)
    if len(first.shape) == 2:
        return first
    first.close()
    return TorchcodecDecoder(path)
