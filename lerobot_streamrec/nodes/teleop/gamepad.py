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
"""The buttons of a gamepad, as joy_node and similar nodes publish them."""

from __future__ import annotations

from collections.abc import Callable
import math

from lerobot_streamrec.nodes.graph.distributions import MessageInfo
from lerobot_streamrec.nodes.graph.publisher_watch import HeardTopic
from lerobot_streamrec.nodes.teleop.continuity import Continuity
from lerobot_streamrec.nodes.teleop.senses import TopicReport
from lerobot_streamrec.nodes.teleop.teleop_settings import BINDINGS, JOY_TYPE, TeleopSettings
from lerobot_streamrec.recording.operating.presses import Binding, Presses
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Joy

DEPTH = 100
"""The number of messages that may wait. A moving stick must not displace the press of a button."""

_TICK_S = 0.04
# After this many ticks, even a busy machine has read all messages that waited.
_MANY_TICKS = 3

Give = Callable[[str, str], None]
"""A function that takes a command, and the name of its source for people to read."""


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
            node, Joy, settings.joy_topic, self._hear, is_latched=False, depth=DEPTH
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
