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
"""Who may use the console: the page itself, by a name that is known, with the token."""

from __future__ import annotations

from console_room import ORIGIN, PAGE, PORT
import pytest
from starlette.testclient import WebSocketDenialResponse

TOKEN = 'a-secret-of-this-test'
HEADERS = {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
}
PREVIEWS = f'ws://127.0.0.1:{PORT}/api/previews'
START = {'command': 'start'}


def refused(answer, status, words):
    assert answer.status_code == status
    assert words in answer.json()['error']
    assert HEADERS.items() <= answer.headers.items()
    policy = answer.headers['content-security-policy']
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    return True


@pytest.mark.parametrize(
    'host', [f'127.0.0.1:{PORT}', f'localhost:{PORT}', f'[::1]:{PORT}', f'LocalHost:{PORT}']
)
def test_the_names_of_this_machine_are_answered(make_client, host):
    answer = make_client().get('/', headers={'Host': host})
    assert (answer.status_code, answer.content) == (200, PAGE)
    assert HEADERS.items() <= answer.headers.items()


@pytest.mark.parametrize(
    'host',
    [
        f'evil.example:{PORT}',
        f'127.0.0.1.evil.example:{PORT}',
        f'evil.example@127.0.0.1:{PORT}',
        '127.0.0.1',
        '127.0.0.1:80',
        'localhost:8011',
        f'192.168.1.7:{PORT}',
        f':{PORT}',
        '[::1]',
        '',
    ],
)
@pytest.mark.parametrize('path', ['/', '/page/app.js', '/api/state', '/api/episodes', '/nothing'])
def test_another_name_is_refused(make_client, host, path):
    answer = make_client().get(path, headers={'Host': host})
    assert refused(answer, 403, 'does not answer to the name')


def test_on_port_80_the_name_alone_is_enough():
    from lerobot_streamrec.console.access import Rules

    rules = Rules(80, frozenset({'robot', '[::1]'}))
    assert all(map(rules.fits_host, ('robot', 'robot:80', '[::1]', '[::1]:80')))
    assert not any(map(rules.fits_host, ('other', 'robot:8010', 'robot:', '[::2]')))


@pytest.mark.parametrize(
    'headers',
    [
        {},
        {'Origin': 'http://evil.example'},
        {'Origin': 'null'},
        {'Origin': f'https://127.0.0.1:{PORT}'},
        {'Origin': 'http://127.0.0.1:3000'},
        {'Origin': f'http://localhost:{PORT}'},
        {'Origin': 'http://evil.example', 'Sec-Fetch-Site': 'same-origin'},
        {'Sec-Fetch-Site': 'cross-site'},
        {'Sec-Fetch-Site': 'same-site'},
        {'Sec-Fetch-Site': 'none'},
    ],
    ids=str,
)
def test_a_command_from_elsewhere_is_refused(make_client, robot, headers):
    robot.hear()
    client = make_client()
    answer = client.post('/api/command', json=START, headers=headers)
    assert refused(answer, 403, "Only the console's own page")
    with (
        pytest.raises(WebSocketDenialResponse) as caught,
        client.websocket_connect(PREVIEWS, headers=headers),
    ):
        pass
    assert refused(caught.value, 403, "Only the console's own page")
    assert robot.commands == []
    assert robot.shown == frozenset()


@pytest.mark.parametrize('headers', [{'Origin': ORIGIN}, {'Sec-Fetch-Site': 'same-origin'}])
def test_a_command_of_the_page_is_sent(make_client, robot, headers):
    robot.hear()
    client = make_client()
    answer = client.post('/api/command', json=START, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {})
    assert robot.commands == ['start']
    with client.websocket_connect(PREVIEWS, headers=headers) as socket:
        socket.close()


