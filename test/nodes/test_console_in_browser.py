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
"""An operator records with the console's page in a real browser, over real DDS."""

from __future__ import annotations

from contextlib import suppress

import pytest

pytest.importorskip('starlette', reason='the tests of the console need requirements/console.txt')
pytest.importorskip('httpx2', reason='the tests of the console need requirements/test.txt')

from chromium_page import missing_programs, start_chromium
import psutil
from recorder_rig.browser import open_console
from recorder_rig.datasets import assert_whole, record
from recorder_rig.page import Page
from recorder_rig.surroundings import wait_until
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

pytestmark = [
    pytest.mark.ros,
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(missing_programs()),
        reason='the tests of the page need a browser: apt-get install chromium chromium-driver',
    ),
]

TIMEOUT_S = 120.0


@pytest.fixture
def chromium():
    driver = start_chromium(1400, 1000)
    yield driver
    driver.quit()


@pytest.fixture(scope='module')
def console(shared_rig):
    browser = open_console(shared_rig)
    yield browser
    browser.client.close()


def wait_for_rows(told, num_rows):
    told.state(lambda one: one['phase'] == 'recording' and one['rows'] >= num_rows)


def test_episodes_are_recorded_by_clicks_and_keys(chromium, console, shared_rig, keep_dataset):
    page = Page(chromium, console.url)
    with console.reading() as told:
        page.wait('.phase.ready')
        # The first by clicks, with a verdict.
        page.click('Start')
        wait_for_rows(told, 15)
        page.click('Success')
        assert told.event('saved')['success']
        page.wait('.phase.ready')
        # The second by keys, and the third begins without a gap after it.
        page.press(' ')
        wait_for_rows(told, 15)
        page.press('r')
        assert told.event('rotate')['success']
        wait_for_rows(told, 15)
        page.press(Keys.ARROW_RIGHT)
        told.event('saved', lambda one: one['episode'] == 2)
        page.wait('.phase.ready')
        # The fourth is discarded.
        page.press(' ')
        wait_for_rows(told, 5)
        page.press(Keys.ARROW_LEFT)
        assert told.event('discard')['success']
        page.wait('.phase.ready')
        # The fifth is saved, and taken out again after a question.
        page.click('Start')
        wait_for_rows(told, 15)
        page.click('Save')
        assert told.event('saved', lambda one: one['episode'] == 3)['success']
        page.wait('.phase.ready')
        page.press('u')
        page.wait('dialog', 'Take episode 3 out of the dataset?')
        page.wait('dialog .danger').click()
        assert told.event('undo')['success']
        # An earlier episode gets a verdict in the list.
        page.wait('.episode', 'Episode 2')

        def buttons():
            return chromium.find_elements(By.CSS_SELECTOR, '.verdict .failure')

        # The list follows a moment after the event.
        wait_until(lambda: len(buttons()) == 3, TIMEOUT_S, lambda: len(buttons()))
        buttons()[1].click()
        assert told.event('verdict')['episode'] == 1
    page.wait('.episode .failure[aria-pressed="true"]')
    assert record(shared_rig.root, 0)['metadata'] == {'verdict': 'success'}
    assert record(shared_rig.root, 1)['metadata'] == {'verdict': 'failure'}
    assert_whole(shared_rig.root, 3)
    keep_dataset(shared_rig.root)


def test_a_browser_that_is_killed_disturbs_no_recording(console, shared_rig):
    chromium = start_chromium()
    programs = [
        one
        for one in psutil.Process().children(recursive=True)
        if 'chrom' in one.name() and one.is_running()
    ]
    page = Page(chromium, console.url)
    page.wait('.picture.live')
    with console.reading() as told:
        index = told.state(lambda one: one['phase'] == 'ready')['episode_index']
        page.press(' ')
        wait_for_rows(told, 30)
        for one in programs:
            # Killing the first ones ends others.
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(programs, TIMEOUT_S)
        wait_for_rows(told, 90)
        console.give('save')
        saved = told.event('saved', lambda one: one['episode'] == index)
    assert ' 0 repeated frames' in saved['message']
    assert_whole(shared_rig.root, index + 1)
