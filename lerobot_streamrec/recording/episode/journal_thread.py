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
"""A thread per take that writes its rows to disk, so that a crash loses only the last ones."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
import logging
import threading
import time

from lerobot_streamrec.dataset.format.take_record import TakeRecord
from lerobot_streamrec.dataset.takes.journal import Journal, Row
from lerobot_streamrec.errors import DatasetError

THREAD_NAME = 'journal'

# A power loss takes the rows that were not synced. Together with the delay of an encoder, this
# period keeps the loss below a second.
_SYNC_PERIOD_S = 0.5

_log = logging.getLogger(__name__)


class JournalThread:
    """
    Appends rows to a journal, and retries after a disk error while the recording continues.

    ``push``, ``describe``, ``finish`` and ``discard`` belong to one thread (the recorder's) and
    never block. The journal belongs to the journal thread.

    :param open_journal: function that makes the journal, called in the journal thread
    """

    def __init__(self, open_journal: Callable[[], Journal]) -> None:
        self._open_journal = open_journal
        self._journal: Journal | None = None
        self._changed = threading.Condition()
        self._rows: list[Row] = []
        self._description: TakeRecord | None = None
        self._is_finished = False
        self._is_discarded = False
        self.error = ''
        """The reason why rows cannot be written now; empty if they can. Any thread."""
        self._sync_due_s = 0.0
        self.ended: Future[None] = Future()
        """Done once everything is written, or cannot be written."""
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=False)
        self._thread.start()

    def push(self, row: Row) -> None:
        """Queue a row for the journal."""
        with self._changed:
            self._rows.append(row)
            self._changed.notify()

    def describe(self, record: TakeRecord) -> None:
        """Replace the description of the take before any row that is pushed after this call."""
        with self._changed:
            self._description = record

    def finish(self) -> None:
        """Announce that there are no more rows. Idempotent."""
        with self._changed:
            self._is_finished = True
            self._changed.notify()

    def discard(self) -> None:
        """Announce that there are no more rows and the take is discarded; before ``finish``."""
        with self._changed:
            self._is_discarded = True
            self._is_finished = True
            self._changed.notify()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; return False if it still runs after the timeout."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            is_finished = False
            while not is_finished:
                is_finished = self._wait()
                self._attempt(self._discard if self._is_discarded else self._write)
        # This is the thread's entry point: no error here may end the recording.
        except Exception as error:  # noqa: BLE001
            self._say(f'unexpected error: {error!r}')
        finally:
            if self._journal is not None:
                self._journal.close()
            self.ended.set_result(None)

    def _wait(self) -> bool:
        """Wait until there is something to do; return True if it is the last thing to do."""
        with self._changed:
            if self.error:
                # Rows that arrive meanwhile must not make the next attempt come sooner.
                self._changed.wait_for(lambda: self._is_finished, _SYNC_PERIOD_S)
            else:
                due_in_s = max(0.0, self._sync_due_s - time.monotonic())
                self._changed.wait_for(lambda: self._rows or self._is_finished, due_in_s)
            return self._is_finished

    def _attempt(self, act: Callable[[], None]) -> None:
        try:
            act()
        except DatasetError as error:
            self._say(str(error))
        else:
            if self.error:
                _log.warning('the running episode is protected against a crash again')
            self.error = ''

    def _say(self, error: str) -> None:
        if not self.error:
            _log.error('the running episode is not protected against a crash: %s', error)
        self.error = error

    def _write(self) -> None:
        if self._journal is None:
            self._journal = self._open_journal()
        with self._changed:
            rows, description = list(self._rows), self._description
        if description is not None:
            self._journal.describe(description)
            with self._changed:
                if self._description is description:
                    self._description = None
        if rows:
            self._journal.append(rows)
            with self._changed:
                del self._rows[: len(rows)]
        if time.monotonic() >= self._sync_due_s:
            self._journal.sync()
            self._sync_due_s = time.monotonic() + _SYNC_PERIOD_S

    def _discard(self) -> None:
        if self._journal is not None:
            self._journal.discard()
