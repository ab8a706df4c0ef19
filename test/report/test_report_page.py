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
"""The page shows what there is, needs no network, and no text of a dataset becomes HTML."""

from __future__ import annotations

from html.parser import HTMLParser
import json
import re
import shutil

from arm_dataset import FRONT, keep_pictures_in_rows, Plan, WRIST, write_dataset
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.report import build
from lerobot_streamrec.report.build import build_report
from lerobot_streamrec.report.findings import Rule
from lerobot_streamrec.report.page import page_of
import numpy as np
import pytest

EVIL = '</script><img src=x onerror="document.title=1"><!--'
RECORD = {
    'metadata': {'operator': 'Anna', 'verdict': 'failure', 'notes': 'The cube slipped.'},
    'saved_at': '2026-11-28T08:13:20.412+00:00',
    'streams': {
        FRONT: {
            'topic': '/front/image_raw',
            'messages_per_s': 29.97,
            'skew_ms': {'mean': 4.0, 'p95': 9.5, 'max': 12.25},
            'rows_repeated': 1,
            'rows_stale': 0,
            'missing': 2,
            'late': 3,
        }
    },
}
VOID = {'meta', 'img', 'input', 'br', 'link'}


class Page(HTMLParser):
    """Collects elements, texts and ids of a page, and checks that every element is closed."""

    def __init__(self, content):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.scripts = []
        self.feed(content)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        kept = self.scripts if self.open and self.open[-1] in ('script', 'style') else self.texts
        kept.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return ' '.join(' '.join(self.texts).split())


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    plans = [Plan(), Plan(seconds=70, record=RECORD), Plan(begin_s=0.0, task='Wipe & dry')]
    root = write_dataset(tmp_path_factory.mktemp('page') / 'pick_cube', plans)
    return Page(page_of(build_report(root)))


def test_the_page_shows_the_dataset_and_its_episodes(page):
    assert page.all('html') == [{'lang': 'en'}]
    for text in ('pick_cube', '3 episodes', '82.0 s', '10 fps', 'so101', 'Wipe & dry'):
        assert all(word in page.text for word in text.split(' ')), text
    assert '96 \u00d7 72' in page.text
    assert [one['id'] for one in page.all('article')] == ['episode-0', 'episode-1', 'episode-2']
    assert '70.0 s \u00b7 700 rows \u00b7 Anna \u00b7 2026-11-28 08:13' in page.text
    assert 'The cube slipped.' in page.text
    assert 'Rates, skew and repeats: 1 repeated, skew up to 12 ms' in page.text
    assert 'front 30.0 9.5 12.2 1 0 2 3 /front/image_raw' in page.text


def test_findings_link_to_their_episodes(page):
    links = [one['href'] for one in page.all('a') if one.get('title')]
    assert links == ['#episode-2']
    ids = {one['id'] for _, one in page.elements if 'id' in one}
    assert {one['href'][1:] for one in page.all('a')} <= ids


def test_each_of_many_episodes_with_a_finding_has_a_link(tmp_path, monkeypatch):
    monkeypatch.setattr('lerobot_streamrec.report.page._MAX_LINKS', 2)
    plans = [Plan(seconds=1, picture=darken) for _ in range(4)]
    shown = Page(page_of(build_report(write_dataset(tmp_path / 'dataset', plans))))
    links = [one['href'] for one in shown.all('a') if one.get('title', '').endswith('of 255')]
    assert links == [f'#episode-{number}' for number in range(4)]
    assert 'and 2 more' in shown.text


def test_every_picture_has_a_text(page):
    texts = [one['alt'] for one in page.all('img')]
    assert len(texts) == 6
    assert texts[0] == 'Camera front of episode 0 at 0.5 s, 1.5 s, 2.5 s, 3.5 s, 4.5 s, 5.5 s'
    assert all(one['src'].startswith('data:image/jpeg;base64,/9j/') for one in page.all('img'))


def test_every_table_has_a_caption_and_headers(page):
    number = len(page.all('table'))
    assert number == len(page.all('caption')) == len(page.all('thead'))
    assert all(one.get('scope') in ('col', 'row') for one in page.all('th'))


