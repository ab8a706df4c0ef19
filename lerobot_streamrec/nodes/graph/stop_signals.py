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
"""SIGINT, SIGTERM and SIGHUP ask for an orderly end, however often and whenever they come."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from lerobot_streamrec.nodes.graph.launcher import Launcher

_log = logging.getLogger(__name__)

# A terminal that is closed, or an ssh connection that breaks, sends SIGHUP.
_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """
    Turns these signals into a flag. Made first of all, in the main thread.

    A launch and a terminal may both send SIGINT, and one may come while modules are still being
    imported: neither must end the process half-way.

    :param launcher: process whose end ends this one as well; None: there is none
    """

    def __init__(self, launcher: Launcher | None = None) -> None:
        self._launcher = launcher
        self._asked = threading.Event()
        for number in _NUMBERS:
            # A process that was started with `nohup` has to outlive the terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: Any) -> None:
        self._asked.set()

    @staticmethod
    def ignore() -> None:
        """Let no signal kill the process while it leaves; Python would restore the defaults."""
        for number in _NUMBERS:
            signal.signal(number, signal.SIG_IGN)

    def wait(self, timeout_s: float) -> bool:
        """Wait for a signal; whether the process should end."""
        if self._asked.wait(timeout_s):
            return True
        if self._launcher is not None and self._launcher.is_gone():
            _log.warning('%s has ended, so this recorder ends too', self._launcher)
            self._asked.set()
        return self._asked.is_set()
