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
"""The publishers that send on one topic, told apart by the numbers of their messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAX_TRAINS = 8
# So many changes between publishers within the window cannot come from a restarted driver.
_TURNS = 3
_WINDOW_S = 5.0


@dataclass(slots=True)
class _Train:
    """
    The sequence of messages that one publisher has numbered.

    :param number: number of the last message
    :param heard_s: arrival time of that message on the steady clock
    """

    number: int
    heard_s: float


class PublisherWatch:
    """
    A watch that distinguishes publishers by the sequence numbers of their messages.

    rclpy does not say which publisher sent a message, but each publisher numbers its messages.
    The numbers from one publisher ascend, while the numbers from two publishers that send in turn
    jump back and forth. A restarted driver begins a new sequence and never resumes the old one.
    Owned by one thread. Each subscription needs a watch of its own, because two subscriptions may
    deliver the same messages.

    :param memory_s: longest silence after which a publisher is still recognised by its numbers
    """

    def __init__(self, memory_s: float = _WINDOW_S) -> None:
        self._memory_s = memory_s
        self.is_blind = False
        """True once a message has arrived without a sequence number."""
        self.has_begun = False
        """True if the newest message is the first one heard of its sequence."""
        self.has_skipped = False
        """True if messages of the same sequence are missing just before the newest message."""
        self._trains: list[_Train] = []
        self._current: _Train | None = None
        self._turns_s: deque[float] = deque(maxlen=_TURNS)

    def push(self, info: Mapping[str, Any], now_s: float) -> bool:
        """
        Take a message into account; return True if several publishers send in turn.

        :param info: the message info; without a sequence number the result is always False
        :param now_s: time on the steady clock
        """
        number = info.get('publication_sequence_number')
        self.has_begun = self.has_skipped = False
        if not number:
            self.is_blind = True
            return False
        current = self._current
        if current is not None and number == current.number + 1:
            # The last sender continues: no other sequence can be nearer to this number.
            current.number, current.heard_s = number, now_s
        else:
            self._look_for_train(number, now_s)
        turns_s = self._turns_s
        return len(turns_s) == _TURNS and now_s - turns_s[0] <= _WINDOW_S

    def _look_for_train(self, number: int, now_s: float) -> None:
        recent = [one for one in self._trains if now_s - one.heard_s <= self._memory_s]
        self._trains = sorted(recent, key=lambda one: one.heard_s)[-_MAX_TRAINS:]
        before = [one for one in self._trains if one.number < number]
        # If two sequences are equally near, prefer the last sender, so that a single publisher is
        # never taken for two.
        train = min(
            before, key=lambda one: (number - one.number, one is not self._current), default=None
        )
        self.has_begun = train is None
        self.has_skipped = train is not None and number > train.number + 1
        if train is None:
            train = _Train(number, now_s)
            self._trains.append(train)
        elif train is not self._current:
            self._turns_s.append(now_s)
        train.number, train.heard_s = number, now_s
        self._current = train
