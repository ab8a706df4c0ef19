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
A robot without a parameter file: the first run makes one over real DDS, by itself or in a browser.

Guards the way from running drivers to the first episode without an editor.
"""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

pytest.importorskip('starlette', reason='the tests of the console need requirements/console.txt')
pytest.importorskip('httpx2', reason='the tests of the console need requirements/test.txt')

from lerobot_streamrec.live.init import propose_file
from recorder_rig.browser import Browser, MODULE
from recorder_rig.datasets import assert_whole
from recorder_rig.fake_humble import python_module
from recorder_rig.parameters import JOINTS
from recorder_rig.pictures import Picture, quadrants
from recorder_rig.surroundings import NeverStop, wait_until

pytestmark = [pytest.mark.ros]

TIMEOUT_S = 120.0
SET_UP = 'lerobot_streamrec.live.set_up_main'


def add_robot(rig):
    robot = rig.robot()
    robot.add_camera('/front/image_raw', Picture(quadrants(), 'bgr8'))
    robot.add_joints('/joint_states', JOINTS)
    robot.add_joints('/leader/joint_states', JOINTS)
    robot.start()


@pytest.fixture
def set_up(tmp_path):
    """Return a function that starts the set-up of a parameter file."""
    running = []

    def start(*options):
        process = subprocess.Popen(
            [*python_module(SET_UP), *options, str(tmp_path / 'ros' / 'record.yaml')],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for one in running:
        one.kill()
        one.communicate(timeout=TIMEOUT_S)


def settings_in(file):
    return [line for line in file.read_text().splitlines() if line.strip()[:1] not in ('#', '')]


@pytest.mark.slow
def test_without_a_browser_the_choice_is_that_of_init_and_an_episode_is_recorded(
    rig, tmp_path, set_up, keep_dataset
):
    process = set_up('--defaults', json.dumps({'root': str(rig.root), 'fps': 15}))
    add_robot(rig)
    output, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, output
    file = tmp_path / 'ros' / 'record.yaml'
    for words in ('front: /front/image_raw', 'state', '/joint_states', f'wrote {file}'):
        assert words in output
    assert 'Traceback' not in output
    ours = settings_in(file)
    propose_file(
        tmp_path / 'init.yaml',
        seconds=3,
        fps=None,
        force=False,
        ros_arguments=[],
        stop=NeverStop(),
    )
    of_init = settings_in(tmp_path / 'init.yaml')
    # The task of `init` is a placeholder that nobody wants to record.
    ours_instead = {
        '    task: Say here what the robot is to do': "    task: ''",
        '    root: ~/datasets/my_dataset': f'    root: {rig.root}',
        '    fps: 30': '    fps: 15',
    }
    assert ours == [ours_instead.get(line, line) for line in of_init]
    given = ('-p', 'task:=Pick up the cube')
    recorder = rig.launch({}, '--ros-args', '--params-file', str(file), *given, root=rig.root)
    recorder.wait_until_ready()
    rig.operator().record(num_rows=15)
    assert recorder.end() == 0
    assert_whole(rig.root, 1)
    keep_dataset(rig.root)


def test_a_robot_that_publishes_nothing_is_waited_for_until_a_signal(rig, tmp_path, set_up):
    process = set_up()
    lines = iter(process.stdout.readline, '')
    assert any('nothing to record yet' in line for line in lines)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130, output
    assert not (tmp_path / 'ros' / 'record.yaml').exists()


@pytest.mark.parametrize('text', ['[1]', '{"speed": 1}', '{"fps": "fast"}', 'root'])
def test_defaults_that_are_none_are_refused(tmp_path, text):
    command = [*python_module(SET_UP), '--defaults', text, str(tmp_path / 'a.yaml')]
    run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert run.returncode == 2
    assert 'a JSON object is needed' in run.stderr


@pytest.mark.parametrize('arguments', [(), ('--wait',), ('--ros-args',)])
def test_a_command_line_without_a_file_is_refused(arguments):
    run = subprocess.run(
        [*python_module(SET_UP), *arguments], capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert run.returncode == 2
    assert 'the path of the parameter file is needed' in run.stderr


def wait_for_offer(browser):
    """Wait until the page would show a picture and both vectors, and return what is offered."""

    def offer():
        return browser.client.get('/api/setup').json()

    def is_whole(offered):
        return any(one['has_picture'] for one in offered['cameras']) and len(
            offered['vectors']
        ) == 2

    wait_until(lambda: is_whole(offer()), TIMEOUT_S, offer)
    return offer()


def choice_from(offered, root):
    (camera,) = offered['cameras']
    return {
        'fps': 15,
        'task': 'Fold: the towel \N{SPARKLES}\N{FIRE}',
        'root': str(root),
        'repo_id': '',
        'cameras': [{'id': camera['id'], 'chosen': True, 'name': 'eye', 'is_depth': False}],
        'vectors': [{'id': one['id'], 'role': one['role']} for one in offered['vectors']],
    }


def wrong_choices(choice, tmp_path):
    """Yield changes of a choice that cannot be used, and the fields that the page has to mark."""
    foreign = tmp_path / 'foreign'
    foreign.mkdir()
    (foreign / 'holiday.jpg').touch()
    yield from (({'fps': one}, 'fps') for one in (0, 'fast', True, 29.97, None))
    for root in ('', 'dataset', '/proc/dataset', '~nobody-of-this-name/dataset', str(foreign)):
        yield {'root': root}, 'root'
    yield from (({'task': one}, 'task') for one in ('two\nlines', '\ud800', 3))
    yield {'cameras': [], 'vectors': []}, 'cameras'
    yield {'cameras': [{**choice['cameras'][0], 'name': ' '}]}, 'cameras'
    yield {'cameras': 'all'}, 'cameras'
    for offset in ('late', True, 1e9, None):
        yield {'cameras': [{**choice['cameras'][0], 'offset_ms': offset}]}, 'cameras'
    for name in ('', 'observation/force'):
        yield {'vectors': [{**choice['vectors'][0], 'role': 'feature', 'name': name}]}, 'vectors'


@pytest.mark.slow
def test_in_a_browser_the_choice_becomes_the_file_of_the_recorder_that_waits(
    rig, tmp_path, set_up
):
    file = tmp_path / 'ros' / 'record.yaml'
    waiting = set_up('--wait')
    defaults = json.dumps({'task': 'Given to the launch', 'root': str(rig.root)})
    given = {'port': 0, 'set_up_file': str(file), 'set_up_defaults': defaults}
    browser = Browser(rig.program(MODULE, given))
    with browser.reading() as told:
        assert told.state(lambda _: True)['mode'] == 'setup'
    offered = browser.client.get('/api/setup').json()
    assert (offered['cameras'], offered['vectors']) == ([], [])
    assert (offered['task'], offered['root']) == ('Given to the launch', str(rig.root))
    assert 'Start the drivers' in offered['problems'][-1]['help']

    add_robot(rig)
    offered = wait_for_offer(browser)
    (camera,), vectors = offered['cameras'], offered['vectors']
    assert (camera['name'], camera['width'], camera['is_depth']) == ('front', 64, False)
    assert camera['rate_hz'] > 1
    assert {one['topic']: one['role'] for one in vectors} == {
        '/joint_states': 'state',
        '/leader/joint_states': 'action',
    }
    assert tuple(vectors[0]['names']) == JOINTS
    picture = browser.client.get(f'/api/setup/picture/{camera["id"]}.jpg')
    assert picture.content.startswith(b'\xff\xd8')

    choice = choice_from(offered, rig.root)
    for wrong, field in wrong_choices(choice, tmp_path):
        # Not every text of JSON can be encoded in UTF-8.
        content = json.dumps({**choice, **wrong}).encode('ascii')
        refused = browser.client.post('/api/setup', content=content)
        assert (refused.status_code, refused.json().get('field')) == (422, field), refused.text
        assert not file.exists()
    measured = browser.client.post('/api/setup/latency', json=choice, timeout=TIMEOUT_S)
    assert measured.status_code == 200, measured.text
    # This robot's camera sees nothing of its joints, so no delay is told.
    told = measured.json()['cameras']['eye']
    assert told['offset_ms'] is None
    assert 'are needed' in told['text']
    assert not file.exists()
    choice['cameras'][0]['offset_ms'] = -41
    saved = browser.client.post('/api/setup', json=choice)
    assert saved.status_code == 200, saved.text
    assert '    offset_ms: -41.0\n' in file.read_text(encoding='utf-8')
    assert saved.json()['file'] == str(file)
    assert str(file) in saved.json()['how']
    with browser.reading() as told:
        told.state(lambda one: one['mode'] == 'record')
    assert browser.client.get('/api/setup').status_code == 409
    assert browser.client.post('/api/setup', json=choice).status_code == 409
    assert waiting.wait(TIMEOUT_S) == 0
    recorder = rig.launch({}, '--ros-args', '--params-file', str(file), root=rig.root)
    recorder.wait_until_ready()
    rig.operator().record(num_rows=10)
    assert recorder.end() == 0
    assert_whole(rig.root, 1)
    browser.client.close()
