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
"""One episode after the other without a lost row, and episodes with a pause in them."""

from __future__ import annotations

import itertools
import shutil

from lerobot_streamrec.errors import (
    EmptyEpisodeError,
    EpisodeError,
    EpisodeStateError,
    StreamsNotReadyError,
)
from lerobot_streamrec.recording.status import RecorderState
from lerobot_streamrec.recording.stream_config import StreamConfig
import pytest
from waiting import wait_for

FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
SECOND_NS = 10**9
BEGIN_NS = 1_800_000_000 * SECOND_NS
WAIT_S = 120


def run_shifted(rig, seconds, shift_ns):
    """Let time go by while all clocks are ahead by as much."""
    for stamp_ns, key in rig.events(seconds):
        rig.steady_ns = stamp_ns - BEGIN_NS
        rig.push(key, stamp_ns + shift_ns)


def rotate(rig, seconds):
    """Record for some time, rotate, and return the result of the save."""
    rig.run(seconds)
    return rig.recorder.rotate().saving.result(WAIT_S)


def test_no_row_and_no_picture_is_lost_between_two_episodes(rig, root, read_dataset):
    rig.recorder.start()
    # Rotations at any phase of the rows.
    for seconds in (0.73, 0.31, 1.0, 0.47, 0.22):
        rotate(rig, seconds)
    rig.run(0.6)
    rig.save()
    dataset = read_dataset(root)
    shown = {key: [] for key in (FRONT, TOP)}
    instants = []
    for index in range(6):
        rig.check(dataset, index)
        instants += rig.instants(dataset, index)
        for key, numbers in shown.items():
            numbers += rig.shown(dataset, index, key)
    # The rows of all episodes together are one grid.
    assert {b - a for a, b in itertools.pairwise(instants)} == {SECOND_NS // 10}
    for key, numbers in shown.items():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), key


