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
The executable `record`: it records the topics that its parameters name.

Exit status: 0 if nothing was lost, 1 if an episode that should have been saved was lost, 2 if
the configuration or the dataset cannot be used, 3 after an unexpected error.
"""

from __future__ import annotations

import sys

from lerobot_streamrec.installed import record_command
from lerobot_streamrec.nodes.graph.stop_signals import Run, run_program

HELP = f"""\
usage: record [--end-with PID] [--ros-args [-p NAME:=VALUE ...] [--params-file FILE] ...]

Records LeRobot v3.0 datasets from camera, state and action topics. All settings are ROS
parameters of the node `episode`; config/record.yaml in this package describes all of them.

  {record_command('my_robot.yaml')}
  ros2 run lerobot_streamrec keyboard

  --end-with PID   shut down as after SIGINT when the parent or ancestor process PID has ended
"""


def main(arguments: list[str] | None = None) -> int:
    """
    Record until SIGINT, SIGTERM or SIGHUP.

    :param arguments: command line without the program's name; None: the process's own
    :return: exit status, as described at the top of this module
    """
    return run_program('record', HELP, _load, arguments)


def _load(_arguments: list[str]) -> Run:
    from lerobot_streamrec.nodes.application import run

    return run


if __name__ == '__main__':
    sys.exit(main())
