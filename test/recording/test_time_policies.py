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
Which sample stands in which row, said for trains of messages that were made by hand.

Guards promise 1 and 5 where streams differ in rate, clock and policy: each test writes down the
stamps in milliseconds and the rows that must come of them. Rows are 100 ms apart.
"""

from __future__ import annotations

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.sync.row_clock import Policy
import numpy as np
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
STATE, ACTION = 'observation.state', 'action'
MS = 1_000_000


def state(**changes):
    return StreamConfig(STATE, '/state', names=('x',), **changes)


def action(**changes):
    return StreamConfig(ACTION, '/action', names=('x',), **changes)


def front(**changes):
    return StreamConfig(FRONT, '/front', **changes)


# --- one policy against the other ---------------------------------------------------------------


@pytest.mark.parametrize(
    ('policy', 'expected'),
    [
        (Policy.HOLD, [100, 170, 260, 390, 390]),
        (Policy.NEAREST, [100, 210, 310, 390, 510]),
        (Policy.INTERPOLATE, [100, 200, 300, 400, 500]),
    ],
)
def test_a_row_shows_the_sample_that_its_policy_chooses(policy, expected, make_play, shown):
    play = make_play(action(), state(policy=policy))
    play.send(STATE, 40, 100)
    play.send(ACTION, 100)
    play.recorder.start()
    play.send(STATE, 170, 210, 260, 310, 390, 510)
    play.send(ACTION, 200, 300, 400, 500)
    play.save()
    assert shown(STATE) == pytest.approx(expected)
    assert shown(ACTION) == [100, 200, 300, 400, 500]


@pytest.mark.parametrize('policy', [Policy.HOLD, Policy.NEAREST])
def test_a_picture_is_chosen_by_the_same_policies(policy, make_play, shown):
    play = make_play(front(policy=policy))
    play.send(FRONT, 0, 100)
    play.recorder.start()
    # The rows stand in the middle between pictures of the phase seen so far: 150, 250, ...
    play.send(FRONT, 190, 240, 360, 440, 560)
    play.save()
    expected = {
        Policy.HOLD: [100, 240, 240, 440, 440],
        Policy.NEAREST: [190, 240, 360, 440, 560],
    }
    assert shown(FRONT) == expected[policy]


def test_between_two_samples_the_line_between_them_holds(make_play, shown):
    play = make_play(StreamConfig(STATE, '/s', names=('x', 'y'), policy=Policy.INTERPOLATE))
    play.send(STATE, (0, (0, 8)))
    play.recorder.start()
    play.send(STATE, (80, (8, 0)), (160, (0, 16)), (400, (24, 40)))
    play.save()
    expected = [[0, 8], [6, 4], [4, 20], [14, 30], [24, 40]]
    assert shown(STATE) == [pytest.approx(row) for row in expected]


@pytest.mark.parametrize('sign', [1, -1])
def test_an_orientation_goes_the_shortest_way_whichever_name_it_has(sign, make_play, shown):
    names = ('width', 'x', 'y', 'z', 'w')
    play = make_play(
        StreamConfig(STATE, '/s', names, policy=Policy.INTERPOLATE, quaternions=(1,))
    )

    def turned(degrees, sign=1):
        half = np.deg2rad(degrees) / 2
        return (degrees, 0, 0, sign * np.sin(half), sign * np.cos(half))

    play.send(STATE, (0, turned(10)))
    play.recorder.start()
    play.send(STATE, (400, turned(90, sign)))
    play.save()
    expected = [turned(degrees) for degrees in (10, 30, 50, 70)] + [turned(90, sign)]
    assert shown(STATE) == [pytest.approx(row, abs=1e-6) for row in expected]


def test_nothing_is_invented_over_a_gap_that_is_too_long(make_play, shown):
    play = make_play(action(), state(policy=Policy.INTERPOLATE, max_age_s=0.25))
    play.send(STATE, 100)
    play.send(ACTION, 100)
    play.recorder.start()
    for stamp in (200, 300, 400, 500, 600, 700, 800):
        play.send(ACTION, stamp)
        if stamp not in (300, 400, 500):
            play.send(STATE, stamp)
    summary = play.save()
    # Between 200 and 600 nobody knows; from 250 ms on, what is held is stale.
    assert shown(STATE) == [100, 200, 200, 200, 200, 600, 700, 800]
    assert any(f'{STATE} was stale in 1 row' in remark for remark in summary.remarks)


def test_without_a_sample_after_the_row_the_one_before_holds(make_play, shown):
    play = make_play(action(), state(policy=Policy.INTERPOLATE), max_lateness_s=0.15)
    play.send(STATE, 100)
    play.send(ACTION, 100)
    play.recorder.start()
    play.send(STATE, 180)
    play.send(ACTION, 200, 300, 400, 500)
    play.save()
    # The last rows stand between the newest sample of the state and that of the action.
    assert shown(STATE) == [100, 180, 180, 180, 180]


@pytest.mark.parametrize(
    'stream', [front(policy=Policy.INTERPOLATE), state(policy=Policy.INTERPOLATE, dtype='int64')]
)
def test_what_has_nothing_in_between_is_not_interpolated(stream, tmp_path):
    with pytest.raises(ConfigError, match='take hold or nearest'):
        RecorderConfig(root=tmp_path, streams=(stream,))


# --- parts of a feature -------------------------------------------------------------------------


def test_a_feature_of_several_topics_shows_each_by_its_own_policy(make_play, shown):
    play = make_play(
        StreamConfig('arm', '/arm', names=('a', 'b'), part_of=STATE, policy=Policy.NEAREST),
        action(),
        StreamConfig('gripper', '/gripper', names=('g',), part_of=STATE),
    )
    play.send('arm', (100, (1, 2)))
    play.send('gripper', (100, 7))
    play.send(ACTION, 100)
    play.recorder.start()
    play.send('arm', (210, (3, 4)), (310, (5, 6)))
    play.send('gripper', (210, 8), (310, 9))
    play.send(ACTION, 200, 300)
    play.save()
    assert shown(STATE) == [[1, 2, 7], [3, 4, 7], [5, 6, 8]]
    assert shown(ACTION) == [100, 200, 300]


def test_flags_and_whole_numbers_have_columns_of_their_own(make_play, shown, read_dataset, root):
    play = make_play(
        StreamConfig('next.done', '/done', names=('done',), dtype='bool'),
        StreamConfig('step', '/step', names=('step',), dtype='int64'),
        StreamConfig('next.reward', '/reward', names=('reward',), dtype='float64'),
    )
    keys = ('next.done', 'step', 'next.reward')
    contents = [(0, 1, 0.1), (0, 2, 0.2), (1, 3, 0.3)]
    for number, row in enumerate(contents):
        for key, content in zip(keys, row, strict=True):
            play.send(key, (100 * number, content))
        if not number:
            play.recorder.start()
    play.save()
    features = read_dataset(root).info['features']
    assert [features[key]['dtype'] for key in keys] == ['bool', 'int64', 'float64']
    assert [shown(key) for key in keys] == [[False, False, True], [1, 2, 3], [0.1, 0.2, 0.3]]


@pytest.mark.parametrize(
    ('parts', 'message'),
    [
        ((state(), state(part_of=STATE)), 'a unique name'),
        (
            (state(), StreamConfig('b', '/b', names=('y',), part_of=STATE, dtype='bool')),
            'one dtype',
        ),
        ((front(), StreamConfig('b', '/b', part_of=FRONT)), 'a camera is one topic'),
        ((state(dtype='complex64'),), 'float32, float64, int64, bool'),
    ],
)
def test_parts_that_cannot_be_one_feature_are_refused(parts, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        RecorderConfig(root=tmp_path, streams=parts)


# --- clocks -------------------------------------------------------------------------------------


def test_an_offset_moves_what_a_stream_shows(make_play, shown):
    """The state says 50 ms too late what it was: its sample of 250 belongs to the row at 200."""
    play = make_play(action(), state(offset_ms=-50.0))
    play.send(STATE, 150)
    play.send(ACTION, 100)
    play.recorder.start()
    play.send(STATE, 240, 250, 260, 350, 450)
    play.send(ACTION, 200, 300, 400)
    play.save()
    assert shown(STATE) == [150, 250, 350, 450]
    assert shown(ACTION) == [100, 200, 300, 400]


def test_late_and_reordered_messages_stand_where_their_stamps_say(make_play, shown):
    play = make_play(action(), state())
    play.send(STATE, 100)
    play.send(ACTION, 100)
    play.recorder.start()
    # 190 comes after 205, but before the action lets the row of 200 close.
    play.send(STATE, 205, 190, 310)
    play.send(ACTION, 200, 300)
    # Too late for the row of 300, which is closed; it is counted and shows in no row.
    play.send(STATE, 295, 390, 410)
    play.send(ACTION, 400)
    summary = play.save()
    assert shown(STATE) == [100, 190, 205, 390]
    assert summary.remarks == (f'{STATE}: 1 message came too late for its row',)


def test_one_stream_whose_clock_jumps_back_is_held_and_told(make_play, shown):
    play = make_play(action(), state(max_age_s=0.25), max_lateness_s=0.1)
    play.send(STATE, 1000)
    play.send(ACTION, 1000)
    play.recorder.start()
    for stamp in (1100, 1200, 1300, 1400, 1500):
        play.send(STATE, stamp - 800)
        play.send(ACTION, stamp)
    summary = play.save()
    assert shown(STATE) == [1000] * 6
    assert summary.remarks == (
        f'the clock of {STATE} jumped by -0.70 s after 0.2 s, those of the other streams did '
        'not: its messages are too late',
        f'{STATE} was stale in 3 rows (oldest sample 0.50 s)',
        # The first one came before the first row was closed.
        f'{STATE}: 4 messages came too late for their rows',
    )


def test_a_simulation_that_pauses_makes_no_rows_meanwhile(make_play, shown):
    play = make_play(action(), state())
    play.send(STATE, 100)
    play.send(ACTION, 100)
    play.recorder.start()
    play.send(STATE, 200)
    play.send(ACTION, 200)
    # An hour passes on the wall, and none in the simulation.
    play.steady_ns += 3600 * 1000 * MS
    play.send(STATE, 300)
    play.send(ACTION, 300)
    play.save()
    assert shown(STATE) == [100, 200, 300]


# --- rates --------------------------------------------------------------------------------------


def test_a_camera_that_is_slower_than_the_rows_repeats_and_a_faster_one_is_thinned(
    make_play, shown
):
    play = make_play(front(), StreamConfig(TOP, '/top'))
    play.send(FRONT, 0)
    play.send(TOP, 0)
    play.recorder.start()
    for stamp in range(25, 1001, 25):
        play.send(TOP, stamp)
        if stamp % 250 == 0:
            play.send(FRONT, stamp)
    summary = play.save()
    # Both cameras' phase is 0, so that the rows stand at 50, 150, ...
    assert shown(TOP) == [50, 150, 250, 350, 450, 550, 650, 750, 850, 950]
    assert shown(FRONT) == [0, 0, 250, 250, 250, 500, 500, 750, 750, 750]
    assert summary.num_repeated == 6


def test_rows_can_be_the_pictures_of_a_camera(make_play, shown, root, read_dataset):
    play = make_play(
        front(), StreamConfig(TOP, '/top'), state(), clock=FRONT, is_per_row=True
    )
    play.send(STATE, 0)
    play.send(TOP, 90)
    play.send(FRONT, 100)
    play.recorder.start()
    for stamp in range(110, 800, 10):
        play.send(STATE, stamp)
        if stamp % 50 == 40:
            play.send(TOP, stamp)
        # No picture at 500.
        if stamp in (190, 310, 400, 600, 690, 790):
            play.send(FRONT, stamp)
    summary = play.save()
    assert shown(FRONT) == [100, 190, 310, 400, 400, 600, 690, 790]
    assert shown(STATE) == [0, 190, 310, 400, 500, 600, 690, 790]
    assert shown(TOP) == [90, 190, 290, 390, 490, 590, 690, 790]
    assert summary.num_repeated == 1
    read_dataset(root).check()


def test_the_clock_must_be_a_camera(tmp_path):
    with pytest.raises(ConfigError, match=f"sync.clock is '{STATE}': name a camera \\({FRONT}"):
        RecorderConfig(root=tmp_path, streams=(front(), state()), clock=STATE)
