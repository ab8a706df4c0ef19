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
The executable `replay`: it publishes one episode of a dataset.

Exit status: 0 at the end of the episode or if asked to end, 1 if one of its videos cannot be
decoded to the end, 2 if the configuration or the dataset cannot be used, 3 after an unexpected
error.
"""

from __future__ import annotations

import sys

from lerobot_streamrec.nodes.graph.stop_signals import Run, run_program

HELP = """\
usage: replay --ros-args -p root:=FOLDER [-p episode:=N] [-p NAME:=VALUE ...]

Publishes an episode of a LeRobot v3.0 dataset on the topics that it came from.

  episode        number of the episode; -1, the default, is the last one
  rate           speed relative to the recording (default: 1.0)
  loop           true: start again at the end of the episode
  stamp          now, or recorded: stamps of the recording, with its time on /clock
  topics_prefix  prefix of every topic, such as /replay, where no robot listens
  streams        features to replay, such as [front, action]; empty: all
  lead_s         how long row 0 is repeated before the episode, in seconds (default: 0.0)
  hold_last_s    how long the last row is repeated after the episode, in seconds (default: 0.0)
  force          true: publish even if other nodes publish on the same topics
"""


def main(arguments: list[str] | None = None) -> int:
    """
    Replay until the episode is over, or until SIGINT, SIGTERM or SIGHUP.

    :param arguments: command line without the program's name; None: the process's own
    :return: exit status, as described at the top of this module
    """
    return run_program('replay', HELP, _load, arguments)


def _load(_arguments: list[str]) -> Run:
    from lerobot_streamrec.nodes.replay.replay import run

    return run


if __name__ == '__main__':
    sys.exit(main())
