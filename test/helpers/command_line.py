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

from contextlib import redirect_stderr, redirect_stdout
import io
import subprocess
import sys
from unittest.mock import patch

from lerobot_streamrec.cli.main import main

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
    """
    Run the command line in this process, which saves the start of a Python.

    :param answer: text for its standard input
    """
    words, out, err = [*map(str, arguments)], io.StringIO(), io.StringIO()
    with patch('sys.stdin', io.StringIO(answer)), redirect_stdout(out), redirect_stderr(err):
        status = main(words)
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def streamrec_process(*arguments):
    """Run a process of the command line, which changes its priority and handlers of signals."""
    return python(*STREAMREC, *arguments)
