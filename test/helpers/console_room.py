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
"""A robot that says what a test wants, in place of the console's link to a recorder."""

from __future__ import annotations

from contextlib import contextmanager
import json
import socket
import threading
import time

from lerobot_streamrec.console.assets import Asset
from lerobot_streamrec.nodes.clients.news import Event, Heard, News, Preview, Status

PORT = 8010
ORIGIN = f'http://127.0.0.1:{PORT}'
PAGE = b'<!doctype html><title>console</title>'
ASSETS = {
    'index.html': Asset(PAGE, 'text/html', '"1"'),
    'app.js': Asset(b'export {}', 'text/javascript', '"2"'),
}
NAMES = frozenset({'127.0.0.1', 'localhost', '[::1]'})
FRONT, STATE = 'observation.images.front', 'observation.state'
STREAMS = {
    FRONT: {'topic': '/front/image_raw', 'preview': '/episode/preview/front/compressed'},
    STATE: {'topic': '/joint_states', 'preview': '/episode/preview/observation_state'},
}


class FakeRobot:
    """Says what it is told to say, and notes what it is asked for."""

    def __init__(self):
        self._lock = threading.RLock()
        self._tell = None
        self._news = News(Heard('/episode'), (), {})
        self.commands = []
        self.shown = frozenset()

    def attach(self, tell):
        with self._lock:
            self._tell = tell

    def take(self):
        with self._lock:
            news, self._news = self._news, News(self._news.heard, (), {})
            return news

    def send(self, command):
        self.commands.append(command)

    def show(self, keys):
        self.shown = keys

    def hear(self, *, level=0, message='ready', age_s=0.0, is_heard=True, **values):
        """Let a status arrive."""
        heard_s = time.monotonic() - age_s
        told = {'phase': 'ready', 'saved_episodes': '0', **values}
        streams = {key: Status(one, 0, '30.0 Hz', heard_s) for key, one in STREAMS.items()}
        self._say(Heard('/episode', Status(told, level, message, heard_s), streams, is_heard))

    def hear_event(self, message, verb='start', episode=None):
        """Let an event arrive."""
        self._say(events=(Event('08:13:20', 'console', verb, True, message, episode),))

    def hear_preview(self, preview):
        """Let a preview arrive."""
        self._say(previews={preview.stream: preview})

    def _say(self, heard=None, events=(), previews=None):
        with self._lock:
            before = self._news
            self._news = News(
                heard or before.heard,
                (*before.events, *events),
                {**before.previews, **(previews or {})},
            )
            if self._tell is not None:
                self._tell()


def picture(size_bytes=1000, stream=FRONT, stamp_s=1.0):
    """Return a preview of a camera."""
    return Preview(stream, stamp_s, jpeg=b'\xff\xd8' + bytes(size_bytes - 2))


def sent_events(lines):
    """Yield (event, content) of the lines of server-sent events."""
    name = ''
    for line in lines:
        if line.startswith('event: '):
            name = line.removeprefix('event: ')
        elif line.startswith('data: '):
            yield name, json.loads(line.removeprefix('data: '))


@contextmanager
def stalled_state(port):
    """Ask for the state, and read nothing of it."""
    with _stalled(port) as client:
        _ask(client, port, '/api/state')
        yield


@contextmanager
def stalled_previews(port, *streams):
    """Ask for previews, and read none of them."""
    with _stalled(port) as client:
        _ask(
            client,
            port,
            '/api/previews',
            f'Origin: http://127.0.0.1:{port}',
            'Connection: Upgrade',
            'Upgrade: websocket',
            'Sec-WebSocket-Version: 13',
            'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        )
        answer = b''
        while not answer.endswith(b'\r\n\r\n'):
            answer += client.recv(1)
        assert answer.startswith(b'HTTP/1.1 101 ')
        wanted = json.dumps({'streams': streams}).encode()
        # A frame of text, masked by zeros; its length needs one byte.
        client.sendall(bytes([0x81, 0x80 | len(wanted), 0, 0, 0, 0]) + wanted)
        yield


@contextmanager
def _stalled(port):
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60.0)
        client.connect(('127.0.0.1', port))
        yield client


def _ask(client, port, path, *lines):
    head = [f'GET {path} HTTP/1.1', f'Host: 127.0.0.1:{port}', *lines, '', '']
    client.sendall('\r\n'.join(head).encode())
