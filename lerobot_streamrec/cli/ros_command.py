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
"""Commands that look at the running graph: with `--ros-args`, and loaded only when they run."""

from __future__ import annotations

from collections.abc import Callable
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
