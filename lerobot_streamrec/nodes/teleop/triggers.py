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
"""Topics that trigger commands, among them the topic of a gamepad."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
import math
import time
from typing import Any

from lerobot_streamrec.errors import ConfigError, MessageError
from lerobot_streamrec.nodes.graph.distributions import MessageInfo
from lerobot_streamrec.nodes.graph.qos import HeardTopic
from lerobot_streamrec.nodes.graph.topic_types import load_fields, load_message_class, types_of
from lerobot_streamrec.recording.operating.presses import Binding, Presses
from lerobot_streamrec.settings.senses import find_sense, Repetition, Sense
from lerobot_streamrec.settings.teleop_settings import (
    BINDINGS,
    JOY_TYPE,
    TeleopSettings,
    TriggerRule,
    TRIGGERS,
)
from lerobot_streamrec.sync.publisher_watch import PublisherWatch
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Joy

_DEPTH = 100
"""The number of messages that may wait. A moving stick must not displace the press of a button."""

_ABSENT_S = 10.0
_TICK_S = 0.04
# After this many ticks, even a busy machine has read all messages that waited.
_MANY_TICKS = 3

Give = Callable[[str, str], None]
"""A function that takes a command, and the name of its source for people to read."""


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


class Gamepad:
    """
    A gamepad whose buttons give commands. Owned by the executor's thread.

    :param node: the main node
    :param settings: settings with at least one binding
    :param give: function that takes each command
    :param clock_s: steady clock
    """

    def __init__(
        self,
        node: Node,
        settings: TeleopSettings,
        give: Give,
        clock_s: Callable[[], float],
    ) -> None:
        self._give = give
        self._clock_s = clock_s
        self._bindings = settings.bindings
        self._topic = node.resolve_topic_name(settings.joy_topic)
        self.report = TopicReport(node, self._topic, BINDINGS)
        """The problems that keep buttons from giving their commands."""
        self._presses = Presses(
            settings.bindings,
            long_press_s=settings.long_press_s,
            debounce_s=settings.debounce_s,
        )
        self._num_buttons = -1
        self._num_ticks = 0
        """The number of ticks since the last message."""
        self._heard = HeardTopic(
            node, Joy, settings.joy_topic, self._hear, is_latched=False, depth=_DEPTH
        )
        self._continuity = Continuity(
            lambda: [bytes(one.endpoint_gid) for one in self._heard.offers()]
        )
        # Presses take real time even while simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_TICK_S, self._tick, clock=steady)
        self._timer.cancel()

    def look(self, now_s: float) -> None:
        """
        Adapt to the present publishers. Never blocks.

        :param now_s: time on the steady clock
        """
        self._heard.look(now_s)
        self._continuity.look()
        types = sorted({one.topic_type for one in self._heard.offers()})
        self.report.look(now_s, is_published=bool(types))
        if types and JOY_TYPE not in types:
            self.report.tell(
                f'{self._topic} is published as {" and ".join(types)}, but {BINDINGS} needs '
                f'{JOY_TYPE}: set teleop.joy.topic, or use teleop.triggers'
            )
        elif types:
            self.report.tell(self._missing_buttons())

    def _missing_buttons(self) -> str:
        num = self._num_buttons
        missing = [str(one) for one in self._bindings if max(one.buttons) >= num >= 0]
        if not missing:
            return ''
        there = f'the buttons 0 to {num - 1}' if num else 'no buttons'
        return f'the gamepad on {self._topic} has {there}, not those of {"; ".join(missing)}'

    def _hear(self, message: Joy, info: MessageInfo) -> None:
        now_s, self._num_ticks = self._clock_s(), 0
        buttons = message.buttons
        if self._continuity.push((buttons, message.axes), info, now_s) or (
            len(buttons) != self._num_buttons
        ):
            self._presses.forget()
        self._num_buttons = len(buttons)
        down = {number for number, value in enumerate(buttons) if value}
        self._tell(self._presses.see(down, now_s))
        if self._presses.due_s < math.inf and self._timer.is_canceled():
            self._timer.reset()

    def _tick(self) -> None:
        now_s = self._clock_s()
        self._num_ticks += 1
        if self._num_ticks > _MANY_TICKS and self._continuity.has_paused(now_s):
            # The buttons of a gamepad that has disappeared are not held down.
            self._presses.forget()
        if not self._continuity.is_late(now_s):
            self._tell(self._presses.tick(now_s))
        if self._presses.due_s == math.inf:
            self._timer.cancel()

    def _tell(self, meant: list[Binding]) -> None:
        for one in meant:
            noun = 'button' if len(one.buttons) == 1 else 'buttons'
            self._give(one.command, f'gamepad {self._topic} {noun} {one.label}')


class Trigger:
    """
    A topic whose messages trigger one command. Owned by the executor's thread.

    The publishers decide the type of the topic, so it is subscribed to only once there are some.

    :param node: the main node
    :param rule: topic, condition and command
    :param debounce_s: longest time that contacts bounce
    :param give: function that takes each command
    :param clock_s: steady clock
    """

    def __init__(
        self,
        node: Node,
        rule: TriggerRule,
        debounce_s: float,
        give: Give,
        clock_s: Callable[[], float],
    ) -> None:
        self._node = node
        self._rule = rule
        self._debounce_s = debounce_s
        self._give = give
        self._clock_s = clock_s
        self._topic = node.resolve_topic_name(rule.topic)
        self.report = TopicReport(node, self._topic, f'{TRIGGERS} ({rule.text!r})')
        """The problems that keep the topic from triggering its command."""
        self._type = ''
        self._sense: Sense | None = None
        self._heard: HeardTopic | None = None
        self._continuity = Continuity(self._publishers)
        self._is_misfit_told = False

    def look(self, now_s: float) -> None:
        """
        Adapt to the present publishers; subscribe once the type is known. Never blocks.

        :param now_s: time on the steady clock
        """
        types = types_of(self._node, self._rule.topic)
        self.report.look(now_s, is_published=bool(types))
        if types and self._type not in types:
            self._choose(types)
        if self._heard is not None:
            self._heard.look(now_s)
            self._continuity.look()

    def _publishers(self) -> list[bytes]:
        offers = self._node.get_publishers_info_by_topic(self._rule.topic)
        return [bytes(one.endpoint_gid) for one in offers]

    def _choose(self, types: list[str]) -> None:
        if self._heard is not None:
            self._heard.close()
        self._heard = self._sense = None
        self._type = types[0]
        try:
            if len(types) > 1:
                self._type = ''
                raise ConfigError(
                    TRIGGERS,
                    self._rule.text,
                    f'{self._topic} is published as {" and as ".join(types)}: keep one type',
                )
            message_class = load_message_class(TRIGGERS, self._type)
            self._sense = find_sense(
                self._rule, self._type, self._debounce_s, partial(load_fields, TRIGGERS)
            )
            self._continuity = Continuity(self._publishers)
            self._heard = HeardTopic(
                self._node,
                message_class,
                self._rule.topic,
                self._hear,
                is_latched=False,
                depth=_DEPTH,
            )
        except ConfigError as error:
            self.report.tell(str(error))
        # rclpy raises this if the process already reads the topic as another type.
        except RuntimeError:
            self.report.tell(
                f'{TRIGGERS} ({self._rule.text!r}): {self._topic} is published as {self._type}, '
                'but another setting of this recorder reads it as another type; correct that one'
            )
        else:
            self.report.tell('')

    def _hear(self, message: Any, info: MessageInfo) -> None:
        assert self._sense is not None
        now_s = self._clock_s()
        try:
            content = self._sense.content(message)
        except MessageError as error:
            # Several publishers may share a topic, and some may lack the selected number.
            if not self._is_misfit_told:
                self._is_misfit_told = True
                self._node.get_logger().warning(
                    f'{TRIGGERS} ({self._rule.text!r}): a message on {self._topic} is ignored, '
                    f'and so are all others like it: {error}'
                )
            return
        if content is None:
            return
        is_first = self._continuity.push(content, info, now_s)
        if self._sense.push(content, now_s, is_first=is_first):
            self._give(self._rule.command, f'trigger {self._topic}')


class Teleop:
    """
    The gamepad and the other topics that give commands. Owned by the executor's thread.

    :param node: the main node
    :param settings: bindings and triggers
    :param give: function that takes each command as a text, and the name of its source
    :param clock_s: steady clock
    """

    def __init__(
        self,
        node: Node,
        settings: TeleopSettings,
        give: Give,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources: list[Gamepad | Trigger] = [
            Trigger(node, rule, settings.debounce_s, give, clock_s) for rule in settings.triggers
        ]
        if settings.bindings:
            self._sources.append(Gamepad(node, settings, give, clock_s))

    def look(self, now_s: float) -> None:
        """
        Adapt to the present publishers; call this twice a second. Never blocks.

        :param now_s: time on the steady clock
        """
        for one in self._sources:
            one.look(now_s)

    def problems(self) -> list[str]:
        """Return the problems that keep buttons and topics from giving their commands."""
        return [problem for one in self._sources for problem in one.report.problems]


class Continuity:
    """
    A detector of the messages on one topic that do not continue the state before them.

    These are the first message of another publisher, and the first message after a pause of a
    publisher that repeats its messages. Owned by the executor's thread.

    :param publishers: function that returns the gids of the present publishers
    """

    def __init__(self, publishers: Callable[[], Collection[bytes]]) -> None:
        self._publishers = publishers
        self._known: frozenset[bytes] = frozenset()
        self._watch = PublisherWatch(math.inf)
        self._repetition = Repetition()
        self._is_foreign = True
        self.is_late = self._repetition.is_late
        self.has_paused = self._repetition.has_paused

    def look(self) -> None:
        """Look for new publishers in the graph if the middleware does not number messages."""
        if self._watch.is_blind and self._has_new_publisher():
            self._is_foreign = True

    def push(self, content: Any, info: MessageInfo, now_s: float) -> bool:
        """
        Take a message into account; return True if the state before it is no longer valid.

        :param content: the part of the message that changes when something happens
        :param info: the message info of the middleware
        :param now_s: time on the steady clock
        """
        self._watch.push(info, now_s)
        sent_ns = int(info.get('source_timestamp') or 0)
        return self._repetition.push(content, sent_ns, now_s, is_other=self._is_other())

    def _is_other(self) -> bool | None:
        """Return whether another publisher sent the newest message; None if nothing says so."""
        is_foreign, self._is_foreign = self._is_foreign, False
        if self._watch.has_begun or is_foreign:
            self._has_new_publisher()
            return True
        # Messages were lost, or the number belongs to the sequence of a new publisher.
        return self._has_new_publisher() if self._watch.has_skipped else None

    def _has_new_publisher(self) -> bool:
        known, self._known = self._known, frozenset(self._publishers())
        return not self._known <= known
