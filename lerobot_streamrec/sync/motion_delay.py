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
"""
The delay of a camera's stamps, from the motion in its pictures and that of the robot's joints.

A delay is the lag at which the joints explain best how much the pictures change. The change from
one picture to the next is compared with the way of the joints between the same two instants, so
the interval between pictures adds no bias, and a lost picture none either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import math

from lerobot_streamrec.errors import UnclearDelayError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.sync.row_clock import NS_PER_S
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Stamps = npt.NDArray[np.int64]

EARLIEST_S, LATEST_S = -0.2, 0.3
"""The delays that are looked for: beyond, a clock differs."""
MIN_CORRELATION = 0.5
"""Correlation of pictures and joints below which the robot's motion does not show."""
MAX_UNCERTAINTY_S = 0.01
"""A delay that is less certain is not told."""
MIN_PICTURES = 90
"""Fewest changes of pictures from which a delay is told."""

_STEP_S = 0.005
# A side peak of the match that is this high could as well be the delay.
_RIVAL_SHARE = 0.8
_VALLEY_SHARE = 0.9
# A region counts if the joints explain this much of its changes, and not much less than the best.
_REGION_R2, _REGION_SHARE = 0.1, 0.25
# Changes within a second are alike, so whole blocks are drawn to find out how certain a delay is.
_BLOCK_S = 1.0
_MAX_BLOCKS = 60
_MIN_BLOCKS = 6
_NUM_DRAWS = 200
_SIGMAS = 2.0
_FINEST_S = 0.001
# A joint that stands still is no farther from itself after a while than from one picture to the
# next, for both is noise.
_STILL_S, _STILL_FACTOR = 0.2, 2.0
_MIN_STEPS = 4
# Some mix of more joints, as hands have them, would explain any pictures.
_MAX_JOINTS = 16
# Across a gap in the pictures, too much happens to be compared.
_MAX_INTERVALS = 4.0
_RIDGE = 1e-6
# Encoders are noisy. A filter that is symmetric in time delays nothing.
_GRID_S, _SMOOTH_S = 0.005, 0.02
# Joints of other times, perhaps of another clock, do not count.
_AROUND_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class JointSeries:
    """
    The joints of one topic.

    :param stamps_ns: ``(m,)`` stamps in nanoseconds, in any order
    :param values: ``(m, d)`` positions in any unit; rows that are not finite are left out
    """

    stamps_ns: Stamps
    values: Values


@dataclass(frozen=True, slots=True, eq=False)
class MotionRecord:
    """
    What a camera and the joints showed in one stretch of time.

    :param stamps_ns: ``(n,)`` ascending stamps of the pictures, in nanoseconds
    :param changes: ``(n - 1, regions)``, by how much each region of the picture changed from one
        picture to the next, in any unit
    :param joints: joints in the same time; the same topics with as many joints in every record
    """

    stamps_ns: Stamps
    changes: Values
    joints: Sequence[JointSeries]


@dataclass(frozen=True, slots=True)
class MotionDelay:
    """
    The delay of a camera's stamps behind those of the joints.

    :param delay_s: seconds by which the stamps of pictures are too late
    :param uncertainty_s: the true delay is within this many seconds of it in 19 of 20 cases
    :param correlation: how well the joints explain the changes of the pictures, from 0 to 1
    """

    delay_s: float
    uncertainty_s: float
    correlation: float

    def __str__(self) -> str:
        return f'{self.delay_s * 1e3:.0f} ± {self.uncertainty_s * 1e3:.0f} ms'


Found = MotionDelay | UnclearDelayError
"""A delay, or why it is not known."""


def find_delay(records: Sequence[MotionRecord]) -> Found:
    """Return what ``measure_delay`` returns or raises, for a list of several cameras."""
    try:
        return measure_delay(records)
    except UnclearDelayError as error:
        return error


