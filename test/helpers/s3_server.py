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
An S3 server of moto in a process of its own, which can go away and come back with its objects.

As a script it obeys lines: ``up``, ``down``, and ``guard``, after which no credentials are valid.
"""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.request import Request, urlopen

BUCKET = 'cells'
# Test values, which the server does not check until it is guarded.
CREDENTIALS = {
    'AWS_ACCESS_KEY_ID': 'AKIATESTTESTTEST',
    'AWS_SECRET_ACCESS_KEY': 'not-a-secret-but-must-not-be-shown',
    'AWS_EC2_METADATA_DISABLED': 'true',
    'AWS_DEFAULT_REGION': 'us-east-1',
}


class S3Server:
    """A server on loopback with one bucket."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **CREDENTIALS},
        )
        self.port = int(self._answer())
        with urlopen(Request(f'http://127.0.0.1:{self.port}/{BUCKET}', method='PUT')):
            pass

    def url(self, prefix, bucket=BUCKET):
        return f's3://{bucket}/{prefix}?scheme=http&endpoint_override=127.0.0.1:{self.port}'

    def tell(self, word):
        self._process.stdin.write(f'{word}\n')
        self._process.stdin.flush()
        self._answer()

    def close(self):
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def _answer(self):
        line = self._process.stdout.readline()
        assert line, 'the S3 server has ended'
        return line


def _serve():
    from moto import settings
    from moto.server import ThreadedMotoServer

    # The objects are this process's, so they survive a server that goes away.
    server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    print(port, flush=True)
    for line in sys.stdin:
        match line.strip():
            case 'down':
                server.stop()
            case 'up':
                server = ThreadedMotoServer(ip_address='127.0.0.1', port=port, verbose=False)
                server.start()
            case 'guard':
                settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        print('done', flush=True)


if __name__ == '__main__':
    _serve()
