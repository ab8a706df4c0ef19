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
"""The log of the problems that keep the recorder from being ready."""

from __future__ import annotations

from collections.abc import Sequence
import re
from typing import Any

_PATIENCE_S = 5.0
"""
The time that a problem lasts before it is logged, and the shortest time between two log lines.
The discovery of publishers takes seconds.
"""
_AGAIN_S = 60.0
"""The shortest time between two log lines about the same problem."""
_NUMBER = re.compile(r'\d+(\.\d+)?')


class ReadinessLog:
    """
    A log for an operator who waits: the recorder is ready, or something is missing.

    Owned by the recorder's thread.

    :param log: rclpy logger
    :param root: folder of the dataset
    """

    def __init__(self, log: Any, root: object) -> None:
        self._log = log
        self._root = root
        self._is_ready = False
        self._since_s: float | None = None
        self._last_kind = ''
        self._told_s: dict[str, float] = {}

    def look(self, problems: Sequence[str], now_s: float) -> None:
        """
        Log that the recorder is ready, or a problem that lasts.

        :param problems: reasons why no episode could start now; empty if one could
        :param now_s: time on the steady clock
        """
        if not problems:
            self._since_s = None
            if not self._is_ready:
                self._is_ready, self._last_kind = True, ''
                self._log.info(f'ready to record to {self._root}')
            return
        if self._since_s is None:
            self._since_s = now_s
        text = '; '.join(problems)
        # Ages and counts in the text change while the problem stays the same.
        kind = _NUMBER.sub('', text)
        is_old = now_s - self._told_s.get(kind, float('-inf')) < _AGAIN_S
        if now_s - self._since_s >= _PATIENCE_S and kind != self._last_kind and not is_old:
            self._is_ready, self._last_kind = False, kind
            self._told_s[kind] = now_s
            # If streams come and go, the problem differs at each look and must not flood the log.
            self._since_s = now_s
            self._log.warning(f'not ready to record: {text}')
