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
"""The page in a real browser: plots in view, zoom, hiding, cursor, filter, and hostile texts."""

from __future__ import annotations

from arm_dataset import Plan, write_dataset
from chromium_page import ChromiumPage, missing_programs
from lerobot_streamrec.report.build import build_report
from lerobot_streamrec.report.page import page_of
import pytest

EVIL = '</script><script>document.title = "taken"</script><img src=x onerror=alert(1)>'
NUM_EPISODES = 12
PLOTS = '[...plotsOf.values()][0].plots'
"""The plots of the first episode, in the page's script."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(missing_programs()), reason=f'not installed: {", ".join(missing_programs())}'
    ),
]


@pytest.fixture(scope='module')
def url(tmp_path_factory):
    def jump(state, action):
        state[300, 0] += 2

    folder = tmp_path_factory.mktemp('browser')
    plans = [Plan(task='Wipe' if number % 3 else EVIL) for number in range(NUM_EPISODES - 1)]
    record = {'metadata': {'verdict': 'success', 'notes': EVIL}}
    long = Plan(seconds=90, motion=jump, task='Wipe', record=record)
    page = folder / 'report.html'
    root = write_dataset(folder / 'dataset', [long, *plans])
    page.write_text(page_of(build_report(root)), encoding='utf-8')
    return page.as_uri()


@pytest.fixture(scope='module')
def browser():
    page = ChromiumPage()
    yield page
    page.close()


@pytest.fixture
def page(browser, url):
    browser.open(url)
    yield browser
    assert browser.messages() == []


def plots(page, episode):
    """Bring an episode into view, and wait for its two plots."""
    place = f"document.querySelectorAll('#episode-{episode} canvas')"
    page.run(f"document.querySelector('#episode-{episode} .plots').scrollIntoView()")
    page.wait_until(f'{place}.length === 2')


def legend(page, episode):
    """Return the text of the legends of an episode's plots."""
    return page.run(
        'return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)',
        f'#episode-{episode} .u-legend',
    )


def box(page, selector):
    return page.run(
        'const box = document.querySelector(arguments[0]).getBoundingClientRect();'
        'return [box.left, box.top, box.width, box.height]',
        selector,
    )


def test_plots_exist_only_in_view(page):
    plots(page, NUM_EPISODES - 1)
    assert page.run("return document.querySelectorAll('#episode-0 canvas').length") == 0
    plots(page, 0)
    page.wait_until(f"!document.querySelector('#episode-{NUM_EPISODES - 1} canvas')")


def test_the_cursor_shows_frame_and_time_in_all_plots(page):
    plots(page, 0)
    left, top, width, height = box(page, '#episode-0 .u-over')
    # 900 rows are drawn as 600 points, two for three rows: those of rows 449 to 451 are close by.
    page.point(left + width * 449.6 / 898, top + height / 2)
    page.wait_until("document.querySelector('#episode-0 .u-legend').innerText.includes(' s')")
    first, second = legend(page, 0)
    assert 'frame 450, 45.00 s' in first
    assert 'frame 450, 45.00 s' in second


def test_a_zoom_applies_to_all_plots_and_ends_by_a_double_click(page):
    plots(page, 0)
    left, top, width, height = box(page, '#episode-0 .u-over')
    scales = f'return {PLOTS}.map((one) => [one.scales.x.min, one.scales.x.max])'
    assert page.run(scales) == [[0, 898]] * 2
    page.point(
        left + width / 4, top + height / 2,
        {'type': 'pointerDown', 'button': 0},
        {'type': 'pointerMove', 'x': round(left + width / 2), 'y': round(top + 50)},
        {'type': 'pointerUp', 'button': 0},
    )
    page.wait_until(f'{PLOTS}.every((one) => one.scales.x.max < 500)')
    first, second = page.run(scales)
    assert first == second
    assert 200 < first[0] < 250
    click = [{'type': one, 'button': 0} for one in ('pointerDown', 'pointerUp')]
    page.point(left + width / 2, top + height / 2, *click, *click)
    page.wait_until(f'{PLOTS}.every((one) => one.scales.x.max === 898)')


def test_a_name_in_the_legend_hides_its_line_in_all_plots(page):
    plots(page, 1)
    state = (
        "[...document.querySelectorAll('#episode-1 .u-legend')].map((one) => "
        "one.querySelectorAll('.u-series th')[2].getAttribute('aria-pressed'))"
    )
    assert page.run(f'return {state}') == ['true', 'true']
    name = "document.querySelectorAll('#episode-1 .u-series th')[2]"
    page.run(f'{name}.click()')
    assert page.run(f'return {state}') == ['false', 'false']
    # Keys do the same.
    page.run(f"{name}.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Enter'}}))")
    assert page.run(f'return {state}') == ['true', 'true']


def test_the_filter_chooses_episodes_and_a_link_leads_to_a_hidden_one(page):
    shown = 'episodes.filter((one) => !one.hidden).map((one) => one.id)'
    choose = (
        "const form = document.getElementById('filter'); form[arguments[0]].value = arguments[1];"
        "form[arguments[0]].dispatchEvent(new Event('change'))"
    )
    page.run(choose, 'kind', 'success')
    assert page.run(f'return {shown}') == ['episode-0']
    page.run("location.hash = 'episode-5'")
    page.wait_until(f'{shown}.length === {NUM_EPISODES}')
    page.run(choose, 'task', '1')
    assert page.run(f'return {shown}.length') == 4
    page.run(choose, 'kind', 'findings')
    assert page.run("return document.querySelector('#filter output').textContent") == (
        f'0 of {NUM_EPISODES} shown'
    )


def test_texts_of_a_dataset_do_no_harm(page):
    plots(page, 0)
    assert page.run('return document.title') == 'dataset: dataset report'
    assert page.run("return document.querySelectorAll('img[src=x]').length") == 0
    assert page.run("return document.querySelector('#episode-0 .note').textContent") == EVIL


def test_nothing_is_wider_than_a_phone(page):
    page.run("document.body.style.width = '360px'")
    plots(page, 0)
    wide = (
        "[...document.querySelectorAll('.episode, .findings li, .tiles, .bars, h1, .task, .note')]"
        ".filter((one) => one.getBoundingClientRect().right > 361).map((one) => one.className)"
    )
    assert page.run(f'return {wide}') == []
