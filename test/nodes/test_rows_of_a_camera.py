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
"""Rows that follow a camera over real DDS: each of its pictures is one row."""

from __future__ import annotations

from examples.demo.dataset_files import read_instants
from examples.demo.truth import read_truth
from examples.demo.verdict import judge
import pytest
from recorder_rig.datasets import record
from recorder_rig.parameters import FRONT_KEY, FRONT_TOPIC, JOINTS, STATE, STATE_KEY, STATE_TOPIC
from recorder_rig.pictures import NumberedPicture

pytestmark = [pytest.mark.ros]

TOP_KEY, TOP_TOPIC = 'observation.images.top', '/top/image_raw'
TOPICS = {FRONT_KEY: FRONT_TOPIC, TOP_KEY: TOP_TOPIC, STATE_KEY: STATE_TOPIC}
PARAMETERS = {
    **STATE,
    'cameras': ['front', 'top'],
    'camera.front.topic': FRONT_TOPIC,
    'camera.top.topic': TOP_TOPIC,
    'sync.clock': 'front',
    'provenance.per_row': True,
    # The camera has a clock of its own: 29 pictures a second.
    'fps': 30,
}


def test_no_picture_of_the_clock_is_repeated_or_left_out(rig, tmp_path, keep_dataset):
    truth_path = tmp_path / 'truth.jsonl'
    # A camera with a clock in hardware: a busy machine does not make it miss a picture.
    robot = rig.robot(truth_path, is_punctual=True)
    robot.add_camera(FRONT_TOPIC, NumberedPicture(), hz=29)
    robot.add_camera(TOP_TOPIC, NumberedPicture(), hz=15)
    robot.add_joints(STATE_TOPIC, JOINTS)
    robot.start()
    recorder = rig.recorder(PARAMETERS)
    rig.operator().record(num_rows=60)
    assert recorder.end() == 0
    robot.close()
    assert judge(rig.root, truth_path, topics=TOPICS).problems == ()
    streams = record(rig.root, 0)['streams']
    assert streams[FRONT_KEY]['rows_repeated'] == 0
    assert streams[FRONT_KEY]['skew_ms']['max'] == 0
    top = streams[TOP_KEY]
    assert top['rows_repeated'] + top['rows_repeated_by_rate'] >= 25
    # Every picture between the first and the last row is the picture of a row.
    sent = read_truth(truth_path)[FRONT_TOPIC].stamps_ns
    instants = read_instants(rig.root, 0)
    begin = sent.index(instants[0])
    assert instants == list(sent[begin : begin + len(instants)])
    keep_dataset(rig.root)
