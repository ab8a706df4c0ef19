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
"""`streamrec init`: writes a parameter file for the robot that is running."""

from __future__ import annotations

from pathlib import Path

import click
from lerobot_streamrec.cli.ros_command import (
    load_commands,
    ros_arguments,
    RosCommand,
    seconds_option,
)

_MAX_FPS = 1000


@click.command(cls=RosCommand)
@click.argument('output', type=click.Path(path_type=Path), default='my_robot.yaml')
@seconds_option('How long to look at the graph.')
@click.option(
    '--fps', type=click.IntRange(1, _MAX_FPS), help='Rows per second.  [default: by the cameras]'
)
@click.option('--force', is_flag=True, help='Replace OUTPUT if it exists.')
@click.pass_context
def init(ctx: click.Context, output: Path, seconds: float, fps: int | None, force: bool) -> int:
    """
    Propose parameters for the robot that is running.

    Looks at the ROS graph, chooses cameras, state and action, and writes OUTPUT [default:
    my_robot.yaml], with what was measured beside each topic. Exit status: 0 if it was written, 1
    if there is nothing to record, 2 if OUTPUT cannot be written.
    """
    status: int = load_commands().init(output, seconds, fps, force, ros_arguments(ctx))
    return status
