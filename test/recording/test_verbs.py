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
start, save, discard, finalize: what each does, when it is refused, and what is left after it.

Guards promises 2 and 3 at the operator's side: a refused verb changes nothing, a save is what it
says, and the next episode need not wait for it.
"""

from __future__ import annotations

import gc
import threading

from lerobot_streamrec.errors import EmptyEpisodeError, EpisodeStateError
from lerobot_streamrec.recording.status import RecorderState
from lerobot_streamrec.video.codecs.config import EncoderConfig
import pytest

FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
SECOND_NS = 10**9
WAIT_S = 120


def test_without_an_episode_there_is_nothing_to_save_or_discard(rig):
    for verb in (rig.recorder.save, rig.recorder.discard):
        with pytest.raises(EpisodeStateError, match='call start first'):
            verb()
    assert rig.recorder.start() == 0


def test_a_save_before_the_first_row_is_refused_and_the_episode_goes_on(rig, read_dataset):
    rig.recorder.start()
    with pytest.raises(EmptyEpisodeError, match='no complete row'):
        rig.recorder.save()
    assert rig.recorder.status().state is RecorderState.RECORDING
    rig.run(1)
    rig.save()
    rig.check(read_dataset(rig.config.root), 0)


def test_a_discarded_episode_leaves_nothing(rig, read_dataset):
    rig.recorder.start()
    rig.run(2)
    rows = rig.recorder.status().num_rows
    discarded = rig.recorder.discard().result(WAIT_S)
    assert discarded == f'discarded {rows} rows, {rows / 10:.1f} s'
    info = rig.recorder.finalize().result(WAIT_S).info
    assert info.total_episodes == 0
    left = [path for path in rig.config.root.rglob('*') if path.suffix in ('.mp4', '.parquet')]
    assert left == []
    assert rig.recorder.start() == 0
    rig.run(1)
    rig.save()
    rig.check(read_dataset(rig.config.root), 0)


@pytest.mark.parametrize('seconds', [0.2, 4])
def test_a_discarded_episode_is_no_error_of_its_encoder(seconds, make_rig, capfd):
    """SVT-AV1 prints one, past every log, if it is closed before it was told of an end."""
    rig = make_rig(encoder=EncoderConfig('libsvtav1'))
    rig.run(1)
    rig.recorder.start()
    rig.run(seconds)
    rig.recorder.discard().result(WAIT_S)
    assert rig.recorder.close(WAIT_S)
    gc.collect()
    printed = capfd.readouterr()
    assert 'Svt[' not in printed.err + printed.out


def test_an_episode_without_a_row_can_be_discarded(rig):
    rig.recorder.start()
    rig.recorder.discard().result(WAIT_S)
    rig.recorder.finalize().result(WAIT_S)
    assert list((rig.config.root / '.streamrec/staging').glob('*')) == []


def test_finalize_waits_for_all_that_was_saved_and_recording_may_go_on(rig, read_dataset):
    futures = []
    for _ in range(3):
        rig.recorder.start()
        rig.run(1)
        futures.append(rig.recorder.save())
    info = rig.recorder.finalize().result(WAIT_S).info
    assert all(future.done() for future in futures)
    assert (info.total_episodes, rig.recorder.status().num_pending) == (3, 0)
    assert rig.recorder.start() == 3
    rig.run(1)
    rig.save()
    assert read_dataset(rig.config.root).info['total_episodes'] == 4


def test_finalize_is_refused_while_an_episode_is_recorded(rig):
    rig.recorder.start()
    with pytest.raises(EpisodeStateError, match='save or discard it first'):
        rig.recorder.finalize()
    rig.run(1)
    assert rig.save().episode.episode_index == 0


def test_an_episode_that_starts_right_after_a_save_loses_no_picture(rig, encoders, read_dataset):
    # Nothing of the first episode has been encoded when the second one starts.
    encoders.is_shut |= {FRONT, TOP}
    rig.recorder.start()
    rig.run(2)
    first = rig.recorder.save()
    newest = {key: sent[-1][1] for key, sent in rig.sent.items()}
    assert rig.recorder.start() == 1
    rig.run(2)
    assert not first.done()
    encoders.open()
    second = rig.recorder.save()
    assert first.result(WAIT_S).episode.episode_index == 0
    assert second.result(WAIT_S).episode.episode_index == 1
    dataset = read_dataset(rig.config.root)
    for episode_index in range(2):
        rig.check(dataset, episode_index)
    for key in (FRONT, TOP):
        shown = rig.shown(dataset, 1, key)
        assert shown[0] in (newest[key], newest[key] + 1)
        assert shown == list(range(shown[0], shown[0] + len(shown)))


def test_messages_from_before_an_episode_are_not_late_in_it(make_rig, with_stream):
    rig = make_rig(streams=with_stream(TOP, max_age_s=0))
    rig.run(1)
    rig.recorder.start()
    delayed = [stamp for stamp, key in rig.events(2) if key == TOP]
    rig.now_ns -= 2 * SECOND_NS
    rig.run(2, without=[TOP])
    rig.save()
    rig.recorder.start()
    for stamp_ns in delayed:
        rig.push(TOP, stamp_ns)
    rig.run(1)
    assert rig.save().remarks == ()


def test_episodes_are_numbered_in_the_order_of_their_saves(rig, encoders, read_dataset):
    rig.recorder.set_task('first')
    encoders.is_shut.add(FRONT)
    rig.recorder.start()
    rig.run(1)
    first = rig.recorder.save()
    # The second episode's encoders are through long before those of the first.
    encoders.is_shut.clear()
    rig.recorder.set_task('second')
    rig.recorder.start()
    rig.run(1)
    second = rig.recorder.save()
    assert rig.recorder.status().num_pending == 2
    encoders.open()
    assert second.result(WAIT_S).episode.episode_index == 1
    assert first.result(0).episode.episode_index == 0
    dataset = read_dataset(rig.config.root)
    assert dataset.episodes['tasks'].str.join('').tolist() == ['first', 'second']
    for episode_index in range(2):
        rig.check(dataset, episode_index)


def test_too_many_episodes_on_their_way_to_the_disk_hold_up_the_next_start(make_rig, encoders):
    rig = make_rig(max_pending_episodes=2)
    rig.run(1)
    encoders.is_shut.add(FRONT)
    pending = []
    for _ in range(2):
        rig.recorder.start()
        rig.run(0.5)
        pending.append(rig.recorder.save())
    with pytest.raises(EpisodeStateError, match=r'2 episodes.*max_pending_episodes is 2'):
        rig.recorder.start()
    encoders.open()
    for future in pending:
        future.result(WAIT_S)
    assert rig.recorder.start() == 2


def test_the_index_of_the_next_episode_is_right_while_one_is_being_committed(rig, monkeypatch):
    is_durable, may_go_on = threading.Event(), threading.Event()

    def remove(writer, folder):
        # The episode counts from here on, but its save has not been answered yet.
        is_durable.set()
        assert may_go_on.wait(WAIT_S)

    monkeypatch.setattr('lerobot_streamrec.dataset.commit.writer.DatasetWriter.remove', remove)
    rig.recorder.start()
    rig.run(0.5)
    future = rig.recorder.save()
    try:
        assert is_durable.wait(WAIT_S)
        assert rig.recorder.start() == 1
    finally:
        may_go_on.set()
        future.result(WAIT_S)


def test_the_task_of_an_episode_is_that_of_its_start(rig, read_dataset):
    rig.recorder.start()
    rig.recorder.set_task('the next one')
    rig.run(1)
    assert rig.recorder.status().task == 'pick the cube'
    rig.save()
    assert rig.recorder.status().task == 'the next one'
    assert read_dataset(rig.config.root).tasks.index.tolist() == ['pick the cube']


def test_the_status_tells_what_is_going_on(rig):
    status = rig.recorder.status()
    assert (status.state, status.episode_index, status.num_saved) == (RecorderState.IDLE, 0, 0)
    assert [one.problem for one in status.streams] == ['', '', '']
    rates = [one.rate_hz for one in status.streams]
    assert rates == pytest.approx([10, 10, 50])
    rig.recorder.start()
    rig.run(2)
    status = rig.recorder.status()
    assert status.state is RecorderState.RECORDING
    assert (status.num_rows, status.seconds, status.failure) == (19, 1.9, '')
    assert [one.counts.received for one in status.streams] == [20, 20, 100]
    summary = rig.save()
    status = rig.recorder.status()
    assert (status.num_saved, status.episode_index, status.num_rows) == (1, 1, 0)
    assert status.last_result == f'saved {summary}'
    assert [one.counts.received for one in status.streams] == [30, 30, 150]
