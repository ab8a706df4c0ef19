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
A row shows what was newest at its instant, of every stream, and frames are rows.

Guards promise 1 over whole episodes: hand-made trains of messages go in, and every number in
the finished dataset is compared with a model that knows all messages that were sent.
"""

from __future__ import annotations

import itertools
from itertools import pairwise
import random

import pytest

FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
SECOND_NS = 10**9


def test_a_regular_train_is_recorded_picture_by_picture(rig, read_dataset):
    assert rig.recorder.start() == 0
    rig.run(5)
    summary = rig.save()
    dataset = read_dataset(rig.config.root)
    rig.check(dataset, 0)
    for key in (FRONT, TOP):
        shown = rig.shown(dataset, 0, key)
        assert shown == list(range(shown[0], shown[0] + len(shown))), 'each picture once'
    assert 48 <= summary.episode.num_rows <= 50
    assert (summary.num_repeated, summary.remarks) == (0, ())
    assert str(summary).startswith(f'episode 0: {summary.episode.num_rows} rows, ')


def arrivals(events, chance, latency_s):
    """Order messages by when they arrive: each later by up to so much, each stream in order."""
    last, found = {}, []
    for stamp_ns, key in events:
        arrival_ns = stamp_ns + round(chance.uniform(0, latency_s) * SECOND_NS)
        last[key] = max(arrival_ns, last.get(key, 0))
        found.append((last[key], stamp_ns, key))
    return [(stamp_ns, key) for _, stamp_ns, key in sorted(found)]


def with_pairs_swapped(events, key):
    """Exchange the first message of a stream with the second, the third with the fourth, ..."""
    events = list(events)
    places = [at for at, one in enumerate(events) if one[1] == key]
    for first, second in zip(places[::2], places[1::2], strict=False):
        events[first], events[second] = events[second], events[first]
    return events


def jittered(events, chance, jitter_ns):
    moved = [(stamp + chance.randint(-jitter_ns, jitter_ns), key) for stamp, key in events]
    return sorted(moved)


@pytest.mark.parametrize('seed', range(8))
def test_rows_show_what_was_newest_in_spite_of_jitter_and_latency(seed, rig, read_dataset):
    chance = random.Random(seed)
    rig.recorder.start()
    events = jittered(rig.events(4), chance, 9_000_000)
    for stamp_ns, key in arrivals(events, chance, latency_s=0.3):
        rig.push(key, stamp_ns)
    summary = rig.save()
    assert summary.episode.num_rows >= 33
    rig.check(read_dataset(rig.config.root), 0)
    assert 'too late' not in str(summary)


@pytest.mark.parametrize('batch', [7, 60, 10_000])
def test_rows_do_not_depend_on_how_many_samples_they_are_closed_after(
    batch, rig, read_dataset, monkeypatch
):
    """The reader closes rows once per tick, and a tick may be long on a busy machine."""
    close_rows, calls = rig.recorder.close_rows, itertools.count(1)
    monkeypatch.setattr(
        rig.recorder, 'close_rows', lambda: next(calls) % batch or close_rows()
    )
    rig.recorder.start()
    events = jittered(rig.events(4), random.Random(batch), 9_000_000)
    for stamp_ns, key in arrivals(events, random.Random(batch), latency_s=0.3):
        rig.push(key, stamp_ns)
    summary = rig.save()
    assert summary.episode.num_rows >= 33
    assert summary.num_repeated == 0
    rig.check(read_dataset(rig.config.root), 0)
    assert 'too late' not in str(summary)


def test_messages_out_of_order_are_put_in_order_while_rows_are_open(rig, read_dataset):
    rig.recorder.start()
    # States arrive a fifth of a second before the cameras, so that no row has been closed.
    early_ns = {STATE: SECOND_NS // 5, FRONT: 0, TOP: 0}
    events = sorted(rig.events(4), key=lambda event: event[0] - early_ns[event[1]])
    for stamp_ns, key in with_pairs_swapped(events, STATE):
        rig.push(key, stamp_ns)
    rig.save()
    rig.check(read_dataset(rig.config.root), 0)
    assert rig.record_of(0)['streams'][STATE]['late'] == 0


def test_the_first_row_is_less_than_a_period_after_the_start(rig, read_dataset):
    newest_ns = max(stamp for sent in rig.sent.values() for stamp, _ in sent)
    rig.recorder.start()
    rig.run(1)
    rig.save()
    start_ns = rig.record_of(0)['start_stamp_ns']
    assert 0 <= start_ns - newest_ns < SECOND_NS // rig.config.fps
    # As far from the pictures of both cameras, at 11 and 38 ms, as can be.
    assert start_ns % (SECOND_NS // 10) == pytest.approx(74_500_000, abs=1000)


def test_rows_of_the_others_go_on_without_a_camera_that_stalls(rig, read_dataset):
    rig.recorder.start()
    rig.run(2)
    rig.run(3, without=[TOP])
    during = rig.recorder.status().num_rows
    assert during == 45, 'half a second, the allowed lateness, behind'
    assert rig.stream(TOP).repeated >= 20
    assert rig.stream(FRONT).repeated == 0
    summary = rig.save()
    dataset = read_dataset(rig.config.root)
    rig.check(dataset, 0)
    assert summary.num_repeated == rig.record_of(0)['streams'][TOP]['rows_repeated'] == 30
    (remark,) = summary.remarks
    assert remark.startswith(f'{TOP} was stale in ')
    assert rig.shown(dataset, 0, TOP)[-30:] == [rig.shown(dataset, 0, TOP)[-31]] * 30


def test_pictures_that_are_missing_are_counted_and_named(rig, read_dataset):
    rig.run(1)
    rig.recorder.start()
    rig.run(1)
    rig.run(0.3, without=[TOP])
    rig.run(1)
    summary = rig.save()
    rig.check(read_dataset(rig.config.root), 0)
    assert summary.remarks == (f'{TOP}: 3 pictures missing, judged by the stamps',)
    assert summary.num_repeated == 3
    assert rig.record_of(0)['streams'][TOP]['missing'] == 3
    assert rig.record_of(0)['streams'][FRONT]['missing'] == 0


def test_messages_that_come_too_late_for_their_rows_are_counted_and_named(rig, read_dataset):
    rig.recorder.start()
    rig.run(1)
    behind = [one for one in rig.events(3) if one[1] == TOP]
    rig.now_ns -= 3 * SECOND_NS
    for stamp_ns, key in rig.events(3, without=[TOP]):
        rig.push(key, stamp_ns)
        # The camera's messages arrive 0.8 s late, where 0.5 s are allowed.
        while behind and behind[0][0] <= stamp_ns - 8 * SECOND_NS // 10:
            late_ns, late_key = behind.pop(0)
            rig.push(late_key, late_ns)
    summary = rig.save()
    dataset = read_dataset(rig.config.root)
    assert summary.episode.num_rows == len(rig.shown(dataset, 0, TOP)) == 35
    late = rig.record_of(0)['streams'][TOP]['late']
    assert late >= 20
    assert f'{TOP}: {late} messages came too late for their rows' in summary.remarks
    shown = rig.shown(dataset, 0, TOP)
    assert shown == sorted(shown)


def test_what_the_middleware_lost_is_told(rig):
    rig.recorder.start()
    rig.run(1)
    rig.recorder.lose(FRONT, 2)
    rig.recorder.reject(TOP, 'image encoding is not supported')
    (lost, rejected) = rig.save().remarks
    assert lost == f'{FRONT}: 2 messages lost in transport'
    words = '1 message rejected, the last because image encoding is not supported'
    assert rejected == f'{TOP}: {words}'


def test_a_camera_may_change_its_pixel_format(rig, read_dataset):
    rig.recorder.start()
    rig.run(1)
    for stamp_ns, key in rig.events(1):
        rig.push(key, stamp_ns, **({} if key == STATE else {'pix_fmt': 'bgr24'}))
    rig.save()
    rig.check(read_dataset(rig.config.root), 0)


def test_state_alone_can_be_recorded(make_rig, with_stream, read_dataset):
    rig = make_rig(streams=with_stream(STATE)[2:])
    rig.run(1)
    rig.recorder.start()
    rig.run(2)
    assert rig.save().episode.num_videos == 0
    dataset = read_dataset(rig.config.root)
    rig.check(dataset, 0)
    assert dataset.info['video_path'] is None


@pytest.mark.parametrize('fps', [1, 3, 30])
def test_rows_may_be_fewer_or_more_than_pictures(fps, make_rig, read_dataset):
    rig = make_rig(fps=fps)
    rig.run(1)
    rig.recorder.start()
    rig.run(4)
    summary = rig.save()
    dataset = read_dataset(rig.config.root)
    rig.check(dataset, 0)
    assert summary.num_repeated == 0
    for key in (FRONT, TOP):
        shown = rig.shown(dataset, 0, key)
        num_same = sum(now == before for before, now in pairwise(shown))
        assert (num_same > 0) == (fps == 30)
        assert rig.record_of(0)['streams'][key]['rows_repeated_by_rate'] == num_same
        told = f'{key} sends 10.0 pictures per second and fps is {fps}: {num_same} rows of '
        assert any(one.startswith(told) for one in summary.remarks) == (num_same > 0)


def test_a_stall_of_a_slow_camera_is_not_taken_for_its_rate(make_rig, read_dataset):
    rig = make_rig(fps=30)
    rig.run(1)
    rig.recorder.start()
    rig.run(1)
    rig.run(0.5, without=[TOP])
    rig.run(1)
    status = rig.stream(TOP)
    assert status.repeated > 0
    assert status.repeated_by_rate > 0
    summary = rig.save()
    dataset = read_dataset(rig.config.root)
    shown, sent = rig.shown(dataset, 0, TOP), rig.sent[TOP]
    rows = zip(rig.instants(dataset, 0)[1:], pairwise(shown), strict=True)
    ages_ms = [(at - sent[now][0]) / 1e6 for at, (before, now) in rows if now == before]
    record = rig.record_of(0)['streams']
    # Pictures come every 100 ms: until the next one is due and half a period more.
    assert record[TOP]['rows_repeated_by_rate'] == sum(age <= 150 for age in ages_ms)
    stalled = sum(age > 150 for age in ages_ms)
    assert 10 <= stalled <= 16
    assert record[TOP]['rows_repeated'] == summary.num_repeated == stalled
    assert record[FRONT]['rows_repeated'] == 0


def test_a_camera_that_becomes_slower_in_an_episode_is_not_excused(make_rig):
    rig = make_rig()
    rig.run(2)
    rig.recorder.start()
    rig.run(1)
    # As in the dark: every picture is exposed for as long as two.
    rig.trains[TOP] = (SECOND_NS // 5, 38_000_000)
    rig.run(6)
    rig.save()
    record = rig.record_of(0)['streams']
    assert record[TOP]['rows_repeated'] >= 28
    assert record[TOP]['rows_repeated_by_rate'] == 0
