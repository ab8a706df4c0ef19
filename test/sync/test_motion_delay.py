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
The delay of a camera is told from how much its pictures change and how far the joints move.

Guards that a delay is right within a few milliseconds, though pictures are 33 ms apart; and that
none is told where the motion does not show it, which would spoil a recording that was right.
"""

from __future__ import annotations

from arm_strokes import Strokes
from lerobot_streamrec.errors import UnclearDelayError
from lerobot_streamrec.sync.motion_delay import (
    find_delay,
    JointSeries,
    measure_delay,
    MotionDelay,
    MotionRecord,
)
import numpy as np
import pytest

BEGIN_NS = 1_800_000_000_123_456_789
ACCURACY_S = 0.005


def stamps(times_s):
    return BEGIN_NS + np.rint(np.asarray(times_s) * 1e9).astype(np.int64)


def series(motion, end_s=10.5, hz=100, noise=0.0):
    times_s = np.arange(-0.5, end_s, 1 / hz)
    values = np.array([motion(at_s) for at_s in times_s])
    chance = np.random.default_rng(1)
    return JointSeries(stamps(times_s), values + chance.normal(0, noise, values.shape))


def changes(motion, times_s, noise=0.05, gain=0.5):
    """
    Return what a camera with eight regions sees: an arm that goes from region to region.

    The last region shows something else, such as a counter.
    """
    poses = np.array([motion(at_s) for at_s in times_s])
    way = np.linalg.norm(np.diff(poses, axis=0), axis=1)
    at = (poses[1:, 0] + poses[:-1, 0]) / 2
    centres = np.linspace(-0.6, 0.6, 7)
    shown = (
        way[:, None] * np.exp(-(((at[:, None] - centres) / 0.15) ** 2)) * (1 + gain * at)[:, None]
    )
    chance = np.random.default_rng(2)
    other = chance.uniform(0, 3 * shown.max(), (len(shown), 1))
    return np.hstack([shown + chance.normal(0, noise * shown.max(), shown.shape), other])


def record(motion, delay_s, *, hz=30, end_s=10.0, phase_s=0.0, joints_hz=100, joints_noise=0.0):
    times_s = phase_s + np.arange(0, end_s, 1 / hz)
    return MotionRecord(
        stamps(times_s + delay_s),
        changes(motion, times_s),
        [series(motion, end_s + 0.5, joints_hz, joints_noise)],
    )


def waves(at_s):
    """Turn one joint at a pace that changes, as somebody who pushes the arm by hand."""
    turn = 4.0 * at_s + 0.8 * np.sin(0.9 * at_s)
    return np.array([0.5 * np.sin(turn), 0.3])


def reach(at_s):
    """Go out and back with a rest at both ends, all joints in proportion."""
    return np.array([0.5, -0.3, 0.2]) * np.tanh(3 * np.sin(2.4 * at_s + 0.4 * np.sin(1.7 * at_s)))


MOTIONS = {'strokes': Strokes(3).joints, 'waves': waves, 'reach': reach}


@pytest.mark.parametrize('delay_s', [-0.03, 0.0, 0.015, 0.04, 0.09, 0.2])
@pytest.mark.parametrize('motion', MOTIONS.values(), ids=MOTIONS)
def test_a_planted_delay_is_found(motion, delay_s):
    found = measure_delay([record(motion, delay_s, phase_s=0.007)])
    assert found.delay_s == pytest.approx(delay_s, abs=ACCURACY_S)
    assert found.uncertainty_s <= 0.01
    assert found.correlation > 0.8


@pytest.mark.parametrize(
    'options',
    [
        {'hz': 15},
        {'hz': 60, 'joints_hz': 500},
        {'joints_hz': 30},
        {'joints_noise': 0.005},
        {'phase_s': 0.0166},
    ],
    ids=str,
)
def test_rates_phases_and_noisy_joints_are_no_bias(options):
    found = measure_delay([record(Strokes(4).joints, 0.04, **options)])
    assert found.delay_s == pytest.approx(0.04, abs=ACCURACY_S)


def test_the_uncertainty_is_true():
    paces = [(0.5, 1.0), (0.6, 1.4), (0.8, 1.8)]
    told = [
        one
        for seed in range(5)
        for pace in paces
        if isinstance(one := find_delay([record(Strokes(seed, pace).joints, 0.04)]), MotionDelay)
    ]
    assert len(told) > 8
    away = [abs(one.delay_s - 0.04) / one.uncertainty_s for one in told]
    # One of twenty may be outside, but none by far.
    assert max(away) < 1.5
    assert np.median(away) < 0.7


def test_lost_pictures_and_disordered_joints_are_no_bias():
    one = record(Strokes(5).joints, 0.04)
    chance = np.random.default_rng(3)
    times_s = np.arange(0, 10, 1 / 30)[np.sort(chance.permutation(300)[:255])]
    order = chance.permutation(len(one.joints[0].stamps_ns))
    values = one.joints[0].values.copy()
    values[17] = np.nan
    joints = [JointSeries(one.joints[0].stamps_ns[order], values[order])]
    lossy = MotionRecord(stamps(times_s + 0.04), changes(Strokes(5).joints, times_s), joints)
    assert measure_delay([lossy]).delay_s == pytest.approx(0.04, abs=ACCURACY_S)


def test_joints_of_two_topics_and_short_records_add_up():
    """Episodes of a dataset are short, and two arms have stamps of their own."""
    records = []
    for number in range(4):
        motion = Strokes(number).joints
        one = record(motion, 0.04, end_s=4.0)
        left = series(lambda at_s, motion=motion: motion(at_s)[:3], 4.5, 100)
        right = series(lambda at_s, motion=motion: motion(at_s)[3:], 4.5, 70)
        records.append(MotionRecord(one.stamps_ns, one.changes, [left, right]))
    assert measure_delay(records).delay_s == pytest.approx(0.04, abs=ACCURACY_S)


def still(_at_s):
    return np.array([0.1, 0.2])


def even(at_s):
    return np.array([0.5 * np.sin(2 * np.pi * 2.5 * at_s)])


def one_after_the_other(at_s):
    """Move two joints of which one is always late: some mix of both fits at any delay."""
    turn = 4.0 * at_s + 0.8 * np.sin(0.9 * at_s)
    return np.array([0.5 * np.sin(turn), 0.2 * np.sin(turn + 0.3)])


REFUSALS = {
    'robot still': (lambda: record(still, 0.0, joints_noise=0.001), 'no joint moves'),
    'robot exactly still': (lambda: record(still, 0.0), 'no joint moves'),
    'view without the robot': (
        lambda: MotionRecord(
            stamps(np.arange(0, 10, 1 / 30)),
            np.abs(np.random.default_rng(4).normal(0, 1, (299, 8))),
            [series(Strokes(6).joints)],
        ),
        'do not show how the robot moves',
    ),
    'view without any change': (
        lambda: MotionRecord(
            stamps(np.arange(0, 10, 1 / 30)), np.zeros((299, 8)), [series(Strokes(6).joints)]
        ),
        'do not show how the robot moves',
    ),
    'even motion': (lambda: record(even, 0.04), 'repeats itself: move unevenly'),
    'joints that follow one another': (
        lambda: record(one_after_the_other, 0.04),
        'uncertain by .* move one joint',
    ),
    'too few pictures': (lambda: record(Strokes(7).joints, 0.0, end_s=2.0), 'measure for longer'),
    'another clock': (lambda: record(Strokes(8).joints, 3600.0), 'of one clock'),
    'no pictures': (
        lambda: MotionRecord(stamps([]), np.empty((0, 8)), [series(Strokes(6).joints)]),
        'only 0 of its pictures',
    ),
}


@pytest.mark.parametrize(('make', 'reason'), REFUSALS.values(), ids=REFUSALS)
def test_no_delay_is_guessed(make, reason):
    with pytest.raises(UnclearDelayError, match=reason):
        measure_delay([make()])


@pytest.mark.parametrize('seed', range(30))
def test_motion_of_something_else_is_no_delay(seed):
    """Somebody walks about, or another arm works in the view, while the robot moves."""
    other, own = record(Strokes(seed).joints, 0.0), series(Strokes(seed + 100).joints)
    found = find_delay([MotionRecord(other.stamps_ns, other.changes, [own])])
    assert not isinstance(found, MotionDelay)


def test_a_delay_beyond_the_range_is_no_delay():
    for delay_s in (-0.5, 0.45):
        with pytest.raises(UnclearDelayError):
            measure_delay([record(Strokes(9).joints, delay_s)])


def test_many_joints_of_a_hand_do_not_explain_what_they_did_not_do():
    """With as many joints as pictures, some mix of them fits everything."""
    fingers = [Strokes(seed).joints for seed in range(200, 212)]

    def hand(at_s):
        return np.concatenate([one(at_s) for one in fingers])

    other, own = record(Strokes(9).joints, 0.0), series(hand)
    found = find_delay([MotionRecord(other.stamps_ns, other.changes, [own])])
    assert not isinstance(found, MotionDelay)


def test_one_joint_stamp_from_another_time_does_no_harm():
    one = record(Strokes(5).joints, 0.04)
    (joints,) = one.joints
    stamps_ns = np.append(joints.stamps_ns, [1, 2 * BEGIN_NS])
    odd = JointSeries(stamps_ns, np.vstack([joints.values, np.zeros((2, 6))]))
    found = measure_delay([MotionRecord(one.stamps_ns, one.changes, [odd])])
    assert found == measure_delay([one])
