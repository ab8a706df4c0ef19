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
"""A SeaweedFS server on loopback that can be killed, and a network that can fail before it."""

from __future__ import annotations

from contextlib import closing, suppress
import json
import os
from pathlib import Path
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

from pyarrow.fs import FileSystem
from s3_server import BUCKET, CREDENTIALS

START_S = 120.0
WEED = shutil.which('weed', path=str(Path(sys.executable).parent))
# Below the ports that outgoing connections get, so that they are still free after a kill.
_PORTS = range(20_000, 32_000)
_SERVERS = ('master', 'volume', 'filer', 's3')


class WeedServer:
    """
    A store whose objects are in a folder, and survive its kills.

    :param folder: an existing folder for its objects, settings and log
    """

    def __init__(self, folder):
        self._folder = folder
        names = [f'{server}.port{kind}' for server in _SERVERS for kind in ('', '.grpc')]
        self._ports = {name: free_port() for name in names}
        self.port = self._ports['s3.port']
        (folder / 'objects').mkdir()
        key, secret = CREDENTIALS['AWS_ACCESS_KEY_ID'], CREDENTIALS['AWS_SECRET_ACCESS_KEY']
        identity = {
            'name': 'sync',
            'credentials': [{'accessKey': key, 'secretKey': secret}],
            'actions': ['Admin', 'Read', 'Write', 'List'],
        }
        (folder / 's3.json').write_text(json.dumps({'identities': [identity]}))
        self._process = None
        self.start()

    def start(self):
        """Start the server, and wait until it takes an object."""
        ports = [f'-{name}={port}' for name, port in self._ports.items()]
        with (self._folder / 'log').open('ab') as log:
            self._process = subprocess.Popen(
                [
                    WEED,
                    'server',
                    f'-dir={self._folder / "objects"}',
                    '-ip=127.0.0.1',
                    '-ip.bind=127.0.0.1',
                    *ports,
                    '-s3',
                    f'-s3.config={self._folder / "s3.json"}',
                    '-s3.iam=false',
                    '-s3.port.iceberg=0',
                    '-s3.port.lance=0',
                    # It sends statistics to its makers unless it is told not to.
                    '-master.telemetry=false',
                    '-master.telemetry.url=',
                    '-master.electionTimeout=1s',
                    '-master.volumeSizeLimitMB=64',
                    '-volume.max=20',
                ],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**os.environ, 'HOME': str(self._folder)},
            )
        deadline_s = time.monotonic() + START_S
        while True:
            assert self._process.poll() is None, (self._folder / 'log').read_text()[-2000:]
            with suppress(OSError):
                url = f'{self.url("ready")}&allow_bucket_creation=true'
                system, path = FileSystem.from_uri(url)
                system.create_dir(BUCKET)
                with system.open_output_stream(path) as stream:
                    stream.write(b'ready')
                return
            assert time.monotonic() < deadline_s, 'SeaweedFS takes no object'
            time.sleep(0.1)

    def kill(self):
        """End the server as a loss of power to its computer's processes would."""
        self._process.kill()
        self._process.wait(START_S)

    def url(self, prefix, port=None):
        where = f'127.0.0.1:{port or self.port}'
        return f's3://{BUCKET}/{prefix}?scheme=http&endpoint_override={where}'


def free_port():
    """Find a port that nobody uses."""
    while True:
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(('127.0.0.1', port := random.choice(_PORTS)))
            return port


class Network:
    """
    A way to a port on loopback. It can fall silent, or break all connections and take no more.

    :param port: the port at its end; its own one is the attribute
    """

    def __init__(self, port):
        self._target = ('127.0.0.1', port)
        self._state = 'up'
        self._pairs = []
        self._lock = threading.Lock()
        self._server = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True, name='network').start()

    def tell(self, state):
        """Set the state: ``up``, ``silent`` or ``broken``; connections of before are lost."""
        with self._lock:
            was, self._state = self._state, state
            if state == 'broken' or was == 'silent':
                for pair in self._pairs:
                    for one in pair:
                        _reset(one)
                self._pairs.clear()

    def close(self):
        self.tell('broken')
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with self._lock:
                if self._state == 'broken':
                    _reset(client)
                    continue
                try:
                    other = socket.create_connection(self._target, timeout=5)
                except OSError:
                    _reset(client)
                    continue
                other.settimeout(None)
                self._pairs.append((client, other))
            for one, another in ((client, other), (other, client)):
                threading.Thread(target=self._carry, args=(one, another), daemon=True).start()

    def _carry(self, source, target):
        with suppress(OSError):
            while data := source.recv(1 << 14):
                # What is sent into silence is never heard.
                if self._state != 'silent':
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def _reset(connection):
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
