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
"""The start of the console, without a recorder, before one and after one; and its errors."""

from __future__ import annotations

import os
import socket
import sys

import pytest

pytest.importorskip('starlette', reason='the tests of the console need requirements/console.txt')
pytest.importorskip('httpx2', reason='the tests of the console need requirements/test.txt')

from examples.demo.child import Child
from examples.demo.settings import CHECKOUT
from recorder_rig.browser import Browser, MODULE
from recorder_rig.datasets import total_episodes
from recorder_rig.parameters import SMALL

pytestmark = [pytest.mark.ros]


@pytest.mark.slow
def test_a_recorder_that_has_gone_is_shown_as_gone(rig):
    rig.small_robot()
    recorder = rig.recorder(SMALL)
    browser = Browser(rig.program(MODULE, {'port': 0}))
    with browser.reading() as told:
        told.state(lambda one: one['connected'] and one['phase'] == 'ready')
        assert recorder.end() == 0
        gone = told.state(lambda one: not one['connected'])
        assert gone['age_s'] > 3.0
        answer = browser.client.post('/api/command', json={'command': 'start'})
        assert answer.status_code == 503
        # It comes back by itself.
        rig.recorder({**SMALL, 'resume': True})
        told.state(lambda one: one['connected'] and one['phase'] == 'ready')
    browser.client.close()


@pytest.mark.slow
def test_other_machines_need_the_token_that_the_terminal_shows(rig):
    program = rig.program(MODULE, {'port': 0, 'host': '0.0.0.0', 'names': ['robot.lab']})
    browser = Browser(program)
    assert browser.client.get('/api/episodes').status_code == 401
    token = browser.links[0].rpartition('?token=')[2]
    assert len(token) > 16
    assert all(link.endswith(f':{browser.port}/?token={token}') for link in browser.links)
    assert f'http://127.0.0.1:{browser.port}/?token={token}' in browser.links
    # A QR code of half blocks.
    assert program.log.count('▄') > 20
    del browser.client.headers['Origin']
    headers = {'Host': f'robot.lab:{browser.port}'}
    assert browser.client.get('/', params={'token': token}, headers=headers).status_code == 303
    assert browser.client.get('/', params={'token': token}).status_code == 303
    assert browser.client.get('/api/episodes').json()['available'] is False
    headers = {'Host': f'other.lab:{browser.port}'}
    assert browser.client.get('/api/episodes', headers=headers).status_code == 403
    browser.client.close()


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'port': 70000}, 'port is 70000: allowed is 0 to 65535'),
        ({'host': '203.0.113.7', 'port': 0}, "host is '203.0.113.7': this machine has 127.0.0.1"),
        ({'host': 'no such host', 'port': 0}, "host is 'no such host': an address of this"),
        ({'token': 'short', 'port': 0}, "token is 'short': eight or more"),
        ({'recorder': 'left arm'}, "recorder is 'left arm': the name of a node is needed"),
        ({'prot': 8010}, 'there is no such parameter; did you mean port?'),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_work_is_told_in_one_line(rig, parameters, words):
    program = rig.program(MODULE, parameters)
    assert program.wait() == 2
    (line,) = program.log.splitlines()
    assert line.startswith('console: ')
    assert words in line


def test_a_port_in_use_is_told_in_one_line(rig):
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        port = other.getsockname()[1]
        program = rig.program(MODULE, {'port': port})
        assert program.wait() == 2
    (line,) = program.log.splitlines()
    assert line.startswith(f'console: port is {port}: another program listens on it')
    assert 'port:=N' in line


@pytest.mark.slow
def test_one_command_starts_an_arm_a_recorder_and_the_console_and_ends_all(
    ros_surroundings, tmp_path
):
    root = tmp_path / 'dataset'
    environment = {**os.environ, 'CONSOLE_PORT': '0', 'CONSOLE_ROOT': str(root)}
    program = Child(
        'example',
        [sys.executable, '-m', 'examples.console'],
        log_path=tmp_path / 'example.log',
        folder=CHECKOUT,
        environment=environment,
    )
    try:
        browser = Browser(program)
        with browser.reading() as told:
            told.state(lambda one: one['phase'] == 'ready')
            browser.give('start')
            assert told.event('start')['success']
            told.state(lambda one: one['rows'] > 10)
        browser.client.close()
    finally:
        status = program.stop(60.0)
    log = program.log_path.read_text('utf-8')
    assert status == 0, log
    for name in ('console', 'recorder', 'arm'):
        assert f'the {name} ended with status 0' in log
    # The recorder has saved the running episode.
    assert total_episodes(root) == 1
