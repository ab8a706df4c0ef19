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
"""The console's server in this process, with a robot that says what a test wants."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

pytest.importorskip('starlette', reason='the tests of the console need requirements/console.txt')
pytest.importorskip('httpx2', reason='the tests of the console need requirements/test.txt')

from console_room import ASSETS, FakeRobot, NAMES, ORIGIN, PORT, sent_events
import httpx2 as httpx
from lerobot_streamrec.console import addresses
from lerobot_streamrec.console.access import Rules
from lerobot_streamrec.console.board import Board
from lerobot_streamrec.console.server import make_app
from lerobot_streamrec.console.web import Web
from starlette.testclient import TestClient
from waiting import wait_for

TIMEOUT_S = 60.0


@pytest.fixture
def robot():
    return FakeRobot()


@pytest.fixture
def make_client(robot):
    """Return a function that makes a client of the web application, without a server."""

    def make(token='', more=lambda _board: (), **headers):
        board = Board(robot)
        robot.attach(board.refresh)
        app = make_app(board, ASSETS, Rules(PORT, NAMES, token), more(board))
        client = TestClient(app, base_url=ORIGIN, follow_redirects=False)
        client.headers.update(headers)
        client.board = board
        return client

    return make


class Console:
    """A server that listens on a free port, and requests to it."""

    def __init__(self, robot):
        self.robot = robot
        self.board = None
        self._listener = addresses.listen('127.0.0.1', 0)
        self.port = self._listener.getsockname()[1]
        self.url = f'http://127.0.0.1:{self.port}'
        self._web = Web(self._listener, robot, self._app)
        self._web.start()
        wait_for(lambda: self.board is not None)

    def _app(self, board, more):
        self.board = board
        return make_app(board, ASSETS, Rules(self.port, NAMES), more)

    def close(self):
        self._web.end()
        assert not self._web.is_alive()
        self._listener.close()

    def post(self, command):
        return httpx.post(
            f'{self.url}/api/command', json={'command': command}, headers={'Origin': self.url}
        )

    def get(self, path):
        return httpx.get(f'{self.url}{path}', timeout=TIMEOUT_S)

    @contextmanager
    def reading(self):
        """Return an iterator over (event, content) of the server-sent events."""
        with httpx.stream('GET', f'{self.url}/api/state', timeout=TIMEOUT_S) as answer:
            assert answer.status_code == 200
            assert answer.headers['content-type'].startswith('text/event-stream')
            yield sent_events(answer.iter_lines())


@pytest.fixture
def make_console(robot):
    """Return a function that starts a server; nothing is heard of its robot yet."""

    @contextmanager
    def make():
        one = Console(robot)
        try:
            yield one
        finally:
            one.close()

    return make


@pytest.fixture
def console(make_console):
    with make_console() as one:
        yield one
