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
"""The console as its users start it, beside a recorder: what browsers see and do."""

from __future__ import annotations

import json

import pytest

pytest.importorskip('starlette', reason='the tests of the console need requirements/console.txt')
pytest.importorskip('httpx2', reason='the tests of the console need requirements/test.txt')

from console_room import stalled_previews, stalled_state
from examples.demo.motion import JOINT_NAMES
from recorder_rig.browser import open_console, TIMEOUT_S
from recorder_rig.datasets import assert_whole, record
from websockets.sync.client import connect

pytestmark = [pytest.mark.ros]

JPEG = b'\xff\xd8'


@pytest.fixture(scope='module')
def browser(shared_rig):
    browser = open_console(shared_rig)
    yield browser
    browser.client.close()


def recorded(browser, told, num_rows=15, save='save'):
    """Record an episode, and return the event of its end."""
    told.state(lambda one: one['phase'] == 'ready' and one['pending_episodes'] == 0)
    browser.give('start')
    assert told.event('start')['success']
    told.state(lambda one: one['phase'] == 'recording' and one['rows'] >= num_rows)
    browser.give(save)
    assert told.event('save')['success']
    saved = told.event('saved')
    assert saved['success'], saved
    return saved


@pytest.mark.slow
def test_an_episode_is_recorded_by_clicks_before_all_browsers(browser, shared_rig):
    with browser.reading() as told, browser.reading() as other:
        before = told.state(lambda one: one['connected'] and one['streams'])
        index = before['episode_index']
        assert before['root'] == str(shared_rig.root)
        assert [one['name'] for one in before['streams']] == ['front', 'observation.state']
        saved = recorded(browser, told, save='save success')
        assert saved['episode'] == index
        after = told.state(lambda one: one['saved_episodes'] == index + 1)
        assert after['episodes_revision'] > before['episodes_revision']
        assert after['last_source'] == 'console'
        # The other browser has read nothing in the meantime.
        assert other.event('saved') == saved
        other.state(lambda one: one['saved_episodes'] == index + 1)
    first = told.phases.index('recording')
    assert told.phases[0] == 'ready'
    assert 'ready' in told.phases[first:]
    assert record(shared_rig.root, index)['metadata'] == {'verdict': 'success'}


@pytest.mark.slow
def test_the_list_and_the_thumbnails_follow_the_dataset(browser, shared_rig):
    with browser.reading() as told:
        index = recorded(browser, told)['episode']
        listed = browser.episodes(limit=1)
        assert listed['available'] is True
        assert listed['total'] == listed['all']['episodes'] == index + 1
        assert listed['today']['episodes'] == index + 1
        (newest,) = listed['episodes']
        assert newest['episode_index'] == index
        assert newest['tasks'] == ['Pick up the cube']
        assert newest['cameras'] == ['front']
        assert newest['repeated_frames'] == 0
        assert newest['length'] >= 15
        assert newest['verdict'] == ''
        path = f'/api/episodes/{index}/front.jpg'
        picture = browser.client.get(path, params={'position': 0.5, 'width': 64})
        assert picture.headers['content-type'] == 'image/jpeg'
        assert picture.content.startswith(JPEG)
        browser.give(f'verdict failure {index}')
        told.event('verdict')
        browser.give(f'note {index}: too slow')
        told.event('note')
        (newest,) = browser.episodes(limit=1)['episodes']
        assert (newest['verdict'], newest['note']) == ('failure', 'too slow')
        browser.give('undo')
        assert told.event('undo')['success']
        assert browser.client.get(path).status_code == 404
        listed = browser.episodes(limit=1)
        assert listed['total'] == index
        aside = listed['quarantined'][0]
        assert aside['name'].startswith(f'undone-episode-{index:06d}')
        assert 'undo' in aside['reason']


@pytest.mark.slow
def test_previews_come_from_the_recorder(browser):
    url = f'ws://127.0.0.1:{browser.port}/api/previews'
    with connect(url, origin=browser.url) as viewer:
        viewer.send(json.dumps({'streams': ['front', 'observation.state']}))
        seen = {}
        while len(seen) < 2:
            message = viewer.recv(TIMEOUT_S)
            if isinstance(message, str):
                seen['observation.state'] = json.loads(message)
            else:
                seen['front'] = message
    assert seen['front'].startswith(b'\x05front' + JPEG)
    assert seen['observation.state']['names'] == list(JOINT_NAMES)
    assert len(seen['observation.state']['values']) == len(JOINT_NAMES)


@pytest.mark.slow
def test_a_browser_that_reads_nothing_disturbs_no_recording(browser, shared_rig):
    port = browser.port
    with (
        stalled_state(port),
        stalled_previews(port, 'front', 'observation.state'),
        browser.reading() as told,
    ):
        saved = recorded(browser, told, num_rows=150)
    assert ' 0 repeated frames' in saved['message']
    assert_whole(shared_rig.root, saved['episode'] + 1)
