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
"""The console as its users start it, beside a recorder: what browsers see and do."""

from __future__ import annotations

from contextlib import contextmanager
import json
import re
import socket

import pytest

pytest.importorskip('starlette', reason='the tests of the console need requirements/console.txt')
pytest.importorskip('httpx2', reason='the tests of the console need requirements/test.txt')

from console_room import sent_events
import httpx2 as httpx
from recorder_rig.datasets import assert_whole, record
from recorder_rig.parameters import SMALL
from recorder_rig.surroundings import wait_until
from websockets.sync.client import connect

pytestmark = [pytest.mark.ros]

MODULE = 'lerobot_streamrec.console.console_main'
TIMEOUT_S = 90.0
LINK = re.compile(r'http://\S+:(\d+)/\S*')
JPEG = b'\xff\xd8'


class Browser:
    """Requests to a console."""

    def __init__(self, program):
        wait_until(
            lambda: LINK.search(program.log) or not program.is_running,
            TIMEOUT_S,
            lambda: f'the console has printed its link; its log:\n{program.log}',
        )
        self.links = [found[0] for found in LINK.finditer(program.log)]
        self.port = int(LINK.search(program.log)[1])
        self.url = f'http://127.0.0.1:{self.port}'
        self.client = httpx.Client(
            base_url=self.url, headers={'Origin': self.url}, timeout=TIMEOUT_S
        )

    @contextmanager
    def reading(self):
        with self.client.stream('GET', '/api/state') as answer:
            assert answer.status_code == 200
            yield Told(answer.iter_lines())

    def give(self, command):
        answer = self.client.post('/api/command', json={'command': command})
        assert answer.status_code == 202, answer.text

    def episodes(self, **query):
        answer = self.client.get('/api/episodes', params=query)
        assert answer.status_code == 200
        return answer.json()


class Told:
    """What one browser is told, in its order."""

    def __init__(self, lines):
        self._events = sent_events(lines)
        self.phases = []

    def state(self, condition):
        """Read on until a state meets a condition, and return it."""
        return self._find('state', condition)

    def event(self, verb, condition=lambda _: True):
        """Read on until the answer to a command, and return it."""
        return self._find('event', lambda one: one['verb'] == verb and condition(one))

    def _find(self, kind, condition):
        for name, content in self._events:
            if name == 'state':
                self.phases.append(content['phase'])
            if name == kind and condition(content):
                return content
        raise AssertionError('the server has ended')


@pytest.fixture(scope='module')
def browser(shared_rig):
    shared_rig.small_robot()
    shared_rig.recorder(SMALL)
    browser = Browser(shared_rig.program(MODULE, {'port': 0}))
    with browser.reading() as told:
        told.state(lambda one: one['phase'] == 'ready')
    yield browser
    browser.client.close()


def recorded(browser, told, num_rows=15, save='save'):
    """Record an episode, and return the event of its end."""
    told.state(lambda one: one['phase'] == 'ready' and one['pending_episodes'] == 0)
    browser.give('start')
    assert told.event('start')['success']
    told.state(lambda one: one['phase'] == 'recording' and one['rows'] >= num_rows)
    browser.give(save)
    assert told.event('save')['success']
    saved = told.event('saved')
    assert saved['success'], saved
    return saved


@pytest.mark.slow
def test_an_episode_is_recorded_by_clicks_before_all_browsers(browser, shared_rig):
    with browser.reading() as told, browser.reading() as other:
        before = told.state(lambda one: one['connected'])
        index = before['episode_index']
        assert before['root'] == str(shared_rig.root)
        assert [one['name'] for one in before['streams']] == ['front', 'observation.state']
        saved = recorded(browser, told, save='save success')
        assert saved['episode'] == index
        after = told.state(lambda one: one['saved_episodes'] == index + 1)
        assert after['episodes_revision'] > before['episodes_revision']
        assert after['last_source'] == 'console'
        # The other browser has read nothing in the meantime.
        assert other.event('saved') == saved
        other.state(lambda one: one['saved_episodes'] == index + 1)
    first = told.phases.index('recording')
    assert told.phases[0] == 'ready'
    assert 'ready' in told.phases[first:]
    assert record(shared_rig.root, index)['metadata'] == {'verdict': 'success'}


@pytest.mark.slow
def test_the_list_and_the_thumbnails_follow_the_dataset(browser, shared_rig):
    with browser.reading() as told:
        index = recorded(browser, told)['episode']
        listed = browser.episodes(limit=1)
        assert listed['available'] is True
        assert listed['total'] == listed['all']['episodes'] == index + 1
        assert listed['today']['episodes'] == index + 1
        (newest,) = listed['episodes']
        assert newest['episode_index'] == index
        assert newest['tasks'] == ['Pick up the cube']
        assert newest['cameras'] == ['front']
        assert newest['repeated_frames'] == 0
        assert newest['length'] >= 15
        assert newest['verdict'] == ''
        path = f'/api/episodes/{index}/front.jpg'
        picture = browser.client.get(path, params={'position': 0.5, 'width': 64})
        assert picture.headers['content-type'] == 'image/jpeg'
        assert picture.content.startswith(JPEG)
        browser.give(f'verdict failure {index}')
        told.event('verdict')
        browser.give(f'note {index}: too slow')
        told.event('note')
        (newest,) = browser.episodes(limit=1)['episodes']
        assert (newest['verdict'], newest['note']) == ('failure', 'too slow')
        browser.give('undo')
        assert told.event('undo')['success']
        assert browser.client.get(path).status_code == 404
        listed = browser.episodes(limit=1)
        assert listed['total'] == index
        aside = listed['quarantined'][0]
        assert aside['name'].startswith(f'undone-episode-{index:06d}')
        assert 'undo' in aside['reason']


@pytest.mark.slow
def test_previews_come_from_the_recorder(browser):
    url = f'ws://127.0.0.1:{browser.port}/api/previews'
    with connect(url, origin=browser.url) as viewer:
        viewer.send(json.dumps({'streams': ['front', 'observation.state']}))
        seen = {}
        while len(seen) < 2:
            message = viewer.recv(TIMEOUT_S)
            if isinstance(message, str):
                seen['observation.state'] = json.loads(message)
            else:
                seen['front'] = message
    assert seen['front'].startswith(b'\x05front' + JPEG)
    assert seen['observation.state']['names'] == ['shoulder', 'elbow', 'gripper']
    assert len(seen['observation.state']['values']) == 3


@pytest.mark.slow
def test_a_browser_that_reads_nothing_disturbs_no_recording(browser, shared_rig):
    with socket.socket() as lazy, browser.reading() as told:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(('127.0.0.1', browser.port))
        lazy.sendall(f'GET /api/state HTTP/1.1\r\nHost: 127.0.0.1:{browser.port}\r\n\r\n'.encode())
        saved = recorded(browser, told, num_rows=150)
    assert ' 0 repeated frames' in saved['message']
    assert_whole(shared_rig.root, saved['episode'] + 1)


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
        rig.recorder(SMALL, '-p', 'resume:=true')
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
