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
"""The routes of recorded episodes: the list, and thumbnails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from lerobot_streamrec.console.board import Board
from lerobot_streamrec.console.episode_list import EpisodeList, MAX_LIMIT, nothing
from lerobot_streamrec.console.thumbnails import MAX_WIDTH, MIN_WIDTH, Thumbnail, Thumbnails
from lerobot_streamrec.errors import DatasetError, StreamrecError
from lerobot_streamrec.video.codecs.scheduling import give_way
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

_T = TypeVar('_T')
_NICENESS = 10
_WIDTH = 160


class EpisodeRoutes:
    """
    Serves what the dataset of the recorder holds. Owned by the event loop's thread.

    Two threads read: one the list, and one the videos, so that no list waits for thumbnails. Both
    give way to the recorder.

    :param board: the state that all browsers share; it names the dataset, and gets its tasks
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._list = EpisodeList()
        self._thumbnails = Thumbnails()
        self._list_thread = _thread('episodes')
        self._video_thread = _thread('thumbnails')
        self._turn = asyncio.Lock()

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes."""
        return [
            Route('/api/episodes', self.episodes),
            Route('/api/episodes/{index:int}/{camera:path}.jpg', self.thumbnail),
        ]

    def close(self) -> None:
        """End the threads, after what they are just doing."""
        for one in (self._list_thread, self._video_thread):
            one.shutdown(cancel_futures=True)

    async def episodes(self, request: Request) -> Response:
        """Answer with a part of the list."""
        before = _number(request, 'before', int, None, (0, None))
        limit = _number(request, 'limit', int, 50, (1, MAX_LIMIT))
        root, num_saved = self._board.root, self._board.state()['saved_episodes']
        try:
            if not root:
                raise DatasetError('no recorder has told yet where it records to')
            today = datetime.now().astimezone().date()
            page = partial(self._list.page, Path(root), num_saved, before, limit, today)
            content, self._board.known_tasks = await self._on(self._list_thread, page)
        except (DatasetError, OSError) as error:
            content = {**nothing(), 'available': False, 'reason': str(error)}
        return JSONResponse(content, headers={'Cache-Control': 'no-store'})

    async def thumbnail(self, request: Request) -> Response:
        """Answer with one frame of an episode, as a JPEG."""
        position = _number(request, 'position', float, 0.0, (0.0, 1.0))
        width = _number(request, 'width', int, _WIDTH, (MIN_WIDTH, MAX_WIDTH))
        index, camera = request.path_params['index'], request.path_params['camera']
        place = partial(self._list.place, Path(self._board.root), index, camera, position)
        # The browser may have left while others had their turn.
        async with self._turn:
            if await request.is_disconnected():
                return Response(status_code=HTTPStatus.NO_CONTENT)
            try:
                frame = await self._on(self._list_thread, place)
                made: Thumbnail = await self._on(
                    self._video_thread, partial(self._thumbnails.make, frame, width)
                )
            except (LookupError, OSError, StreamrecError) as error:
                # An episode that was undone or compacted just now, or a damaged file.
                text = f'there is no picture of episode {index}: {error}'
                raise HTTPException(HTTPStatus.NOT_FOUND, text) from error
        headers = {'ETag': made.tag, 'Cache-Control': 'no-cache'}
        if request.headers.get('if-none-match') == made.tag:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(made.jpeg, media_type='image/jpeg', headers=headers)

    @staticmethod
    async def _on(thread: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(thread, work)


def _thread(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, name, initializer=give_way, initargs=(_NICENESS,))


def _number(
    request: Request,
    name: str,
    kind: Callable[[str], Any],
    default: Any,
    allowed: tuple[float, float | None],
) -> Any:
    """
    Return a number from the query of a request.

    :raise HTTPException: if it is no number, or out of range
    """
    if (text := request.query_params.get(name)) is None:
        return default
    low, high = allowed
    try:
        number = kind(text)
        if low <= number and (high is None or number <= high):
            return number
    except ValueError:
        pass
    limits = f'{low} to {high}' if high is not None else f'{low} or more'
    text = f'{name} is {text!r}: a number is needed, {limits}'
    raise HTTPException(HTTPStatus.BAD_REQUEST, text)
