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
"""Start the recorder beside a robot's own drivers."""

from __future__ import annotations

from collections.abc import Callable
import os
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = get_package_share_directory('lerobot_streamrec')


def verbatim(text: str) -> ParameterValue:
    """Keep a text as it is: launch reads texts as YAML, and a task may hold a colon."""
    return ParameterValue(text, value_type=str)


def flag(text: str) -> bool:
    """Read a launch argument that is true or false."""
    return text.lower() in ('true', '1')


# Passed on as parameters if set: what the parameter file says holds otherwise.
OVERRIDES: dict[str, tuple[Callable[[str], Any], str]] = {
    'root': (verbatim, "Folder of the dataset; LeRobot's own place for repo_id if not set"),
    'repo_id': (verbatim, 'Name of the dataset on the Hub, owner/name'),
    'task': (verbatim, 'What the robot is to do, in a sentence'),
    'fps': (int, 'Rows and frames per second'),
    'use_sim_time': (flag, 'Whether to follow /clock: true or false'),
}


def recorder(context: LaunchContext) -> list[Any]:
    """Describe the recorder's process by the launch's arguments."""

    def argument(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    parameters: list[Any] = [argument('params_file')]
    parameters += [
        {name: read(argument(name))} for name, (read, _) in OVERRIDES.items() if argument(name)
    ]
    profile = argument('fastdds_profile')
    # Both names: Fast DDS 3 (Kilted and later) and Fast DDS 2 (Jazzy and earlier).
    environment = {
        name: profile
        for name in ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
        if profile
    }
    return [
        Node(
            package='lerobot_streamrec',
            executable='record',
            output='screen',
            parameters=parameters,
            additional_env=environment,
            arguments=['--ros-args', '--log-level', argument('log_level')],
            # The recorder itself ends within 10 s of SIGINT; nobody should kill it before.
            sigterm_timeout='15',
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the recorder."""
    declared = [
        DeclareLaunchArgument(
            'params_file',
            default_value=os.path.join(SHARE, 'config', 'record.yaml'),  # noqa: PTH118
            description='Parameters of the node episode: cameras, state, action, encoder',
        ),
        DeclareLaunchArgument('log_level', default_value='info', description='Of the recorder'),
        DeclareLaunchArgument(
            'fastdds_profile',
            default_value=os.environ.get('FASTRTPS_DEFAULT_PROFILES_FILE')
            or os.path.join(SHARE, 'config', 'fastdds_images.xml'),  # noqa: PTH118
            description='Fast DDS profile with room for pictures; empty: none',
        ),
    ]
    declared += [
        DeclareLaunchArgument(name, default_value='', description=text)
        for name, (_, text) in OVERRIDES.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=recorder)])