def measure_delay(records: Sequence[MotionRecord]) -> MotionDelay:
    """
    Measure by how much the stamps of pictures are later than those of the joints.

    :param records: one or more stretches of time of one camera
    :raise UnclearDelayError: if the records do not tell it; says why, and what helps
    """
    moments = _Moments(records, is_rich=False)
    shares = moments.shares()
    best = shares.max(axis=0)
    regions = best >= max(_REGION_R2, _REGION_SHARE * float(best.max()))
    curve = moments.curve(regions)
    correlation = float(np.sqrt(curve.max()))
    if correlation < MIN_CORRELATION:
        raise UnclearDelayError(
            f'its pictures do not show how the robot moves (correlation {correlation:.2f}, '
            f'{MIN_CORRELATION} is needed): the arm has to move back and forth in its view, and '
            'little else; a camera that never sees the robot cannot be measured'
        )
    _refuse_ambiguous(curve)
    delay_s = _peak_s(curve)
    draws = np.random.default_rng(0).multinomial(
        moments.num_blocks, np.full(moments.num_blocks, 1 / moments.num_blocks), _NUM_DRAWS
    )
    drawn_s = [_peak_s(moments.curve(regions, draw.astype(float))) for draw in draws]
    # Joints that move one after the other explain pictures well at a wrong lag, too; but then
    # another description of what the pictures show has its peak elsewhere.
    other_s = _peak_s(_Moments(records, is_rich=True).curve(regions))
    uncertainty_s = max(_FINEST_S, math.hypot(_SIGMAS * np.std(drawn_s), other_s - delay_s))
    if uncertainty_s > MAX_UNCERTAINTY_S:
        raise UnclearDelayError(
            f'the delay is uncertain by {uncertainty_s * 1e3:.0f} ms, and '
            f'{MAX_UNCERTAINTY_S * 1e3:.0f} are allowed: move one joint back and forth, such as '
            'the base, faster and farther, or for longer'
        )
    return MotionDelay(delay_s, uncertainty_s, correlation)


def _lags_s() -> Values:
    return np.arange(EARLIEST_S, LATEST_S + _STEP_S / 2, _STEP_S)


def _peak_s(curve: Values) -> float:
    """Return the lag of the highest point of a curve, between its samples."""
    at = int(np.argmax(curve))
    lag_s = float(_lags_s()[at])
    if at in (0, len(curve) - 1):
        return lag_s
    before, top, after = curve[at - 1 : at + 2]
    bend = before - 2 * top + after
    return lag_s + (_STEP_S * 0.5 * float((before - after) / bend) if bend else 0.0)


def _refuse_ambiguous(curve: Values) -> None:
    at, top = int(np.argmax(curve)), float(curve.max())
    if at in (0, len(curve) - 1):
        raise UnclearDelayError(
            f'no delay between {EARLIEST_S * 1e3:.0f} and {LATEST_S * 1e3:.0f} ms fits: the '
            f'clocks of camera and joints differ by more, which `{streamrec_command("doctor")}` '
            'tells, or something else moves in its view'
        )
    for other in np.flatnonzero(curve >= _RIVAL_SHARE * top):
        low, high = sorted((at, int(other)))
        if curve[low : high + 1].min() < _VALLEY_SHARE * curve[other]:
            here_s, there_s = _lags_s()[[at, int(other)]]
            raise UnclearDelayError(
                f'{here_s * 1e3:.0f} ms and {there_s * 1e3:.0f} ms fit alike, because the motion '
                'repeats itself: move unevenly, at a changing pace and with pauses'
            )


