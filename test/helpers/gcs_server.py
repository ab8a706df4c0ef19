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
An emulator of Google Cloud Storage in a process of its own, and a key that its client accepts.

As a script it prints its port, and serves until its standard input is closed.
"""

from __future__ import annotations

import json
import subprocess
import sys

BUCKET = 'cells'


class GcsServer:
    """A server on loopback with one bucket, whose objects are in memory."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._port = int(self._process.stdout.readline())

    def url(self, prefix):
        return f'gs://{BUCKET}/{prefix}?scheme=http&endpoint_override=127.0.0.1:{self._port}'

    def close(self):
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def write_key(path):
    """Write the key of a service account, with which the client signs its tokens itself."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        'type': 'service_account',
        'project_id': 'lab',
        'private_key_id': 'test',
        'private_key': pem.decode(),
        'client_email': 'cell@lab.example',
        'client_id': '1',
        # Nobody listens there: a client that asked for a token would fail.
        'token_uri': 'http://127.0.0.1:9/token',
    }
    path.write_text(json.dumps(account))


def _serve():
    from functools import partial
    from http.server import ThreadingHTTPServer
    import threading

    from gcp_storage_emulator.handlers.buckets import create_bucket
    from gcp_storage_emulator.server import RequestHandler
    from gcp_storage_emulator.storage import Storage

    # The emulator's own server handles one connection at a time, and cannot choose its port.
    storage = Storage(use_memory_fs=True)
    create_bucket(BUCKET, storage)
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(RequestHandler, storage))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    server.shutdown()
    serving.join()


if __name__ == '__main__':
    _serve()
