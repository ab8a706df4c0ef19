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
"""All ways in that an operator has without a keyboard."""

from __future__ import annotations

from collections.abc import Callable
import time

from lerobot_streamrec.nodes.teleop.gamepad import Gamepad, Give
from lerobot_streamrec.nodes.teleop.teleop_settings import TeleopSettings
from lerobot_streamrec.nodes.teleop.triggers import Trigger
from rclpy.node import Node


class Teleop:
    """
    Listens to a gamepad and to other topics, and gives commands. Owned by the executor's thread.

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
        Look who publishes now; to be called twice a second. Never blocks.

        :param now_s: steady clock
        """
        for one in self._sources:
            one.look(now_s)

    def problems(self) -> list[str]:
        """Return what keeps buttons and topics from giving their commands."""
        return [problem for one in self._sources for problem in one.problems()]