class _Stretch:
    """One record on a time of its own, in seconds since its first picture."""

    def __init__(self, record: MotionRecord) -> None:
        begin_ns = int(record.stamps_ns[0])
        self._times_s = (record.stamps_ns - begin_ns) / NS_PER_S
        self._changes = record.changes.astype(np.float64)
        self._joints = [_smoothed(one, begin_ns, self._times_s[-1]) for one in record.joints]
        self.intervals_s: Values = np.diff(self._times_s)
        """``(n - 1,)``, between pictures."""
        covered = (self.intervals_s > 0) & (
            self.intervals_s <= _MAX_INTERVALS * float(np.median(self.intervals_s))
        )
        for times_s, _ in self._joints:
            first_s, last_s = (times_s[0], times_s[-1]) if len(times_s) else (np.inf, -np.inf)
            covered &= self._times_s[:-1] - LATEST_S >= first_s
            covered &= self._times_s[1:] - EARLIEST_S <= last_s
        self._usable = np.flatnonzero(covered)
        self.num_usable = len(self._usable)
        """Number of changes that have joints at every lag."""

    def poses(self, lags_s: Values) -> Values:
        """Return the joints at the pictures, ``(lags, n, d)``."""
        at_s = self._times_s - lags_s[:, None]
        columns = [
            np.interp(at_s, times_s, column)
            for times_s, values in self._joints
            for column in values.T
        ]
        poses: Values = np.stack(columns, axis=-1)
        return poses

    def blocks(
        self, scale: _Scale, size: int, *, is_rich: bool
    ) -> Iterator[tuple[Values, Values, Values]]:
        """
        Yield the sums of products of each block of changes.

        :return: of the ways ``(lags, p, p)``, of ways and changes ``(lags, p, regions)``, and of
            the changes ``(1 + regions, 1 + regions)``, each with a leading column of ones
        """
        if not self.num_usable:
            return
        ways = scale.ways(self.poses(_lags_s()), is_rich=is_rich)
        for places in np.array_split(self._usable, max(1, self.num_usable // size)):
            some, changes = ways[:, places], self._changes[places]
            turned = some.transpose(0, 2, 1)
            ones = np.concatenate([np.ones((len(places), 1)), changes], axis=1)
            yield turned @ some, turned @ changes, ones.T @ ones


def _smoothed(joints: JointSeries, begin_ns: int, end_s: float) -> tuple[Values, Values]:
    """Return instants, ``(m,)`` in seconds, and the joints then, ``(m, d)``, around a stretch."""
    stamps_ns, places = np.unique(joints.stamps_ns, return_index=True)
    times_s, values = (stamps_ns - begin_ns) / NS_PER_S, joints.values[places].astype(np.float64)
    good = np.isfinite(values).all(axis=1) & (times_s > -_AROUND_S) & (times_s < end_s + _AROUND_S)
    times_s, values = times_s[good], values[good]
    if not len(times_s):
        return times_s, values
    grid_s = np.arange(times_s[0], times_s[-1], _GRID_S)
    reach = round(3 * _SMOOTH_S / _GRID_S)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) * _GRID_S / _SMOOTH_S) ** 2)
    weights /= weights.sum()
    columns = [
        np.convolve(np.pad(np.interp(grid_s, times_s, one), reach, 'edge'), weights, 'valid')
        for one in values.T
    ]
    return grid_s, np.stack(columns, axis=-1)


class _Scale:
    """
    What makes the ways of joints with different units comparable.

    :param stretches: all stretches of time
    :param period_s: usual interval between pictures, in seconds
    """

    def __init__(self, stretches: Sequence[_Stretch], period_s: float) -> None:
        num_steps = max(round(_STILL_S / period_s), _MIN_STEPS)
        poses = [one.poses(np.zeros(1))[0] for one in stretches if one.num_usable]
        near, far = (
            np.concatenate([one[step:] - one[:-step] for one in poses]) for step in (1, num_steps)
        )
        noise = np.sqrt((near**2).mean(axis=0)) + np.finfo(float).tiny
        motion = np.sqrt((far**2).mean(axis=0)) / noise
        moves = motion > max([_STILL_FACTOR, *np.sort(motion)[:-_MAX_JOINTS]])
        if not moves.any():
            raise UnclearDelayError(
                'no joint moves: move the robot back and forth while its pictures are measured'
            )
        every = np.concatenate(poses)[:, moves]
        self._moves = moves
        self._middle, self._size = every.mean(axis=0), every.std(axis=0)
        every = (every - self._middle) / self._size
        _, spread, axes = np.linalg.svd(every, full_matrices=False)
        self._axis = axes[0] / (spread[0] / np.sqrt(len(every)))

    def ways(self, poses: Values, *, is_rich: bool) -> Values:
        """
        Return what may explain the change from one picture to the next.

        These are the way of each joint, and the way of all together times the pose and its
        square, since a way shows more where the arm is near the camera.

        :param poses: ``(lags, n, d)`` joints
        :param is_rich: True if the way of each joint is multiplied with the pose instead
        :return: ``(lags, n - 1, columns)``, with a leading column of ones
        """
        scaled = (poses[..., self._moves] - self._middle) / self._size
        ways = np.abs(np.diff(scaled, axis=1))
        whole = np.linalg.norm(ways, axis=-1, keepdims=True)
        shown = ways if is_rich else whole
        pose = (scaled @ self._axis)[..., None]
        between = (pose[:, 1:] + pose[:, :-1]) / 2
        return np.concatenate(
            [np.ones_like(whole), ways, shown * between, shown * between**2], axis=-1
        )


