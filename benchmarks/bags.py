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
"""A bag of raw pictures, and the time that its import takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import time
from typing import Any

from examples.demo.motion import JOINT_NAMES
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores
import yaml

from benchmarks.child import Check, ModuleChild, running
from benchmarks.pictures import Ring
from benchmarks.publisher import ACTION_TOPIC, image_topic, STATE_TOPIC
from benchmarks.recording_setup import FPS, Scenario, TASK

_TYPES = get_typestore(Stores.ROS2_JAZZY)
_IMAGE, _JOINTS = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/JointState'
_BEGIN_NS = 1_800_000_000 * 10**9
_JOINTS_HZ = 100
_TIMEOUT_S = 300.0


def write_bag(path: Path, ring: Ring, scenario: Scenario, seconds: float) -> None:
    """
    Write a bag in MCAP with the raw pictures of all cameras and two joint topics.

    :param ring: ``(n, height, width, 3)`` RGB, the pictures of each camera
    :param seconds: length of the bag
    """
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topics = {
            topic: writer.add_connection(topic, kind, typestore=_TYPES)
            for kind, names in (
                (_IMAGE, [image_topic(name) for name in scenario.cameras]),
                (_JOINTS, [STATE_TOPIC, ACTION_TOPIC]),
            )
            for topic in names
        }
        for at_ns, kind, message in _messages(ring, seconds):
            data = _TYPES.serialize_cdr(message, kind)
            for topic, connection in topics.items():
                if connection.msgtype == kind:
                    writer.write(topics[topic], at_ns, data)


def _messages(ring: Ring, seconds: float) -> Iterator[tuple[int, str, Any]]:
    """Yield a message of every kind at its time, in nanoseconds since 1970."""
    due = [
        (number / hz, kind, number)
        for kind, hz in ((_IMAGE, FPS), (_JOINTS, _JOINTS_HZ))
        for number in range(round(seconds * hz))
    ]
    types = _TYPES.types
    for at_s, kind, number in sorted(due):
        at_ns = _BEGIN_NS + round(at_s * 1e9)
        stamp = types['builtin_interfaces/msg/Time'](sec=at_ns // 10**9, nanosec=at_ns % 10**9)
        header = types['std_msgs/msg/Header'](stamp=stamp, frame_id='')
        if kind == _JOINTS:
            position = np.sin(at_s + np.arange(len(JOINT_NAMES)))
            none = np.empty(0)
            message = types[_JOINTS](header, list(JOINT_NAMES), position, none, none)
        else:
            pixels = ring[number % len(ring)]
            height, width, _ = pixels.shape
            message = types[_IMAGE](
                header, height, width, 'rgb8', 0, 3 * width, pixels.reshape(-1)
            )
        yield at_ns, kind, message


def import_seconds(bag: Path, scenario: Scenario, folder: Path, check: Check) -> float:
    """
    Import a bag into a new dataset, and return the seconds that the whole command takes.

    :param scenario: cameras and codec; everything else has its default
    :param folder: new folder for the dataset
    """
    folder.mkdir()
    cameras = {name: {'topic': image_topic(name)} for name in scenario.cameras}
    parameters = {
        'root': str(folder / 'dataset'),
        'fps': FPS,
        'task': TASK,
        'cameras': list(cameras),
        'camera': cameras,
        'state': {'topic': STATE_TOPIC, 'names': list(JOINT_NAMES)},
        'action': {
            'topic': ACTION_TOPIC,
            'type': _JOINTS,
            'names': list(JOINT_NAMES),
        },
        'encoder': {'vcodec': scenario.vcodec},
    }
    file = folder / 'robot.yaml'
    file.write_text(yaml.safe_dump({'/**': {'ros__parameters': parameters}}), encoding='utf-8')
    begin_s = time.monotonic()
    arguments = ['import', str(bag), '--params', str(file)]
    child = ModuleChild('lerobot_streamrec.cli', arguments, folder=folder, environment={})
    with running(child):
        child.wait(check, _TIMEOUT_S)
    return time.monotonic() - begin_s