def test_series_are_in_the_page(page):
    first, second, _ = (json.loads(one) for one in page.scripts if one.startswith('{"fps"'))
    assert (first['fps'], first['rows']) == (10, 60)
    assert [one['title'] for one in first['plots']] == ['state', 'action']
    assert first['plots'][0]['names'][0] == 'shoulder_pan'
    # 600 of 700 rows and six elements of 16 bits, in base64.
    assert [len(one['data']) for one in second['plots']] == [600 * 6 * 2 * 4 // 3] * 2


def test_the_page_needs_no_network(page):
    (policy,) = [one['content'] for one in page.all('meta') if 'http-equiv' in one]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert len(re.findall(r"'sha256-", policy)) == 2
    for _, attributes in page.elements:
        for name in ('src', 'href', 'action', 'data'):
            assert attributes.get(name, '#').startswith(('#', 'data:'))
    assert not any('url(' in one or '@import' in one for one in page.scripts if 'font:' in one)


def test_no_text_of_a_dataset_becomes_html(tmp_path):
    record = {
        'metadata': {'operator': EVIL, 'verdict': EVIL, 'notes': EVIL},
        'saved_at': EVIL,
        'streams': {EVIL: {'topic': EVIL, 'rows_repeated': 30}},
    }
    names = [f'{EVIL}{number}' for number in range(6)]

    def freeze(state, action):
        state[:, 2] = action[:, 2] = 0

    plans = [Plan(), Plan(motion=freeze, task=EVIL, record=record)]
    root = write_dataset(tmp_path / 'a<b>&"c', plans, names=names, robot_type=EVIL)
    content = page_of(build_report(root))
    page = Page(content)
    assert not [one for one in page.all('img') if one['src'] == 'x']
    assert len(page.all('script')) == 4
    assert len(page.all('article')) == 2
    assert '<!--' not in content
    assert page.text.count(EVIL) >= 5
    series = [json.loads(one) for one in page.scripts if one.startswith('{"fps"')]
    assert series[0]['plots'][0]['names'] == names


def test_a_dataset_of_another_recorder_is_shown_without_records(tmp_path):
    root = write_dataset(tmp_path / 'dataset', [Plan(record=RECORD), Plan()])
    shutil.rmtree(root / '.streamrec')
    before = snapshot(root)
    page = Page(page_of(build_report(root)))
    assert snapshot(root) == before
    assert len(page.all('article')) == 2
    assert 'Nothing looks wrong in these episodes.' in page.text
    assert page.all('details') == []


def test_pictures_in_rows_are_shown_as_well(tmp_path):
    root = write_dataset(tmp_path / 'dataset', [Plan(), Plan(), Plan(picture=darken)])
    report = build_report(keep_pictures_in_rows(root))
    assert [(one.key, one.codec) for one in report.summary.cameras] == [
        (WRIST, 'h264'), (FRONT, 'images')
    ]
    for episode in report.episodes:
        assert [one.key for one in episode.sheets] == [WRIST, FRONT]
    assert report.episodes[0].sheets[1].times_s == (0.5, 1.5, 2.5, 3.5, 4.5, 5.5)
    assert [[one.rule for one in episode.findings] for episode in report.episodes] == [
        [], [], [Rule.DARK]
    ]


def darken(camera, row, picture):
    return picture // 24 if camera == FRONT else picture


def snapshot(root):
    return {path: path.stat().st_mtime_ns for path in sorted(root.rglob('*'))}


def test_episodes_can_be_chosen(clean_root):
    report = build_report(clean_root, {1, 4})
    assert [one.facts.index for one in report.episodes] == [1, 4]
    assert 'This report shows 2 of 6 episodes.' in Page(page_of(report)).text
    with pytest.raises(ConfigError, match=r'episodes is 6: .* has the episodes 0 to 5'):
        build_report(clean_root, {1, 6})


def test_of_many_episodes_it_shows_evenly_spaced_ones(clean_root, monkeypatch):
    monkeypatch.setattr(build, 'MAX_EPISODES', 3)
    steps = []
    report = build_report(clean_root, progress=lambda done, total: steps.append((done, total)))
    assert [one.facts.index for one in report.episodes] == [0, 2, 5]
    assert len(report.lengths_s) == 6
    assert (steps[-1], len(steps)) == ((6, 6), 6)


def test_an_empty_dataset_has_a_page(tmp_path):
    root = write_dataset(tmp_path / 'dataset', [Plan(seconds=1)])
    path = root / 'meta/info.json'
    info = json.loads(path.read_text(encoding='utf-8'))
    info |= {'total_episodes': 0, 'total_frames': 0, 'total_tasks': 0}
    path.write_text(json.dumps(info), encoding='utf-8')
    assert 'There is no episode yet.' in Page(page_of(build_report(root))).text


def test_pictures_are_spread_over_the_episode(clean_root):
    (one,) = build_report(clean_root, {2}).episodes
    sheet = one.sheets[0]
    assert sheet.times_s == pytest.approx([0.5, 1.5, 2.5, 3.5, 4.5, 5.5])
    assert np.all(np.diff(sheet.times_s) > 0)
