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
"""The detection of presses in the messages of topics that give commands, without ROS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
import math
from typing import Any

from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.paths import Definitions
from lerobot_streamrec.conversions.reader import SelectorReader
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.recording.operating.presses import Binding, Presses
from lerobot_streamrec.settings.teleop_settings import TriggerRule, TRIGGERS

_BOOL = 'std_msgs/msg/Bool'
_EMPTY = 'std_msgs/msg/Empty'
_COUNTERS = frozenset(
    f'std_msgs/msg/{sign}Int{bits}' for sign in ('', 'U') for bits in (8, 16, 32, 64)
)


class Sense(ABC):
    """A detector of presses in the messages of one topic. Owned by one thread."""

    @abstractmethod
    def content(self, message: Any) -> Any:
        """
        Return the part of a message that changes on a press; None if the message does not count.

        :raise MessageError: if the message lacks this part
        """

    @abstractmethod
    def push(self, content: Any, now_s: float, *, is_first: bool) -> bool:
        """
        Take a message into account; return True if it is a press.

        :param content: content of the message, not None
        :param now_s: time on the steady clock
        :param is_first: True if the state before this message is no longer valid
        """


class _Messages(Sense):
    """
    A sense for which every message is a press.

    :param debounce_s: time within which further messages belong to the same press
    """

    def __init__(self, debounce_s: float) -> None:
        self._debounce_s = debounce_s
        self._heard_s = -math.inf

    def content(self, message: Any) -> Any:
        return True

    def push(self, content: Any, now_s: float, *, is_first: bool) -> bool:
        heard_s, self._heard_s = self._heard_s, now_s
        return now_s - heard_s >= self._debounce_s


class _Counter(Sense):
    """
    A sense for which every change of a number is a press.

    :param debounce_s: time within which further changes belong to the same press
    """

    def __init__(self, debounce_s: float) -> None:
        self._presses = _Messages(debounce_s)
        self._count: int | None = None

    def content(self, message: Any) -> Any:
        return int(message.data)

    def push(self, content: Any, now_s: float, *, is_first: bool) -> bool:
        count, self._count = self._count, content
        is_change = not is_first and content != count
        return is_change and self._presses.push(True, now_s, is_first=False)


class _Level(Sense):
    """
    A sense for which a press begins when a condition becomes true.

    :param value_of: function that returns the number of a message
    :param holds: function that returns True if the number counts as pressed
    :param debounce_s: longest time for which the condition may flicker
    """

    def __init__(
        self,
        value_of: Callable[[Any], float],
        holds: Callable[[float], bool],
        debounce_s: float,
    ) -> None:
        self._value_of = value_of
        self._holds = holds
        binding = Binding(frozenset({0}), False, '', '')
        self._presses = Presses([binding], long_press_s=math.inf, debounce_s=debounce_s)

    def content(self, message: Any) -> Any:
        value = self._value_of(message)
        return None if math.isnan(value) else value

    def push(self, content: Any, now_s: float, *, is_first: bool) -> bool:
        if is_first:
            self._presses.forget()
        return bool(self._presses.see({0} if self._holds(content) else (), now_s))


def find_sense(
    rule: TriggerRule, message_type: str, debounce_s: float, definitions: Definitions
) -> Sense:
    """
    Make the sense that finds the presses on a topic.

    :param rule: the trigger
    :param message_type: message type of the topic
    :param debounce_s: longest time that contacts bounce
    :param definitions: function that returns the fields of message types
    :raise ConfigError: if the type has no presses, or does not match the condition
    """
    condition = rule.condition
    if condition is not None:
        value_of = _number_of(rule, message_type, definitions)
        return _Level(value_of, condition.holds, debounce_s)
    if message_type == _BOOL:
        return _Level(lambda message: float(message.data), bool, debounce_s)
    if message_type == _EMPTY:
        return _Messages(debounce_s)
    if message_type in _COUNTERS:
        return _Counter(debounce_s)
    raise ConfigError(
        TRIGGERS,
        rule.text,
        f'{rule.topic} is published as {message_type}; without a condition std_msgs/msg/Bool, '
        'Empty, Int8 to Int64 and UInt8 to UInt64 are allowed; any other type needs a selector '
        f"and a threshold, as in '{rule.topic} data > 0.5: {rule.command}'",
    )


def _number_of(
    rule: TriggerRule, message_type: str, definitions: Definitions
) -> Callable[[Any], float]:
    assert rule.condition is not None
    selector = rule.condition.selector.text
    try:
        elements = find_elements('trigger', message_type, [selector], definitions=definitions)
    except ConfigError as error:
        raise ConfigError(
            TRIGGERS, rule.text, f'{rule.topic} is published as {message_type}: {error.allowed}'
        ) from error
    if len(elements.names) != 1:
        raise ConfigError(
            TRIGGERS,
            rule.text,
            f'{selector} is {len(elements.names)} numbers of {message_type} '
            f'({", ".join(elements.names)}); select one of them',
        )
    reader = SelectorReader(elements.selectors, elements.names)

    def value_of(message: Any) -> float:
        (value,) = reader(message)
        return float(value)

    return value_of


# A publisher that publishes only on change never sends this many alike. Two alike do occur:
# joy_node without autorepeat sends an axis and a button that change together in two messages.
_NUM_ALIKE = 4
# A publisher that repeats its messages has paused after this many periods, but at least _PAUSE_S.
_NUM_PERIODS = 5
_PAUSE_S = 1.0
_LATE_S = 0.3
_NS = 1e-9


class Repetition:
    """
    Finds the pauses of a publisher that repeats its messages. Owned by one thread.

    joy_node of joystick_drivers is such a publisher: it repeats the state at ``autorepeat_rate``,
    20 Hz, publishes nothing while no gamepad is connected, and begins with zeros when a gamepad is
    connected (joy/src/joy.cpp, ``handleJoyDeviceRemoved`` and ``eventThread``). A publisher that
    publishes only on change may be silent for hours, and its next message is a press.
    """

    def __init__(self) -> None:
        self._content: Any = None
        self._heard_s: float | None = None
        self._sent_ns = 0
        self._intervals_s: deque[float] = deque(maxlen=2 * _NUM_ALIKE)
        """The intervals between the newest messages, as long as these are alike."""
        self._period_s = math.inf
        """The period of a publisher that repeats its messages; infinite for other publishers."""

    def is_late(self, now_s: float) -> bool:
        """Return True if a publisher that repeats its messages is overdue."""
        return self._silence_s(now_s) > max(_LATE_S, _NUM_PERIODS * self._period_s)

    def has_paused(self, now_s: float) -> bool:
        """Return True if a publisher that repeats its messages has paused."""
        return self._silence_s(now_s) > self._longest_s

    def push(
        self, content: Any, sent_ns: int, now_s: float, *, is_other: bool | None = None
    ) -> bool:
        """
        Take a message into account; return True if the state before it is no longer valid.

        :param content: the part of the message that changes when something happens
        :param sent_ns: stamp of its sender, in nanoseconds; 0: unknown
        :param now_s: time of its arrival, on the steady clock
        :param is_other: True if another publisher sent it; False if the same one did, and messages
            before it are lost; None: its pauses tell
        """
        interval_s = self._silence_s(now_s)
        if sent_ns and self._sent_ns:
            # The stamps of the sender are not affected if a busy machine reads messages late.
            interval_s = (sent_ns - self._sent_ns) * _NS
        is_broken = is_other is None and interval_s > self._longest_s
        if is_other or self._heard_s is None:
            self._period_s, is_broken = math.inf, True
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
