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
"""Detection of the messages before which the known state of a button is no longer valid."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
import math
from typing import Any

from lerobot_streamrec.nodes.graph.distributions import MessageInfo
from lerobot_streamrec.sync.publisher_watch import PublisherWatch

# A publisher that publishes only on change never sends this many alike. Two alike do occur:
# joy_node without autorepeat sends an axis and a button that change together in two messages.
_NUM_ALIKE = 4
# A publisher that repeats its messages has paused after this many periods, but at least _PAUSE_S.
_NUM_PERIODS = 5
_PAUSE_S = 1.0
_LATE_S = 0.3
_NS = 1e-9


class Continuity:
    """
    A detector of the messages on one topic that do not continue the state before them.

    These are the first message of another publisher, and the first message after a pause of a
    publisher that repeats its messages. joy_node of joystick_drivers is such a publisher: it
    repeats the state at ``autorepeat_rate``, 20 Hz, publishes nothing while no gamepad is
    connected, and begins with zeros when a gamepad is connected (joy/src/joy.cpp,
    ``handleJoyDeviceRemoved`` and ``eventThread``). A publisher that publishes only on change may
    be silent for hours, and its next message is a press.

    Owned by the executor's thread.

    :param publishers: function that returns the gids of the present publishers
    """

    def __init__(self, publishers: Callable[[], Collection[bytes]]) -> None:
        self._publishers = publishers
        self._known: frozenset[bytes] = frozenset()
        self._watch = PublisherWatch(math.inf)
        self._content: Any = None
        self._heard_s: float | None = None
        self._sent_ns = 0
        self._is_foreign = False
        self._intervals_s: deque[float] = deque(maxlen=2 * _NUM_ALIKE)
        """The intervals between the newest messages, as long as these are alike."""
        self._period_s = math.inf
        """The period of a publisher that repeats its messages; infinite for other publishers."""

    def look(self) -> None:
        """Look for new publishers in the graph if the middleware does not number messages."""
        if self._watch.is_blind and self._has_new_publisher():
            self._is_foreign = True

    def is_late(self, now_s: float) -> bool:
        """Return True if a publisher that repeats its messages is overdue."""
        return self._silence_s(now_s) > max(_LATE_S, _NUM_PERIODS * self._period_s)

    def has_paused(self, now_s: float) -> bool:
        """Return True if a publisher that repeats its messages has paused."""
        return self._silence_s(now_s) > self._longest_s

    def push(self, content: Any, info: MessageInfo, now_s: float) -> bool:
        """
        Take a message into account; return True if the state before it is no longer valid.

        :param content: the part of the message that changes when something happens
        :param info: the message info of the middleware
        :param now_s: time on the steady clock
        """
        sent_ns = int(info.get('source_timestamp') or 0)
        interval_s = self._silence_s(now_s)
        if sent_ns and self._sent_ns:
            # The stamps of the sender are not affected if a busy machine reads messages late.
            interval_s = (sent_ns - self._sent_ns) * _NS
        self._watch.push(info, now_s)
        is_broken = self._is_broken(interval_s)
        if is_broken or content != self._content:
            self._intervals_s.clear()
        else:
            self._intervals_s.append(interval_s)
        if len(self._intervals_s) >= _NUM_ALIKE - 1:
            self._period_s = sorted(self._intervals_s)[len(self._intervals_s) // 2]
        self._content, self._heard_s, self._sent_ns = content, now_s, sent_ns
        return is_broken

    @property
    def _longest_s(self) -> float:
        return max(_PAUSE_S, _NUM_PERIODS * self._period_s)

    def _silence_s(self, now_s: float) -> float:
        return 0.0 if self._heard_s is None else now_s - self._heard_s

    def _is_broken(self, interval_s: float) -> bool:
        is_foreign, self._is_foreign = self._is_foreign, False
        if self._heard_s is None or self._watch.has_begun or is_foreign:
            self._has_new_publisher()
            self._period_s = math.inf
            return True
        if self._watch.has_skipped:
            # Messages were lost, or the number belongs to the sequence of a new publisher.
            return self._has_new_publisher()
        return interval_s > self._longest_s

    def _has_new_publisher(self) -> bool:
        known, self._known = self._known, frozenset(self._publishers())
        return not self._known <= known
