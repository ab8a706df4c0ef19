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
"""Functions that run `streamrec` as a user types it, and wait for its end."""

from __future__ import annotations

import subprocess
import sys

STREAMREC = ('-m', 'lerobot_streamrec.cli')
_TIMEOUT_S = 200


def python(*arguments, answer=''):
    """
    Run a Python without a terminal.

    :param answer: text for its standard input
    """
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        input=answer,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )


def streamrec(*arguments, answer=''):
    return python(*STREAMREC, *arguments, answer=answer)
