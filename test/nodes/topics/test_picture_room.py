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
"""A profile for large messages is advised where it can help, by its variable and whole path."""

from __future__ import annotations

import os
import subprocess
import sys

from lerobot_streamrec.installed import images_profile, images_profile_advice, PROFILE_VARIABLES
from lerobot_streamrec.nodes.topics.picture_room import room_advice
import pytest
from recorder_rig.surroundings import wait_until

pytestmark = [pytest.mark.ros]

FAST_DDS_2, FAST_DDS_3 = PROFILE_VARIABLES
TOPIC = '/of_another_process'
PUBLISHER = f"""
import rclpy, sys
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node('driver')
publisher = node.create_publisher(String, '{TOPIC}', 1)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ('distribution', 'said'),
    [('jazzy', FAST_DDS_2), ('humble', FAST_DDS_2), ('kilted', FAST_DDS_3)],
)
def test_the_variable_is_the_one_that_this_release_reads(distribution, said, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', distribution)
    advice = images_profile_advice()
    assert f'export {said}={images_profile()} in the shell that starts' in advice
    assert sum(name in advice for name in PROFILE_VARIABLES) == 1


def test_without_a_release_both_are_named(monkeypatch):
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    assert all(name in images_profile_advice() for name in PROFILE_VARIABLES)


@pytest.mark.parametrize('has_profile', [True, False])
def test_a_publisher_that_has_the_profile_is_not_told_to_export_it(has_profile, rig):
    node = rig.robot().node
    environment = {k: text for k, text in os.environ.items() if k not in PROFILE_VARIABLES}
    if has_profile:
        environment |= dict.fromkeys(PROFILE_VARIABLES, str(images_profile()))
    driver = subprocess.Popen(
        [sys.executable, '-c', PUBLISHER], stdin=subprocess.PIPE, env=environment
    )
    try:

        def offers():
            return node.get_publishers_info_by_topic(TOPIC)

        wait_until(offers, 90.0, 'the publisher of another process is found')
        advice = room_advice(offers(), 900_000)
        assert advice == ('' if has_profile else images_profile_advice())
        assert not room_advice(offers(), 1_000), 'small messages have room'
    finally:
        driver.stdin.close()
        driver.wait(30.0)
