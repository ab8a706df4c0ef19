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
"""The routes of the first run: what the graph offers, its pictures, and the file to write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from lerobot_streamrec.console.board import Board
from lerobot_streamrec.console.server import read_json
from lerobot_streamrec.console.setup_choice import ChoiceError
from lerobot_streamrec.console.setup_robot import SetupRobot
from lerobot_streamrec.errors import ConfigError, StartInterruptedError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

_SETUP, _RECORD = 'setup', 'record'


class SetupRoutes:
    """
    Serves the set-up until the parameter file is written. Owned by the event loop's thread.

    :param board: the state that all browsers share
    :param robot: thread that looks at the graph
    """

    def __init__(self, board: Board, robot: SetupRobot) -> None:
        self._board = board
        self._robot = robot
        self._turn = asyncio.Lock()
        board.mode = _SETUP if robot.is_needed else _RECORD

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes."""
        return [
            Route('/api/setup', self.offer),
            Route('/api/setup', self.save, methods=['POST']),
            Route('/api/setup/latency', self.measure, methods=['POST']),
            Route('/api/setup/picture/{topic:path}.jpg', self.picture),
        ]

    async def offer(self, _request: Request) -> Response:
        """Answer with what the graph offers."""
        self._refuse_later()
        return JSONResponse(self._robot.offer(), headers={'Cache-Control': 'no-store'})

    async def picture(self, request: Request) -> Response:
        """Answer with the newest picture of a camera."""
        self._refuse_later()
        topic = request.path_params['topic']
        jpeg = self._robot.jpeg(f'/{topic}')
        if not jpeg:
            raise HTTPException(HTTPStatus.NOT_FOUND, f'there is no picture of {topic} yet')
        return Response(jpeg, media_type='image/jpeg', headers={'Cache-Control': 'no-store'})

    async def save(self, request: Request) -> Response:
        """Write the parameter file; the recorder, which waits for it, starts then."""
        answer = await self._do(request, self._robot.save)
        if answer.status_code == HTTPStatus.OK:
            self._end()
        return answer

    async def measure(self, request: Request) -> Response:
        """Answer with the delays of the chosen cameras, which takes ten seconds and more."""
        return await self._do(request, self._robot.measure)

    async def _do(
        self, request: Request, work: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    ) -> JSONResponse:
        self._refuse_later()
        choices = await read_json(request)
        if not isinstance(choices, dict):
            raise HTTPException(HTTPStatus.BAD_REQUEST, 'a JSON object is needed')
        async with self._turn:
            try:
                return JSONResponse(await asyncio.to_thread(work, choices))
            except StartInterruptedError as error:
                raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, 'it ends') from error
            except (ConfigError, OSError) as error:
                field = error.name if isinstance(error, ChoiceError) else ''
                content = {'error': str(error), 'field': field}
                return JSONResponse(content, HTTPStatus.UNPROCESSABLE_ENTITY)

    def _end(self) -> None:
        self._board.mode = _RECORD
        self._board.wake()

    def _refuse_later(self) -> None:
        if self._board.mode == _SETUP and not self._robot.is_needed:
            # Somebody has copied a file to its place.
            self._end()
        if self._board.mode != _SETUP:
            text = f'the set-up is over: {self._robot.path} is there'
            raise HTTPException(HTTPStatus.CONFLICT, text)
