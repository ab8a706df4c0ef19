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
"""`streamrec doctor`: says whether a parameter file fits the robot that is running."""

from __future__ import annotations

from pathlib import Path

import click
from lerobot_streamrec.cli.ros_command import (
    load_commands,
    ros_arguments,
    RosCommand,
    seconds_option,
)


@click.command(cls=RosCommand)
@click.argument('params', type=click.Path(path_type=Path))
@seconds_option('How long to listen to the topics.')
@click.option(
    '--pictures',
    type=click.Path(file_okay=False, path_type=Path),
    help='Save the first picture of each camera in this folder, as PNG.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print the whole report as JSON.')
@click.pass_context
def doctor(
    ctx: click.Context, params: Path, seconds: float, pictures: Path | None, as_json: bool
) -> int:
    """
    Hold a parameter file against the running robot.

    Reads the topics of PARAMS as the recorder would, and says of each what comes, how often, and
    what keeps it from being recorded. Tries the encoder, and looks at the dataset's folder.
    Changes nothing. Exit status: 0 if all is fit to record, 1 if not, 2 if PARAMS cannot be used.
    """
    status: int = load_commands().doctor(params, seconds, pictures, as_json, ros_arguments(ctx))
    return status
