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
"""An operator on a host of its own: each line of its input is one step, answered by one line."""

from __future__ import annotations

import json
from pathlib import Path
import sys

import rclpy

from recorder_rig.operator import Operator


def _step(operator: Operator, verb: str, value: str) -> str:
    if verb == 'rows':
        more = int(operator.status.values['rows']) + int(value)
        operator.wait_for_rows(more)
    elif verb == 'problem':
        return operator.wait_for_status(lambda one: value in one.message, value).message
    elif verb == 'fine':
        return operator.wait_for_status(lambda one: value not in one.message, verb).message
    elif verb == 'start':
        return operator.start()
    elif verb == 'save':
        return operator.save()
    return ''


def main() -> None:
    """Do the steps of the input until it ends."""
    context = rclpy.Context()
    rclpy.init(context=context)
    operator = Operator(context, Path(sys.argv[1]))
    operator.wait_for_recorder()
    for line in sys.stdin:
        verb, _, value = line.strip().partition(' ')
        print(json.dumps(_step(operator, verb, value)), flush=True)
    operator.close()
    rclpy.shutdown(context=context)


if __name__ == '__main__':
    main()
