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
"""Several browsers, quick and slow ones, see the same state; none of them delays another."""

from __future__ import annotations

from contextlib import contextmanager
import json
import os
import threading

from console_room import FRONT, picture, stalled_previews, stalled_state, STATE
from lerobot_streamrec.console import addresses
from lerobot_streamrec.nodes.clients.news import Preview
import psutil
import pytest
from waiting import wait_for
from websockets.sync.client import connect

TIMEOUT_S = 60.0
STALLED_BYTES = 16 * 1024 * 1024


def first(events, name, condition=lambda _: True):
    return next(one for kind, one in events if kind == name and condition(one))


@contextmanager
def viewing(console, *streams):
    """Open a web socket that shows streams, once the server knows them."""
    url = f'ws://127.0.0.1:{console.port}/api/previews'
    with connect(url, origin=console.url, compression=None) as viewer:
        viewer.send(json.dumps({'streams': streams}))
        wait_for(lambda: any(one.names == {*streams} for one in [*console.board._viewers]))
        yield viewer


def test_a_new_browser_gets_the_events_so_far_and_the_state(console, robot):
    robot.hear_event('recording episode 3', episode=3)
    robot.hear(phase='recording', rows='7')
    with console.reading() as events:
        assert first(events, 'event')['message'] == 'recording episode 3'
        state = first(events, 'state', lambda one: one['rows'] == 7)
        assert state['phase'] == 'recording'
        assert state['mode'] == 'record'
        robot.hear(phase='ready', rows='0')
        assert first(events, 'state', lambda one: one['rows'] == 0)['phase'] == 'ready'


def test_a_browser_hears_something_every_second_even_of_a_silent_robot(console):
    with console.reading() as events:
        for _ in range(3):
            assert first(events, 'state')['connected'] is False


def test_two_browsers_see_the_same(console, robot):
    with console.reading() as one, console.reading() as other:
        robot.hear(rows='0')
        assert console.post('start').status_code == 202
        robot.hear_event('recording episode 0')
        robot.hear(rows='5')
        for events in (one, other):
            assert first(events, 'event')['message'] == 'recording episode 0'
            assert first(events, 'state', lambda found: found['rows'] == 5)
    assert robot.commands == ['start']


def test_a_burst_of_news_becomes_few_states(console, robot):
    with console.reading() as events:
        first(events, 'state')
        for number in range(2000):
            robot.hear(rows=str(number))
        states = 0
        while first(events, 'state')['rows'] != 1999:
            states += 1
    assert states < 100


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'{"command": ""}', 'is needed'),
        (b'{"command": 7}', 'is needed'),
        (b'["start"]', 'is needed'),
        (b'start', 'no JSON'),
        (b'[' * 5000, 'no JSON'),
        (b'{"command": "' + b'x' * 3000 + b'"}', 'is needed'),
        (b'"' + b'x' * 70_000 + b'"', 'larger than 64 KiB'),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_no_command_is_refused(make_client, robot, content, words):
    robot.hear()
    client = make_client(Origin='http://127.0.0.1:8010')
    answer = client.post('/api/command', content=content)
    assert answer.status_code in (400, 413)
    assert words in answer.json()['error']
    assert robot.commands == []


def test_without_a_recorder_a_command_is_refused(console, robot):
    answer = console.post('start')
    assert answer.status_code == 503
    assert 'no recorder is heard' in answer.json()['error']
    assert robot.commands == []


def test_a_command_is_one_line(console, robot):
    robot.hear()
    assert console.post('note the cube\n[pedal] undo').status_code == 202
    assert robot.commands == ['note the cube [pedal] undo']


def test_previews_are_wanted_only_while_a_browser_shows_them(console, robot):
    robot.hear()
    assert robot.shown == frozenset()
    with viewing(console, 'front'):
        wait_for(lambda: robot.shown == {FRONT})
        with viewing(console, STATE, 'unknown') as other:
            wait_for(lambda: robot.shown == {FRONT, STATE})
            other.send('{"streams": []}')
            wait_for(lambda: robot.shown == {FRONT})
    wait_for(lambda: robot.shown == frozenset())


def test_streams_that_come_later_are_shown_too(console, robot):
    with viewing(console, 'front'):
        assert robot.shown == frozenset()
        robot.hear()
        wait_for(lambda: robot.shown == {FRONT})


def test_pictures_and_vectors_have_their_own_forms(console, robot):
    robot.hear()
    with viewing(console, 'front', STATE) as viewer:
        robot.hear_preview(picture(1234))
        message = viewer.recv(TIMEOUT_S)
        assert message == b'\x05front\xff\xd8' + bytes(1232)
        robot.hear_preview(Preview(STATE, 7.5, names=('a', 'b'), values=(0.5, float('nan'))))
        assert json.loads(viewer.recv(TIMEOUT_S)) == {
            'stream': STATE,
            'names': ['a', 'b'],
            'values': [0.5, None],
            'stamp_s': 7.5,
        }


@pytest.mark.parametrize('text', ['front', '{}', '{"streams": "front"}', '{"streams": [1]}'])
def test_a_wrong_request_for_previews_ends_the_socket(console, text):
    with connect(f'ws://127.0.0.1:{console.port}/api/previews', origin=console.url) as viewer:
        viewer.send(text)
        with pytest.raises(Exception, match='1008'):
            viewer.recv(TIMEOUT_S)


def test_a_browser_that_reads_nothing_delays_nobody_and_costs_no_memory(console, robot):
    robot.hear()
    port = console.port
    with (
        stalled_previews(port, 'front'),
        stalled_state(port),
        viewing(console, 'front') as eager,
        console.reading() as events,
    ):
        wait_for(lambda: sum(one.names == {'front'} for one in [*console.board._viewers]) == 2)
        used_bytes = psutil.Process(os.getpid()).memory_info().rss
        for number in range(500):
            robot.hear_preview(picture(200_000, stamp_s=number))
            message = eager.recv(TIMEOUT_S)
            assert len(message) == 200_006
        # 100 MB have passed by.
        grown_bytes = psutil.Process(os.getpid()).memory_info().rss - used_bytes
        assert grown_bytes < STALLED_BYTES
        robot.hear(rows='77')
        assert first(events, 'state', lambda one: one['rows'] == 77)
        assert console.post('start').status_code == 202


def test_a_browser_that_never_reads_is_dropped(robot, monkeypatch, make_console):
    monkeypatch.setattr(addresses, '_SILENT_MS', 500)
    with make_console() as console, stalled_state(console.port):
        wait_for(lambda: console.board._readers)
        stop = threading.Event()

        def talk():
            while not stop.wait(0.02):
                robot.hear(task='x' * 100_000)

        talker = threading.Thread(target=talk)
        talker.start()
        try:
            wait_for(lambda: not console.board._readers)
        finally:
            stop.set()
            talker.join()


def test_the_server_ends_while_browsers_are_connected(robot, make_console):
    robot.hear()
    with make_console() as console, console.reading() as events:
        first(events, 'state')
        with viewing(console, 'front') as viewer:
            console.close()
            assert list(events) is not None
            with pytest.raises(Exception, match='1012'):
                viewer.recv(TIMEOUT_S)
