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
"""A page in a real headless Chromium, driven through chromedriver."""

from __future__ import annotations

import shutil

from selenium import webdriver
from selenium.webdriver.remote.command import Command
from waiting import wait_for

PROGRAMS = ('chromium', 'chromedriver')
ARGUMENTS = (
    '--headless=new',
    '--no-sandbox',
    '--disable-dev-shm-usage',
    '--hide-scrollbars',
    '--disable-gpu',
)


def missing_programs():
    """Return the programs that are not installed: apt-get install chromium chromium-driver."""
    return [one for one in PROGRAMS if shutil.which(one) is None]


def start_chromium(width=1200, height=900):
    """Start a browser; the test that starts it ends it with ``quit``."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which(PROGRAMS[0])
    for one in (*ARGUMENTS, f'--window-size={width},{height}'):
        options.add_argument(one)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    service = webdriver.ChromeService(executable_path=shutil.which(PROGRAMS[1]))
    return webdriver.Chrome(options=options, service=service)


class ChromiumPage:
    """One tab. Owned by the test that made it, which closes it."""

    def __init__(self, width=1200, height=900):
        self._browser = start_chromium(width, height)
        self.open, self.run = self._browser.get, self._browser.execute_script
        self.close = self._browser.quit

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
        self._browser.execute(Command.W3C_ACTIONS, {'actions': actions})

    def messages(self):
        """Return the messages of the page's console."""
        return [one['message'] for one in self._browser.get_log('browser')]

    def picture(self):
        """Return a screenshot of the window, as PNG."""
        return self._browser.get_screenshot_as_png()
