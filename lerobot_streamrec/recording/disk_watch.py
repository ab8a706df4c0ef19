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
"""An estimate of how much longer the disk lasts, and a warning before it is full."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
import json
import logging
from pathlib import Path
import shutil
import textwrap
import threading
from typing import Protocol

from lerobot_streamrec.dataset.format.layout import SYNC
from lerobot_streamrec.errors import count_text
from lerobot_streamrec.recording.config import DiskConfig, MIB

THREAD_NAME = 'disk'

_PERIOD_S = 0.5
# A shorter take says too little about the bytes that a second of recording takes.
_MIN_SECONDS = 1.0
# A sync that lives tells its state at least once a minute.
_SILENT_S = 180.0
_MAX_CHARS = 160

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DiskStatus:
    """
    A snapshot of the disk.

    :param free_bytes: bytes that this user may still write; None if that could not be determined
    :param bytes_per_s: measured bytes per second of recording; 0: not known yet
    :param seconds_left: seconds of recording until only the reserve is left; None: not known
    :param problem: reason why no episode may start; empty if one may
    :param warning: warning for the operator; empty if there is none
    :param is_at_reserve: True if a running episode must end now
    :param copies: states of the copies that ``streamrec sync`` keeps of the dataset; empty: none
    """

    free_bytes: int | None = None
    bytes_per_s: float = 0.0
    seconds_left: float | None = None
    problem: str = ''
    warning: str = ''
    is_at_reserve: bool = False
    copies: str = ''


class Followed(Protocol):
    """A running take as another thread sees it."""

    @property
    def folder(self) -> Path:
        """The folder in which its files grow."""

    @property
    def seconds(self) -> float:
        """Length of its rows so far, in seconds."""


def free_bytes(root: Path) -> int:
    """
    Return the number of bytes that this user may still write below a folder.

    :param root: the folder; it need not exist yet
    :raise OSError: if the file system does not answer
    """
    while not root.exists() and root != root.parent:
        root = root.parent
    return shutil.disk_usage(root).free


def copies_text(root: Path, now: datetime) -> str:
    """
    Return the state of each copy that ``streamrec sync`` has told, separated by semicolons.

    :param root: the dataset's folder
    :param now: the time now, with a time zone
    """
    texts = []
    for path in sorted((root / SYNC).glob('*.json')):
        # A file that somebody else has put there, or that is just being deleted.
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads(path.read_text('utf-8'))
            url, state, since = told['url'], told['state'], told['updated_at']
            num_waiting, problem = int(told['files_waiting']), told['problem']
            counted = count_text(int(told['episodes']), 'episode')
            if num_waiting:
                counted = f'{count_text(num_waiting, "file")} left'
            text = f'{state}, {counted}{f": {problem}" if problem else ""}'
            heard = datetime.fromisoformat(since)
            if state != 'ended' and (now - heard).total_seconds() > _SILENT_S:
                text = f'nothing heard since {heard.astimezone():%H:%M}, {counted}'
            place = url.partition('?')[0] if '://' in url else url
            texts.append(f'{place}: {textwrap.shorten(text, _MAX_CHARS, placeholder=" ...")}')
    return '; '.join(texts)


class DiskWatch:
    """
    Checks the disk in a thread of its own, because a file system may block its caller.

    Other threads call ``follow`` and read ``status``; neither blocks.

    :param root: the dataset's folder
    :param config: thresholds
    :param ask: function that returns the free bytes; tests pass their own
    """

    def __init__(
        self, root: Path, config: DiskConfig, ask: Callable[[Path], int] = free_bytes
    ) -> None:
        self._root = root
        self._config = config
        self._ask = ask
        self.status = DiskStatus()
        """The result of the last check, which is repeated every half second."""
        self._bytes_per_s = 0.0
        self._error = ''
        self._take: Followed | None = None
        self._closed = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=False)
        self._thread.start()

    def follow(self, take: Followed) -> None:
        """Measure the bytes per second of this take from now on, instead of the one before."""
        self._take = take

    def close(self) -> None:
        """End the thread; wait half a second at most, since the disk may block it. Idempotent."""
        self._closed.set()
        self._thread.join(_PERIOD_S)

    def _run(self) -> None:
        while not self._closed.wait(_PERIOD_S):
            self._look()

    def _look(self) -> None:
        self._measure()
        try:
            free = self._ask(self._root)
        except OSError as error:
            if str(error) != self._error:
                self._error = str(error)
                _log.warning('the free space on the disk cannot be determined: %s', error)
            self.status = DiskStatus(bytes_per_s=self._bytes_per_s)
            return
        self._error = ''
        copies = copies_text(self._root, datetime.now(timezone.utc))
        self.status = replace(self._judge(free), copies=copies)

    def _measure(self) -> None:
        take = self._take
        if take is None:
            return
        seconds = take.seconds
        with suppress(OSError):
            # The folder of a saved take is gone; the last measured rate remains.
            size_bytes = sum(path.stat().st_size for path in take.folder.glob('*'))
            if size_bytes and seconds >= _MIN_SECONDS:
                self._bytes_per_s = size_bytes / seconds

    def _judge(self, free: int) -> DiskStatus:
        config, rate = self._config, self._bytes_per_s
        room = max(0, free - config.reserve_mib * MIB)
        seconds_left = room / rate if rate else None
        told = f'{free / MIB:.0f} MiB are free on the disk of {self._root}'
        if seconds_left is not None:
            told += f', enough for {seconds_left / 60:.1f} min of recording'
        problem = warning = ''
        if not room or (seconds_left is not None and seconds_left < config.min_start_s):
            kept = f'disk.reserve_mib is {config.reserve_mib}'
            problem = f'{told} ({kept}): free some space, or record to another disk'
        elif seconds_left is not None and seconds_left < config.warn_minutes * 60:
            warning = f'{told}: free some space soon'
        return DiskStatus(free, rate, seconds_left, problem, warning, is_at_reserve=not room)
