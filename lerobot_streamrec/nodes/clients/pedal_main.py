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
The executable `pedal`: it controls a recorder with a foot pedal or another device with keys.

Exit status: 0 after a signal has ended it, 2 if it cannot start.
"""

from __future__ import annotations

import sys

from lerobot_streamrec.nodes.graph.stop_signals import Run, run_program

HELP = """\
usage: pedal --list
       pedal --ros-args -p device:=DEVICE -p "bindings:=[BINDING, ...]" [-p NAME:=VALUE ...]

Controls a running recorder with a USB foot pedal, or any other device with keys. It needs no
terminal.

  --list  show the devices that have keys, and which of them this user may not open

  device:=DEVICE     path, best one of /dev/input/by-id, or a part of the device's name; the device
                     may be unplugged and come back
  bindings:=[...]    commands of the keys: 'KEY_B: toggle' (pressed), 'KEY_A long: discard' (held),
                     'KEY_A+KEY_B: undo' (together); a key may be given by its code
  long_press_s:=0.8  how long a key is held in a long press, in seconds
  debounce_s:=0.25   a press this soon after a press or release is a bouncing contact, in seconds
  grab:=true         no other program receives the keys of the device
  recorder:=NAME     node of the recorder (default: episode), in this node's namespace if relative
"""


def main(arguments: list[str] | None = None) -> int:
    """
    Control a recorder until SIGINT, SIGTERM or SIGHUP arrives.

    :param arguments: command line without the program's name; None: the process's own
    :return: exit status, as described at the top of this module
    """
    return run_program('pedal', HELP, _load, arguments)


def _load(arguments: list[str]) -> Run:
    if arguments == ['--list']:
        from lerobot_streamrec.nodes.clients.input_devices import print_devices

        return lambda _arguments, _stop: print_devices()
    from lerobot_streamrec.nodes.clients.pedal import run

    return run


if __name__ == '__main__':
    sys.exit(main())
