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
"""The recorder's settings, which are the same for all benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from examples.demo.motion import JOINT_NAMES
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.codecs.config import EncoderConfig

from benchmarks.publisher import ACTION_TOPIC, CAMERAS, image_topic, STATE_TOPIC
from benchmarks.receipt import TOPICS

FPS = 30
TASK = 'Look around'


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    One line of the table.

    :param num_cameras: number of cameras that are recorded at once
    :param width: width of every picture, in pixels
    :param height: height of every picture, in pixels
    :param vcodec: LeRobot's name of the codec
    :param is_fast: True to record the joint states of ``receipt.py`` too; without cameras, nothing
        else is recorded
    """

    num_cameras: int
    width: int
    height: int
    vcodec: str
    is_fast: bool = False

    @property
    def cameras(self) -> tuple[str, ...]:
        """The names of the cameras."""
        return CAMERAS[: self.num_cameras]

    def recorder_config(self, root: Path) -> RecorderConfig:
        """Return the same settings as `ros_arguments` gives."""
        streams = [
            StreamConfig(f'observation.images.{name}', image_topic(name)) for name in self.cameras
        ]
        return RecorderConfig(
            root=root,
            streams=(
                *streams,
                StreamConfig('observation.state', STATE_TOPIC, JOINT_NAMES),
                StreamConfig('action', ACTION_TOPIC, JOINT_NAMES),
            ),
            fps=FPS,
            task=TASK,
            encoder=EncoderConfig(vcodec=self.vcodec),
        )

    def ros_arguments(self, root: Path) -> list[str]:
        """Return the command line of the recorder; all other parameters have their defaults."""
        joints = ', '.join(JOINT_NAMES)
        parameters = {
            'root': root,
            'fps': FPS,
            'task': TASK,
            'cameras': f'[{", ".join(self.cameras)}]',
            **{f'camera.{name}.topic': image_topic(name) for name in self.cameras},
            'state.topic': STATE_TOPIC,
            'state.names': f'[{joints}]',
            'action.topic': ACTION_TOPIC,
            'action.names': f'[{joints}]',
            'encoder.vcodec': self.vcodec,
        }
        if self.is_fast and not self.num_cameras:
            parameters |= {'state.topic': TOPICS[0], 'action.topic': TOPICS[1]}
            del parameters['cameras']
        if self.is_fast:
            topics = TOPICS if self.num_cameras else TOPICS[2:]
            names = [f'observation.fast{number}' for number in range(len(topics))]
            parameters['features'] = f'[{", ".join(names)}]'
            for name, topic in zip(names, topics, strict=True):
                parameters[f'feature.{name}.topic'] = topic
                parameters[f'feature.{name}.names'] = f'[{joints}]'
        arguments = ['--ros-args']
        for name, value in parameters.items():
            arguments += ['-p', f'{name}:={value}']
        return arguments
