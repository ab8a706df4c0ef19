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
"""Depth over real DDS: a device with colour and depth, and the compressedDepth transport."""

from __future__ import annotations

import struct

from depth_pictures import rvl
from examples.demo.verdict import judge
from lerobot_streamrec.dataset.check.check import check_dataset
import pytest
from recorder_rig.datasets import columns
from recorder_rig.parameters import JOINTS, STATE, STATE_KEY, STATE_TOPIC
from recorder_rig.pictures import millimetres, NumberedDepth, NumberedFile, NumberedPicture

pytestmark = [pytest.mark.ros]

FRONT, DEPTH = 'observation.images.front', 'observation.images.front_depth'
METRES, SIDE = 'observation.images.metres', 'observation.images.side_depth'
TOPICS = {
    FRONT: '/front/image_raw',
    DEPTH: '/front/depth/image_rect_raw',
    METRES: '/simulated/depth',
    SIDE: '/side/depth/compressedDepth',
    STATE_KEY: STATE_TOPIC,
}
PARAMETERS = {
    **STATE,
    'fps': 20,
    'cameras': ['front', 'front_depth', 'metres', 'side_depth'],
    'camera.front.topic': TOPICS[FRONT],
    'camera.front_depth.topic': TOPICS[DEPTH],
    'camera.front_depth.depth': True,
    'camera.metres.topic': TOPICS[METRES],
    'camera.metres.depth': True,
    'camera.metres.depth_use_log': False,
    'camera.side_depth.topic': '/side/depth',
    'camera.side_depth.transport': 'compressed',
    'camera.side_depth.depth': True,
}


def compressed(rgb):
    levels = millimetres(rgb)
    height, width = levels.shape
    return struct.pack('<iffii', 0, 0.0, 0.0, width, height) + rvl(levels)


def test_every_row_shows_the_depth_that_it_should(rig, tmp_path, keep_dataset):
    truth_path = tmp_path / 'truth.jsonl'
    robot = rig.robot(truth_path)
    device = robot.add_camera(TOPICS[FRONT], NumberedPicture(), hz=20)
    robot.add_partner(device, TOPICS[DEPTH], NumberedDepth())
    robot.add_camera(TOPICS[METRES], NumberedDepth('32FC1'), hz=15)
    side = NumberedFile(compressed, '16UC1; compressedDepth rvl')
    robot.add_camera(TOPICS[SIDE], side, hz=8)
    robot.add_joints(STATE_TOPIC, JOINTS)
    robot.start()
    recorder = rig.recorder(PARAMETERS)
    operator = rig.operator()
    operator.record(num_rows=25)
    operator.record(num_rows=10)
    assert recorder.end() == 0
    robot.close()
    verdict = judge(rig.root, truth_path, topics=TOPICS)
    assert verdict.problems == ()
    assert len(verdict.episodes) == 2
    assert not check_dataset(rig.root).findings
    assert len(columns(rig.root, 0)['frame_index']) >= 25
    keep_dataset(rig.root)


def test_colours_on_a_depth_camera_and_depth_on_one_of_colours_say_what_to_set(rig):
    robot = rig.robot()
    robot.add_camera('/colour', NumberedPicture(), hz=10)
    robot.add_camera('/depth', NumberedDepth(), hz=10)
    robot.start()
    rig.recorder(
        {
            'cameras': ['one', 'other'],
            'camera.one.topic': '/colour',
            'camera.one.depth': True,
            'camera.other.topic': '/depth',
        }
    )
    robot.wait_for_recorder()
    status = rig.operator().wait_for_status(
        lambda status: 'is not depth' in str(status) and 'is depth by' in str(status),
        'both complaints',
    )
    assert "'rgb8' is not depth, but camera.one.depth is true" in str(status)
    assert "'16UC1' is depth by REP 118: set camera.other.depth: true" in str(status)
