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
"""An arm that moves before two cameras, one of which stamps its pictures late."""

from __future__ import annotations

import array

import numpy as np
from sensor_msgs.msg import Image, JointState

DELAY_S = 0.06
"""By so much the stamps of the camera in front are too late."""
NAMES = ['base', 'lift', 'elbow', 'wrist', 'roll', 'gripper']
WIDTH, HEIGHT = 160, 120


class MovingArm:
    """Fills messages of joints and of cameras that see where the arm was a while ago."""

    def __init__(self, motion):
        self._motion = motion
        self._begin_ns = None
        self._chance = np.random.default_rng(5)

    def _pose(self, stamp_ns, delay_s=0.0):
        self._begin_ns = self._begin_ns or stamp_ns
        return self._motion((stamp_ns - self._begin_ns) / 1e9 - delay_s)

    def fill_joints(self, message, stamp_ns):
        message.name, message.position = NAMES, self._pose(stamp_ns).tolist()
        return message.position

    def fill_front(self, message, stamp_ns):
        base, lift = self._pose(stamp_ns, DELAY_S)[:2]
        columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
        left, top = WIDTH * (0.5 + 0.6 * base), HEIGHT * (0.2 + lift)
        arm = np.exp(-(((columns - left) / 12) ** 2 + ((rows - top) / 12) ** 2))
        return self._fill(message, 60 + 140 * arm)

    def fill_wall(self, message, _stamp_ns):
        return self._fill(message, np.full((HEIGHT, WIDTH), 90.0))

    def _fill(self, message, grey):
        noisy = np.clip(grey + self._chance.normal(0, 5, grey.shape), 0, 255).astype(np.uint8)
        message.height, message.width, message.step = HEIGHT, WIDTH, WIDTH
        message.encoding, message.data = 'mono8', array.array('B', noisy.tobytes())
        return []


def add_moving_arm(rig, motion):
    """Start a robot that moves; its camera in front stamps late, another one sees a wall."""
    arm, robot = MovingArm(motion), rig.robot(is_punctual=True)
    robot.add_messages('/joint_states', JointState, arm.fill_joints, hz=100)
    robot.add_messages('/wall/image_raw', Image, arm.fill_wall, hz=30)
    robot.add_messages('/front/image_raw', Image, arm.fill_front, hz=30)
    robot.start()


def add_rival(rig):
    """Start a node that publishes on the topic of the camera in front, too."""
    arm, robot = MovingArm(lambda _at_s: np.ones(6)), rig.robot(is_punctual=True, name='rival')
    robot.add_messages('/front/image_raw', Image, arm.fill_front, hz=30)
    robot.start()