def test_rotation_with_a_camera_as_the_clock_uses_every_picture_once(
    make_rig, root, read_dataset
):
    rig = make_rig(clock=FRONT)
    rig.run(1)
    rig.start()
    for seconds in (0.55, 0.8, 0.35):
        rotate(rig, seconds)
    rig.run(0.5)
    rig.save()
    dataset = read_dataset(root)
    numbers = [n for index in range(4) for n in rig.shown(dataset, index, FRONT)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_rotation_tells_what_is_saved_and_what_is_recorded(rig):
    rig.recorder.start()
    rig.run(0.5)
    rotation = rig.recorder.rotate()
    assert rotation.ended == 'episode 0 (5 rows, 0.5 s)'
    assert rotation.index == 1
    assert rotation.saving.result(WAIT_S).episode.episode_index == 0
    status = rig.recorder.status()
    assert (status.state, status.episode_index) == (RecorderState.RECORDING, 1)


def test_the_task_that_was_set_before_a_rotation_is_that_of_the_next_episode(
    rig, root, read_dataset
):
    rig.recorder.start()
    rig.run(0.5)
    rig.recorder.set_task('pour the tea')
    rig.recorder.rotate()
    rig.run(0.5)
    rig.save()
    dataset = read_dataset(root)
    tasks = [list(one) for one in dataset.episodes['tasks']]
    assert tasks == [['pick the cube'], ['pour the tea']]


def test_rotation_does_both_or_neither(rig, root, read_dataset):
    with pytest.raises(EpisodeStateError, match='no episode is being recorded'):
        rig.recorder.rotate()
    rig.recorder.start()
    with pytest.raises(EmptyEpisodeError):
        rig.recorder.rotate()
    rig.run(0.5)
    rig.run(2, without=[TOP])
    with pytest.raises(StreamsNotReadyError, match='top'):
        rig.recorder.rotate()
    assert rig.recorder.status().state is RecorderState.RECORDING
    assert rig.recorder.status().episode_index == 0
    rig.run(0.5)
    rotate(rig, 0.5)
    rig.run(0.5)
    rig.save()
    assert len(read_dataset(root).episodes) == 2


def test_a_failed_episode_is_not_rotated(rig):
    rig.recorder.start()
    rig.run(0.5)
    rig.push(FRONT, rig.now_ns + 1, height=80)
    with pytest.raises(EpisodeError, match=r'cannot be saved: .* changed'):
        rig.recorder.rotate()
    assert rig.recorder.status().state is RecorderState.IDLE


def test_after_a_step_of_the_clocks_the_next_episode_has_their_time(rig, root, read_dataset):
    rig.recorder.start()
    rig.run(1)
    hour_ns = 3600 * SECOND_NS
    run_shifted(rig, 1, hour_ns)
    rig.recorder.rotate().saving.result(WAIT_S)
    run_shifted(rig, 1, hour_ns)
    rig.save()
    dataset = read_dataset(root)
    assert rig.record_of(0)['clock_steps']
    assert not rig.record_of(1)['clock_steps']
    later_s = (rig.record_of(1)['start_stamp_ns'] - rig.record_of(0)['start_stamp_ns']) / SECOND_NS
    assert 3600 < later_s < 3603
    assert list(dataset.episodes['length']) == pytest.approx([20, 10], abs=2)


# --- pauses ------------------------------------------------------------------------------------


def test_a_paused_episode_is_one_episode_without_the_rows_of_the_pause(rig, root, read_dataset):
    rig.recorder.start()
    rig.run(1)
    assert rig.recorder.pause() == 'paused after 10 rows, 1.0 s'
    assert rig.recorder.status().state is RecorderState.PAUSED
    rig.run(3)
    assert rig.recorder.status().num_rows == 10
    assert rig.recorder.resume() == 'recording continues after 10 rows, 1.0 s'
    rig.run(1)
    summary = rig.save()
    dataset = read_dataset(root)
    rows = dataset.episodes.loc[0, 'length']
    assert rows == pytest.approx(20, abs=1)
    assert dataset.vectors('timestamp', 0).ravel() == pytest.approx([k / 10 for k in range(rows)])
    (cut,) = rig.record_of(0)['cuts']
    assert cut['row'] == 10
    assert (cut['to_ns'] - cut['from_ns']) / SECOND_NS == pytest.approx(3.1, abs=0.2)
    assert 's before row 10 are left out, since the episode was paused' in str(summary)
    start_ns = rig.record_of(0)['start_stamp_ns']
    before = [start_ns + row * SECOND_NS // 10 for row in range(10)]
    after = [cut['to_ns'] + row * SECOND_NS // 10 for row in range(rows - 10)]
    for key in (FRONT, TOP, STATE):
        expected = [max(one for one in rig.sent[key] if one[0] <= at)[1] for at in before + after]
        assert rig.shown(dataset, 0, key) == expected, key


def test_an_episode_can_be_saved_discarded_and_rotated_while_paused(rig, root, read_dataset):
    rig.recorder.start()
    rig.run(0.5)
    rig.recorder.pause()
    rig.run(1)
    rig.save()
    assert rig.record_of(0)['cuts'] == []
    rig.recorder.start()
    rig.run(0.5)
    rig.recorder.pause()
    rig.run(1)
    rig.recorder.discard()
    rig.recorder.start()
    rig.run(0.5)
    rig.recorder.pause()
    rig.run(1)
    rig.recorder.rotate()
    assert rig.recorder.status().state is RecorderState.RECORDING
    rig.run(0.5)
    rig.save()
    dataset = read_dataset(root)
    assert len(dataset.episodes) == 3
    for index in range(3):
        rig.check(dataset, index)


def test_verbs_that_do_not_fit_say_what_is_possible(rig):
    with pytest.raises(EpisodeStateError, match='no episode is being recorded'):
        rig.recorder.pause()
    rig.recorder.start()
    rig.run(0.5)
    with pytest.raises(EpisodeStateError, match='not paused: pause, save or discard'):
        rig.recorder.resume()
    rig.recorder.pause()
    with pytest.raises(EpisodeStateError, match='already paused: resume, save or discard'):
        rig.recorder.pause()
    with pytest.raises(EpisodeStateError, match='is already being recorded'):
        rig.recorder.start()
    with pytest.raises(EpisodeStateError, match='save or discard'):
        rig.recorder.undo()


def test_an_episode_does_not_go_on_without_a_stream_or_with_other_pictures(rig):
    rig.recorder.start()
    rig.run(0.5)
    rig.recorder.pause()
    rig.run(2, without=[STATE])
    with pytest.raises(StreamsNotReadyError, match='state'):
        rig.recorder.resume()
    rig.run(0.2)
    rig.push(TOP, rig.now_ns + 1, height=80)
    with pytest.raises(EpisodeStateError, match=r'top changed from .* save or discard'):
        rig.recorder.resume()
    assert rig.recorder.status().state is RecorderState.PAUSED
    rig.run(0.2)
    rig.recorder.resume()
    rig.run(0.5)
    assert rig.save().episode.num_rows == pytest.approx(9, abs=1)


def test_the_first_row_may_come_after_a_pause(rig, root, read_dataset):
    rig.recorder.start()
    rig.recorder.pause()
    rig.run(2)
    with pytest.raises(EmptyEpisodeError):
        rig.recorder.save()
    rig.recorder.resume()
    rig.run(0.5)
    rig.save()
    assert rig.record_of(0)['cuts'] == []
    rig.check(read_dataset(root), 0)


def test_clocks_may_be_set_during_a_pause(rig, root, read_dataset):
    rig.recorder.start()
    rig.run(1)
    rig.recorder.pause()
    rig.run(0.5)
    run_shifted(rig, 1, -100 * SECOND_NS)
    rig.recorder.resume()
    run_shifted(rig, 1, -100 * SECOND_NS)
    rig.save()
    (cut,) = rig.record_of(0)['cuts']
    assert cut['to_ns'] < cut['from_ns']
    assert read_dataset(root).episodes.loc[0, 'length'] == pytest.approx(19, abs=1)


def test_a_pause_with_a_camera_as_the_clock(make_rig, root, read_dataset):
    streams = (StreamConfig(FRONT, '/front'), StreamConfig(STATE, '/s', names=('a', 'b')))
    rig = make_rig(streams=streams, clock=FRONT)
    rig.run(1)
    rig.start()
    rig.run(1)
    rig.recorder.pause()
    rig.run(1)
    rig.recorder.resume()
    rig.run(1)
    rig.save()
    numbers = rig.shown(read_dataset(root), 0, FRONT)
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    # Every picture is one row, and one step is as long as the pause.
    assert sorted(steps)[:-1] == [1] * (len(steps) - 1)
    assert max(steps) == pytest.approx(11, abs=1)


def test_a_crash_does_not_forget_where_an_episode_was_paused(rig, root, make_rig, tmp_path):
    rig.recorder.start()
    rig.run(1)
    rig.recorder.pause()
    rig.run(1)
    rig.recorder.resume()
    rig.run(1)
    folder = next((root / '.streamrec/staging').glob('take-*'))
    wait_for(lambda: '"row": 10' in (folder / 'take.json').read_text())
    wait_for(lambda: not sum(one.queue.num_queued for one in rig.recorder.status().streams))
    crashed = tmp_path / 'crashed'
    shutil.copytree(root, crashed)
    rig.recorder.discard()
    again = make_rig(root=crashed)
    (cut,) = again.record_of(0)['cuts']
    assert cut['row'] == 10
    assert (cut['to_ns'] - cut['from_ns']) / SECOND_NS == pytest.approx(1.1, abs=0.2)
