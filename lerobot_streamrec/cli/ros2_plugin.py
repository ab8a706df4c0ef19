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
"""
The command `ros2 lerobot`, which offers all commands and nodes of this package.

Only ros2cli loads this module, even for `ros2 --help`, which must be quick. The commands and nodes
are therefore loaded when they run.
"""

from __future__ import annotations

from argparse import REMAINDER
from collections.abc import Sequence
from importlib.metadata import entry_points, EntryPoint
import sys
from typing import Any, NoReturn

from lerobot_streamrec.cli.__main__ import run
from lerobot_streamrec.installed import PACKAGE
from ros2cli.command import CommandExtension

_SCRIPT = 'streamrec'


class LerobotCommand(CommandExtension):  # type: ignore[misc]
    """Record LeRobot datasets from a robot, and maintain them."""

    def add_arguments(self, parser: Any, cli_name: str) -> None:
        """
        Accept all further arguments unparsed, since the command or node parses them.

        :param parser: argparse's parser for the arguments of this command
        :param cli_name: the words that the user typed to call this command
        """
        parser.add_argument('arguments', nargs=REMAINDER)
        # argparse does not know the commands, so its help would be empty.
        parser.print_help = lambda file=None: _run_script(['--help'], cli_name)
        self._cli_name = cli_name

    def main(self, *, parser: Any, args: Any) -> int:
        """
        Run a node of this package, or a command of ``streamrec``.

        :return: exit status of a node; a command ends the process with its own exit status
        """
        name, *arguments = args.arguments or ['--help']
        node = _nodes().get(name)
        if node is None:
            _run_script([name, *arguments], self._cli_name)
        # The node reads its arguments from here, as in a process of its own.
        sys.argv = [name, *arguments]
        return int(node.load()() or 0)


def _nodes() -> dict[str, EntryPoint]:
    """Return the programs of this package other than ``streamrec``, by name."""
    return {
        one.name: one
        for one in sorted(entry_points(group='console_scripts'))
        if one.module.partition('.')[0] == PACKAGE and one.name != _SCRIPT
    }


def _run_script(arguments: Sequence[str], cli_name: str) -> NoReturn:
    nodes = ', '.join(_nodes())
    run(arguments, cli_name, f'The nodes are commands too, each with its own --help: {nodes}.')
