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
"""How the simulated arm moves: joint angles as smooth functions of time."""

from __future__ import annotations

from dataclasses import dataclass
import math
import random

JOINT_NAMES = (
    'shoulder_pan',
    'shoulder_lift',
    'elbow_flex',
    'wrist_flex',
    'wrist_roll',
    'gripper',
)

FOLLOWER_LAG_S = 0.08
"""The arm is where its leader was this long ago, as under a real position controller."""

# Per joint: middle (rad), then amplitude (rad) and frequency (Hz) of two swings. No two
# frequencies have a short common period, so no two samples of a recording are equal.
_SWINGS = (
    (0.00, (0.55, 0.113), (0.12, 0.471)),
    (0.35, (0.30, 0.157), (0.08, 0.613)),
    (1.05, (0.35, 0.139), (0.10, 0.547)),
    (0.70, (0.30, 0.193), (0.07, 0.709)),
    (0.00, (0.80, 0.127), (0.15, 0.389)),
    (0.45, (0.38, 0.271), (0.05, 0.827)),
)


@dataclass(frozen=True)
class Motion:
    """The motion of a leader arm and of the arm that follows it; equal seeds move alike."""

    seed: int = 0

    def leader(self, time_s: float) -> list[float]:
        """Return the commanded angle of each joint in radians, ordered as JOINT_NAMES."""
        phases = random.Random(self.seed)
        angles = []
        for middle, *swings in _SWINGS:
            angle = middle
            for amplitude, frequency_hz in swings:
                turn = frequency_hz * time_s + phases.random()
                angle += amplitude * math.sin(2.0 * math.pi * turn)
            angles.append(angle)
        return angles

    def follower(self, time_s: float) -> list[float]:
        """Return the reached angle of each joint in radians, ordered as JOINT_NAMES."""
        return self.leader(time_s - FOLLOWER_LAG_S)