class _Moments:
    """
    Sums of products of the joints' ways and the pictures' changes, at every lag and in each block.

    All curves are computed of these sums: those of one region, of several, and of drawn blocks.
    """

    def __init__(self, records: Sequence[MotionRecord], *, is_rich: bool) -> None:
        stretches = [_Stretch(one) for one in records if len(one.stamps_ns) > 1]
        number = sum(one.num_usable for one in stretches)
        if number < MIN_PICTURES:
            raise UnclearDelayError(
                f'only {number} of its pictures differ from the one before and have joints '
                f'around them, {MIN_PICTURES} are needed: measure for longer, and look whether '
                'the camera is frozen, and whether its stamps and those of the joints are of one '
                'clock'
            )
        period_s = float(np.median(np.concatenate([one.intervals_s for one in stretches])))
        scale = _Scale(stretches, period_s)
        size = max(round(_BLOCK_S / period_s), -(-number // _MAX_BLOCKS))
        size = min(size, number // _MIN_BLOCKS)
        blocks = [block for one in stretches for block in one.blocks(scale, size, is_rich=is_rich)]
        self.num_blocks = len(blocks)
        ways, both, changes = zip(*blocks, strict=True)
        self._ways, self._both, self._changes = np.stack(ways), np.stack(both), np.stack(changes)

    def shares(self) -> Values:
        """Return how much of each region's changes the joints explain, ``(lags, regions)``."""
        changes = self._changes.sum(axis=0)
        spread = np.diag(changes)[1:] - changes[0, 1:] ** 2 / changes[0, 0]
        return self._explained(self._ways.sum(axis=0), self._both.sum(axis=0), spread)

    def curve(self, regions: npt.NDArray[np.bool_], draw: Values | None = None) -> Values:
        """
        Return how much of the changes of some regions together the joints explain, ``(lags,)``.

        :param regions: ``(regions,)`` choice of regions
        :param draw: ``(num_blocks,)`` how often each block counts; None: once
        """
        draw = np.ones(self.num_blocks) if draw is None else draw
        chosen = np.concatenate([[False], regions])
        changes = np.tensordot(draw, self._changes, 1)
        mean = float(changes[0, chosen].sum())
        spread = np.array([changes[np.ix_(chosen, chosen)].sum() - mean**2 / changes[0, 0]])
        ways = np.tensordot(draw, self._ways, 1)
        both = np.tensordot(draw, self._both, 1)[..., regions].sum(axis=-1, keepdims=True)
        return self._explained(ways, both, spread)[:, 0]

    @staticmethod
    def _explained(ways: Values, both: Values, spread: Values) -> Values:
        """Return the share that a linear fit explains, ``(lags, columns)``, of centred sums."""
        number = ways[:, :1, :1]
        inner = ways[:, 1:, 1:] - ways[:, 1:, :1] * ways[:, :1, 1:] / number
        outer = both[:, 1:] - ways[:, 1:, :1] * both[:, :1] / number
        size = inner.shape[-1]
        ridge = _RIDGE * np.trace(inner, axis1=1, axis2=2) / size + np.finfo(float).tiny
        fit = np.linalg.solve(inner + ridge[:, None, None] * np.eye(size), outer)
        # Pictures that rest while the joints move are no match, though a line fits them as well.
        is_match = np.einsum('li,lic->lc', ways[:, 0, 1:], fit) > 0
        shares = np.einsum('lic,lic->lc', outer, fit) / np.where(spread > 0, spread, np.inf)
        return np.where(is_match, np.clip(shares, 0.0, 1.0), 0.0)
