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
"""The seconds before the start of an episode are part of it."""

from __future__ import annotations

from dataclasses import replace
import itertools

from lerobot_streamrec.recording.stream_config import StreamConfig
from numbered_pictures import numbered_frame
import numpy as np
import pytest

FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
SECOND_NS = 10**9
WAIT_S = 120


@pytest.fixture
def rig(make_rig):
    rig = make_rig(preroll_s=2.0)
    rig.run(1)
    rig.try_encoders()
    rig.run(5)
    return rig


def test_row_0_moves_back_and_shows_what_there_was_then(rig, root, read_dataset):
    started_ns = rig.now_ns
    rig.recorder.start()
    assert rig.recorder.status().num_rows == pytest.approx(20, abs=1)
    rig.run(1)
    rig.save()
    before_s = (started_ns - rig.record_of(0)['start_stamp_ns']) / SECOND_NS
    assert before_s == pytest.approx(2.0, abs=0.1)
    dataset = read_dataset(root)
    assert dataset.episodes.loc[0, 'length'] == pytest.approx(30, abs=1)
    rig.check(dataset, 0)


def test_nothing_from_before_the_last_save_is_used_twice(rig, root, read_dataset):
    for pause_s in (0.0, 0.35, 1.0, 3.0):
        rig.recorder.start()
        rig.run(1)
        rig.save()
        rig.run(pause_s)
    rig.recorder.start()
    rig.recorder.discard().result(WAIT_S)
    rig.recorder.start()
    rig.run(0.5)
    rig.save()
    dataset = read_dataset(root)
    instants = []
    for key in (FRONT, TOP):
        numbers = []
        for index in range(5):
            rig.check(dataset, index)
            numbers += rig.shown(dataset, index, key)
        assert numbers == sorted(set(numbers)), key
    for index in range(5):
        instants += rig.instants(dataset, index)
    assert all(one < other for one, other in itertools.pairwise(instants))
    # Where the streams did not pause, no row is missing between two episodes.
    assert rig.instants(dataset, 1)[0] - rig.instants(dataset, 0)[-1] <= 2 * SECOND_NS // 10


def test_pictures_stay_within_their_memory(make_rig, root, read_dataset):
    rig = make_rig(preroll_s=10.0, preroll_mib=1)
    rig.run(1)
    rig.try_encoders()
    size = numbered_frame(0).size_bytes
    # 1 MiB for two cameras.
    num_kept = (1 << 20) // 2 // size
    assert 5 < num_kept < 90
    rig.run(10)
    rig.recorder.start()
    assert rig.recorder.status().num_rows == pytest.approx(num_kept, abs=2)
    rig.run(0.5)
    rig.save()
    rig.check(read_dataset(root), 0)


def test_pictures_of_another_size_are_no_part_of_it(rig, root, read_dataset):
    rig.draw[TOP] = lambda number: numbered_frame(number, height=80)
    rig.run(0.5)
    del rig.draw[TOP]
    rig.run(0.7)
    rig.recorder.start()
    assert rig.recorder.status().num_rows == pytest.approx(7, abs=1)
    rig.run(0.5)
    rig.save()
    rig.check(read_dataset(root), 0)


def test_a_camera_may_be_the_clock(make_rig, root, read_dataset):
    rig = make_rig(preroll_s=2.0, clock=FRONT)
    rig.run(1)
    rig.try_encoders()
    rig.run(3)
    rig.recorder.start()
    rig.run(1)
    rig.save()
    numbers = rig.shown(read_dataset(root), 0, FRONT)
    assert len(numbers) == pytest.approx(30, abs=1)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_latched_stream_and_a_clock_that_is_set_do_not_confuse_it(make_rig, root, read_dataset):
    streams = (
        StreamConfig(FRONT, '/front'),
        StreamConfig(STATE, '/mode', names=('mode',), max_age_s=0.0),
    )
    rig = make_rig(streams=streams, preroll_s=2.0)
    rig.recorder.push_vector(STATE, rig.now_ns, np.array([7.0]))
    rig.run(1, without=[STATE])
    rig.try_encoders()
    rig.run(3, without=[STATE])
    rig.recorder.start()
    rig.run(1, without=[STATE])
    rig.save()
    assert read_dataset(root).vectors(STATE, 0).ravel().tolist() == [7.0] * 30


def test_a_pause_is_not_filled_by_the_time_before_it_ends(rig, root, read_dataset):
    rig.recorder.start()
    rig.run(1)
    rig.recorder.pause()
    rig.run(3)
    rig.recorder.resume()
    rig.run(1)
    rig.save()
    (cut,) = rig.record_of(0)['cuts']
    assert (cut['to_ns'] - cut['from_ns']) / SECOND_NS == pytest.approx(3.1, abs=0.2)
    rig.check(read_dataset(root), 0)


def test_offsets_of_streams_count_in_it(make_rig, with_stream, root, read_dataset):
    streams = tuple(
        replace(one, max_age_s=0.5) if one.key == STATE else one
        for one in with_stream(FRONT, offset_ms=-50.0)
    )
    rig = make_rig(streams=streams, preroll_s=1.0)
    rig.run(1)
    rig.try_encoders()
    rig.run(3)
    rig.recorder.start()
    rig.run(1)
    assert rig.save().episode.num_rows == pytest.approx(20, abs=1)
