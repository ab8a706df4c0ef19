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
"""The console's page in a real browser: what it shows, and clicks and keys."""

from __future__ import annotations

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

TIMEOUT_S = 120.0


class Page:
    """The console's page in a browser."""

    def __init__(self, chromium, url):
        self._chromium = chromium
        chromium.get(url)

    def wait(self, selector, text=''):
        def holds(_):
            try:
                found = self._chromium.find_elements(By.CSS_SELECTOR, selector)
                return [one for one in found if text in one.text]
            except StaleElementReferenceException:
                return False

        return WebDriverWait(self._chromium, TIMEOUT_S, 0.1).until(holds)[0]

    def press(self, key):
        self._chromium.find_element(By.TAG_NAME, 'body').send_keys(key)

    def click(self, label):
        path = f'//button[not(@disabled)][.//span[normalize-space()="{label}"]]'
        WebDriverWait(self._chromium, TIMEOUT_S, 0.1).until(
            lambda driver: driver.find_elements(By.XPATH, path)
        )[0].click()
