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
Closing saves or discards as it was told, waits for the disk, and says whether all is well.

Guards the exit status of the process: it is what a fleet of robots is looked after by.
"""

from __future__ import annotations

from lerobot_streamrec.errors import EpisodeStateError
from lerobot_streamrec.recording.status import RecorderState
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
WAIT_S = 120


def test_closing_saves_the_running_episode(rig, read_dataset):
    rig.recorder.start()
    rig.run(2)
    assert rig.recorder.close(WAIT_S) is True
    rig.check(read_dataset(rig.config.root), 0)


def test_closing_discards_the_running_episode_where_that_is_wanted(make_rig, read_dataset):
    rig = make_rig(on_shutdown='discard')
    rig.run(1)
    rig.recorder.start()
    rig.run(1)
    rig.save()
    rig.recorder.start()
    rig.run(1)
    assert rig.recorder.close(WAIT_S) is True
    assert read_dataset(rig.config.root).info['total_episodes'] == 1
    assert list((rig.config.root / '.streamrec/staging').glob('*')) == []


def test_closing_waits_for_episodes_on_their_way_to_the_disk(rig, encoders, read_dataset):
    encoders.is_shut.add(TOP)
    rig.recorder.start()
    rig.run(1)
    future = rig.recorder.save()
    rig.recorder.start()
    rig.run(1)
    at_the_end = rig.recorder.end()
    assert not future.done()
    encoders.open()
    assert at_the_end.result(WAIT_S).total_episodes == 2
    assert rig.recorder.close(WAIT_S) is True
    dataset = read_dataset(rig.config.root)
    for episode_index in range(2):
        rig.check(dataset, episode_index)


def test_an_episode_without_a_row_is_nothing_lost(rig):
    rig.recorder.start()
    assert rig.recorder.close(WAIT_S) is True
    assert not (rig.config.root / 'meta').exists()


def test_a_running_episode_that_cannot_be_saved_is_something_lost(rig):
    rig.recorder.start()
    rig.run(1)
    rig.push(TOP, rig.now_ns, height=96)
    assert rig.recorder.close(WAIT_S) is False


def test_a_disk_that_does_not_answer_in_time_is_something_lost(rig, encoders):
    encoders.is_shut.add(TOP)
    rig.recorder.start()
    rig.run(1)
    assert rig.recorder.close(0.01) is False
    encoders.open()
    assert rig.recorder.close(WAIT_S) is True


def test_every_verb_is_refused_after_the_end_and_closing_twice_does_no_harm(rig, make_rig):
    rig.recorder.end().result(WAIT_S)
    verbs = (rig.recorder.start, rig.recorder.save, rig.recorder.discard, rig.recorder.finalize)
    for verb in verbs:
        with pytest.raises(EpisodeStateError, match='closed'):
            verb()
    assert rig.recorder.status().state is RecorderState.CLOSED
    assert rig.recorder.close(WAIT_S) is True
    assert rig.recorder.close(WAIT_S) is True
    make_rig()


def test_a_recorder_goes_on_in_the_dataset_of_the_one_before(rig, make_rig, read_dataset):
    rig.recorder.start()
    rig.run(1)
    rig.save()
    rig.recorder.close(WAIT_S)
    again = make_rig(resume=True)
    again.run(1)
    assert again.recorder.start() == 1
    again.run(1)
    again.save()
    again.check(read_dataset(again.config.root), 1)
