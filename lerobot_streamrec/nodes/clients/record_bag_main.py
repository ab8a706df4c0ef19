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
The executable `record_bag`: it records a bag beside a recorder, by `ros2 bag record`.

Exit status: 0 after a signal has ended it, 1 if no bag can be recorded, or the bag has ended by
itself, 2 if it cannot start.
"""

from __future__ import annotations

import sys

from lerobot_streamrec.nodes.graph.stop_signals import Run, run_program

HELP = """\
usage: record_bag [--end-with PID] [--ros-args [-p NAME:=VALUE ...]]

Records a rosbag2 bag of all topics that a recorder reads, and names the bag to the recorder, which
stores the name with each episode. It needs `ros2 bag`. The launch file starts it with bag:=true.

  bag_dir:=FOLDER  folder for the bags, outside of the dataset (default: <root>.bags)
  recorder:=NAME   node of the recorder (default: episode), in this node's namespace if relative

  --end-with PID   shut down as after SIGINT when the parent or ancestor process PID has ended
"""


def main(arguments: list[str] | None = None) -> int:
    """
    Record bags until SIGINT, SIGTERM or SIGHUP arrives.

    :param arguments: command line without the program's name; None: the process's own
    :return: exit status, as described at the top of this module
    """
    return run_program('record_bag', HELP, _load, arguments)


def _load(_arguments: list[str]) -> Run:
    from lerobot_streamrec.nodes.clients.record_bag import run
    from lerobot_streamrec.video.codecs.scheduling import give_way

    # The robot and the recorder come first. All threads and the bag begin with this niceness.
    give_way()
    return run


if __name__ == '__main__':
    sys.exit(main())
