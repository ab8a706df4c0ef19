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
"""`streamrec layout`: writes a Foxglove layout for the robot of a parameter file."""

from __future__ import annotations

from pathlib import Path

import click
from lerobot_streamrec.cli.ros_command import load_commands, ros_arguments, RosCommand


@click.command(cls=RosCommand)
@click.argument('params', type=click.Path(path_type=Path))
@click.option(
    '--foxglove',
    type=click.Path(path_type=Path),
    metavar='FILE',
    help='Write the layout to this file.  [default: to standard output]',
)
@click.option('--force', is_flag=True, help='Replace FILE if it exists.')
@click.option(
    '--seconds',
    type=click.FloatRange(0, 600),
    default=3.0,
    show_default=True,
    help='How long to look at the graph at most; 0: not at all.',
)
@click.pass_context
def layout(
    ctx: click.Context, params: Path, foxglove: Path | None, force: bool, seconds: float
) -> int:
    """
    Make a Foxglove layout for the robot and the recorder of PARAMS.

    Pictures of each camera, plots of state, action and other features, diagnostics and events of
    the recorder, and buttons that call its services. What PARAMS leaves open, such as the places
    of joints in their messages, is looked up in the running graph. In Foxglove, FILE is imported
    as a layout. Exit status: 0 if it was made, 2 if PARAMS or FILE cannot be used.
    """
    status: int = load_commands().layout(params, foxglove, force, seconds, ros_arguments(ctx))
    return status
