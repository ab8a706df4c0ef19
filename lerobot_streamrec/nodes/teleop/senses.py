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
"""The detection of presses in the messages of teleop topics, and the log about these topics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
import math
from typing import Any

from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.reader import SelectorReader
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.topic_types import load_fields
from lerobot_streamrec.recording.operating.presses import Binding, Presses
from lerobot_streamrec.settings.teleop_settings import TriggerRule, TRIGGERS
from rclpy.node import Node

_ABSENT_S = 10.0


class TopicReport:
    """
    A log about one topic: nobody publishes it, or it cannot be used.

    Owned by the executor's thread.

    :param node: the main node, which logs
    :param topic: full name of the topic
    :param purpose: setting that needs the topic, such as ``teleop.triggers`` and the trigger
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
        """The reason why the topic cannot be used; empty if it can, or if nobody publishes it."""
        return [self._problem] if self._problem else []

    def look(self, now_s: float, *, is_published: bool) -> None:
        """
        Log a warning once if nobody has published the topic for a while.

        :param now_s: time on the steady clock
        :param is_published: True if the topic has a publisher now
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
        Keep the problem of the topic, and log a new one.

        :param problem: reason why the topic cannot be used; empty if it can
        """
        if problem and problem != self._problem:
            self._log.error(problem)
        self._problem = problem


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


def find_sense(rule: TriggerRule, message_type: str, debounce_s: float) -> Sense:
    """
    Make the sense that finds the presses on a topic.

    :param rule: the trigger
    :param message_type: message type of the topic
    :param debounce_s: longest time that contacts bounce
    :raise ConfigError: if the type has no presses, or does not match the condition
    """
    condition = rule.condition
    if condition is not None:
        value_of = _number_of(rule, message_type)
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


def _number_of(rule: TriggerRule, message_type: str) -> Callable[[Any], float]:
    assert rule.condition is not None
    selector = rule.condition.selector.text
    definitions = partial(load_fields, TRIGGERS)
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
