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
An operator with both hands on the robot, over real DDS: commands, events, rotations, cues.

The gamepad and the triggers have tests of their own; this is what they all end in.
"""

from __future__ import annotations

import itertools
import json
import time

from examples.demo.dataset_files import read_instants
from examples.demo.drawing import read_frame_number
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from recorder_rig.datasets import assert_whole, columns, pictures, record, total_episodes
from recorder_rig.parameters import FRONT_KEY, FRONT_TOPIC, JOINTS, SMALL, STATE, STATE_TOPIC
from recorder_rig.pictures import NumberedPicture
from recorder_rig.surroundings import wait_until
from sensor_msgs.msg import JointState, Joy
from std_msgs.msg import Bool, String

pytestmark = [pytest.mark.ros]

TOP_KEY, TOP_TOPIC = 'observation.images.top', '/top/image_raw'
NUM_ROTATIONS = 20
SECOND_NS = 10**9
FPS = 30
WAIT_S = 90.0
RELIABLE = QoSProfile(
    depth=50, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE
)


class Presser:
    """Gives commands by topic and hears the events, as a console does."""

    def __init__(self, operator, recorder='/episode'):
        self.events = []
        self.node = operator.node
        self._subscription = self.node.create_subscription(
            String, f'{recorder}/events', self._hear, RELIABLE
        )
        self._publisher = self.node.create_publisher(String, f'{recorder}/command', RELIABLE)
        wait_until(
            lambda: self._publisher.get_subscription_count() and self._subscription_is_matched(),
            WAIT_S,
            'the recorder hears commands and tells events',
        )

    def _subscription_is_matched(self):
        return self.node.count_publishers(self._subscription.topic_name) > 0

    def _hear(self, message):
        self.events.append(json.loads(message.data))

    def send(self, text):
        self._publisher.publish(String(data=text))

    def press(self, text, verb=None):
        """Give a command, and wait for the event that answers it."""
        heard = len(self.events)
        self.send(text)
        return self.wait_for(verb or text.split()[-1], heard)

    def wait_for(self, verb, heard=0):
        def found():
            return [one for one in self.events[heard:] if one['verb'] == verb]

        wait_until(found, WAIT_S, lambda: f'an event {verb}; heard were {self.events[heard:]}')
        return found()[0]


def test_twenty_rotations_lose_and_repeat_no_picture(rig, tmp_path, keep_dataset):
    robot = rig.robot(tmp_path / 'truth.jsonl', is_punctual=True)
    robot.add_camera(FRONT_TOPIC, NumberedPicture())
    robot.add_camera(TOP_TOPIC, NumberedPicture(height=240))
    robot.add_joints(STATE_TOPIC, JOINTS)
    robot.start()
    recorder = rig.recorder(
        {
            **STATE,
            'cameras': ['front', 'top'],
            'camera.front.topic': FRONT_TOPIC,
            'camera.top.topic': TOP_TOPIC,
            'provenance.per_row': True,
            'max_pending_episodes': 100,
            'fps': FPS,
        }
    )
    operator = rig.operator()
    operator.start()
    for number in range(NUM_ROTATIONS):
        operator.wait_for_rows(7 + number % 5)
        assert f'recording episode {number + 1}: ' in operator.send('rotate').succeed()
    operator.wait_for_rows(10)
    operator.save()
    assert recorder.end() == 0
    num_episodes = NUM_ROTATIONS + 1
    assert_whole(rig.root, num_episodes)
    instants = [read_instants(rig.root, index) for index in range(num_episodes)]
    steps = [after[0] - before[-1] for before, after in itertools.pairwise(instants)]
    assert max(steps) <= 2 * SECOND_NS / FPS
    for key in (FRONT_KEY, TOP_KEY):
        numbers = [
            read_frame_number(picture)
            for index in range(num_episodes)
            for picture in pictures(rig.root, key, index)
        ]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), key
    keep_dataset(rig.root)


def test_episodes_begin_when_the_leader_moves_and_end_when_it_rests(rig):
    robot, _ = rig.small_robot(is_started=False)
    place = {'at': 0.0, 'speed': 0.0}

    def move(message, _stamp_ns):
        place['at'] += place['speed']
        message.name, message.position = ['pan'], [place['at']]
        return message.position

    robot.add_messages('/leader', JointState, move, hz=50)
    robot.start()
    rig.recorder(
        {
            **SMALL,
            'action.topic': '/leader',
            'action.names': ['pan'],
            'auto.num_episodes': 2,
            'auto.reset_time_s': 0.5,
            'auto.start_on_motion': True,
            'auto.save_after_still_s': 0.5,
            'preroll_s': 5.0,
        }
    )
    operator = rig.operator()
    presser = Presser(operator)
    operator.wait_for_status(lambda one: one.values['phase'] == 'ready', 'ready')
    rested = []
    for episode in range(2):
        rested.append(place['at'])
        place['speed'] = 0.05
        operator.wait_for_status(
            lambda one: one.values['phase'] == 'recording' and int(one.values['rows']) > 60,
            'recording',
        )
        heard = len(presser.events)
        place['speed'] = 0.0
        assert presser.wait_for('saved', heard)['episode'] == episode
    operator.wait_for_status(lambda one: one.values['phase'] == 'done', 'done')
    assert presser.wait_for('finalize')['source'] == 'automatic'
    assert total_episodes(rig.root) == 2
    for episode in range(2):
        actions = columns(rig.root, episode)['action']
        # It rests at the end, and the pre-roll shows where it was at rest before.
        assert actions[-1] == actions[-6]
        assert actions[0] == pytest.approx(rested[episode], abs=1e-4)
        assert actions[-1] > actions[0] + 0.5


def test_cues_hold_nothing_up(rig, tmp_path):
    told = tmp_path / 'told.txt'
    program = tmp_path / 'light.sh'
    program.write_text(f'#!/bin/sh\necho "$1 $2" >> {told}\nsleep 2\n')
    program.chmod(0o755)
    rig.small_robot()
    rig.recorder({**SMALL, 'cues': 'bell', 'cues.command': f'{program} {{event}} {{episode}}'})
    operator = rig.operator()
    operator.wait_for_streams()
    for _ in range(2):
        operator.send('start').succeed()
        operator.wait_for_rows(5)
        operator.send('discard').succeed()
    operator.send('save').fail()
    wait_until(
        lambda: told.exists() and 'discard' in told.read_text(), WAIT_S, 'a cue of the discard'
    )
    assert told.read_text().splitlines()[0] == 'start 0'


class Hands:
    """A gamepad and a pedal that repeat their state, as joy_node does."""

    def __init__(self, robot):
        self.buttons = ()
        self.is_on_pedal = False
        robot.add_messages('/joy', Joy, self._fill_joy, hz=20)
        robot.add_messages('/pedal/pressed', Bool, self._fill_pedal, hz=20)

    def _fill_joy(self, message, _stamp_ns):
        message.buttons = [int(one in self.buttons) for one in range(6)]
        return list(map(float, message.buttons))

    def _fill_pedal(self, message, _stamp_ns):
        message.data = self.is_on_pedal
        return [float(message.data)]


def test_a_gamepad_and_a_pedal_drive_the_recorder(rig):
    robot, _ = rig.small_robot(is_started=False)
    hands = Hands(robot)
    robot.start()
    rig.recorder(
        {
            **SMALL,
            'teleop.joy.bindings': ['0: toggle', '1 long: discard', '4+5: rotate'],
            'teleop.triggers': ['/pedal/pressed: save success'],
            'teleop.long_press_s': 0.3,
            'teleop.debounce_s': 0.05,
        }
    )
    operator = rig.operator()
    operator.wait_for_streams()
    presser = Presser(operator)

    def click(*buttons, verb):
        heard = len(presser.events)
        hands.buttons = buttons
        event = presser.wait_for(verb, heard)
        hands.buttons = ()
        assert event['success'], event
        return event

    # A button that is down in the first message that the recorder hears is no press.
    told = len(operator.diagnostics)
    wait_until(lambda: len(operator.diagnostics) > told + 2, WAIT_S, 'two seconds')
    assert click(0, verb='start')['source'] == 'gamepad /joy button 0'
    operator.wait_for_rows(10)
    heard = len(presser.events)
    assert click(4, 5, verb='rotate')['source'] == 'gamepad /joy buttons 4+5'
    assert presser.wait_for('saved', heard)['success']
    operator.wait_for_rows(10)
    click(1, verb='discard')
    click(0, verb='start')
    operator.wait_for_rows(10)
    heard = len(presser.events)
    hands.is_on_pedal = True
    assert presser.wait_for('saved', heard)['source'] == 'trigger /pedal/pressed'
    assert record(rig.root, 1)['metadata']['verdict'] == 'success'


# --- one recorder for all of the following -----------------------------------------------------


@pytest.fixture(scope='module')
def driven(shared_rig):
    shared_rig.small_robot()
    shared_rig.recorder({**SMALL, 'limits.min_episode_s': 0.3})
    operator = shared_rig.operator()
    operator.wait_for_streams()
    return operator, Presser(operator), shared_rig.root


def test_commands_by_topic_do_all_that_services_do(driven):
    operator, presser, root = driven
    saved = total_episodes(root)
    started = presser.press('[left pedal] START  Fold the towel', 'start')
    assert started == {
        'time': started['time'],
        'source': 'left pedal',
        'verb': 'start',
        'success': True,
        'message': f'recording episode {saved}: Fold the towel',
        'episode': saved,
        'repeat': False,
        'task': 'Fold the towel',
        'text': None,
        'first_row_ns': started['first_row_ns'],
        'last_row_ns': None,
    }
    operator.wait_for_rows(15)
    assert presser.press('note dropped it', 'note')['success']
    paused = presser.press('pause')
    assert paused['success']
    # The recorder was given stamps of this computer's clock.
    seconds = (paused['last_row_ns'] - started['first_row_ns']) / SECOND_NS
    assert seconds > 14 / FPS - 0.001
    assert paused['last_row_ns'] < time.time_ns()
    status = operator.wait_for_status(lambda one: one.values['phase'] == 'paused', 'paused')
    assert (status.values['last_command'], status.values['last_source']) == (
        'pause',
        '/test_operator',
    )
    assert presser.press('resume')['success']
    heard = len(presser.events)
    assert presser.press('rotate')['success']
    assert presser.wait_for('saved', heard)['episode'] == saved
    operator.wait_for_rows(15)
    heard = len(presser.events)
    presser.press('save success', 'save')
    assert presser.wait_for('saved', heard)['message'].startswith(f'episode {saved + 1}: ')
    assert record(root, saved)['metadata']['notes'] == 'dropped it'
    assert record(root, saved + 1)['metadata']['verdict'] == 'success'
    assert operator.get_parameters(['task'])['task'] == 'Fold the towel'
    assert presser.press('verdict failure', 'verdict')['success']
    assert presser.press('undo')['success']
    assert presser.press('finalize')['success']
    assert total_episodes(root) == saved + 1


def test_what_is_no_command_is_answered_with_the_list(driven):
    operator, presser, _ = driven
    refused = presser.press('toogle', 'refused')
    assert not refused['success']
    assert 'did you mean toggle?; allowed are start [task]' in refused['message']
    assert not presser.press('save')['success']
    status = operator.wait_for_status(
        lambda one: one.values['last_command'] == 'save', 'the last command'
    )
    assert status.values['phase'] == 'ready'
    assert status.values['blockers'] == ''


def test_a_press_that_bounces_and_a_slip_do_no_harm(driven):
    operator, presser, root = driven
    saved = total_episodes(root)
    # Another command in between, so that the last test's does not count as the same press.
    presser.press('resume')
    heard = len(presser.events)
    for _ in range(5):
        presser.send('toggle')
    wait_until(lambda: len(presser.events) >= heard + 5, WAIT_S, 'five answers')
    told = [(one['verb'], one['success']) for one in presser.events[heard:]]
    # A busy recorder may answer the repeated presses before the start is carried out.
    assert sorted(told) == [('start', True), *[('toggle', True)] * 4]
    operator.wait_for_rows(1)
    assert presser.press('discard')['success']
    assert total_episodes(root) == saved
