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
"""The choice of what a row shows: a sample by its policy, or the operator's last word."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, runtime_checkable, TypeVar

from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.sync.row_clock import Policy
from lerobot_streamrec.sync.sample_buffer import Sample, SampleBuffer
import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
_T = TypeVar('_T')

def joined(parts: Sequence[Any], window: int) -> npt.NDArray[Any]:
    """
    Join the values of the streams of one feature in a row.

    :param parts: the value of each stream, ``(d,)`` or of a window ``(N * d,)``
    :param window: number of samples in each
    """
    if window == 1 or len(parts) == 1:
        return np.concatenate(parts)
    return np.hstack([one.reshape(window, -1) for one in parts]).reshape(-1)


_WIDTH = 4
# With a larger cosine the arc is so short that doubles cannot tell it from a line.
_STRAIGHT = 1.0 - 1e-9


def interpolated(
    before: Vector, after: Vector, fraction: float, quaternions: Sequence[int] = ()
) -> Vector:
    """
    Interpolate between two vectors, and between orientations along the arc.

    :param before: vector at fraction 0, ``(d,)``
    :param after: vector at fraction 1, ``(d,)``
    :param fraction: 0 for ``before``, 1 for ``after``
    :param quaternions: indices at which four elements x, y, z, w of an orientation begin
    :return: ``(d,)``
    """
    between = before + (after - before) * fraction
    for at in quaternions:
        place = slice(at, at + _WIDTH)
        between[place] = _slerp(before[place], after[place], fraction)
    return between


def _slerp(before: Vector, after: Vector, fraction: float) -> Vector:
    """Interpolate along the shorter arc (Shoemake, Animating Rotation with Quaternions)."""
    cosine = float(np.dot(before, after) / (np.linalg.norm(before) * np.linalg.norm(after)))
    if cosine < 0.0:
        # A quaternion and its negative are the same orientation; this one is nearer.
        after, cosine = -after, -cosine
    if cosine > _STRAIGHT:
        mixed: Vector = before + (after - before) * fraction
    else:
        angle = np.arccos(cosine)
        mixed = (
            np.sin((1.0 - fraction) * angle) * before + np.sin(fraction * angle) * after
        ) / np.sin(angle)
    return mixed / np.linalg.norm(mixed)


@runtime_checkable
class Course(Protocol):
    """A message with values for each instant after its stamp, such as a trajectory."""

    def at(self, age_ns: int) -> Vector:
        """Return the values ``(d,)`` at a time after the stamp, in nanoseconds."""

    def converted(self, convert: Callable[[Any], Any]) -> Course:
        """Return the same course with the numbers of each of its points converted."""


@dataclass(frozen=True, slots=True)
class Shown:
    """
    The value that a row shows of one stream.

    :param value: picture or vector
    :param stamp_ns: stamp of the sample; after interpolation, the stamp of the nearer sample
    :param age_ns: age of the sample at the row's instant; 0 if the sample is later, or the value
        was interpolated
    :param num_missing: number of samples of a window that repeat its first one, since none came
        before
    """

    value: Any
    stamp_ns: int
    age_ns: int
    num_missing: int = 0


def shown_at(buffer: SampleBuffer[Any], stamp_ns: int, config: StreamConfig) -> Shown | None:
    """
    Look up the value that a row shows.

    :param buffer: the stream's samples
    :param stamp_ns: instant of the row
    :param config: the stream's settings
    :return: the value, of a window ``(N * d,)`` sample after sample; None if there is no sample
    """
    if config.window > 1:
        return _window(buffer, stamp_ns, config.window)
    if config.policy is Policy.NEAREST:
        nearest = buffer.nearest(stamp_ns)
        return None if nearest is None else _held(nearest, stamp_ns)
    before = buffer.hold(stamp_ns)
    is_asked = before is None or config.policy is Policy.INTERPOLATE
    after = buffer.after(stamp_ns) if is_asked else None
    if before is not None and after is not None and _is_known_between(before, after, config):
        return _between(before, after, stamp_ns, config)
    # A row does not wait forever: without a sample after it, the one before it holds.
    held = before or after
    return None if held is None else _held(held, stamp_ns)


def _window(buffer: SampleBuffer[Any], stamp_ns: int, size: int) -> Shown | None:
    held = buffer.hold(stamp_ns) or buffer.after(stamp_ns)
    if held is None:
        return None
    values = buffer.window(stamp_ns) or [held.value]
    num_missing = size - len(values)
    shown = np.concatenate([values[0]] * num_missing + values)
    return Shown(shown, held.stamp_ns, max(0, stamp_ns - held.stamp_ns), num_missing)


def _is_known_between(before: Sample[Any], after: Sample[Any], config: StreamConfig) -> bool:
    """Tell whether the values between two samples may be interpolated."""
    if isinstance(before.value, Course):
        return False
    gap_ns = after.stamp_ns - before.stamp_ns
    return not config.max_age_ns or gap_ns <= config.max_age_ns


def _held(sample: Sample[Any], stamp_ns: int) -> Shown:
    age_ns = stamp_ns - sample.stamp_ns
    value = sample.value
    if isinstance(value, Course):
        value = value.at(max(0, age_ns))
    return Shown(value, sample.stamp_ns, max(0, age_ns))


def _between(
    before: Sample[Any], after: Sample[Any], stamp_ns: int, config: StreamConfig
) -> Shown:
    gap_ns = after.stamp_ns - before.stamp_ns
    passed_ns = stamp_ns - before.stamp_ns
    nearer = before if 2 * passed_ns <= gap_ns else after
    value = interpolated(before.value, after.value, passed_ns / gap_ns, config.quaternions)
    return Shown(value, nearer.stamp_ns, 0)


class Marks(Generic[_T]):
    """
    A value that the operator changes while rows are being closed. Owned by the recorder's thread.

    A row shows the last value that was set before its instant.

    :param value: the value at first
    """

    def __init__(self, value: _T) -> None:
        self._waiting: deque[tuple[int, _T]] = deque()
        self._shown = value
        self.newest = value
        """The value that was set last."""

    def set(self, stamp_ns: int, value: _T) -> None:
        """
        Change the value for the rows after an instant.

        :param stamp_ns: the instant, in the time of the streams
        :param value: the new value
        """
        self.newest = value
        self._waiting.append((stamp_ns, value))

    def at(self, stamp_ns: int) -> _T:
        """
        Return the value in a row; rows are asked for in their order.

        :param stamp_ns: the instant of the row
        """
        while self._waiting and self._waiting[0][0] < stamp_ns:
            self._shown = self._waiting.popleft()[1]
        return self._shown
