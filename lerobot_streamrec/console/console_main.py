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
The executable `console`: it serves a web page that shows and controls a recorder.

Exit status: 0 after a signal has ended it, 2 if it cannot start, 3 after an unexpected error.
"""

from __future__ import annotations

import sys

from lerobot_streamrec.nodes.graph.stop_signals import Run, run_program

HELP = """\
usage: console [--end-with PID] [--ros-args [-p NAME:=VALUE ...] ...]

Serves a web page that shows and controls a running recorder, and prints its address. Recording
goes on when the page is closed and when this program ends.

  --end-with PID     end when the parent or ancestor process PID has ended

  recorder:=NAME     node of the recorder (default: episode), in this node's namespace if relative
  host:=127.0.0.1    address to listen on; 0.0.0.0: all of this machine, for tablets and phones
  port:=8010         TCP port to listen on
  token:=SECRET      secret that browsers need; default: none at 127.0.0.1, else a new one, which
                     is part of the printed link and QR code
  set_up_file:=FILE  on the first run, the page chooses what is recorded and writes FILE
  set_up_defaults:=JSON  values of root, task, repo_id and fps with which the page begins
  names:=[NAME, ...] further host names under which browsers may address the console
"""


def main(arguments: list[str] | None = None) -> int:
    """
    Serve the page until SIGINT, SIGTERM or SIGHUP arrives.

    :param arguments: command line without the program's name; None: the process's own
    :return: exit status, as described at the top of this module
    """
    return run_program('console', HELP, _load, arguments)


def _load(_arguments: list[str]) -> Run:
    from lerobot_streamrec.console.console import run

    return run


if __name__ == '__main__':
    sys.exit(main())
