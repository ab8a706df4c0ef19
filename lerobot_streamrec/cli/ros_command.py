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
"""Commands that look at the graph: `init`, `doctor` and `layout`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import click
from lerobot_streamrec.installed import EXIT_CONFIG, missing_package

ROS_ARGS = '--ros-args'
_END = '--'
_Function = TypeVar('_Function', bound=Callable[..., Any])
_META = f'{__name__}.ros_arguments'


class _WithoutRosError(click.ClickException):
    exit_code = EXIT_CONFIG


class RosCommand(click.Command):
    """A command that hands everything from ``--ros-args`` on to rclpy."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep what is meant for rclpy out of click's sight."""
        begin = args.index(ROS_ARGS) if ROS_ARGS in args else len(args)
        end = args.index(_END, begin) if _END in args[begin:] else len(args)
        ctx.meta[_META] = tuple(args[begin:end])
        # The dashes end what is rclpy's, and mean nothing to click.
        return super().parse_args(ctx, args[:begin] + args[end + 1 :])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Show it in the usage."""
        return [*super().collect_usage_pieces(ctx), f'[{ROS_ARGS} ...]']


def seconds_option(help_text: str) -> Callable[[_Function], _Function]:
    """Make the option that says how long to look."""
    return click.option(
        '--seconds',
        type=click.FloatRange(1, 600),
        default=5.0,
        show_default=True,
        help=help_text,
    )


def ros_arguments(ctx: click.Context) -> tuple[str, ...]:
    """Return what was given from ``--ros-args`` on."""
    found: tuple[str, ...] = ctx.meta[_META]
    return found


def load_commands() -> Any:
    """
    Load what looks at the graph; all other commands get along without ROS.

    :raise click.ClickException: with the status of a wrong configuration, if there is no ROS
    """
    try:
        return _load()
    except ImportError as error:
        raise _WithoutRosError(f'this command needs ROS 2: {missing_package(error)}') from error


def _load() -> ModuleType:
    from lerobot_streamrec.live import commands

    return commands


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
