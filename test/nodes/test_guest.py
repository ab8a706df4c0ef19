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
The recorder as a guest in somebody's graph, over real DDS.

Guards against names that are taken for a driver's, parameters that nobody can read, another
recorder that obeys the same call, and noise in other people's logs.
"""

from __future__ import annotations

import re
import signal

from lerobot_streamrec.live.doctor import diagnose
from lerobot_streamrec.live.init import propose_file
import pytest
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.qos import QoSProfile, ReliabilityPolicy
from recorder_rig.datasets import assert_whole, columns, total_episodes
from recorder_rig.operator import LATCHED
from recorder_rig.parameters import FRONT_KEY, JOINTS, SMALL, STATE_KEY, STATE_TOPIC
from recorder_rig.pictures import Picture, quadrants
from recorder_rig.surroundings import DISCOVERY_TIMEOUT_S, NeverStop, wait_until
from std_msgs.msg import String
import yaml

pytestmark = [pytest.mark.ros]

VOLATILE = QoSProfile(depth=1)
NAMESAKE = 'another recorder is called /episode (process '
GONE_S = 90.0

TWO_ROBOTS = """
/**/episode:
  ros__parameters:
    cameras: [front]
    camera: {front: {topic: front/image_raw}}
    state:
      topic: joint_states
      type: sensor_msgs/msg/JointState
      names: [shoulder, elbow, gripper]
