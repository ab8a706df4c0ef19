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
"""Find out whether several publishers send the same in turn; one message does not show it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAX_TRAINS = 8
# As many changes from one publisher to another in so short a time are no restart of a driver.
_TURNS = 3
_WINDOW_S = 5.0


@dataclass(slots=True)
class _Train:
    """
    Messages that are numbered by one publisher.

    :param number: number of its last message
    :param heard_s: arrival of that message, steady clock
    """

    number: int
    heard_s: float


class PublisherWatch:
    """
    Tells publishers apart by how they number their messages.

    rclpy does not say who sent a message. Each publisher numbers its own, though: the numbers of
    two that send in turn go to and fro, while those of one ascend. A driver that is started anew
    begins a numbering, and the old one is never taken up again. Owned by one thread, and made for
    one subscription: another one may bring the same messages once more.

    :param memory_s: longest silence after which a publisher is still known by its numbers
    """

    def __init__(self, memory_s: float = _WINDOW_S) -> None:
        self._memory_s = memory_s
        self._is_blind = False
        self._has_begun = False
        self._has_skipped = False
        self._trains: list[_Train] = []
        self._current: _Train | None = None
        self._turns_s: deque[float] = deque(maxlen=_TURNS)

    @property
    def is_blind(self) -> bool:
        """Whether messages came, and the middleware has numbered none of them."""
        return self._is_blind

    @property
    def has_begun(self) -> bool:
        """Whether the newest message is the first of its numbering that came."""
        return self._has_begun

    @property
    def has_skipped(self) -> bool:
        """Whether messages of its numbering are missing before the newest one."""
        return self._has_skipped

    def push(self, info: Mapping[str, Any], now_s: float) -> bool:
        """
        Take note of a message, and tell whether several publishers send in turn.

        :param info: the middleware's facts about it; without a number the answer is always False
        :param now_s: steady clock
        """
        number = info.get('publication_sequence_number')
        self._has_begun = self._has_skipped = False
        if not number:
            self._is_blind = True
            return False
        current = self._current
        if current is not None and number == current.number + 1:
            # The one that sent last goes on: no other numbering is nearer to this number.
            current.number, current.heard_s = number, now_s
        else:
            self._look_for_train(number, now_s)
        turns_s = self._turns_s
        return len(turns_s) == _TURNS and now_s - turns_s[0] <= _WINDOW_S

    def _look_for_train(self, number: int, now_s: float) -> None:
        recent = [one for one in self._trains if now_s - one.heard_s <= self._memory_s]
        self._trains = sorted(recent, key=lambda one: one.heard_s)[-_MAX_TRAINS:]
        before = [one for one in self._trains if one.number < number]
        # If two are equally near, take the one that sent last, so that one publisher stays one.
        train = min(
            before, key=lambda one: (number - one.number, one is not self._current), default=None
        )
        self._has_begun = train is None
        self._has_skipped = train is not None and number > train.number + 1
        if train is None:
            train = _Train(number, now_s)
            self._trains.append(train)
        elif train is not self._current:
            self._turns_s.append(now_s)
        train.number, train.heard_s = number, now_s
        self._current = train
