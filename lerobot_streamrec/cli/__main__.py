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
"""The program `streamrec`, also run by `python3 -m lerobot_streamrec.cli`."""

from __future__ import annotations

from collections.abc import Sequence
import sys
from typing import NoReturn

from lerobot_streamrec.installed import EXIT_CONFIG, missing_package


def run(
    arguments: Sequence[str] | None = None, prog_name: str = '', epilog: str | None = None
) -> NoReturn:
    """
    Run the command line, and end the process with its exit status.

    :param arguments: arguments without the program's name; None for those of the process
    :param prog_name: name of the command in the help; if empty, one that works on this machine
    :param epilog: last sentence of the help; None for no such sentence
    """
    try:
        from lerobot_streamrec.cli.main import run as run_commands
    except ImportError as error:
        print(f'streamrec: {missing_package(error)}', file=sys.stderr)
        sys.exit(EXIT_CONFIG)
    run_commands(arguments, prog_name, epilog)


if __name__ == '__main__':
    run()
