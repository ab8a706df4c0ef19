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
"""How messages of each kind of teleop topic are read and reported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
import math
from typing import Any

from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.reader import SelectorReader
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.topic_types import load_message_class
from lerobot_streamrec.nodes.teleop.trigger_rule import TriggerRule
from lerobot_streamrec.recording.operating.presses import Binding, Presses
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


_BOOL = 'std_msgs/msg/Bool'
_EMPTY = 'std_msgs/msg/Empty'
_COUNTERS = frozenset(
    f'std_msgs/msg/{sign}Int{bits}' for sign in ('', 'U') for bits in (8, 16, 32, 64)
)


class Sense(ABC):
    """Finds presses in the messages of one topic. Owned by one thread."""

    @abstractmethod
    def content(self, message: Any) -> Any:
        """
        Return what of a message changes when something happens; None: it does not count.

        :raise MessageError: if it is not there
        """

    @abstractmethod
    def push(self, content: Any, now_s: float, *, is_first: bool) -> bool:
        """
        Take note of a message, and tell whether it is a press.

        :param content: content of the message, not None
        :param now_s: steady clock
        :param is_first: True: nothing before it holds any more
        """


class _Messages(Sense):
    """
    Every message is a press.

    :param debounce_s: time in which more of them belong to the same press
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
    Every change of a number is a press.

    :param debounce_s: time in which more of them belong to the same press
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
    A press begins when a condition begins to hold.

    :param value_of: function that returns the number of a message
    :param holds: function that returns True if the number counts as pressed
    :param debounce_s: longest time that the condition comes and goes
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


def find_sense(parameter: str, rule: TriggerRule, message_type: str, debounce_s: float) -> Sense:
    """
    Find out what is a press on a topic.

    :param parameter: the setting that the trigger stands in, for the error
    :param message_type: type of the topic
    :param debounce_s: longest time that contacts bounce
    :raise ConfigError: if nothing is
    """
    condition = rule.condition
    if condition is not None:
        value_of = _number_of(parameter, rule, message_type)
        return _Level(value_of, condition.holds, debounce_s)
    if message_type == _BOOL:
        return _Level(lambda message: float(message.data), bool, debounce_s)
    if message_type == _EMPTY:
        return _Messages(debounce_s)
    if message_type in _COUNTERS:
        return _Counter(debounce_s)
    raise ConfigError(
        parameter,
        rule.text,
        f'{rule.topic} is published as {message_type}; without a condition std_msgs/msg/Bool, '
        'Empty, Int8 to Int64 and UInt8 to UInt64 are allowed; any other type needs a selector '
        f"and a threshold, such as '{rule.topic} data > 0.5: {rule.command}'",
    )


def _number_of(
    parameter: str, rule: TriggerRule, message_type: str
) -> Callable[[Any], float]:
    assert rule.condition is not None
    selector = rule.condition.selector.text

    def load(wanted: str) -> type:
        return load_message_class(parameter, wanted)

    try:
        elements = find_elements('trigger', message_type, [selector], load_class=load)
    except ConfigError as error:
        raise ConfigError(
            parameter, rule.text, f'{rule.topic} is published as {message_type}: {error.allowed}'
        ) from error
    if len(elements.names) != 1:
        raise ConfigError(
            parameter,
            rule.text,
            f'{selector} is {len(elements.names)} numbers of {message_type} '
            f'({", ".join(elements.names)}); select one of them',
        )
    reader = SelectorReader(elements.selectors, elements.names)

    def value_of(message: Any) -> float:
        (value,) = reader(message)
        return float(value)

    return value_of