@pytest.mark.parametrize(
    ('headers', 'is_allowed'),
    [
        ({}, True),
        ({'Sec-Fetch-Site': 'none'}, True),
        ({'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate'}, True),
        ({'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors'}, False),
        ({'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'cors'}, False),
        ({'Origin': 'http://evil.example'}, False),
    ],
    ids=str,
)
def test_another_site_may_link_to_the_page_but_not_show_parts_of_it(
    make_client, headers, is_allowed
):
    answer = make_client().get('/page/app.js', headers=headers)
    assert answer.status_code == 200 if is_allowed else refused(answer, 403, 'own page')


@pytest.mark.parametrize('path', ['/', '/page/app.js', '/api/state', '/api/episodes'])
def test_without_the_token_nothing_is_shown(make_client, path):
    client = make_client(TOKEN)
    assert refused(client.get(path), 401, 'needs its token')
    for cookie in ('', 'wrong', TOKEN[:-1], f'{TOKEN}x', 'ä'.encode().decode('latin1')):
        headers = [(b'cookie', f'lerobot_streamrec_{PORT}={cookie}'.encode('latin1'))]
        assert refused(client.get(path, headers=headers), 401, 'needs its token')
    # A console at another port of this host has a token of its own.
    client.cookies.set(f'lerobot_streamrec_{PORT + 1}', TOKEN)
    assert refused(client.get(path), 401, 'needs its token')


def test_without_the_token_nothing_is_done(make_client, robot):
    robot.hear()
    client = make_client(TOKEN, Origin=ORIGIN)
    assert refused(client.post('/api/command', json=START), 401, 'token')
    assert refused(client.post(f'/api/command?token={TOKEN}', json=START), 401, 'token')
    with (
        pytest.raises(WebSocketDenialResponse) as caught,
        client.websocket_connect(PREVIEWS),
    ):
        pass
    assert refused(caught.value, 401, 'token')
    assert robot.commands == []


def test_the_link_moves_the_token_into_a_cookie(make_client, robot):
    robot.hear()
    client = make_client(TOKEN, Origin=ORIGIN)
    answer = client.get(f'/?token={TOKEN}')
    assert answer.status_code == 303
    assert answer.headers['location'] == '/'
    name, *traits = answer.headers['set-cookie'].split('; ')
    assert name == f'lerobot_streamrec_{PORT}={TOKEN}'
    assert {'HttpOnly', 'SameSite=strict', 'Path=/'} <= set(traits)
    # The client keeps the cookie, as a browser does.
    assert client.get('/').content == PAGE
    assert client.post('/api/command', json=START).status_code == 202
    with client.websocket_connect(PREVIEWS) as socket:
        socket.close()


def test_a_link_on_another_site_leads_to_the_page_too(make_client):
    # A browser does not send a strict cookie after a redirect from elsewhere.
    client = make_client(TOKEN)
    headers = {'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate'}
    answer = client.get(f'/?token={TOKEN}', headers=headers)
    assert answer.status_code == 200
    assert 'http-equiv="refresh" content="0; url=/"' in answer.text
    assert TOKEN not in answer.text
    assert client.get('/').content == PAGE


@pytest.mark.parametrize('token', ['wrong', TOKEN.upper(), f'{TOKEN}%00', '%C3%A4'])
def test_a_wrong_token_is_refused(make_client, token):
    client = make_client(TOKEN)
    answer = client.get(f'/?token={token}')
    assert refused(answer, 401, 'not the token of the console')
    assert 'set-cookie' not in answer.headers


def test_the_token_does_not_help_by_another_name(make_client):
    client = make_client(TOKEN)
    answer = client.get(f'/?token={TOKEN}', headers={'Host': f'evil.example:{PORT}'})
    assert refused(answer, 403, 'does not answer to the name')
    assert 'set-cookie' not in answer.headers


def test_a_token_where_none_is_needed_does_no_harm(make_client):
    assert make_client().get('/?token=old').content == PAGE


@pytest.mark.parametrize(
    'path',
    [
        '/page/',
        '/page/../access.py',
        '/page/%2e%2e/access.py',
        '/page/..%2faccess.py',
        '/page//etc/passwd',
        '/page/%2fetc%2fpasswd',
        '/page/app.js%00.html',
        '/page/index.html/',
        '/access.py',
        '/api/episodes/0/../../../etc/passwd.jpg',
    ],
)
def test_nothing_but_the_files_of_the_page_is_served(make_client, path):
    answer = make_client().get(path)
    assert answer.status_code == 404
    assert answer.json()['error']


def test_files_of_the_page_are_sent_again_only_if_they_have_changed(make_client):
    client = make_client()
    answer = client.get('/page/app.js')
    assert (answer.status_code, answer.content) == (200, b'export {}')
    assert answer.headers['content-type'].startswith('text/javascript')
    again = client.get('/page/app.js', headers={'If-None-Match': answer.headers['etag']})
    assert (again.status_code, again.content) == (304, b'')
    old = client.get('/page/app.js', headers={'If-None-Match': '"0"'})
    assert old.status_code == 200
