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
The executable `camera_packets`: it encodes a camera's pictures and publishes the packets.

Exit status: 0 if asked to end, 1 if the encoder fails, 2 if the configuration cannot be used, 3
after an unexpected error.
"""

from __future__ import annotations

import sys

from lerobot_streamrec.nodes.graph.stop_signals import Run, run_program

HELP = """\
usage: camera_packets --ros-args -p topic:=TOPIC [-p NAME:=VALUE ...]

Encodes the pictures of a camera on this host, and publishes H.264, H.265 or AV1 packets, which a
recorder on another host stores without encoding again.

  topic          topic of the pictures: sensor_msgs/msg/Image or CompressedImage
  transport      raw, compressed, or auto: raw if it is published (default: auto)
  output         foxglove or ffmpeg: the packets are published on this topic below the base topic,
                 as foxglove_msgs/msg/CompressedVideo (default) or
                 ffmpeg_image_transport_msgs/msg/FFMPEGPacket
  stamp          header, or receive for a camera that does not set its stamps
  fps            pictures per second (default: 30)
  queue          pictures that may wait for the encoder; further ones are dropped and counted
                 (default: 10)
  encoder.*      as for the recorder, such as encoder.vcodec (default: auto)

The recorder reads the packets with camera.<name>.transport: foxglove (or ffmpeg).
"""


def main(arguments: list[str] | None = None) -> int:
    """
    Publish packets until SIGINT, SIGTERM or SIGHUP.

    :param arguments: command line without the program's name; None: the process's own
    :return: exit status, as described at the top of this module
    """
    return run_program('camera_packets', HELP, _load, arguments)


def _load(_arguments: list[str]) -> Run:
    from lerobot_streamrec.nodes.packets.camera_packets import run

    return run


if __name__ == '__main__':
    sys.exit(main())
