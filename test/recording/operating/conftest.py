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
"""An operator who presses buttons, and a listener for the answers."""

from __future__ import annotations

from lerobot_streamrec.recording.operating.config import OperatingConfig
from lerobot_streamrec.recording.operating.machine import EpisodeMachine
from lerobot_streamrec.recording.operating.surroundings import Surroundings
import pytest
from waiting import wait_for


class Listener(Surroundings):
    """Collects events and tasks."""

    def __init__(self):
        self.events = []
        self.tasks = []
        self.wall = ''

    def obstacle(self):
        return self.wall

    def note_task(self, task):
        self.tasks.append(task)

    def publish(self, event):
        self.events.append(event)


class Driver:
    """A rig with an operator who presses buttons."""

    def __init__(self, rig, **settings):
        self.rig = rig
        self.room = Listener()
        self.machine = EpisodeMachine(
            rig.recorder, OperatingConfig(**settings), self.room, lambda: rig.steady_ns
        )

    def press(self, text, source='pedal'):
        answer = self.machine.hear(text, source)
        if not answer.done():
            wait_for(lambda: self.machine.tick() or answer.done())
        return answer.result()

    def run(self, seconds):
        """Let time pass, with the ticks that a node gives."""
        while seconds > 0.001:
            self.rig.run(min(0.1, seconds))
            self.machine.tick()
            seconds -= 0.1

    def told(self):
        """Return source, verb and success of the events since the last call."""
        events, self.room.events = self.room.events, []
        return [(one.source, one.verb, one.success) for one in events]

    @property
    def status(self):
        return self.machine.status(self.rig.recorder.status())

    @property
    def phase(self):
        return self.status.phase


@pytest.fixture
def drive(make_rig):
    def make(config=None, **settings):
        rig = make_rig(**(config or {}))
        rig.run(1)
        rig.try_encoders()
        return Driver(rig, **settings)

    return make


@pytest.fixture
def driver(drive):
    return drive(min_episode_s=0.0)
