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
`init` and `doctor` say of a bag what they say of the graph that was recorded in it.

Guards against choices for bags that differ from those for a running robot.
"""

from __future__ import annotations

import threading
import time

import pytest

pytest.importorskip('rosbags', reason='bags need rosbags')

from bags import write_bag
from lerobot_streamrec.fleet.bag_look import BagLook
from lerobot_streamrec.live.init import propose_file
from lerobot_streamrec.nodes.graph.distributions import make_executor
from picture_files import jpeg_file
from recorder_rig.examining import examine, problems_in
from recorder_rig.parameters import JOINTS
from recorder_rig.pictures import NumberedFile, Picture, quadrants
from recorder_rig.surroundings import NeverStop, wait_until
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Float64MultiArray
import yaml

pytestmark = [pytest.mark.ros]

TOPICS = {
    '/camera/front/image_raw': Image,
    '/wrist_cam/image_raw/compressed': CompressedImage,
    '/joint_states': JointState,
    '/arm_controller/commands': Float64MultiArray,
}
SECONDS = 2
ZERO = QosTime(0, 0)
RELIABLE = Qos(
    QosHistory.KEEP_LAST,
    1,
    QosReliability.RELIABLE,
    QosDurability.VOLATILE,
    ZERO,
    ZERO,
    QosLiveliness.AUTOMATIC,
    ZERO,
    False,
)


class BagRecorder:
    """Keeps the messages of topics, in a thread of its own."""

    def __init__(self, node, context):
        self.messages = []
        for topic, kind in TOPICS.items():
            node.create_subscription(kind, topic, self._keeper(topic, kind), 100, raw=True)
        self._executor = make_executor(context)
        self._executor.add_node(node)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name='bag_recorder')

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
        self._executor.shutdown()

    def has_all(self):
        return {topic for topic, *_ in list(self.messages)} == set(TOPICS)

    def _keeper(self, topic, kind):
        name = f'{kind.__module__.partition(".")[0]}/msg/{kind.__name__}'
        return lambda data: self.messages.append((topic, name, time.time_ns(), bytes(data)))

    def _run(self):
        while not self._is_over.is_set():
            self._executor.spin_once(timeout_sec=0.1)


@pytest.fixture
def recorded(rig, ros_context, tmp_path):
    """Return the live parameter file of a robot, and the bag of its messages."""
    robot = rig.robot(is_punctual=True)
    robot.add_camera('/camera/front/image_raw', Picture(quadrants(), 'bgr8'))
    wrist = NumberedFile(lambda _: jpeg_file(quadrants(96, 64)), 'rgb8; jpeg compressed bgr8')
    robot.add_camera('/wrist_cam/image_raw/compressed', wrist)
    robot.add_joints('/joint_states', JOINTS)
    robot.add_array('/arm_controller/commands', len(JOINTS))
    file = tmp_path / 'live.yaml'
    with BagRecorder(rig.robot(name='bag_recorder').node, ros_context) as recorder:
        robot.start()
        wait_until(recorder.has_all, 60.0, 'a message of every topic')
        options = {'fps': None, 'force': False, 'ros_arguments': (), 'stop': NeverStop()}
        propose_file(file, seconds=SECONDS, **options)
        text = file.read_text().replace('~/datasets/my_dataset', str(tmp_path / 'dataset'))
        report = examine(tmp_path, text, seconds=SECONDS)
    qos = {topic: [RELIABLE] for topic in TOPICS}
    bag = write_bag(tmp_path / 'drive', recorder.messages, qos=qos)
    return file, report, bag


def test_a_bag_is_judged_as_the_graph_that_was_recorded_in_it(recorded, tmp_path):
    file, live, bag = recorded
    look = BagLook(bag, 600.0, '/')
    look.write(tmp_path / 'bag.yaml', look.propose(None), force=False)
    assert yaml.safe_load((tmp_path / 'bag.yaml').read_text()) == yaml.safe_load(file.read_text())

    report = BagLook(bag, 600.0, '/').examine(tmp_path / 'robot.yaml', None)
    assert len(report.topics) == len(TOPICS)
    for one, other in zip(report.topics, live.topics, strict=True):
        assert problems_in(one.remarks) == problems_in(other.remarks) == []
        facts = ('parameter', 'topic', 'message_type', 'types', 'encoding', 'width', 'height')
        for fact in facts:
            assert getattr(one.seen, fact) == getattr(other.seen, fact)
        assert one.seen.heard.stamps is other.seen.heard.stamps
        assert list(one.seen.values) == list(other.seen.values)
        offered, shown = one.seen.offered, other.seen.offered
        assert [text.partition(': ')[2] for text in offered + shown] == ['RELIABLE, VOLATILE'] * 2
