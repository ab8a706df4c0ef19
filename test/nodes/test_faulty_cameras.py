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
"""Cameras that send what cannot be recorded, change their mind, or stop."""

from __future__ import annotations

import re

import pytest
from recorder_rig.datasets import assert_whole, record, total_episodes
from recorder_rig.parameters import FRONT_KEY, JOINTS, SMALL, STATE
from recorder_rig.pictures import Picture, quadrants

pytestmark = [pytest.mark.ros]

ERROR = 2


def test_an_unknown_encoding_is_named_and_the_recorder_goes_on(rig):
    _, camera = rig.small_robot(picture=Picture(quadrants(), '32FC1'))
    recorder = rig.recorder(SMALL)
    operator = rig.operator()
    operator.wait_for_status(lambda one: "'32FC1'" in one.message, 'the encoding is named')
    refusal = operator.send('start').fail()
    assert f'{FRONT_KEY} (/front/image_raw) is missing' in refusal
    assert "image encoding '32FC1' is depth by REP 118" in refusal
    assert 'set camera.front.depth: true' in refusal
    assert 'supported are rgb8, bgr8, mono8, rgba8, bgra8' in refusal
    assert "/front/image_raw: image encoding '32FC1'" in recorder.log

    camera.picture = Picture(quadrants(), 'bgr8')
    operator.record(num_rows=5)
    assert_whole(rig.root, num_episodes=1)


def test_a_wrong_encoding_inside_an_episode_is_counted(rig):
    _, camera = rig.small_robot()
    rig.recorder(SMALL)
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(5)
    right, camera.picture = camera.picture, Picture(quadrants(), '8SC3')
    operator.wait_for_status(lambda one: int(one.values['repeated_frames']) >= 5, 'repeats')
    camera.picture = right
    answer = operator.save()
    told = re.search(rf'{FRONT_KEY}: (\d+) messages rejected', answer)
    assert told, answer
    counts = record(rig.root, 0)['streams'][FRONT_KEY]
    assert counts['rejected'] == int(told[1]) >= 5
    assert counts['rows_repeated'] >= 5
    assert_whole(rig.root, num_episodes=1)


def test_another_size_inside_an_episode_fails_that_episode_alone(rig):
    _, camera = rig.small_robot()
    rig.recorder(SMALL)
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(5)
    camera.picture = Picture(quadrants(80, 64))
    status = operator.wait_for_status(lambda one: one.level == ERROR, 'an error in the status')
    assert '64x48' in status.message
    assert '80x64' in status.message
    refusal = operator.send('save').fail()
    assert f'{FRONT_KEY} changed from 64x48 to 80x64 pixels' in refusal
    assert 'quarantine' in refusal
    assert total_episodes(rig.root) == 0
    # Nothing was saved yet, so the next episode may have any size.
    assert 'episode 0: ' in operator.record(num_rows=5)
    assert_whole(rig.root, num_episodes=1)
    # What there was of the failed one is not deleted.
    assert list((rig.root / '.streamrec' / 'quarantine').rglob('*.mp4'))


def test_another_size_than_the_dataset_has_is_refused_at_the_start(rig):
    _, camera = rig.small_robot()
    rig.recorder(SMALL)
    operator = rig.operator()
    operator.record(num_rows=5)
    operator.start()
    operator.wait_for_rows(2)
    camera.picture = Picture(quadrants(80, 64))
    operator.wait_for_status(lambda one: one.level == ERROR, 'an error in the status')
    assert '64x48 to 80x64' in operator.send('save').fail()
    refusal = operator.send('start').fail()
    assert FRONT_KEY in refusal
    assert '(48, 64, 3) in the dataset, (64, 80, 3) now' in refusal

    camera.picture = Picture(quadrants())
    operator.wait_for_status(lambda one: int(one.values['rows']) == 0, 'new pictures')
    assert 'episode 1: ' in operator.record(num_rows=5)
    assert_whole(rig.root, num_episodes=2)


def test_a_stalled_camera_is_repeated_counted_and_named(rig, keep_dataset):
    robot = rig.robot()
    names = ('front', 'top')
    cameras = [robot.add_camera(f'/{name}/image_raw', Picture(quadrants())) for name in names]
    robot.add_joints('/joint_states', JOINTS)
    robot.start()
    topics = {f'camera.{name}.topic': f'/{name}/image_raw' for name in names}
    rig.recorder({**STATE, **topics, 'cameras': list(names), 'camera.front.max_age_s': 0.4})
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(10)
    cameras[0].is_stalled = True
    stalled = operator.wait_for_status(
        lambda one: f'{FRONT_KEY} (/front/image_raw) is stale' in one.message
        and int(one.values['repeated_frames']) > 25,
        'the camera is named as stale',
    )
    assert stalled.values['state'] == 'recording'
    answer = operator.save()
    repeated = int(re.search(r', (\d+) repeated frames', answer)[1])
    remark = rf'{FRONT_KEY} was stale in (\d+) rows \(oldest sample (\d\.\d+) s\)'
    stale = re.search(remark, answer)
    assert stale, answer
    counts = record(rig.root, 0)['streams']
    assert counts[FRONT_KEY]['rows_repeated'] > 25
    assert counts[FRONT_KEY]['rows_stale'] == int(stale[1]) > 10
    assert float(stale[2]) > 0.8
    assert counts['observation.images.top']['rows_stale'] == 0
    assert repeated == sum(one['rows_repeated'] for one in counts.values())
    assert_whole(rig.root, num_episodes=1)

    refusal = operator.send('start').fail()
    assert f'{FRONT_KEY} (/front/image_raw) is stale: its last sample arrived' in refusal
    cameras[0].is_stalled = False
    operator.record(num_rows=5)
    assert_whole(rig.root, num_episodes=2)
    keep_dataset(rig.root)
