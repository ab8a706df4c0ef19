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
"""Stop signals as a flag that loops look at, so that nothing is interrupted half done."""

from __future__ import annotations

import signal
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopFlag:
    """Raised by SIGINT, SIGTERM or SIGHUP, however often they come."""

    def __init__(self) -> None:
        """Take over the signals."""
        self.is_raised = False
        for number in _SIGNALS:
            signal.signal(number, self._raise)

    @staticmethod
    def ignore_signals() -> None:
        """Let no further signal interrupt the interpreter's own tear-down."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    @staticmethod
    def restore_signals() -> None:
        """Let signals end the process again as they do by default."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in _SIGNALS[1:]:
            signal.signal(number, signal.SIG_DFL)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.is_raised = True
