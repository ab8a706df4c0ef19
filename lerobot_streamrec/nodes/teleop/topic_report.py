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
"""Problems of a topic that gives commands, each told once in the log."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

_ABSENT_S = 10.0


class TopicReport:
    """
    Logs that nobody publishes a topic, or why it cannot be used. Owned by the executor's thread.

    :param node: the main node, which logs
    :param topic: full name
    :param purpose: the setting that waits for it, such as ``teleop.triggers`` and the trigger
    """

    def __init__(self, node: Node, topic: str, purpose: str) -> None:
        self._log: Any = node.get_logger()
        self._topic = topic
        self._purpose = purpose
        self._begin_s: float | None = None
        self._is_absence_told = False
        self._problem = ''

    @property
    def problems(self) -> list[str]:
        """Reason why the topic cannot be used; empty if it can, or if nobody publishes it."""
        return [self._problem] if self._problem else []

    def look(self, now_s: float, *, is_published: bool) -> None:
        """
        Take note of whether somebody publishes the topic.

        :param now_s: steady clock
        """
        self._begin_s = now_s if self._begin_s is None else self._begin_s
        if is_published:
            self._is_absence_told = True
        elif not self._is_absence_told and now_s - self._begin_s >= _ABSENT_S:
            self._is_absence_told = True
            self._log.warning(
                f'nobody has published {self._topic} for {_ABSENT_S:g} s: {self._purpose} waits '
                'for it'
            )

    def tell(self, problem: str) -> None:
        """
        Take note of what keeps the topic from being used.

        :param problem: empty: nothing does
        """
        if problem and problem != self._problem:
            self._log.error(problem)
        self._problem = problem

    def warn(self, text: str) -> None:
        """Log a warning."""
        self._log.warning(text)
