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
"""An operator who moves the simulated arm back and forth, and what its cameras see of it."""

from __future__ import annotations

from bisect import bisect_right
import random

from examples.demo.drawing import CameraView
import numpy as np

MIDDLE = np.array([0.0, 0.35, 1.05, 0.7, 0.0, 0.45])
REACH = np.array([0.5, 0.2, 0.25, 0.2, 0.3, 0.1])
NUM_NOISES = 5
LENGTH_S = 300


class Strokes:
    """
    Strokes of minimum jerk from side to side, of uneven length and pace, with pauses.

    :param seed: of the motion
    :param stroke_s: shortest and longest duration of a stroke, in seconds
    """

    def __init__(self, seed=0, stroke_s=(0.5, 1.0)):
        chance = random.Random(seed)
        self._strokes, at_s, pose = [], -5.0, MIDDLE
        while at_s < LENGTH_S:
            side = 1 if len(self._strokes) % 2 else -1
            end = MIDDLE + side * REACH * [chance.uniform(0.6, 1.0) for _ in REACH]
            length_s = chance.uniform(*stroke_s)
            self._strokes.append((at_s, length_s, pose, end))
            at_s += length_s + chance.uniform(0.0, 0.2)
            pose = end
        self._begins_s = [one[0] for one in self._strokes]

    def joints(self, at_s):
        """Return the angles at an instant, ``(6,)``; from 5 s before to LENGTH_S after zero."""
        begin_s, length_s, start, end = self._strokes[bisect_right(self._begins_s, at_s) - 1]
        share = min((at_s - begin_s) / length_s, 1.0)
        return start + (end - start) * (10 * share**3 - 15 * share**4 + 6 * share**5)


class NoisyView:
    """A camera of the demo with noise on every pixel, which draws into one canvas."""

    def __init__(self, name, width=640, height=480, sigma=8.0, seed=0):
        self._view = CameraView(name, width, height)
        self._canvas = np.empty((height, width, 3), np.uint8)
        chance = np.random.default_rng(seed)
        # Drawing numbers for every picture anew would take most of a test's time.
        shape = (NUM_NOISES, *self._canvas.shape)
        self._noises = np.rint(chance.normal(0, sigma, shape)).astype(np.int16)

    def picture(self, joints, number):
        self._view.draw(self._canvas, joints, number)
        noise = np.roll(self._noises[number % NUM_NOISES], number * 7919)
        return np.clip(self._canvas + noise, 0, 255).astype(np.uint8)
