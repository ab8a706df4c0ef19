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
"""Topics as a watch on the graph would report them."""

from __future__ import annotations

from lerobot_streamrec.inspection.arrivals import Heard
from lerobot_streamrec.inspection.observation import SeenPart, SeenPicture, SeenTopic

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
JOINT_STATE = 'sensor_msgs/msg/JointState'
TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'
ARRAY = 'std_msgs/msg/Float64MultiArray'
TWIST = 'geometry_msgs/msg/Twist'

RELIABLE = 'RELIABLE, VOLATILE'
JOINTS = ('shoulder', 'elbow')


def heard(rate_hz=30.0, delay_s=0.002, **more):
    return Heard(num_messages=100, rate_hz=rate_hz, delay_s=delay_s, max_delay_s=delay_s, **more)


def camera(name, kind=IMAGE, encoding='rgb8', *, rate_hz=30.0, problem='', **more):
    picture = SeenPicture(encoding, 0 if problem else 640, 0 if problem else 480, problem)
    return SeenTopic(
        name, kind, RELIABLE, heard(rate_hz, **more), picture=picture if rate_hz else None
    )


def joints(name, names=JOINTS, field='position', **more):
    part = SeenPart(tuple(names), heard(60.0), field)
    return SeenTopic(name, JOINT_STATE, RELIABLE, heard(60.0), parts=(part,), **more)


def silent(name, kind):
    return SeenTopic(name, kind, RELIABLE)
