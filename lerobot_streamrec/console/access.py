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
"""Who may use the console: requests from its own page, by a known name, with the token."""

from __future__ import annotations

from dataclasses import dataclass
import hmac
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_COOKIE_AGE_S = 30 * 24 * 3600
_HTTP_PORT = 80
_OWN = 'same-origin'
_CHANGING = ('POST', 'PUT', 'PATCH', 'DELETE')
_DENIAL = 'websocket.http.response'
_STARTS = ('http.response.start', f'{_DENIAL}.start')
# A navigation from another page does not carry a strict cookie, not even after a redirect. A page
# of ours that goes on by itself does.
_GO_ON = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/">'


@dataclass(frozen=True, slots=True)
class Rules:
    """
    The names under which the console may be addressed, and its token.

    :param port: port on which the console listens
    :param names: host names and addresses in lower case, IPv6 addresses in brackets
    :param token: token that a browser must have; empty: none is needed
    """

    port: int
    names: frozenset[str]
    token: str = ''

    @property
    def cookie(self) -> str:
        """The name of the cookie; browsers send the cookies of all ports of a host."""
        return f'lerobot_streamrec_{self.port}'

    def fits_host(self, host: str) -> bool:
        """Return True if a Host header has one of the names, with the right port."""
        name, colon, port = host.lower().rpartition(':')
        if not colon or port.endswith(']'):
            name, port = host.lower(), str(_HTTP_PORT)
        return name in self.names and port == str(self.port)

    def fits_token(self, token: str) -> bool:
        """Return True if this is the token; takes the same time for every wrong one."""
        return hmac.compare_digest(token.encode(), self.token.encode())


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    The reason why a request is refused.

    :param status: HTTP status
    :param text: sentence for the person in front of the browser
    """

    status: HTTPStatus
    text: str


def refusal_of(request: HTTPConnection, rules: Rules) -> Refusal | None:
    """Return the reason why a request or a web socket is refused; None if it is allowed."""
    host = request.headers.get('host', '')
    if not rules.fits_host(host):
        # A site whose name leads to this machine would otherwise count as the page itself.
        text = (
            f'The console does not answer to the name {host!r}. Open it by the address that it '
            'printed, or start it with this name: --ros-args -p names:="[\'NAME\']"'
        )
        return Refusal(HTTPStatus.FORBIDDEN, text)
    if not _is_own(request, host):
        asked = request.headers.get('origin', 'none')
        text = f"Only the console's own page may do this, and the origin is {asked!r}."
        return Refusal(HTTPStatus.FORBIDDEN, text)
    if rules.token and not rules.fits_token(request.cookies.get(rules.cookie, '')):
        text = (
            'The console needs its token. Open the link with "?token=" that the console printed '
            'in its terminal.'
        )
        return Refusal(HTTPStatus.UNAUTHORIZED, text)
    return None


def _is_own(request: HTTPConnection, host: str) -> bool:
    """Return True if the page itself asks, or a person who opens an address."""
    site = request.headers.get('sec-fetch-site')
    if (origin := request.headers.get('origin')) is not None:
        return origin.lower() == f'http://{host.lower()}'
    if request.scope['type'] == 'websocket' or request.scope['method'] in _CHANGING:
        return site == _OWN
    return site in (None, _OWN, 'none') or request.headers.get('sec-fetch-mode') == 'navigate'


class Access:
    """
    An ASGI application that refuses what the rules forbid, and adds headers for security.

    Owned by the event loop's thread.

    :param app: application for allowed requests
    :param rules: the rules
    """

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope['type'] == 'lifespan':
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        answer = self._answer(request)
        host = request.headers.get('host', '')
        send = _with_headers(send, f'ws://{host}' if self._rules.fits_host(host) else '')
        if answer is None:
            await self._app(scope, receive, send)
        elif scope['type'] == 'http' or _DENIAL in scope.get('extensions', {}):
            await answer(scope, receive, send)
        else:
            await send({'type': 'websocket.close', 'code': 1008})

    def _answer(self, request: HTTPConnection) -> Response | None:
        """Return the answer to a refused request, or one that brings a token; else None."""
        refusal = refusal_of(request, self._rules)
        token = request.query_params.get('token', '')
        brings_token = token and request.scope['type'] == 'http' and request.scope['path'] == '/'
        is_from_page = refusal is None or refusal.status is HTTPStatus.UNAUTHORIZED
        if self._rules.token and brings_token and is_from_page:
            if self._rules.fits_token(token):
                return self._keep_token(request, token)
            text = 'This is not the token of the console. Open the link that it printed last.'
            refusal = Refusal(HTTPStatus.UNAUTHORIZED, text)
        if refusal is None:
            return None
        return JSONResponse({'error': refusal.text}, refusal.status)

    def _keep_token(self, request: HTTPConnection, token: str) -> Response:
        """Move the token from the address, which people see and copy, to a cookie."""
        answer: Response = RedirectResponse('/', HTTPStatus.SEE_OTHER)
        if request.headers.get('sec-fetch-site') not in (None, _OWN, 'none'):
            answer = HTMLResponse(_GO_ON)
        answer.set_cookie(
            self._rules.cookie, token, _COOKIE_AGE_S, httponly=True, samesite='strict'
        )
        return answer


def _with_headers(send: Send, sockets: str) -> Send:
    """Return a function that sends with the headers that every answer has."""
    policy = (
        # Older versions of Safari do not count web sockets as 'self'.
        f"default-src 'self'; img-src 'self' blob: data:; connect-src 'self' {sockets}; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )

    async def send_with_headers(message: Message) -> None:
        if message['type'] in _STARTS:
            headers = MutableHeaders(scope=message)
            headers['Content-Security-Policy'] = policy
            headers['X-Content-Type-Options'] = 'nosniff'
            headers['Referrer-Policy'] = 'no-referrer'
            headers['Cross-Origin-Resource-Policy'] = _OWN
        await send(message)

    return send_with_headers
