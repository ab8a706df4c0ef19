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
"""The recent samples of one stream, in the order of their stamps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from enum import auto, Enum
from typing import Generic, TypeVar

T = TypeVar('T')


class PushResult(Enum):
    """The result of pushing a sample."""

    ACCEPTED = auto()
    """The sample is in the buffer."""
    LATE = auto()
    """The sample is in the buffer, but rows that should have shown it are already closed."""
    TOO_LATE = auto()
    """The sample is older than the one that the last closed row shows, and was not kept."""


@dataclass(frozen=True, slots=True)
class Sample(Generic[T]):
    """
    A value and its stamp.

    :param stamp_ns: stamp in the time of the streams, in nanoseconds
    :param value: value at that instant
    """

    stamp_ns: int
    value: T


class SampleBuffer(Generic[T]):
    """
    Samples that are sorted by stamp and looked up by an instant.

    Samples may arrive out of order. Owned by one thread.

    :param window: number of samples that a row shows, up to its instant
    """

    def __init__(self, window: int = 1) -> None:
        self._window = window
        self._stamps_ns: list[int] = []
        self._values: list[T] = []
        self._closed_until_ns: int | None = None

    def __len__(self) -> int:
        return len(self._stamps_ns)

    @property
    def oldest_ns(self) -> int | None:
        """Stamp of the oldest sample; None without samples."""
        return self._stamps_ns[0] if self._stamps_ns else None

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest sample; None without samples."""
        return self._stamps_ns[-1] if self._stamps_ns else None

    @property
    def newest_value(self) -> T:
        """
        Value of the newest sample.

        :raise IndexError: if there are no samples
        """
        return self._values[-1]

    def push(self, stamp_ns: int, value: T) -> PushResult:
        """
        Add a sample, or replace the one with the same stamp; never block.

        :param stamp_ns: stamp of the sample
        :param value: value of the sample
        """
        if self._closed_until_ns is not None and stamp_ns <= self._closed_until_ns:
            if self._stamps_ns and stamp_ns < self._stamps_ns[0]:
                return PushResult.TOO_LATE
            self._insert(stamp_ns, value)
            return PushResult.LATE
        self._insert(stamp_ns, value)
        return PushResult.ACCEPTED

    def _insert(self, stamp_ns: int, value: T) -> None:
        if not self._stamps_ns or stamp_ns > self._stamps_ns[-1]:
            self._stamps_ns.append(stamp_ns)
            self._values.append(value)
            return
        at = bisect_right(self._stamps_ns, stamp_ns)
        if at and self._stamps_ns[at - 1] == stamp_ns:
            self._values[at - 1] = value
            return
        self._stamps_ns.insert(at, stamp_ns)
        self._values.insert(at, value)

    def hold(self, stamp_ns: int) -> Sample[T] | None:
        """Return the newest sample at or before an instant; None if all are later."""
        at = bisect_right(self._stamps_ns, stamp_ns)
        return Sample(self._stamps_ns[at - 1], self._values[at - 1]) if at else None

    def window(self, stamp_ns: int) -> list[T]:
        """Return the values of the last samples up to an instant, the oldest first."""
        at = bisect_right(self._stamps_ns, stamp_ns)
        return self._values[max(0, at - self._window) : at]

    def after(self, stamp_ns: int) -> Sample[T] | None:
        """Return the oldest sample after an instant; None if there is none."""
        at = bisect_right(self._stamps_ns, stamp_ns)
        if at == len(self._stamps_ns):
            return None
        return Sample(self._stamps_ns[at], self._values[at])

    def num_after(self, stamp_ns: int) -> int:
        """Return the number of samples after an instant."""
        return len(self._stamps_ns) - bisect_right(self._stamps_ns, stamp_ns)

    def nearest(self, stamp_ns: int) -> Sample[T] | None:
        """Return the sample nearest to an instant, or the earlier of two; None without samples."""
        before, after = self.hold(stamp_ns), self.after(stamp_ns)
        if before is None or after is None:
            return before or after
        is_before = stamp_ns - before.stamp_ns <= after.stamp_ns - stamp_ns
        return before if is_before else after

    def samples(self) -> list[Sample[T]]:
        """Return all samples, the oldest first."""
        pairs = zip(self._stamps_ns, self._values, strict=True)
        return [Sample(stamp_ns, value) for stamp_ns, value in pairs]

    def close_until(self, stamp_ns: int) -> None:
        """Close rows up to an instant, and forget the samples that no later instant can show."""
        self._closed_until_ns = stamp_ns
        self.forget_before(stamp_ns)

    def forget_before(self, stamp_ns: int) -> None:
        """Forget the samples that no instant from ``stamp_ns`` on can show."""
        self._forget(bisect_right(self._stamps_ns, stamp_ns) - self._window)

    def forget_beyond(self, max_size: int, size_of: Callable[[T], int]) -> None:
        """
        Forget the oldest samples so that the others do not exceed a total size.

        The newest sample stays, whatever its size.

        :param max_size: greatest sum of the sizes of the kept samples
        :param size_of: function that returns the size of a value
        """
        size, num_kept = 0, 0
        for value in reversed(self._values):
            size += size_of(value)
            if num_kept and size > max_size:
                break
            num_kept += 1
        self._forget(len(self._values) - num_kept)

    def _forget(self, num_oldest: int) -> None:
        del self._stamps_ns[: max(0, num_oldest)]
        del self._values[: max(0, num_oldest)]

    def keep_newest(self) -> None:
        """Forget all but the newest samples of a window, and forget which rows were closed."""
        self._forget(len(self) - self._window)
        self.reopen()

    def reopen(self) -> None:
        """Forget which rows were closed, since the next episode has its own rows."""
        self._closed_until_ns = None

    def move(self, by_ns: int) -> None:
        """
        Shift the stamps of all samples, as after the clock was set.

        :param by_ns: shift to later stamps, in nanoseconds; negative for earlier ones
        """
        self._stamps_ns = [stamp + by_ns for stamp in self._stamps_ns]
        if self._closed_until_ns is not None:
            self._closed_until_ns += by_ns

    def clear(self) -> None:
        """Forget everything, as after the clock jumped back."""
        self._stamps_ns.clear()
        self._values.clear()
        self._closed_until_ns = None
