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
"""The start of a program that loads ROS only after its signal handlers are in place."""

from __future__ import annotations

from collections.abc import Callable
import sys

from lerobot_streamrec.installed import EXIT_CONFIG, missing_package
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals

Run = Callable[[list[str], StopSignals], int]
"""Runs a program with its arguments until the signals ask it to end; returns the exit status."""


def run_program(
    name: str,
    help_text: str,
    load: Callable[[list[str]], Run],
    arguments: list[str] | None = None,
) -> int:
    """
    Run a program, or print its help.

    :param name: name of the program, for error messages
    :param help_text: text for ``--help``
    :param load: imports the program; is given its arguments
    :param arguments: command line without the program's name; None: the process's own
    :return: exit status; ``EXIT_CONFIG`` if a package is missing
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in ('-h', '--help'):
        print(help_text, end='')
        return 0
    stop = StopSignals()
    try:
        # Slow imports come after the signal handlers are in place.
        run = load(arguments)
    except ImportError as error:
        print(f'{name}: cannot start: {missing_package(error)}', file=sys.stderr)
        return EXIT_CONFIG
    status = run(arguments, stop)
    stop.ignore()
    return status
