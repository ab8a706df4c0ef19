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
"""The console's page in a real browser: what it shows, and what its keys and buttons send."""

from __future__ import annotations

from contextlib import ExitStack

from chromium_page import missing_programs, start_chromium
from lerobot_streamrec.console import addresses
from lerobot_streamrec.console.access import Rules
from lerobot_streamrec.console.assets import read_assets
from lerobot_streamrec.console.server import make_app
from lerobot_streamrec.console.web import Web
import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from showcase_robot import ShowcaseRobot
from waiting import wait_for

TIMEOUT_S = 60.0
NAMES = frozenset({'127.0.0.1'})

pytestmark = pytest.mark.skipif(
    bool(missing_programs()),
    reason='the tests of the page need a browser: apt-get install chromium chromium-driver',
)


@pytest.fixture(scope='module')
def browser():
    driver = start_chromium()
    yield driver
    driver.quit()


class Page:
    """The page in a browser, beside a robot and the real server."""

    def __init__(self, browser, robot, port=0):
        self.browser, self.robot = browser, robot
        self._listener = addresses.listen('127.0.0.1', port)
        self.port = self._listener.getsockname()[1]
        self._web = Web(self._listener, robot, self._app)
        self._web.start()

    def _app(self, board, more):
        return make_app(board, read_assets(), Rules(self.port, NAMES), more)

    def open(self, width=1400, height=1000):
        # A window cannot be narrower than 500 pixels, but a phone's screen can.
        size = {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': width < 500}
        self.browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
        self.browser.get(f'http://127.0.0.1:{self.port}/')
        self.wait(lambda: self.browser.find_elements(By.CSS_SELECTOR, '.phase, .setup'))

    def wait(self, condition):
        def holds(_):
            try:
                return condition()
            except StaleElementReferenceException:
                return False

        return WebDriverWait(self.browser, TIMEOUT_S, 0.1).until(holds)

    def text(self, selector):
        return '\n'.join(one.text for one in self.browser.find_elements(By.CSS_SELECTOR, selector))

    def wait_for_text(self, selector, text):
        self.wait(lambda: text in self.text(selector))

    def button(self, label):
        return self.browser.find_element(
            By.XPATH, f'//button[.//span[normalize-space()="{label}"]]'
        )

    def press(self, keys):
        self.browser.find_element(By.TAG_NAME, 'body').send_keys(keys)

    def wait_for_commands(self, *commands):
        wait_for(lambda: self.robot.commands == [*commands])

    def close(self):
        self._web.end()
        assert not self._web.is_alive()
        self._listener.close()


@pytest.fixture
def make_page(browser):
    with ExitStack() as stack:

        def make(robot=None, port=0):
            if robot is None:
                robot = ShowcaseRobot()
                stack.callback(robot.close)
            page = Page(browser, robot, port)
            stack.callback(page.close)
            return page

        browser.get_log('browser')
        yield make


@pytest.fixture
def page(make_page):
    page = make_page()
    page.open()
    page.wait(lambda: page.browser.find_elements(By.CSS_SELECTOR, '.phase.ready'))
    return page


def set_phase(page, phase, **values):
    page.robot.values.update(phase=phase, **values)
    page.wait(lambda: page.browser.find_elements(By.CSS_SELECTOR, f'.phase.{phase}'))


def test_keys_send_the_commands_of_the_keyboard_program(page):
    page.wait_for_text('.phase', 'Ready')
    page.press(' ')
    page.wait_for_commands('start')
    set_phase(page, 'recording', seconds='4.0')
    for key in (' ', Keys.ARROW_RIGHT, Keys.ARROW_LEFT, 'r', 's', 'f'):
        page.press(key)
    expected = ('pause', 'save', 'discard', 'rotate', 'verdict success', 'verdict failure')
    page.wait_for_commands('start', *expected)


def test_buttons_send_commands_and_show_the_answers(page):
    page.button('Start').click()
    page.wait_for_commands('start')
    page.robot.answer('start', 'recording episode 3: Pick up the cube')
    page.wait_for_text('.answer.good', 'recording episode 3: Pick up the cube')
    set_phase(page, 'recording', seconds='2.0')
    page.button('Success').click()
    page.wait_for_commands('start', 'save success')
    page.robot.answer('save', 'the disk is full', success=False)
    page.wait_for_text('.answer.bad', 'the disk is full')


def test_a_key_of_a_command_that_is_not_possible_sends_nothing(page):
    page.press(Keys.ARROW_RIGHT)
    assert not page.button('Save').is_enabled()
    assert page.button('Save').get_attribute('title') == 'No episode is being recorded.'
    page.press(' ')
    page.wait_for_commands('start')


def test_typing_a_task_is_no_command_and_the_next_start_has_the_task(page):
    field = page.browser.find_element(By.ID, 'task')
    # As a person does it: WebDriver's own way to clear a field is not typing.
    field.send_keys(Keys.CONTROL + 'a')
    field.send_keys('Fold the towel' + Keys.ENTER)
    page.press(' ')
    page.wait_for_commands('start Fold the towel')


def test_a_typed_task_makes_an_episode_possible_that_only_lacked_one(page):
    why = 'there is no task: set the parameter task'
    set_phase(page, 'idle', blocker_list=why, task='')
    page.wait_for_text('.blockers', 'There is no task')
    assert not page.button('Start').is_enabled()
    page.browser.find_element(By.ID, 'task').send_keys('Fold' + Keys.ENTER)
    page.wait(lambda: not page.browser.find_elements(By.CSS_SELECTOR, '.blockers'))
    page.press(' ')
    page.wait_for_commands('start Fold')


def test_space_after_a_click_is_a_key_again(page):
    page.button('Note').click()
    page.wait(lambda: page.browser.find_elements(By.CSS_SELECTOR, 'dialog textarea'))
    page.browser.find_element(By.XPATH, '//dialog//button[.="Cancel"]').click()
    page.wait(lambda: not page.browser.find_elements(By.TAG_NAME, 'dialog'))
    page.press(' ')
    page.wait_for_commands('start')


def test_buttons_stay_where_they_are_when_warnings_come(page):
    place = page.button('Save').location
    page.robot.values.update(problem_list='the disk lasts 3 min\na camera is late')
    page.wait_for_text('.warning', 'The disk lasts 3 min')
    assert page.button('Save').location == place
    page.robot.is_silent = True
    page.wait_for_text('.lost', 'No recorder is heard')
    assert page.button('Save').location == place


def test_undo_asks_before_it_takes_an_episode_out(page):
    page.press('u')
    page.wait_for_text('dialog', 'Take episode 2 out of the dataset?')
    page.browser.find_element(By.XPATH, '//dialog//button[.="Keep it"]').click()
    page.wait(lambda: not page.browser.find_elements(By.TAG_NAME, 'dialog'))
    page.press('u')
    page.wait(lambda: page.browser.find_elements(By.CSS_SELECTOR, 'dialog .danger'))[0].click()
    page.wait_for_commands('undo')


def test_a_note_is_typed_into_a_field_of_its_own(page):
    page.press('n')
    field = page.wait(lambda: page.browser.find_elements(By.CSS_SELECTOR, 'dialog textarea'))[0]
    field.send_keys('dropped it')
    page.browser.find_element(By.CSS_SELECTOR, 'dialog .primary').click()
    page.wait_for_commands('note dropped it')


def test_blockers_and_warnings_are_listed_in_words(page):
    blocker = 'observation.images.front (/front/image_raw) has no publisher'
    set_phase(page, 'idle', blocker_list=blocker, problem_list='the disk lasts 3 min')
    page.wait_for_text('.blockers', 'Before you can start')
    page.wait_for_text('.blockers', blocker)
    page.wait_for_text('.warning', 'The disk lasts 3 min')
    assert page.button('Start').get_attribute('title') == blocker


def test_the_state_of_a_copy_is_a_line_below_the_phase(page):
    assert 'Copy' not in page.text('.phase')
    text = 's3://lab/cell-07: waiting, 8 files left: Could not connect to server'
    page.robot.values['sync'] = text
    page.wait_for_text('.phase', f'Copy to {text}')


def test_time_goes_on_while_recording_and_pictures_and_plots_are_drawn(page):
    set_phase(page, 'recording', seconds='64.0', rows='1920')
    page.wait_for_text('.phase .time', '1:0')
    page.wait(lambda: len(page.browser.find_elements(By.CSS_SELECTOR, '.picture.live')) == 2)
    page.wait_for_text('.plot', 'shoulder_lift')
    assert page.robot.shown == set(page.robot.streams)
    page.wait_for_text('.streams', '30.0 / 30 Hz')


def test_a_silent_recorder_and_a_lost_console_are_told_and_come_back(make_page):
    page = make_page()
    page.open()
    page.robot.is_silent = True
    page.wait_for_text('.lost', 'No recorder is heard as /episode')
    page.robot.is_silent = False
    page.wait(lambda: not page.browser.find_elements(By.CSS_SELECTOR, '.lost'))
    page.close()
    page.wait_for_text('.lost', 'The connection to the console is lost')
    make_page(page.robot, page.port)
    page.wait(lambda: not page.browser.find_elements(By.CSS_SELECTOR, '.lost'))
    page.wait_for_text('.phase', 'Ready')


def test_a_verdict_of_an_earlier_episode_is_given_by_its_index(make_page, tmp_path):
    from examples.record_without_ros import main

    main(tmp_path / 'dataset')
    page = make_page()
    page.robot.values.update(root=str(tmp_path / 'dataset'), saved_episodes='1')
    page.open()
    page.wait_for_text('.episodes', 'Move to the right')
    page.wait(
        lambda: (
            page.browser.execute_script(
                'return [...document.querySelectorAll(".strip img")].length'
            )
            == 4
        )
    )
    first = page.browser.find_element(By.CSS_SELECTOR, '.strip img')
    page.browser.execute_script('arguments[0].scrollIntoView()', first)
    page.wait(lambda: page.browser.execute_script('return arguments[0].naturalWidth', first) > 0)
    button = page.browser.find_element(By.CSS_SELECTOR, '.verdict .failure')
    button.click()
    page.wait_for_commands('verdict failure 0')


@pytest.mark.parametrize('width', [360, 768, 1400, 3840])
def test_no_screen_needs_to_scroll_sideways(page, width):
    long = 'observation.images.a_camera_with_a_name_that_does_not_end'
    page.robot.streams[long] = dict(page.robot.streams['observation.images.front'])
    late = f'{long} (/a/{"b" * 80}/image_raw) is late'
    page.robot.values.update(problem_list=late, sync=f's3://lab/{"c" * 80}: up to date')
    page.open(width)
    page.wait_for_text('.warning', 'is late')
    assert page.browser.execute_script(
        'return document.documentElement.scrollWidth <= document.documentElement.clientWidth'
    )


def test_texts_of_the_robot_are_never_markup(page):
    attack = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    page.robot.values.update(task=attack, problem_list=attack, root=attack)
    page.robot.answer('start', attack)
    page.wait_for_text('.answer', attack)
    page.wait_for_text('.warning', attack)
    assert page.browser.title == 'ready – recorder'  # noqa: RUF001
    assert not page.browser.find_elements(By.CSS_SELECTOR, 'img[src=x]')


def test_the_page_asks_nobody_but_the_console_and_has_no_errors(page):
    page.wait(lambda: len(page.browser.find_elements(By.CSS_SELECTOR, '.picture.live')) == 2)
    assert [
        one['message'] for one in page.browser.get_log('browser') if one['level'] == 'SEVERE'
    ] == []
    asked = page.browser.execute_script(
        'return performance.getEntriesByType("resource").map((one) => one.name)'
    )
    assert asked
    assert all(one.startswith(f'http://127.0.0.1:{page.port}/') for one in asked)


def test_every_control_has_a_name_for_screen_readers(page):
    unnamed = page.browser.execute_script(
        """return [...document.querySelectorAll('button, input, select, textarea, img, canvas')]
            .filter((one) => !(one.textContent.trim() || one.getAttribute('aria-label')
                || one.labels?.length || one.getAttribute('alt') !== null))
            .map((one) => one.outerHTML)"""
    )
    assert unnamed == []
