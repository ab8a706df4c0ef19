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
Cameras over real DDS that send what does not decode: before, at the beginning and amid an episode.

Guards against demonstrations that are lost because nobody looked at the pictures before: an
episode that cannot be saved is not started, and one damaged picture costs its row and no more.
"""

from __future__ import annotations

from itertools import cycle

from command_line import streamrec
from examples.demo.drawing import read_frame_number
from examples.demo.truth import read_truth
import numpy as np
from packets import encode_packets
from picture_files import jpeg_file
import pytest
from recorder_rig.datasets import assert_whole, pictures, record, total_episodes
from recorder_rig.parameters import FRONT_KEY, JOINTS, STATE, STATE_TOPIC
from recorder_rig.pictures import NumberedFile
from recorder_rig.surroundings import wait_until

pytestmark = [pytest.mark.ros]

TOPIC = '/front/compressed'
SMALL = {**STATE, 'cameras': ['front'], 'camera.front.topic': TOPIC}
FPS = 30
START_TIMEOUT_S = 60
WARN, ERROR = 1, 2


class DamagedFile(NumberedFile):
    """JPEG files that show their number; those that the test chooses lack their end."""

    def __init__(self):
        super().__init__(jpeg_file, 'bgr8; jpeg compressed bgr8')
        self.is_bad = lambda _: False
        self.bad = set()

    def draw(self, number):
        super().draw(number)
        if self.is_bad(number):
            self.bad.add(number)
            del self.message.data[-60:]


@pytest.fixture
def camera(rig, tmp_path):
    """A robot with one JPEG camera, whose files the test may damage."""
    robot = rig.robot(tmp_path / 'truth.jsonl')
    camera = robot.add_camera(TOPIC, DamagedFile())
    robot.add_joints(STATE_TOPIC, JOINTS)
    robot.start()
    camera.robot = robot
    camera.truth_path = tmp_path / 'truth.jsonl'
    return camera


def has_started(operator):
    """Ask for a start; it may be refused if a busy machine has lost the pictures that decode."""
    answer = operator.send('start').answer()
    assert answer.success or 'none of them decodes' in answer.message, answer.message
    return answer.success


def assert_rows(rig, camera, episode_index):
    """Each row shows its picture; one that is damaged shows what the row before does."""
    truth = read_truth(camera.truth_path)[TOPIC]
    start_ns = record(rig.root, episode_index)['start_stamp_ns']
    shown = [read_frame_number(one) for one in pictures(rig.root, FRONT_KEY, episode_index)]
    meant = [truth.newest_at(start_ns + row * 10**9 // FPS) for row in range(len(shown))]
    bad = camera.picture.bad
    before = [shown[0] if meant[0] in bad else None, *shown]
    assert shown == [
        before[row] if number in bad else number for row, number in enumerate(meant)
    ]
    # What row 0 shows instead was among the newest pictures when the episode began.
    assert meant[0] - 6 <= shown[0] <= meant[0]
    assert not bad.intersection(shown)
    num_bad = sum(
        number in bad and (row == 0 or number != meant[row - 1])
        for row, number in enumerate(meant)
    )
    assert record(rig.root, episode_index)['streams'][FRONT_KEY]['rows_undecodable'] == num_bad
    return num_bad


def test_no_episode_starts_while_nothing_of_a_camera_decodes(rig, camera, keep_dataset):
    camera.picture.is_bad = lambda _: True
    rig.recorder(SMALL)
    operator = rig.operator()
    told = operator.wait_for_status(
        lambda one: 'none of them decodes' in one.message, 'the camera is named'
    )
    assert told.level == WARN
    refusal = operator.send('start').fail()
    assert f'{FRONT_KEY} ({TOPIC}) sends pictures, but none of them decodes: mjpeg pict' in refusal
    assert 'its end is missing' in refusal
    assert total_episodes(rig.root) == 0
    camera.picture.is_bad = lambda _: False
    operator.record(num_rows=10)
    camera.robot.close()
    assert_whole(rig.root, num_episodes=1)
    assert assert_rows(rig, camera, 0) == 0
    keep_dataset(rig.root)


@pytest.mark.parametrize('encode', ['streaming', 'deferred'])
def test_damaged_pictures_cost_no_episode_though_the_first_is_one(
    encode, rig, camera, keep_dataset
):
    recorder = rig.recorder({**SMALL, 'encode': encode, 'encode_batch_size': 0})
    operator = rig.operator()
    operator.wait_for_streams()
    for step in (2, 3, 4):
        # One of so many is whole.
        camera.picture.is_bad = lambda number, step=step: number % step
        wait_until(lambda: has_started(operator), START_TIMEOUT_S, 'a start')
        operator.wait_for_rows(20)
        operator.save()
    assert recorder.end() == 0
    camera.robot.close()
    if encode == 'deferred':
        assert total_episodes(rig.root) == 0
        done = streamrec('encode', rig.root)
        assert done.returncode == 0, done.stderr
    assert_whole(rig.root, num_episodes=3)
    assert all(assert_rows(rig, camera, index) >= 5 for index in range(3))
    assert streamrec('check', rig.root).returncode == 0
    keep_dataset(rig.root)


@pytest.mark.parametrize('encode', ['streaming', 'deferred'])
def test_a_camera_that_goes_blind_amid_an_episode_is_told_at_once(encode, rig, camera):
    recorder = rig.recorder({**SMALL, 'encode': encode})
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(10)
    camera.picture.is_bad = lambda _: True
    told = operator.wait_for_status(
        lambda one: 'cannot be decoded any more' in one.message, 'the camera is named'
    )
    assert (told.level, told.values['state']) == (WARN, 'recording')
    assert recorder.log.count('cannot be decoded any more') == 1
    camera.picture.is_bad = lambda _: False
    operator.wait_for_status(lambda one: one.level == 0, 'the camera has recovered')
    assert 'its pictures can be decoded again' in recorder.log
    answer = operator.save()
    assert 'repeated because the pictures that the camera sent could not be decoded' in answer
    operator.send('finalize').succeed()
    assert_whole(rig.root, num_episodes=1)


def test_an_episode_that_fails_says_so_in_the_log_at_that_instant(rig, camera):
    recorder = rig.recorder(SMALL)
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(5)
    small = jpeg_file(np.full((32, 32, 3), 90, np.uint8))
    camera.picture._make_file = lambda _: small
    operator.wait_for_status(lambda one: one.level == ERROR, 'an error in the status')
    assert recorder.log.count('the running episode cannot be saved: ') == 1
    assert 'to 32x32 pixels' in operator.send('save').fail()


def test_a_camera_that_reorders_its_frames_is_refused_before_an_episode(rig):
    noise = np.random.default_rng(0).integers(0, 256, (96, 256, 3), np.uint8)
    moving = [np.ascontiguousarray(noise[:, 2 * k : 2 * k + 128]) for k in range(40)]
    packets = encode_packets(moving, tune='film', bf='2', preset='veryfast')
    files = cycle([one.data for one in packets])
    robot = rig.robot()
    robot.add_camera(TOPIC, NumberedFile(lambda _: next(files), 'h264'))
    robot.add_joints(STATE_TOPIC, JOINTS)
    robot.start()
    rig.recorder(SMALL)
    operator = rig.operator()
    operator.wait_for_status(lambda one: 'B-frames' in one.message, 'the camera is named')
    refusal = operator.send('start').fail()
    assert f'{FRONT_KEY} ({TOPIC}) sends packets that cannot be recorded' in refusal
    assert 'turn off B-frames in the camera' in refusal
