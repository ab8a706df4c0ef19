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
"""The web application: the page, the state as server-sent events, commands and previews."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
import contextlib
from http import HTTPStatus
import json
from typing import Any

from lerobot_streamrec.console.access import Access, Rules
from lerobot_streamrec.console.assets import Asset, INDEX
from lerobot_streamrec.console.board import Board, Viewer
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

_STATE_PERIOD_S = 0.2
_SILENCE_S = 1.0
_MAX_BODY_BYTES = 64 * 1024
_MAX_COMMAND = 2000
_MAX_NAMES = 100
_INVALID = 1008


def make_app(
    board: Board, assets: Mapping[str, Asset], rules: Rules, more: Sequence[BaseRoute] = ()
) -> ASGIApp:
    """
    Return the web application, with its access rules.

    :param board: the state that all browsers share
    :param assets: files of the page, by path
    :param rules: who may use the console
    :param more: routes of other parts: episodes, set-up
    """
    pages = _Pages(assets)
    live = _Live(board)
    routes = [
        Route('/', pages.index),
        Route('/page/{name:path}', pages.asset),
        Route('/api/state', live.state),
        Route('/api/command', live.command, methods=['POST']),
        WebSocketRoute('/api/previews', live.previews),
        *more,
    ]
    return Access(Starlette(routes=routes, exception_handlers={HTTPException: _explain}), rules)


async def read_json(request: Request) -> Any:
    """
    Return the JSON value that a request holds.

    :raise HTTPException: if it is too large, or no JSON
    """
    body = b''
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY_BYTES:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f'the request is larger than {_MAX_BODY_BYTES // 1024} KiB',
            )
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, 'the request is no JSON') from error


def _explain(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({'error': error.detail}, error.status_code, error.headers)


class _Pages:
    def __init__(self, assets: Mapping[str, Asset]) -> None:
        self._assets = assets

    async def index(self, request: Request) -> Response:
        return self._send(request, INDEX)

    async def asset(self, request: Request) -> Response:
        return self._send(request, request.path_params['name'])

    def _send(self, request: Request, name: str) -> Response:
        asset = self._assets.get(name)
        if asset is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f'the page has no file {name}')
        headers = {'ETag': asset.tag, 'Cache-Control': 'no-cache'}
        if request.headers.get('if-none-match') == asset.tag:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)


class _Live:
    """The routes of the state that all browsers share."""

    def __init__(self, board: Board) -> None:
        self._board = board

    async def state(self, _request: Request) -> Response:
        headers = {'Cache-Control': 'no-store'}
        return StreamingResponse(
            _states(self._board), media_type='text/event-stream', headers=headers
        )

    async def command(self, request: Request) -> Response:
        match await read_json(request):
            case {'command': str(text)} if 0 < len(text.strip()) <= _MAX_COMMAND:
                # A line break would begin a line of its own in logs.
                command = ' '.join(text.split())
            case _:
                text = '{"command": "TEXT"} is needed, such as {"command": "start"}'
                raise HTTPException(HTTPStatus.BAD_REQUEST, text)
        if not self._board.send(command):
            text = f'no recorder is heard, so nobody carries out {command!r}'
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, text)
        return JSONResponse({}, HTTPStatus.ACCEPTED)

    async def previews(self, socket: WebSocket) -> None:
        await socket.accept()
        with self._board.previews() as viewer:
            sender = asyncio.create_task(_send_previews(socket, viewer))
            try:
                while (names := _wanted(await socket.receive_text())) is not None:
                    self._board.select(viewer, names)
                text = '{"streams": ["NAME", ...]} is needed'
                await socket.close(_INVALID, text)
            except (WebSocketDisconnect, RuntimeError, KeyError):
                # The browser has left, or has sent something else than a text.
                pass
            finally:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)


async def _states(board: Board) -> AsyncIterator[str]:
    """Yield events and states for one browser; it is as late as the browser reads."""
    loop = asyncio.get_running_loop()
    yield 'retry: 1000\n\n'
    last = 0
    with board.changes() as changed:
        while not board.is_closed:
            changed.clear()
            sent_s = loop.time()
            last, events = board.events_after(last)
            for one in events:
                yield _event('event', one)
            yield _event('state', board.state())
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(changed.wait(), _SILENCE_S - _STATE_PERIOD_S)
            await asyncio.sleep(max(0.0, sent_s + _STATE_PERIOD_S - loop.time()))


def _event(name: str, content: Mapping[str, Any]) -> str:
    return f'event: {name}\ndata: {json.dumps(content, ensure_ascii=False)}\n\n'


async def _send_previews(socket: WebSocket, viewer: Viewer) -> None:
    while socket.application_state is WebSocketState.CONNECTED:
        for message in await viewer.take():
            if isinstance(message, bytes):
                await socket.send_bytes(message)
            else:
                await socket.send_text(message)


def _wanted(text: str) -> frozenset[str] | None:
    """Return the names of streams in a browser's message; None if it is not one."""
    try:
        names = json.loads(text)['streams']
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    is_list = isinstance(names, list) and len(names) <= _MAX_NAMES
    return frozenset(names) if is_list and all(isinstance(one, str) for one in names) else None
