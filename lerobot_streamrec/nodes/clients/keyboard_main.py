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
The executable `keyboard`: it controls a recorder with keys in a terminal.

Exit status: 0 after the operator or a signal has ended it, 2 if it cannot start.
"""

from __future__ import annotations

from functools import partial
import os
import sys

from lerobot_streamrec.installed import EXIT_CONFIG
from lerobot_streamrec.nodes.graph.stop_signals import Run, run_program, StopSignals

HELP = """\
usage: keyboard [--ros-args [-p recorder:=NAME] [-r __ns:=NAMESPACE] ...]

Controls a running recorder with keys, and shows its state. It needs a terminal, but no display.

  space  start; pause and resume a running episode
  right  save the episode, or end the reset phase of automatic episodes early
  left   discard the episode and record it again
  escape stop: save a running episode, finalize the dataset, quit; pressed again: quit at once
  s, f   give the episode the verdict success or failure
  u      undo the last saved episode
  r      rotate: save the episode and start the next one in one step
  n      type a note
  q      quit; the recorder keeps running

  recorder:=NAME  node of the recorder (default: episode), in this node's namespace if relative
"""
_NO_TERMINAL = """\
keyboard: needs a terminal for its keys and its screen, but {0} is none: run it in a terminal
(over ssh: ssh -t ROBOT ros2 run lerobot_streamrec keyboard; in docker: docker run -it). Programs
publish commands instead: ros2 topic pub --once /episode/command std_msgs/msg/String 'data: save'
"""


def main(arguments: list[str] | None = None) -> int:
    """
    Control a recorder until the operator quits or SIGINT, SIGTERM or SIGHUP arrives.

    :param arguments: command line without the program's name; None: the process's own
    :return: exit status, as described at the top of this module
    """
    return run_program('keyboard', HELP, _load, arguments)


def _load(_arguments: list[str]) -> Run:
    for number, name in enumerate(('standard input', 'standard output')):
        if not os.isatty(number):
            return partial(_refuse, name)
    from lerobot_streamrec.nodes.clients.keyboard import run

    return run


def _refuse(name: str, _arguments: list[str], _stop: StopSignals) -> int:
    print(_NO_TERMINAL.format(name), end='', file=sys.stderr)
    return EXIT_CONFIG


if __name__ == '__main__':
    sys.exit(main())
