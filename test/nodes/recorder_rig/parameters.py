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
"""The parameters with which most tests start the recorder."""

from __future__ import annotations

JOINTS = ('shoulder', 'elbow', 'gripper')
FRONT_TOPIC = '/front/image_raw'
STATE_TOPIC = '/joint_states'
FRONT_KEY = 'observation.images.front'
STATE_KEY = 'observation.state'
TOPICS = {FRONT_KEY: FRONT_TOPIC, STATE_KEY: STATE_TOPIC}

FRONT = {'cameras': ['front'], 'camera.front.topic': FRONT_TOPIC}
STATE = {
    'state.topic': STATE_TOPIC,
    'state.type': 'sensor_msgs/msg/JointState',
    'state.names': list(JOINTS),
}
SMALL = {**FRONT, **STATE}
"""One camera and the joints."""

# h264 is the fastest codec, and these tests do not depend on the codec. Their episodes are short
# on purpose.
COMMON = {
    'task': 'Pick up the cube',
    'encoder.vcodec': 'h264',
    'limits.min_episode_s': 0.0,
    # A busy machine may lose a part of a message, and DDS sends it again after up to 3 s.
    'sync.max_lateness_s': 5.0,
}

SLOW_ENCODER = {
    'encoder.vcodec': 'hevc',
    'encoder.preset': 'veryslow',
    'encoder.encoder_threads': 1,
}
"""The settings of an encoder that is several times slower than noisy NumberedPictures come."""
