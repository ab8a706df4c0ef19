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
The executable `set_up`: on the first run it makes the parameter file, before the recorder starts.

Exit status: 0 if the file is there, 2 if it cannot be written, 130 if a signal came first.
"""

from __future__ import annotations

import sys

from lerobot_streamrec.nodes.graph.stop_signals import Run, run_program

HELP = """\
usage: set_up [--end-with PID] [--wait | --defaults JSON] FILE [--ros-args ...]

Chooses what is recorded from the topics of the running robot, by the rules of init, and
writes the parameter file FILE. It looks until there is something to record. record.launch.py
starts it when no params_file is given, and the recorder after it.

  --end-with PID   end when the parent or ancestor process PID has ended
  --defaults JSON  values of root, task, repo_id and fps, such as '{"task": "Fold"}'
  --wait           wait until the console's page has written FILE
"""


def main(arguments: list[str] | None = None) -> int:
    """
    Make the parameter file.

    :param arguments: command line without the program's name; None: the process's own
    :return: exit status, as described at the top of this module
    """
    return run_program('set_up', HELP, _load, arguments)


def _load(_arguments: list[str]) -> Run:
    from lerobot_streamrec.live.set_up import run

    return run


if __name__ == '__main__':
    sys.exit(main())
