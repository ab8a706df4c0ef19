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
"""A page in a real headless Chromium, driven through chromedriver's own HTTP interface."""

from __future__ import annotations

import base64
import json
from pathlib import Path
import shutil
import socket
import subprocess
import urllib.request

from waiting import wait_for

PROGRAMS = ('chromium', 'chromedriver')
ARGUMENTS = ('--headless=new', '--no-sandbox', '--hide-scrollbars', '--disable-gpu')
_ANSWER_TIMEOUT_S = 60
_END_TIMEOUT_S = 20


def missing_programs():
    """Return the names of the Debian packages that are not installed."""
    return [one for one in PROGRAMS if shutil.which(one) is None]


class ChromiumPage:
    """
    One tab. Owned by the test that made it, which closes it.

    :param log: file for the messages of chromedriver
    """

    def __init__(self, log: Path, width=1200, height=900):
        with socket.create_server(('127.0.0.1', 0)) as free:
            port = free.getsockname()[1]
        self._url = f'http://127.0.0.1:{port}'
        with log.open('wb') as output:
            self._driver = subprocess.Popen(
                ['chromedriver', f'--port={port}'], stdout=output, stderr=output
            )
        try:
            wait_for(self._is_up)
            options = {'args': [*ARGUMENTS, f'--window-size={width},{height}']}
            wanted = {'goog:chromeOptions': options, 'goog:loggingPrefs': {'browser': 'ALL'}}
            answer = self._ask('POST', '/session', {'capabilities': {'alwaysMatch': wanted}})
            self._url += f'/session/{answer["sessionId"]}'
        except BaseException:
            self._end()
            raise

    def open(self, url):
        self._ask('POST', '/url', {'url': url})

    def run(self, script, *arguments):
        """Run a function body in the page, and return what it returns."""
        return self._ask('POST', '/execute/sync', {'script': script, 'args': arguments})

    def wait_until(self, expression):
        """Wait until an expression is true in the page."""
        wait_for(lambda: self.run(f'return {expression}'))

    def point(self, x, y, *then):
        """
        Move the pointer to a place in the window, in CSS pixels.

        :param then: further actions, as WebDriver defines them
        """
        move = {'type': 'pointerMove', 'x': round(x), 'y': round(y), 'duration': 0}
        actions = [{'type': 'pointer', 'id': 'mouse', 'actions': [move, *then]}]
        self._ask('POST', '/actions', {'actions': actions})

    def messages(self):
        """Return the messages of the page's console."""
        return [one['message'] for one in self._ask('POST', '/se/log', {'type': 'browser'})]

    def picture(self):
        """Return a screenshot of the window, as PNG."""
        return base64.b64decode(self._ask('GET', '/screenshot'))

    def close(self):
        try:
            self._ask('DELETE', '')
        finally:
            self._end()

    def _is_up(self):
        try:
            return self._ask('GET', '/status')['ready']
        except OSError:
            return False

    def _ask(self, method, path, content=None):
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={'Content-Type': 'application/json'},
        )
        with urllib.request.urlopen(request, timeout=_ANSWER_TIMEOUT_S) as answer:
            return json.load(answer)['value']

    def _end(self):
        self._driver.terminate()
        self._driver.wait(_END_TIMEOUT_S)