"""


def path_with(path, **settings):
    """Return a parameter file that says more than another one."""
    more = ''.join(f'    {name}: {value}\n' for name, value in settings.items())
    other = path.with_name('more.yaml')
    other.write_text(f'{path.read_text()}{more}    root: {path.with_name("nowhere")}\n')
    return other


def nodes_of(operator, namespace):
    """Return the names of the nodes in a namespace."""
    there = operator.node.get_node_names_and_namespaces()
    return {name for name, where in there if where == namespace}


def test_helpers_are_named_after_the_main_node_and_offer_nothing(rig):
    robot = rig.robot()
    robot.add_camera('/cam/pixels', Picture(quadrants()))
    robot.add_joints('/arm/joints', JOINTS)
    robot.start()
    # As a launch file with Node(name=, namespace=, remappings=) would.
    rules = ('__node:=recorder', '__ns:=/arm', '/front/image_raw:=/cam/pixels')
    arguments = [word for rule in rules for word in ('-r', rule)]
    recorder = rig.launch({**SMALL, 'state.topic': 'joints'}, '--ros-args', *arguments)
    recorder.wait_until_ready()
    operator = rig.operator(recorder='/arm/recorder')
    helpers = {'recorder_camera_front', 'recorder_robot', 'recorder_state'}
    wait_until(
        lambda: nodes_of(operator, '/arm') == {'recorder', *helpers},
        DISCOVERY_TIMEOUT_S,
        lambda: f'the nodes, of {operator.node.get_node_names_and_namespaces()}',
    )
    for name in helpers:
        assert operator.node.get_service_names_and_types_by_node(name, '/arm') == []
        published = operator.node.get_publisher_names_and_types_by_node(name, '/arm')
        assert '/rosout' not in dict(published)
    # Remappings and the namespace hold for topics.
    operator.record(num_rows=10)
    assert recorder.end() == 0
    assert_whole(rig.root, 1)


def test_all_parameters_can_be_read_and_written_down(rig, tmp_path):
    rig.small_robot()
    recorder = rig.recorder(SMALL)
    operator = rig.operator()
    names = operator.parameter_names()
    values = operator.get_parameters(names)
    assert values['state.names'] == list(JOINTS)
    # Nobody has set these lists.
    assert values['features'] == values['action.parts'] == values['state.selectors'] == ['']
    assert None not in values.values()
    assert recorder.end() == 0
    # What `ros2 param dump` writes can be started with.
    path = tmp_path / 'dumped.yaml'
    path.write_text(yaml.safe_dump({'/episode': {'ros__parameters': values}}))
    again = rig.launch({'resume': True}, '--ros-args', '--params-file', str(path))
    again.wait_until_ready()
    operator.wait_for_recorder()
    assert operator.get_parameters(names) == {**values, 'resume': True}


@pytest.mark.parametrize('end', [signal.SIGINT, signal.SIGKILL], ids=['ended', 'killed'])
def test_two_recorders_of_one_name_both_refuse_to_start(rig, end):
    rig.small_robot()
    first = rig.recorder(SMALL)
    operator = rig.operator()
    operator.record(num_rows=5)
    other_root = rig.folder / 'other'
    second = rig.launch(SMALL, root=other_root)
    wait_until(
        lambda: NAMESAKE in first.log and NAMESAKE in second.log,
        GONE_S,
        lambda: f'both notice:\n{first.log}\n{second.log}',
    )
    assert f'{NAMESAKE}{second.pid} on ' in first.log
    assert f'{NAMESAKE}{first.pid} on ' in second.log
    # Whichever of the two answers, to whatever is asked.
    for verb in ('start', 'undo', 'finalize', 'save', 'discard'):
        assert NAMESAKE in operator.send(verb).fail()
    assert total_episodes(rig.root) == 1
    settings = {'root': str(rig.folder / 'nowhere'), 'task': 'look', 'features': ['']}
    path = rig.folder / 'looked_at.yaml'
    path.write_text(yaml.safe_dump({'/**/episode': {'ros__parameters': {**SMALL, **settings}}}))

    def is_found():
        report = diagnose(path, seconds=1.0, pictures=None, ros_arguments=(), stop=NeverStop())
        return any('2 recorders are called /episode' in one.remark.text for one in report.checks)

    # On a busy machine a second may not suffice to discover both.
    wait_until(is_found, GONE_S, 'the doctor finds both')
    status = operator.wait_for_status(lambda one: NAMESAKE in one.message, 'a warning')
    assert status.level == 1
    assert status.values['state'] == 'idle'
    second.send(end)
    second.wait()
    operator.wait_for_status(lambda one: NAMESAKE not in one.message, 'alone', GONE_S)
    operator.record(num_rows=5)
    assert total_episodes(rig.root) == 2
    assert total_episodes(other_root) == 0


def test_two_that_are_started_together_find_each_other_before_they_start(rig):
    rig.small_robot()
    folders = [rig.folder / name for name in ('one', 'other')]
    for folder in folders:
        rig.launch(SMALL, root=folder, is_forked=False)
    # The caller may have found both before they have found each other.
    operators = [rig.operator(folder) for folder in folders]
    for operator in operators:
        assert NAMESAKE in operator.send('start').fail()
    for operator in operators:
        status = operator.wait_for_status(lambda one: NAMESAKE in one.message, 'a warning')
        assert status.values['state'] == 'idle'
        assert status.values['rows'] == '0'


def test_a_recorder_that_is_started_again_at_once_records(rig):
    rig.small_robot()
    first = rig.recorder(SMALL)
    rig.operator().record(num_rows=5)
    first.send(signal.SIGKILL)
    first.wait()
    second = rig.launch({**SMALL, 'resume': True}, is_forked=False)
    second.wait_until_ready()
    rig.operator().record(num_rows=5)
    assert NAMESAKE not in second.log
    assert total_episodes(rig.root) == 2


def test_a_task_is_heard_without_noise_logged_and_shown(rig):
    rig.small_robot()
    # A rig of its own has no operator before there is a recorder.
    speaker = rig.robot(name='speaker').node
    complaints = []
    events = PublisherEventCallbacks(incompatible_qos=complaints.append)

    def publish(task, qos):
        publisher = speaker.create_publisher(String, '/episode/task', qos, event_callbacks=events)
        if qos is not LATCHED:
            wait_until(publisher.get_subscription_count, DISCOVERY_TIMEOUT_S, 'a reader')
        publisher.publish(String(data=task))
        return publisher

    before = publish('Said before', LATCHED)
    recorder = rig.recorder({**SMALL, 'task': ''})
    operator = rig.operator()

    def is_heard(task):
        operator.wait_for_status(lambda one: one.values['task'] == task, task)
        assert operator.get_parameters(['task']) == {'task': task}
        assert f"task is '{task}' from the next episode on" in recorder.log

    is_heard('Said before')
    speaker.destroy_publisher(before)
    publishers = []
    for task, qos in (
        ('Said once', VOLATILE),
        ('Said again', VOLATILE),
        ('Said for good', LATCHED),
        ('Said by a third', VOLATILE),
    ):
        publishers.append(publish(task, qos))
        is_heard(task)
    # Best effort cannot be known beforehand; it is heard when it was seen.
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    assert not complaints
    assert 'incompatible QoS' not in recorder.log
    lossy = speaker.create_publisher(String, '/episode/task', best_effort)
    wait_until(lossy.get_subscription_count, DISCOVERY_TIMEOUT_S, 'a reader')
    lossy.publish(String(data='Said softly'))
    is_heard('Said softly')
    assert 'incompatible QoS' not in recorder.log


def test_two_robots_in_one_domain_know_nothing_of_each_other(rig):
    path = rig.folder / 'robot.yaml'
    path.write_text(TWO_ROBOTS)
    operators, recorders = {}, {}
    for side in ('left', 'right'):
        robot = rig.robot(name=f'{side}_robot')
        robot.add_camera(f'/{side}/front/image_raw', Picture(quadrants()))
        robot.add_joints(f'/{side}{STATE_TOPIC}', JOINTS)
        robot.start()
        arguments = ('--ros-args', '--params-file', str(path), '-r', f'__ns:=/{side}')
        recorders[side] = rig.launch({}, *arguments, root=rig.folder / side)
    for side, recorder in recorders.items():
        recorder.wait_until_ready()
        operators[side] = rig.operator(rig.folder / side, f'/{side}/episode')
    left, right = operators['left'], operators['right']
    # What is proposed and examined in a namespace is of the robot there alone.
    found, arguments = rig.folder / 'left.yaml', ('--ros-args', '-r', '__ns:=/left')
    options = {'ros_arguments': arguments, 'stop': NeverStop()}
    propose_file(found, seconds=1.5, fps=None, force=False, **options)
    topics = set(re.findall('^ +topic: (.*)', found.read_text(), re.MULTILINE))
    assert topics == {'/left/front/image_raw', '/left/joint_states'}
    report = diagnose(path_with(path, task='look'), seconds=1.0, pictures=None, **options)
    assert {one.seen.topic for one in report.topics} == topics
    assert any('/left/episode/start exists' in one.remark.text for one in report.checks)
    left.start()
    left.wait_for_rows(10)
    assert right.status.values['state'] == 'idle'
    right.record(num_rows=5)
    left.save()
    wait_until(lambda: left.diagnostics and right.diagnostics, DISCOVERY_TIMEOUT_S, 'diagnostics')
    told = {
        side: {(one.name, one.hardware_id) for one in operators[side].diagnostics[-1]}
        for side in operators
    }
    for side, found in told.items():
        whole = f'{side}.episode: recorder'
        names = {whole, f'{whole}/{FRONT_KEY}', f'{whole}/{STATE_KEY}'}
        assert {name for name, _ in found} == names
        helpers = {'episode_camera_front', 'episode_robot', 'episode_state'}
        assert nodes_of(left, f'/{side}') == {'episode', *helpers}
    assert not {hardware for _, hardware in told['left']} & {
        hardware for _, hardware in told['right']
    }
    for side, recorder in recorders.items():
        assert recorder.end() == 0
        assert 'another recorder' not in recorder.log
        assert_whole(rig.folder / side, 1)
    # The longer episode is the left one's.
    counts = [len(columns(rig.folder / side, 0)['index']) for side in ('left', 'right')]
    assert counts[0] > counts[1]
