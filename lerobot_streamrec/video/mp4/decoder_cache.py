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
"""A cache of open videos of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import os
from pathlib import Path
import threading

from lerobot_streamrec.errors import ConfigError, VideoError
from lerobot_streamrec.video.mp4.frame_decoder import FrameDecoder

MAX_OPEN = 32

_Key = tuple[Path, str]
_State = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """
    An open decoder.

    :param key: path of its file, and its kind
    :param state: device, inode, size and modification time of the file
    :param decoder: the decoder
    """

    key: _Key
    state: _State
    decoder: FrameDecoder


class DecoderCache:
    """
    Keeps decoders open between calls. Any thread may use it, and any process forked from this one.

    Only one thread at a time uses a decoder. Another thread that needs the same file opens a
    second decoder, or waits if the maximum is reached. The decoder that was unused for longest is
    closed first. A file that has changed or was replaced is opened again.

    :param max_open: largest number of files open at once
    :raise ConfigError: if ``max_open`` is less than 1
    """

    def __init__(self, max_open: int = MAX_OPEN) -> None:
        if max_open < 1:
            raise ConfigError('max_open', max_open, 'it must be 1 or more')
        self._max_open = max_open
        self._changed = threading.Condition()
        # In the order in which they were returned.
        self._idle: list[_Opened] = []
        self._num_open = 0
        self._is_closed = False
        self._process = os.getpid()
        self._of_parent: list[_Opened] = []

    @property
    def num_open(self) -> int:
        """The number of open files, in use or idle."""
        with self._changed:
            return self._num_open

    @contextmanager
    def lease(
        self, path: Path, kind: str, open_decoder: Callable[[Path], FrameDecoder]
    ) -> Iterator[FrameDecoder]:
        """
        Lend a decoder for the duration of the block; wait if too many are in use.

        A thread that has a decoder must not ask for another one, because threads could then wait
        for each other.

        :param path: a video
        :param kind: kind of the decoder; an idle decoder of another kind is not reused
        :param open_decoder: opens a decoder
        :return: the decoder
        :raise VideoError: if the file cannot be read, or the cache is closed
        """
        key = (path.absolute(), kind)
        state = _state_of(path)
        opened = self._take(key, state)
        if opened is None:
            try:
                opened = _Opened(key, state, open_decoder(path))
            except BaseException:
                self._closed_one()
                raise
        try:
            yield opened.decoder
        except BaseException:
            # After an error, the state of the decoder is unknown.
            opened.decoder.close()
            self._closed_one()
            raise
        self._give_back(opened)

    def close(self) -> None:
        """Close all idle files now, and those in use when they are returned. Idempotent."""
        with self._changed:
            self._is_closed = True
            idle, self._idle = self._idle, []
            self._num_open -= len(idle)
            self._changed.notify_all()
        for one in idle:
            one.decoder.close()

    def __enter__(self) -> DecoderCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, key: _Key, state: _State) -> _Opened | None:
        """Return an idle decoder, or None after reserving room for the caller to open one."""
        to_close: list[_Opened] = []
        self._leave_to_parent()
        try:
            with self._changed:
                while True:
                    if self._is_closed:
                        raise VideoError(f'{key[0]}: the decoder cache is closed')
                    for one in [one for one in self._idle if one.key == key]:
                        self._idle.remove(one)
                        if one.state == state:
                            return one
                        to_close.append(one)
                        self._num_open -= 1
                    if self._num_open >= self._max_open and self._idle:
                        to_close.append(self._idle.pop(0))
                        self._num_open -= 1
                    if self._num_open < self._max_open:
                        self._num_open += 1
                        return None
                    self._changed.wait()
        finally:
            for one in to_close:
                one.decoder.close()

    def _leave_to_parent(self) -> None:
        """
        Drop the decoders of the parent process after a fork, as in the workers of a data loader.

        Both processes would share one file position. The decoders are not closed either: their
        threads do not exist in this process, and the codecs would wait for them.
        """
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._of_parent, self._idle = [*self._of_parent, *self._idle], []
        self._num_open = 0

    def _give_back(self, opened: _Opened) -> None:
        with self._changed:
            if not self._is_closed:
                self._idle.append(opened)
                # A waiting thread may need this decoder, or the room that closing it gives.
                self._changed.notify_all()
                return
        opened.decoder.close()
        self._closed_one()

    def _closed_one(self) -> None:
        with self._changed:
            self._num_open -= 1
            self._changed.notify_all()


def _state_of(path: Path) -> _State:
    try:
        found = path.stat()
    except OSError as error:
        raise VideoError(f'{path} cannot be read as a video: {error.strerror or error}') from error
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
