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
"""A browser in front of the console: what it is told, and what it asks for."""

from __future__ import annotations

from contextlib import contextmanager
import re

from console_room import sent_events
from examples.demo.motion import JOINT_NAMES
import httpx2 as httpx

from recorder_rig.parameters import SMALL
from recorder_rig.surroundings import wait_until

MODULE = 'lerobot_streamrec.console.console_main'
TIMEOUT_S = 90.0
LINK = re.compile(r'http://\S+:(\d+)/\S*')


def open_console(rig):
    """
    Start an arm, a recorder and a console, and return a browser once an episode can start.

    The arm is a process of its own, which leaves out no message: what is repeated was lost by us.
    """
    size = ('--width', '640', '--height', '240')
    rig.program('examples.demo.simulated_arm', {}, '--cameras', 'front', *size)
    rig.recorder({**SMALL, 'state.names': list(JOINT_NAMES), 'sync.max_lateness_s': 30.0})
    browser = Browser(rig.program(MODULE, {'port': 0}))
    with browser.reading() as told:
        told.state(lambda one: one['phase'] == 'ready')
    return browser


class Browser:
    """Requests to a console."""

    def __init__(self, program):
        def log():
            return program.log_path.read_text('utf-8', errors='replace')

        wait_until(
            lambda: LINK.search(log()) or not program.is_running,
            TIMEOUT_S,
            lambda: f'the console has printed its link; its log:\n{log()}',
        )
        self.links = [found[0] for found in LINK.finditer(log())]
        self.port = int(LINK.search(log())[1])
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
