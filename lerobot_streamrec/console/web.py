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
"""The thread of the web server, with its event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
import logging
import socket
import threading

from lerobot_streamrec.console.board import Board, Robot
from lerobot_streamrec.console.episode_routes import EpisodeRoutes
from starlette.routing import BaseRoute
from starlette.types import ASGIApp
import uvicorn

# uvicorn imports it when a browser asks for the first web socket, which is too late to tell.
import websockets  # noqa: F401

_MAX_CONNECTIONS = 64
_MAX_MESSAGE_BYTES = 64 * 1024
_CLOSE_TIMEOUT_S = 1
_END_TIMEOUT_S = 5.0


MakeApp = Callable[[Board, Sequence[BaseRoute]], ASGIApp]
"""A function that makes the web application, for the board and further routes."""


class Web(threading.Thread):
    """
    Serves browsers until it is told to end. Its own thread owns the event loop and the board.

    :param listener: socket that listens
    :param robot: link to the thread that talks to ROS
    :param make_app: function that this thread calls
    """

    def __init__(self, listener: socket.socket, robot: Robot, make_app: MakeApp) -> None:
        super().__init__(name='web')
        self._listener = listener
        self._robot = robot
        self._make_app = make_app
        self._server: _Server | None = None
        self._is_ended = threading.Event()

    def run(self) -> None:
        """Serve; the thread's work."""
        asyncio.run(self._serve())

    def end(self) -> None:
        """End all connections and the thread. Any other thread; waits a few seconds at most."""
        self._is_ended.set()
        if self._server is not None:
            self._server.should_exit = True
        self.join(_END_TIMEOUT_S)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        board = Board(self._robot)
        episodes = EpisodeRoutes(board)
        config = uvicorn.Config(
            self._make_app(board, episodes.routes()),
            lifespan='off',
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws_max_size=_MAX_MESSAGE_BYTES,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_graceful_shutdown=_CLOSE_TIMEOUT_S,
        )
        self._server = _Server(config, board)
        self._robot.attach(lambda: _tell(loop, board.refresh))
        try:
            if not self._is_ended.is_set():
                await self._server.serve(sockets=[self._listener])
        finally:
            self._robot.attach(None)
            episodes.close()


def _tell(loop: asyncio.AbstractEventLoop, refresh: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(refresh)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, board: Board) -> None:
        super().__init__(config)
        self._board = board

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the browsers' streams end first, for which the server would wait."""
        self._board.close()
        await super().shutdown(sockets)
