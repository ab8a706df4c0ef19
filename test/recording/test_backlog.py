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
Encoders that are slower than the cameras, for as long as anybody records.

Guards promises 1, 2 and 3: nothing is missing or repeated while there is room on the disk, no push
waits for an encoder, and neither the end of the recorder nor a crash loses what waits.
"""

from __future__ import annotations

from dataclasses import replace
import shutil

from lerobot_streamrec.recording.stream_config import StreamConfig
import pytest
from waiting import wait_for

FRONT, TOP, WRIST = (f'observation.images.{name}' for name in ('front', 'top', 'wrist'))
STATE = 'observation.state'
FRAME_BYTES = 48 * 64 * 3
MIB = 1024 * 1024
WAIT_S = 120
SECOND_NS = 10**9


@pytest.fixture
def make_behind(make_rig, encoders):
    """Start a recorder with little memory, and hold its encoders up."""

    def make(**changes):
        # Its end grants no time to encoders that make no progress.
        rig = make_rig(queue_mib=1, park_after_s=0.0, **changes)
        rig.run(1)
        encoders.is_shut |= {FRONT, TOP}
        return rig

    return make


def record(rig, seconds):
    """Record at a pace that the disk keeps up with."""
    for _ in range(2 * seconds):
        rig.run(0.5)
        # Each of two cameras has half of the memory, and half of that before the disk is used.
        wait_for(lambda: all(one.queue.size_bytes <= 0.3 * MIB for one in streams(rig)))


def test_an_episode_whose_encoders_are_three_times_too_slow_is_whole(
    make_rig, with_stream, encoders, read_dataset
):
    """
    Half a minute, three cameras: rows at 30 Hz, of which encoders make ten in a second.

    What a second is, is told by stamps; the encoders are let go on at a third of that.
    """
    cameras = [StreamConfig(key, f'/{key}') for key in (FRONT, TOP, WRIST)]
    rig = make_rig(streams=(*cameras, with_stream(STATE)[2]), fps=30, queue_mib=3)
    rig.trains = {key: (SECOND_NS // 30, 1000 + n) for n, key in enumerate(rig.trains)}
    rig.run(1)
    encoders.ration()
    rig.recorder.start()
    num_rows = 0
    while num_rows < 900:
        rig.run(0.5)
        num_rows = rig.recorder.status().num_rows
        encoders.allow(num_rows // 3)
        wait_for(lambda: all(one.queue.size_bytes <= 0.6 * MIB for one in streams(rig)))
    backlog = [one.queue.num_queued for one in streams(rig)]
    assert min(backlog) > 550
    assert all(one.queue.peak_bytes <= MIB for one in streams(rig))
    assert all(one.queue.spill_left_s > 0 for one in streams(rig))
    encoders.allow(10**6)
    summary = rig.save()
    assert (summary.num_repeated, summary.remarks) == (0, ())
    # LeRobot would read it row by row for minutes.
    dataset = read_dataset(rig.config.root, is_kept=False)
    rig.check(dataset, 0)
    for key in (FRONT, TOP, WRIST):
        numbers = rig.shown(dataset, 0, key)
        assert numbers == list(range(numbers[0], numbers[0] + summary.episode.num_rows))


def streams(rig):
    return [one for one in rig.recorder.status().streams if one.key != STATE]


@pytest.mark.parametrize('is_in_pieces', [False, True])
@pytest.mark.parametrize('spill_mib', [0, 100])
def test_rows_that_a_silent_stream_held_up_are_no_overload(
    spill_mib, is_in_pieces, make_behind, encoders, read_dataset
):
    """Their pictures waited in memory already, more of them than the queue may hold."""
    rig = make_behind(max_lateness_s=60.0, spill_mib=spill_mib)
    rig.recorder.start()
    rig.run(0.5)
    num_rows = rig.recorder.status().num_rows
    began_ns = rig.now_ns
    rig.run(10, without=[STATE])
    assert rig.recorder.status().num_rows <= num_rows + 1
    if is_in_pieces:
        # The middleware kept its messages: each of them closes one row or none.
        period_ns, _ = rig.trains[STATE]
        for stamp_ns in range(began_ns + period_ns, rig.now_ns, period_ns):
            rig.push(STATE, stamp_ns)
    rig.run(0.5)
    held = rig.recorder.status().num_rows - num_rows
    assert held * FRAME_BYTES > MIB / 2
    encoders.open()
    summary = rig.save()
    assert summary.num_repeated == 0
    assert not any('repeated' in remark for remark in summary.remarks)
    dataset = read_dataset(rig.config.root)
    rig.check(dataset, 0)
    for key in (FRONT, TOP):
        numbers = rig.shown(dataset, 0, key)
        assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize('num_encoded', [0, 25])
def test_what_encoders_have_not_done_at_the_end_is_encoded_at_the_next_start(
    num_encoded, make_behind, make_rig, encoders, read_dataset
):
    rig = make_behind()
    encoders.ration()
    encoders.allow(num_encoded)
    rig.recorder.start()
    record(rig, 10)
    future = rig.recorder.save()
    closed = rig.recorder.end()
    encoders.allow_until(future.done)
    assert 'to be encoded' in str(future.result(WAIT_S))
    assert closed.result(WAIT_S).total_episodes == 0
    assert rig.recorder.close(WAIT_S) is True
    encoders.allow(10**6)
    again = make_rig()
    wait_for(lambda: again.recorder.status().num_saved == 1)
    again.sent = rig.sent
    dataset = read_dataset(again.config.root, is_kept=False)
    again.check(dataset, 0)
    assert dataset.episodes.loc[0, 'length'] == future.result().episode.num_rows
    assert again.record_of(0).get('recovered') is None


def test_what_waits_on_the_disk_is_there_after_a_crash(
    make_behind, make_rig, encoders, tmp_path, read_dataset
):
    rig = make_behind()
    encoders.ration()
    rig.recorder.start()
    record(rig, 10)
    encoders.allow(30)
    encoders.wait_for(TOP, 30)
    encoders.wait_for(FRONT, 30)
    shutil.copytree(rig.config.root, tmp_path / 'copy')
    encoders.allow(10**6)
    again = make_rig(root=tmp_path / 'copy')
    assert 'an interrupted take' in again.recorder.status().last_result
    wait_for(lambda: again.recorder.status().num_saved == 1)
    dataset = read_dataset(tmp_path / 'copy')
    again.sent = rig.sent
    again.check(dataset, 0)
    # All but what memory held, which is half of what there is for both at most.
    assert dataset.episodes.loc[0, 'length'] >= 99 - 0.5 * MIB / FRAME_BYTES


def test_other_settings_than_the_file_was_begun_with_cost_nothing(
    make_behind, make_rig, encoders, read_dataset, monkeypatch, caplog
):
    """What was encoded and what waits cannot always be joined; then all is encoded once more."""
    rig = make_behind()
    encoders.ration()
    encoders.allow(25)
    rig.recorder.start()
    record(rig, 10)
    future = rig.recorder.save()
    rig.recorder.end()
    encoders.allow_until(future.done)
    assert rig.recorder.close(WAIT_S) is True
    encoders.allow(10**6)
    other = 'lerobot_streamrec.dataset.takes.whole_videos.parse_config_record'
    parsed = replace(rig.config.encoder, crf=20, extra_options={'profile': 'main'})
    monkeypatch.setattr(other, lambda record: parsed)
    caplog.set_level('INFO')
    again = make_rig()
    wait_for(lambda: again.recorder.status().num_saved == 1)
    assert 'is encoded again with the frames that follow it' in caplog.text
    again.sent = rig.sent
    again.check(read_dataset(again.config.root), 0)
