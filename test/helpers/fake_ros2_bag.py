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
A FAKE of `ros2 bag record`: it makes the bag's folder and ends in order, but records nothing.

It shows how the real program would be started and ended, not that the real one understands it. As
the real one does, it subscribes to the texts among the topics, so that others see it in the graph.
In the folder, ``started.json`` has its process id and its arguments, and ``ended`` tells that it
was asked to end by SIGINT.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import signal
import sys

import rclpy
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String


def main(arguments):
    assert arguments[:2] == ['bag', 'record']
    bag = Path(arguments[arguments.index('-o') + 1])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node('rosbag2_recorder')
    for topic in arguments:
        if topic.endswith(('/command', '/events', '/task')):
            node.create_subscription(String, topic, lambda _: None, 10)
    # As the real program does, it makes the folders above too, and refuses one that exists.
    bag.mkdir(parents=True)
    started = bag / 'started.part'
    started.write_text(json.dumps({'pid': os.getpid(), 'arguments': arguments}))
    started.rename(bag / 'started.json')
    signal.sigwait([signal.SIGINT])
    (bag / 'ended').touch()
    rclpy.shutdown()


if __name__ == '__main__':
    main(sys.argv[1:])
