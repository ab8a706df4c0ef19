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
Clocks that are set while a robot is recorded, for all streams or for one, and clocks that differ.

Guards the rule that no row pairs samples of different instants without saying so. Each test has a
true time, which the steady clock follows and a person would call the instant of a sample, and
says how stamps and arrivals come of it. Rows must show the samples of one true instant.
"""

from __future__ import annotations

import heapq
from itertools import pairwise
import logging
import random

from lerobot_streamrec.errors import StreamsNotReadyError
from lerobot_streamrec.recording.stream_config import StreamConfig
import pytest

FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
GRIPPER = 'action'
MS, SECOND = 10**6, 10**9
BEGIN = 1_800_000_000 * SECOND
# Steps that are smaller than a camera's period are not told from delays.
JUMPS_S = [3600.0, -3600.0, -3.0, 2.0, -0.3, 0.6]


class World:
    """
    Plays a robot to a recorder by a true time that starts with 0.

    Messages are numbered per stream; ``truth`` has the true instant of each.
    """

    def __init__(self, rig):
        self.rig = rig
        self.period = {FRONT: 100 * MS, TOP: 100 * MS, STATE: 20 * MS}
        self.phase = {FRONT: 11 * MS, TOP: 38 * MS, STATE: 3 * MS}
        # What its clock shows, and how long a message takes; both of the true time.
        self.clock = dict.fromkeys(self.period, lambda at: BEGIN + at)
        self.delay = dict.fromkeys(self.period, lambda at: 0)
        self.truth = {key: [] for key in rig.sent}
        self.now = 0
        self._on_the_way = []

    def run(self, seconds, without=()):
        until = self.now + round(seconds * SECOND)
        for key, period in self.period.items():
            first = -(-(self.now - self.phase[key]) // period)
            for at in range(self.phase[key] + first * period, until, period):
                if key not in without:
                    self.send(key, at)
        while self._on_the_way and self._on_the_way[0][0] <= until:
            arrival, _, key, at = heapq.heappop(self._on_the_way)
            self.rig.steady_ns = max(self.rig.steady_ns, arrival)
            self.rig.push(key, self.clock[key](at))
            self.truth[key].append(at)
        self.now = until
        self.rig.steady_ns = max(self.rig.steady_ns, until)

    def send(self, key, at):
        last = max((one[0] for one in self._on_the_way if one[2] == key), default=0)
        # The middleware keeps the order within a topic.
        arrival = max(at + self.delay[key](at), last)
        heapq.heappush(self._on_the_way, (arrival, len(self.truth[key]) + at, key, at))

    def set_all_clocks(self, seconds, keys=None):
        """Set clocks from now on."""
        begin, size = self.now, round(seconds * SECOND)
        for key in keys or self.clock:
            before = self.clock[key]
            self.clock[key] = lambda at, before=before: before(at) + (size if at >= begin else 0)

    def check_rows(self, dataset, episode=0, slack=0):
        """Every row shows the newest samples of its true instant; return the true instants."""
        shown = {key: self.rig.shown(dataset, episode, key) for key in self.period}
        rows = len(shown[STATE])
        found = []
        for row in range(rows):
            # Of each stream: from the sample shown to the next one.
            spans = [
                (self.truth[key][shown[key][row]], self.truth[key][shown[key][row]] + period)
                for key, period in self.period.items()
            ]
            begin, end = max(one[0] for one in spans), min(one[1] for one in spans)
            assert begin < end + slack, f'row {row} pairs samples of different instants: {spans}'
            found.append(begin)
        assert all(after >= before for before, after in pairwise(found))
        return found


@pytest.fixture
def make_world(make_rig):
    def make(**settings):
        return World(make_rig(**settings))

    return make


@pytest.fixture
def world(make_world):
    """A robot whose streams have been running for two seconds."""
    world = make_world()
    world.run(2)
    return world


def counts_of(rig):
    """Return what save keeps of late, rejected and missing messages, all streams together."""
    streams = rig.record_of(0)['streams'].values()
    return [sum(one[name] for one in streams) for name in ('late', 'rejected', 'missing')]


def told_of_a_step(world, jump_s):
    """Set all clocks one second after a start; return the one sentence of the status on it."""
    world.rig.recorder.start()
    world.run(1)
    world.set_all_clocks(jump_s)
    world.run(2)
    (told,) = world.rig.recorder.status().clocks
    return told


# --- all clocks are set -------------------------------------------------------------------------


@pytest.mark.parametrize('jump_s', JUMPS_S)
def test_rows_go_on_when_the_clock_of_all_streams_is_set(
    jump_s, world, read_dataset, caplog
):
    rig = world.rig
    told = told_of_a_step(world, jump_s)
    summary = rig.save()
    words = f'jumped by {jump_s:+.{1 if abs(jump_s) >= 1 else 2}f} s'
    assert told.startswith(f'the clock of all streams {words} after ')
    assert summary.remarks == (told,)
    assert words in caplog.text
    assert counts_of(rig) == [0, 0, 0]
    dataset = read_dataset(rig.config.root)
    # Row 0 stands less than a period after the start, and rows are 100 ms apart in true time.
    rows = world.check_rows(dataset)
    assert len(rows) >= 29
    assert {after - before for before, after in pairwise(rows)} == {100 * MS}
    (step,) = rig.record_of(0)['clock_steps']
    assert step['size_ns'] == round(jump_s * SECOND)
    assert step['bridged']
    # The next episode is in the time that the clock shows now.
    rig.recorder.start()
    world.run(1)
    summary = rig.save()
    assert summary.remarks == ()
    assert rig.record_of(1)['start_stamp_ns'] // SECOND == BEGIN // SECOND + 5 + int(jump_s // 1)


@pytest.mark.parametrize('jump_s', [0.15, 0.3])
def test_a_step_ahead_that_is_too_small_to_be_bridged_is_told(
    jump_s, world, read_dataset, caplog
):
    rig = world.rig
    told = told_of_a_step(world, jump_s)
    assert told.startswith(f'the clock of all streams jumped by {jump_s:+.2f} s after 0.9 s')
    assert told.endswith('and the rows in between repeat the last samples before it')
    assert told in rig.save().remarks
    assert f'jumped by {jump_s:+.2f} s' in caplog.text
    (step,) = rig.record_of(0)['clock_steps']
    assert (step['size_ns'], step['bridged']) == (round(jump_s * SECOND), False)
    world.check_rows(read_dataset(rig.config.root))


def test_one_clock_that_goes_ahead_a_little_is_no_step_of_all_clocks(world):
    world.rig.recorder.start()
    world.run(1)
    world.set_all_clocks(0.3, keys=(TOP,))
    world.run(2)
    assert world.rig.recorder.status().clocks == ()
    world.rig.save()
    assert world.rig.record_of(0)['clock_steps'] == []


@pytest.mark.parametrize('jump_s', JUMPS_S)
@pytest.mark.parametrize('seed', [1, 2, 3])
def test_delayed_messages_stand_in_the_rows_of_their_instants(
    jump_s, seed, make_world, read_dataset
):
    """What was on its way when the clock was set still has the stamps of before."""
    world, chance = make_world(), random.Random(seed)
    world.delay[FRONT] = lambda at: 150 * MS + chance.randrange(20 * MS)
    world.delay[TOP] = lambda at: chance.randrange(80 * MS)
    world.delay[STATE] = lambda at: chance.randrange(5 * MS)
    world.run(3)
    rig = world.rig
    rig.recorder.start()
    world.run(1.234)
    world.set_all_clocks(jump_s)
    world.run(2)
    rig.save()
    (step,) = rig.record_of(0)['clock_steps']
    # The least delayed message tells how large the step was.
    error = round(jump_s * SECOND) - step['size_ns']
    assert abs(error) <= 20 * MS
    assert counts_of(rig)[1] == 0
    assert counts_of(rig)[2] == 0
    world.check_rows(read_dataset(rig.config.root), slack=abs(error))


def test_a_delay_that_ends_after_messages_were_lost_is_no_step(world, caplog):
    """A recorder that gets no time reads old messages for a while, and then new ones."""
    rig = world.rig
    rig.recorder.start()
    world.run(1)
    usual = dict(world.delay)
    world.delay = dict.fromkeys(world.delay, lambda at: 2 * SECOND)
    world.run(2.5)
    world.run(2, without=world.period)
    world.delay = usual
    world.run(1)
    summary = rig.save()
    assert rig.record_of(0)['clock_steps'] == []
    assert 'jumped' not in caplog.text
    assert counts_of(rig)[:2] == [0, 0]
    # What was lost is held: no row is left out, and none is invented.
    assert summary.episode.num_rows == pytest.approx(65, abs=2)


def test_a_clock_may_be_set_several_times(world, read_dataset):
    rig = world.rig
    rig.recorder.start()
    for jump_s in (2.0, -3600.0, 3600.0, -0.5):
        world.run(0.7)
        world.set_all_clocks(jump_s)
    world.run(1)
    summary = rig.save()
    assert len(summary.remarks) == 4
    assert [one['size_ns'] / SECOND for one in rig.record_of(0)['clock_steps']] == [
        2.0,
        -3600.0,
        3600.0,
        -0.5,
    ]
    assert counts_of(rig) == [0, 0, 0]
    rows = world.check_rows(read_dataset(rig.config.root))
    assert len(rows) >= 37


@pytest.mark.parametrize('jumps_s', [(3600.0, 5.0), (3600.0, -5.0), (1.0, 1.0), (5.0, 3600.0)])
@pytest.mark.parametrize('gap_s', [0.005, 0.01, 0.1])
def test_clocks_that_are_set_twice_at_once_invent_no_rows(
    gap_s, jumps_s, make_world
):
    """Some streams have messages of the time between the two steps, others do not."""
    keys = (STATE, GRIPPER, 'observation.force')
    streams = tuple(StreamConfig(key, f'/{key}', names=('number', 'twice')) for key in keys)
    world = make_world(streams=streams)
    world.period = {STATE: 10 * MS, GRIPPER: 20 * MS, 'observation.force': 20 * MS}
    world.phase = {STATE: 3 * MS, GRIPPER: 7 * MS, 'observation.force': 13 * MS}
    world.clock = dict.fromkeys(keys, lambda at: BEGIN + at)
    world.delay = dict.fromkeys(keys, lambda at: at % 7 * MS)
    world.run(2)
    world.rig.recorder.start()
    world.run(1)
    world.set_all_clocks(jumps_s[0])
    world.run(gap_s)
    world.set_all_clocks(jumps_s[1])
    world.run(1)
    summary = world.rig.save()
    assert summary.episode.num_rows in (19, 20, 21, 22)
    assert 'jumped by' in summary.remarks[0]


@pytest.mark.parametrize('jump_s', [3600.0, -3.0])
def test_slow_and_silent_streams_do_not_hide_a_step(jump_s, make_world, with_stream, read_dataset):
    gripper = StreamConfig(GRIPPER, '/gripper', names=('number', 'twice'), max_age_s=0)
    slow = with_stream(TOP, max_age_s=3.0)
    world = make_world(streams=(*slow, gripper))
    rig = world.rig
    world.period[TOP] = SECOND
    world.clock[GRIPPER], world.delay[GRIPPER] = (lambda at: BEGIN + at), (lambda at: 0)
    world.send(GRIPPER, 5 * MS)
    world.run(4)
    rig.recorder.start()
    world.run(1.5)
    world.set_all_clocks(jump_s)
    world.run(2.5)
    command_at = world.now
    world.send(GRIPPER, command_at)
    world.run(2.5)
    summary = rig.save()
    assert len(summary.remarks) == 1, summary.remarks
    assert f'{jump_s:+.1f} s' in summary.remarks[0]
    assert counts_of(rig) == [0, 0, 0]
    dataset = read_dataset(rig.config.root)
    rows = world.check_rows(dataset)
    assert len(rows) >= 59
    is_open = dataset.vectors(GRIPPER, 0)[:, 0] == 1
    # 25 of them are of after the command, the last of which may not be closed yet.
    assert 18 <= is_open.sum() <= 25
    assert is_open.argmax() == len(is_open) - is_open.sum()


def test_streams_that_are_stamped_here_show_that_only_the_publishers_clock_was_set(
    make_world, with_stream, read_dataset
):
    world = make_world(streams=with_stream(STATE, is_stamped_here=True))
    world.run(2)
    world.rig.recorder.start()
    world.run(1)
    world.set_all_clocks(3600.0, keys=(FRONT, TOP))
    world.run(2)
    summary = world.rig.save()
    assert f'the clock of {FRONT} and {TOP} jumped by +3600.0 s' in summary.remarks[0]
    assert counts_of(world.rig) == [0, 0, 0]
    assert len(world.check_rows(read_dataset(world.rig.config.root))) >= 29


def test_the_only_stream_that_comes_is_all_streams(make_world, with_stream, read_dataset):
    streams = tuple(one for one in with_stream(STATE) if one.key == STATE)
    world = make_world(streams=streams)
    world.period, world.phase = {STATE: 20 * MS}, {STATE: 3 * MS}
    world.clock = {STATE: lambda at: BEGIN + at}
    world.run(2)
    world.rig.recorder.start()
    world.run(1)
    world.set_all_clocks(-60.0)
    world.run(1)
    assert 'jumped by -60.0 s' in world.rig.save().remarks[0]
    assert counts_of(world.rig) == [0, 0, 0]
    assert len(world.check_rows(read_dataset(world.rig.config.root))) >= 19


@pytest.mark.parametrize('jump_s', JUMPS_S)
def test_a_clock_that_is_set_while_idle_is_the_clock_of_the_next_episode(
    jump_s, make_world, with_stream, read_dataset
):
    gripper = StreamConfig(GRIPPER, '/gripper', names=('number', 'twice'), max_age_s=0)
    world = make_world(streams=(*with_stream(STATE), gripper))
    rig = world.rig
    world.clock[GRIPPER], world.delay[GRIPPER] = (lambda at: BEGIN + at), (lambda at: 0)
    world.send(GRIPPER, 5 * MS)
    world.run(2)
    world.set_all_clocks(jump_s)
    world.run(0.2)
    missing = [one.counts.missing for one in rig.recorder.status().streams]
    assert missing == [0, 0, 0, 0]
    rig.recorder.start()
    world.run(2)
    assert rig.save().remarks == ()
    assert rig.record_of(0)['clock_steps'] == []
    rows = world.check_rows(read_dataset(rig.config.root))
    assert len(rows) >= 14
    start_ns = rig.record_of(0)['start_stamp_ns']
    assert start_ns - BEGIN - round(jump_s * SECOND) == pytest.approx(2.2 * SECOND, abs=100 * MS)


# --- one clock is set ---------------------------------------------------------------------------


@pytest.mark.parametrize('key', [FRONT, STATE])
def test_one_stream_that_jumps_ahead_alone_is_refused_told_and_welcome_again(
    key, world, read_dataset, caplog
):
    rig = world.rig
    rig.recorder.start()
    world.run(1)
    world.set_all_clocks(5.0, keys=(key,))
    world.run(1)
    world.set_all_clocks(-5.0, keys=(key,))
    world.run(1)
    summary = rig.save()
    assert f'the clock of {key} jumped by +5.0 s' in summary.remarks[0]
    assert 'those of the other streams did not: its messages are refused' in summary.remarks[0]
    num_refused = SECOND // world.period[key]
    reason = 'is 5.0 s ahead of the stamps of its stream and of all others'
    count = f'{key}: {num_refused} messages rejected, the last because stamp '
    (refused,) = [one for one in summary.remarks if one.startswith(count)]
    assert refused.endswith(reason)
    assert counts_of(rig) == [0, num_refused, num_refused]
    assert f'{key}: its stamps fit those of the other streams again' in caplog.text
    assert summary.episode.num_rows >= 29
    dataset = read_dataset(rig.config.root)
    # While it was refused, the sample of before was held.
    held = [rig.shown(dataset, 0, one) for one in (key, TOP)]
    ages = [
        world.truth[TOP][top] - world.truth[key][own] for own, top in zip(*held, strict=True)
    ]
    assert max(ages) < 1.1 * SECOND
    assert max(ages[:9]) < 0.2 * SECOND
    assert max(ages[22:]) < 0.2 * SECOND


def test_one_stream_that_is_set_back_alone_is_late_and_told(world):
    world.rig.recorder.start()
    world.run(1)
    world.set_all_clocks(-60.0, keys=(TOP,))
    world.run(1)
    summary = world.rig.save()
    assert f'the clock of {TOP} jumped by -60.0 s' in summary.remarks[0]
    assert f'{TOP}: 10 messages came too late for their rows' in summary.remarks
    # Rows wait for it as long as for any stream.
    assert summary.episode.num_rows >= 14


@pytest.mark.parametrize('after_s', [0.0, 0.1, 0.35, 1.0])
@pytest.mark.parametrize('jump_s', [3600.0, 5.0, -60.0])
@pytest.mark.parametrize('is_in_an_episode', [True, False])
def test_a_start_soon_after_one_clock_was_set_is_refused(
    world, is_in_an_episode, jump_s, after_s
):
    """However many messages of the other time have come since: none, one, a few or many."""
    if is_in_an_episode:
        world.rig.recorder.start()
    world.run(0.5)
    world.set_all_clocks(jump_s, keys=(TOP,))
    world.run(0.4)
    if is_in_an_episode:
        world.rig.save()
    world.run(after_s)
    with pytest.raises(StreamsNotReadyError, match=f'{TOP} .* has stamps'):
        world.rig.recorder.start()


@pytest.mark.parametrize('jump_s', [4.0, -4.0])
def test_one_wrong_stamp_is_no_step(jump_s, world, read_dataset):
    rig = world.rig
    rig.recorder.start()
    world.run(1)
    world.set_all_clocks(jump_s, keys=(TOP,))
    world.run(0.1)
    world.set_all_clocks(-jump_s, keys=(TOP,))
    world.run(1)
    (remark,) = [one for one in rig.save().remarks if 'missing' not in one]
    expected = {
        4.0: f'{TOP}: 1 message rejected, the last because stamp ',
        -4.0: f'{TOP}: 1 message came too late for its row',
    }
    assert remark.startswith(expected[jump_s])
    assert len({*rig.shown(read_dataset(rig.config.root), 0, FRONT)}) >= 20


# --- simulated time -----------------------------------------------------------------------------


@pytest.mark.parametrize('pace', [0.1, 0.5, 1.0, 3.0, 8.0])
@pytest.mark.parametrize('seed', [1, 2])
def test_simulated_time_of_any_pace_and_with_pauses_is_no_step(pace, seed, make_rig, caplog):
    rig, chance = make_rig(), random.Random(seed)
    stall_until = 0

    def play(begin, end):
        nonlocal stall_until
        for at in range(begin, end, 10 * MS):
            wall = round(at / pace)
            if chance.random() < 0.01:
                # The machine is busy for a while, and then all comes at once.
                stall_until = wall + 200 * MS
            rig.steady_ns = max(rig.steady_ns, wall + pause, min(stall_until, wall + 200 * MS))
            for key, period in ((STATE, 20 * MS), (FRONT, 100 * MS), (TOP, 100 * MS)):
                if at % period == 0:
                    rig.push(key, BEGIN + at)

    pause = 0
    play(0, 6 * SECOND)
    rig.start()
    play(6 * SECOND, 9 * SECOND)
    pause = 4 * SECOND
    play(9 * SECOND, 12 * SECOND)
    assert rig.recorder.status().clocks == ()
    summary = rig.save()
    assert rig.record_of(0)['clock_steps'] == []
    assert counts_of(rig) == [0, 0, 0]
    assert summary.episode.num_rows == pytest.approx(60, abs=2)
    assert 'jumped' not in caplog.text


def test_recorded_data_that_are_played_in_a_loop_go_on_in_one_time(world, read_dataset):
    """A bag of ten seconds begins anew in the middle of an episode."""
    rig = world.rig
    world.run(7)
    rig.recorder.start()
    world.run(1)
    world.set_all_clocks(-10.0)
    world.run(1)
    assert 'the clock of all streams jumped by -10.0 s' in rig.save().remarks[0]
    assert len(world.check_rows(read_dataset(rig.config.root))) >= 19


# --- clocks that differ -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('key', 'ahead_s', 'offset_ms', 'side'),
    [
        (FRONT, 0.8, -800, 'ahead of'),
        (FRONT, 3600.0, None, 'ahead of'),
        (STATE, 0.6, -600, 'ahead of'),
        (STATE, -0.8, 800, 'behind'),
        (TOP, -30.0, 30_000, 'behind'),
        (TOP, -3600.0, None, 'behind'),
    ],
)
def test_the_stream_whose_clock_differs_is_named_with_its_offset(
    key, ahead_s, offset_ms, side, make_world
):
    world = make_world()
    world.set_all_clocks(ahead_s, keys=(key,))
    world.run(3)
    with pytest.raises(StreamsNotReadyError) as caught:
        world.rig.recorder.start()
    (problem,) = caught.value.problems
    assert problem.startswith(f'{key} (')
    decimals = 2 if abs(ahead_s) < 60 else 0
    assert f'has stamps {abs(ahead_s):.{decimals}f} s {side} the other streams' in problem
    assert (f'set its offset_ms parameter to {offset_ms},' in problem) == (offset_ms is not None)
    assert 'its stamp parameter to receive' in problem
    (told,) = [one for one in world.rig.recorder.status().streams if one.problem]
    assert told.key == key


def test_a_clock_that_is_a_little_ahead_of_a_delayed_stream_is_refused(
    make_world, with_stream, read_dataset
):
    """Alone, rows wait for 0.2 s and for 0.4 s; both together are more than max_lateness_s."""
    for offset_ms in (0.0, -200.0):
        world = make_world(streams=with_stream(STATE, offset_ms=offset_ms))
        world.delay[FRONT] = lambda at: 400 * MS
        world.set_all_clocks(0.2, keys=(STATE,))
        world.run(3)
        if not offset_ms:
            with pytest.raises(StreamsNotReadyError) as caught:
                world.rig.recorder.start()
            (problem,) = caught.value.problems
            assert problem.startswith(f'{STATE} (/joint_states) has stamps 0.20 s ahead of')
            assert 'rows are closed before the samples of the others arrive' in problem
            assert 'set its offset_ms parameter to -200,' in problem
            world.rig.recorder.close(120)
    world.rig.recorder.start()
    world.run(2)
    assert world.rig.save().remarks == ()
    world.check_rows(read_dataset(world.rig.config.root))


def test_the_proposed_offset_mends_it(make_world, with_stream, read_dataset):
    world = make_world(streams=with_stream(FRONT, offset_ms=-800.0))
    world.set_all_clocks(0.8, keys=(FRONT,))
    world.run(3)
    world.rig.recorder.start()
    world.run(2)
    assert world.rig.save().remarks == ()
    assert len(world.check_rows(read_dataset(world.rig.config.root))) >= 19


def test_a_clock_that_goes_ahead_in_an_episode_is_blamed_and_not_the_others(world):
    """It is slewed, 20 ms in each second, and nothing jumps."""
    rig = world.rig
    rig.recorder.start()
    begin = world.now
    world.clock[FRONT] = lambda at: BEGIN + at + (at - begin) // 10
    world.run(7)
    world.clock[FRONT] = lambda at: BEGIN + at + 700 * MS
    world.run(6)
    (problem,) = [one.problem for one in rig.recorder.status().streams if one.problem]
    assert 'set its offset_ms parameter to -700' in problem
    summary = rig.save()
    assert summary.remarks[0].startswith(f'{FRONT} has stamps 0.70 s ahead of the other streams')
    late = [one for one in summary.remarks if f'{STATE}: ' in one and 'too late' in one]
    assert late[0].endswith(f'for their rows, which {FRONT} closed early')


def test_delays_low_rates_and_silence_are_no_other_clock(make_world, with_stream, caplog):
    gripper = StreamConfig(GRIPPER, '/gripper', names=('number', 'twice'), max_age_s=0)
    world = make_world(streams=(*with_stream(TOP, max_age_s=2.0), gripper))
    chance = random.Random(5)
    world.period[TOP] = SECOND
    world.delay[FRONT] = lambda at: 300 * MS + chance.randrange(300 * MS)
    world.delay[TOP] = lambda at: chance.randrange(200 * MS)
    world.delay[STATE] = lambda at: chance.randrange(40 * MS)
    world.clock[GRIPPER] = lambda at: BEGIN + at - 100 * SECOND
    world.delay[GRIPPER] = lambda at: 0
    world.send(GRIPPER, 5 * MS)
    for _ in range(100):
        world.run(0.05)
        status = world.rig.recorder.status()
        wrong = [one for one in status.streams if 'clock' in one.problem or one.clock]
        assert wrong == []
    world.run(1)
    world.rig.recorder.start()
    world.run(4)
    assert not [one for one in world.rig.save().remarks if 'clock' in one]
    assert 'clock' not in caplog.text


# --- what the log says --------------------------------------------------------------------------


def test_a_stream_that_goes_stale_in_an_episode_and_comes_back_is_logged_once_each(world, caplog):
    rig = world.rig
    rig.recorder.start()
    caplog.set_level(logging.INFO)
    world.run(1)
    for _ in range(5):
        world.run(0.5, without=(TOP,))
        rig.recorder.status()
    world.run(1)
    rig.recorder.status()
    told = [one.getMessage() for one in caplog.records if TOP in one.getMessage()]
    # Its last picture is of 62 ms before it was covered.
    assert told == [
        f'{TOP} (/top/image_raw) is stale: no sample has arrived for 1.1 s (max_age_s is 1)',
        f'{TOP} (/top/image_raw) is back after 2.6 s',
    ]
    # A short gap that no status has seen is told as well.
    caplog.clear()
    world.run(1.5, without=(TOP,))
    world.run(0.2)
    told = [one.getMessage() for one in caplog.records if TOP in one.getMessage()]
    assert [one.split(' (')[0] for one in told] == [TOP, TOP]
    assert 'is back after 1.6 s' in told[1]


def test_a_refusal_names_the_parameter_for_streams_that_are_published_on_change(world):
    world.run(2, without=(STATE,))
    with pytest.raises(StreamsNotReadyError, match=r'stale: .*max_age_s is 1; .* published on ch'):
        world.rig.recorder.start()
