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
"""The set-up in a real browser: the delay of a camera is measured, and gets into the file."""

from __future__ import annotations

import pytest

pytest.importorskip('starlette', reason='the tests of the console need requirements/console.txt')
pytest.importorskip('httpx2', reason='the tests of the console need requirements/test.txt')

from arm_strokes import Strokes
from chromium_page import missing_programs, start_chromium
from recorder_rig.browser import Browser, MODULE
from recorder_rig.moving_arm import add_moving_arm, DELAY_S
from recorder_rig.page import Page
from selenium.webdriver.common.by import By

pytestmark = [
    pytest.mark.ros,
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(missing_programs()),
        reason='the tests of the page need a browser: apt-get install chromium chromium-driver',
    ),
]


@pytest.fixture
def chromium():
    driver = start_chromium(1400, 1000)
    yield driver
    driver.quit()


def test_the_set_up_measures_the_delay_of_a_camera(chromium, rig, tmp_path):
    add_moving_arm(rig, Strokes(22).joints)
    file = tmp_path / 'record.yaml'
    console = Browser(rig.program(MODULE, {'port': 0, 'set_up_file': str(file)}))
    page = Page(chromium, console.url)
    page.wait('.offer', '/front/image_raw')
    page.wait('.offer', '/joint_states')
    folder = chromium.find_element(By.XPATH, '//label[starts-with(., "Folder")]/input')
    folder.clear()
    folder.send_keys(str(rig.root))
    page.wait('button', 'Measure delays').click()
    page.wait('[role=status]', 'Now move one joint')
    page.wait('.offer', 'Delay: its pictures do not show how the robot moves')
    assert ' ± ' in page.wait('.offer', '/front/image_raw').text
    page.wait('button.primary', 'Save').click()
    page.wait('.written', str(file))
    (line,) = [one for one in file.read_text().splitlines() if 'offset_ms:' in one]
    assert float(line.partition(':')[2]) == pytest.approx(-1e3 * DELAY_S, abs=5)
    console.client.close()
