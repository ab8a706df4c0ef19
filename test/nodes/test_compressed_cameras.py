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
"""JPEG, PNG and H.264 cameras of all message types over real DDS: every row shows its picture."""

from __future__ import annotations

from examples.demo.verdict import judge
from lerobot_streamrec.settings.transports import FFMPEG_TYPE, VIDEO_TYPE
from packets import LivePackets
from picture_files import jpeg_file, png_file
import pytest
from recorder_rig.parameters import JOINTS, STATE, STATE_KEY, STATE_TOPIC
from recorder_rig.pictures import NumberedFile, NumberedPacket

pytestmark = [pytest.mark.ros]

TOPICS = {
    'observation.images.front': '/front/image_raw/compressed',
    'observation.images.top': '/top/compressed',
    'observation.images.wrist': '/wrist/compressed',
    'observation.images.left': '/left/image_raw/ffmpeg',
    'observation.images.right': '/right/video',
    STATE_KEY: STATE_TOPIC,
}
PARAMETERS = {
    **STATE,
    'cameras': ['front', 'top', 'wrist', 'left', 'right'],
    'camera.front.topic': '/front/image_raw',
    'camera.front.transport': 'compressed',
    # The compressed topic itself.
    'camera.top.topic': '/top/compressed',
    'camera.wrist.topic': '/wrist/compressed',
    # Packets in message types that are not installed here.
    'camera.left.topic': '/left/image_raw',
    'camera.right.topic': '/right/video',
}


def test_numbers_stand_in_their_rows(rig, tmp_path, keep_dataset):
    truth_path = tmp_path / 'truth.jsonl'
    robot = rig.robot(truth_path)
    jpeg = NumberedFile(jpeg_file, 'bgr8; jpeg compressed bgr8')
    robot.add_camera(TOPICS['observation.images.front'], jpeg)
    robot.add_camera(TOPICS['observation.images.top'], NumberedFile(png_file, 'rgb8; png'), hz=20)
    robot.add_camera(TOPICS['observation.images.wrist'], NumberedFile(LivePackets(), 'h264'))
    left = NumberedPacket(FFMPEG_TYPE, 'h264;yuv420p;bgr8;bgr8')
    robot.add_camera(TOPICS['observation.images.left'], left)
    right = NumberedPacket(VIDEO_TYPE, 'h264')
    robot.add_camera(TOPICS['observation.images.right'], right)
    robot.add_joints(STATE_TOPIC, JOINTS)
    robot.start()
    recorder = rig.recorder(PARAMETERS)
    operator = rig.operator()
    operator.record(num_rows=45)
    answer = operator.record(num_rows=15)
    assert 'could not be decoded' not in answer
    assert recorder.end() == 0
    # The topic that is read, and not the one that was set.
    assert TOPICS['observation.images.left'] in recorder.log
    robot.close()
    verdict = judge(rig.root, truth_path, topics=TOPICS)
    assert verdict.problems == ()
    assert len(verdict.episodes) == 2
    keep_dataset(rig.root)
