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
"""The command line as such: help, wrong usage, errors in a sentence."""

from __future__ import annotations

import signal

from command_line import python, streamrec
from lerobot_streamrec.installed import streamrec_command
import pytest

# A command that gets a signal while its temporary folder exists.
ENDLESS = """
import os, sys, tempfile, time
from lerobot_streamrec.cli import main

@main.streamrec.command('endless')
def endless():
    with tempfile.TemporaryDirectory(dir=sys.argv[2]):
        os.kill(os.getpid(), int(sys.argv[1]))
        time.sleep(100)

main.run(['endless'])
"""


def test_help_lists_the_commands():
    done = streamrec('--help')
    assert done.returncode == 0
    assert done.stdout.startswith(f'Usage: {streamrec_command()}')


def test_an_unknown_command_is_wrong_usage():
    done = streamrec('embellish')
    assert done.returncode == 2
    assert "No such command 'embellish'" in done.stderr


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_after_its_clean_up(number, tmp_path):
    ended = python('-c', ENDLESS, int(number), tmp_path)
    assert (ended.returncode, ended.stderr.strip()) == (1, 'aborted')
    assert list(tmp_path.iterdir()) == []
