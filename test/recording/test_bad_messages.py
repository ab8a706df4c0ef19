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
Messages that do not belong to an episode cannot spoil it, nor the recorder.

Guards against clocks that jump: one foreign stamp must neither close thousands of rows nor leave
the recorder deaf to the right ones; and against a camera that changes under way.
"""

from __future__ import annotations

from lerobot_streamrec.errors import CommitError, EpisodeError, StreamsNotReadyError
from lerobot_streamrec.recording.status import RecorderState
import pytest

FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS


def quarantined_videos(rig):
    folder = rig.config.root / '.streamrec/quarantine'
    return sorted(path.name for path in folder.rglob('*.mp4'))


def test_a_change_of_size_fails_the_episode_with_the_reason(rig, encoders, read_dataset):
    rig.recorder.start()
    rig.run(2)
    for stamp_ns, key in rig.events(1):
        rig.push(key, stamp_ns, **({'height': 96, 'width': 128} if key == TOP else {}))
    rows = rig.recorder.status().num_rows
    failure = f'{TOP} changed from 64x48 to 128x96 pixels'
    assert failure in rig.recorder.status().failure
    rig.run(5)
    assert rig.recorder.status().num_rows == rows, 'a failed episode grows no more'
    for key in (FRONT, TOP):
        encoders.wait_for(key, 10)
    with pytest.raises(EpisodeError, match=f'cannot be saved: {failure}.*quarantine'):
        rig.recorder.save()
    assert rig.recorder.status().state is RecorderState.IDLE
    assert failure in rig.recorder.status().last_result
    rig.recorder.finalize().result(30)
    assert quarantined_videos(rig) == [f'{FRONT}.mp4', f'{TOP}.mp4']
    assert rig.recorder.start() == 0
    rig.run(2)
    rig.save()
    rig.check(read_dataset(rig.config.root), 0)


def test_a_change_of_size_between_two_episodes_is_refused_when_the_first_is_saved(
    rig, encoders, read_dataset
):
    # At the second start the dataset does not know its cameras' sizes yet.
    encoders.is_shut.add(FRONT)
    rig.recorder.start()
    rig.run(1)
    first = rig.recorder.save()
    for _ in range(2):
        for stamp_ns, key in rig.events(1):
            rig.push(key, stamp_ns, **({'height': 96} if key == TOP else {}))
        if not rig.recorder.status().num_rows:
            rig.recorder.start()
    second = rig.recorder.save()
    encoders.open()
    assert first.result(30).episode.episode_index == 0
    with pytest.raises(CommitError, match=rf'{TOP} has shape \(48, 64, 3\).*\(96, 64, 3\) now'):
        second.result(30)
    assert read_dataset(rig.config.root).info['total_episodes'] == 1
    assert quarantined_videos(rig) == [f'{FRONT}.mp4', f'{TOP}.mp4']


def test_a_failed_episode_can_be_discarded(rig):
    rig.recorder.start()
    rig.run(1)
    rig.push(TOP, rig.now_ns, height=96)
    rig.recorder.discard()
    rig.recorder.finalize().result(30)
    assert quarantined_videos(rig) == []


@pytest.mark.parametrize('key', [FRONT, STATE])
def test_a_stamp_an_hour_ahead_closes_no_row(key, rig, read_dataset, caplog):
    rig.recorder.start()
    rig.run(1)
    rows = rig.recorder.status().num_rows
    rig.push(key, rig.now_ns + HOUR_NS)
    rig.sent[key].pop()
    assert rig.recorder.status().num_rows == rows
    rig.run(0.5)
    assert rig.stream(key).counts.rejected == 1
    assert '3600.0 s ahead' in caplog.text
    rig.run(0.5)
    summary = rig.save()
    assert summary.episode.num_rows == rows + 11
    (remark,) = summary.remarks
    assert remark.startswith(f'{key}: 1 message rejected, the last because stamp ')
    assert ' is 3600.0 s ahead of ' in remark
    rig.check(read_dataset(rig.config.root), 0)


@pytest.mark.parametrize('key', [FRONT, STATE])
def test_a_stamp_seconds_ahead_of_streams_that_go_on_closes_no_row(key, rig, read_dataset):
    rig.recorder.start()
    rig.run(1)
    rows = rig.recorder.status().num_rows
    rig.push(key, rig.now_ns + 4 * SECOND_NS)
    rig.sent[key].pop()
    assert rig.recorder.status().num_rows == rows
    rig.run(1)
    summary = rig.save()
    assert summary.episode.num_rows == rows + 11
    (remark,) = summary.remarks
    assert remark.startswith(f'{key}: 1 message rejected, the last because stamp ')
    assert ' is 4.0 s ahead of ' in remark
    rig.check(read_dataset(rig.config.root), 0)


def test_a_pause_of_all_streams_is_recorded_and_told(rig, read_dataset):
    rig.recorder.start()
    rig.run(1)
    rig.now_ns += 4 * SECOND_NS
    rig.run(1)
    summary = rig.save()
    assert summary.episode.num_rows == 60
    assert any('stale' in remark for remark in summary.remarks)
    rig.check(read_dataset(rig.config.root), 0)


def test_a_stamp_an_hour_behind_is_late_and_shown_in_no_row(rig, read_dataset):
    rig.recorder.start()
    rig.run(1)
    number = len(rig.sent[TOP])
    rig.push(TOP, rig.now_ns - HOUR_NS)
    rig.run(1)
    assert rig.save().remarks == (f'{TOP}: 1 message came too late for its row',)
    dataset = read_dataset(rig.config.root)
    rig.check(dataset, 0)
    assert number not in rig.shown(dataset, 0, TOP)


def test_a_stamp_an_hour_ahead_while_idle_is_forgotten(rig, read_dataset):
    rig.push(TOP, rig.now_ns + HOUR_NS)
    rig.sent[TOP].pop()
    with pytest.raises(StreamsNotReadyError, match=rf'{TOP} .* 3600.* ahead of the other streams'):
        rig.recorder.start()
    rig.run(1)
    rig.recorder.start()
    rig.run(1)
    rig.save()
    rig.check(read_dataset(rig.config.root), 0)


def test_samples_after_the_end_are_left_out(rig):
    rig.recorder.start()
    rig.run(1)
    rig.recorder.end().result(30)
    rig.run(1)
    assert rig.recorder.status().state is RecorderState.CLOSED
    assert rig.recorder.close(30)
