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
"""Commands that look at the ROS graph; `init` and `doctor` look at a bag in its place as well."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from lerobot_streamrec.cli.progress import importing, show_remarks, shown_option
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.installed import EXIT_CONFIG
from rich.console import Console

ROS_ARGS = '--ros-args'
_END = '--'
NEEDS_ROS = 'this command needs ROS 2'
_NEEDS_ROS_OR_BAG = f'without --bag, {NEEDS_ROS}'
_NEEDS_ROSBAGS = '--bag needs rosbags'


class RosCommand(click.Command):
    """A command that gets the arguments from ``--ros-args`` on as ``ros_arguments``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Hide rclpy's arguments from click."""
        begin = args.index(ROS_ARGS) if ROS_ARGS in args else len(args)
        end = args.index(_END, begin) if _END in args[begin:] else len(args)
        ctx.params['ros_arguments'] = tuple(args[begin:end])
        # The dashes only end rclpy's arguments, so click does not see them either.
        return super().parse_args(ctx, args[:begin] + args[end + 1 :])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Add ``--ros-args`` to the usage line."""
        return [*super().collect_usage_pieces(ctx), f'[{ROS_ARGS} ...]']

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an exit status of its own tells of settings that cannot be used."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo(f'streamrec: {error}', err=True)
            return EXIT_CONFIG


_seconds_option = partial(shown_option, '--seconds', type=click.FloatRange(1, 600), default=5.0)
_MAX_FPS = 1000
_GRAPH_S, _BAG_S, _MAX_S = 5.0, 10.0, 86_400

_bag_option = click.option(
    '--bag',
    type=click.Path(exists=True, path_type=Path),
    help='Read the beginning of this bag in place of the running graph; ROS is not needed.',
)
namespace_option = click.option(
    '--namespace', help='With --bag: namespace of the recorder, such as /left.  [default: /]'
)
_look_option = click.option(
    '--seconds',
    type=click.FloatRange(1, _MAX_S),
    help=f'How long to read the topics.  [default: {_GRAPH_S:g}; of a bag {_BAG_S:g}]',
)


def refuse_mixture(
    bag: Path | None, namespace: str | None, ros_arguments: Sequence[str]
) -> None:
    """Refuse options for the graph beside a bag, and the other way round."""
    if bag is not None and ros_arguments:
        raise click.UsageError(f'{ROS_ARGS} is for the running graph; use --namespace with --bag')
    if bag is None and namespace is not None:
        text = f'--namespace goes with --bag; for the running graph: {ROS_ARGS} -r __ns:='
        raise click.UsageError(f'{text}/{namespace.strip("/")}')


@click.command(cls=RosCommand)
@click.argument('output', type=click.Path(path_type=Path), default='my_robot.yaml')
@_bag_option
@namespace_option
@_look_option
@click.option(
    '--fps', type=click.IntRange(1, _MAX_FPS), help='Rows per second.  [default: from the cameras]'
)
@click.option('--force', is_flag=True, help='Replace OUTPUT if it exists.')
def init(
    output: Path,
    bag: Path | None,
    namespace: str | None,
    seconds: float | None,
    fps: int | None,
    force: bool,
    ros_arguments: Sequence[str],
) -> int:
    """
    Propose parameters for the robot that is running, or that was recorded in a bag.

    This looks at the ROS graph or at the beginning of a bag, chooses cameras, state and action,
    and writes OUTPUT [default: my_robot.yaml], with the measurements beside each topic. Exit
    status: 0 if OUTPUT was written, 1 if there is nothing to record, 2 if OUTPUT cannot be
    written.
    """
    refuse_mixture(bag, namespace, ros_arguments)
    if bag is not None:
        with importing(_NEEDS_ROSBAGS):
            from lerobot_streamrec.fleet.bag_look import BagLook
            from lerobot_streamrec.inspection.proposal import result_lines
            from lerobot_streamrec.settings.checked_file import refuse_existing
        refuse_existing(output, force=force)
        look = BagLook(bag, seconds or _BAG_S, namespace or '/')
        with Console(stderr=True).status(f'reading {look}'):
            proposal = look.propose(fps)
        if not proposal.is_empty:
            look.write(output, proposal, force=force)
        click.echo(f'read {look}')
        for line in result_lines(proposal, output, looked=str(look), advice=look.advice, bag=bag):
            click.echo(line)
        show_remarks(map(str, look.bag.remarks))
        return int(proposal.is_empty)
    with importing(_NEEDS_ROS_OR_BAG):
        from lerobot_streamrec.live.init import init as run
    return run(output, seconds or _GRAPH_S, fps, force, ros_arguments)


@click.command(cls=RosCommand)
@click.argument('params', type=click.Path(path_type=Path))
@_bag_option
@namespace_option
@_look_option
@click.option(
    '--pictures',
    type=click.Path(file_okay=False, path_type=Path),
    help='Save the first image of each camera in this folder, as PNG.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print the whole report as JSON.')
def doctor(
    params: Path,
    bag: Path | None,
    namespace: str | None,
    seconds: float | None,
    pictures: Path | None,
    as_json: bool,
    ros_arguments: Sequence[str],
) -> int:
    """
    Check a parameter file against the running robot, or against a bag.

    This reads the topics of PARAMS as the recorder would, and shows for each topic what arrives,
    how often, and what prevents it from being recorded. It also tries the encoder and looks at the
    dataset's folder, and changes nothing. Exit status: 0 if the robot is ready to be recorded, or
    the bag to be imported, 1 if not, 2 if PARAMS cannot be used.
    """
    refuse_mixture(bag, namespace, ros_arguments)
    if bag is not None:
        with importing(_NEEDS_ROSBAGS):
            from lerobot_streamrec.fleet.bag_look import BagLook
            from lerobot_streamrec.inspection.report import show
        look = BagLook(bag, seconds or _BAG_S, namespace or '/')
        with Console(stderr=True).status(f'reading {look}'):
            report = look.examine(params, pictures)
        return show(report, as_json=as_json)
    with importing(_NEEDS_ROS_OR_BAG):
        from lerobot_streamrec.live.doctor import doctor as run
    return run(params, seconds or _GRAPH_S, pictures, as_json, ros_arguments)


@click.command(cls=RosCommand)
@click.argument('params', type=click.Path(path_type=Path))
@click.option(
    '--foxglove',
    type=click.Path(path_type=Path),
    metavar='FILE',
    help='Write the layout to this file.  [default: to standard output]',
)
@click.option('--force', is_flag=True, help='Replace FILE if it exists.')
@_seconds_option(
    type=click.FloatRange(0, 600),
    default=3.0,
    help='Longest time to look at the graph; 0: do not look.',
)
def layout(**arguments: Any) -> int:
    """
    Make a Foxglove layout for the robot and the recorder of PARAMS.

    The layout shows the images of each camera, plots of state, action and other features, the
    diagnostics and events of the recorder, and buttons that call its services. Anything that
    PARAMS leaves open, such as the places of joints in their messages, is looked up in the running
    graph. Import FILE in Foxglove as a layout. Exit status: 0 if the layout was made, 2 if PARAMS
    or FILE cannot be used.
    """
    with importing(NEEDS_ROS):
        from lerobot_streamrec.live.layout import layout as run
    return run(**arguments)
