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
The recorder ends with the process that started it, if it was told to.

Guards against a recorder that nobody can end any more: SIGTERM or a kill of a launch alone leaves
its nodes running.
"""

from __future__ import annotations

import os
from pathlib import Path
import signal
import subprocess
import sys

from lerobot_streamrec.nodes.graph.stop_signals import Launcher
import pytest
from recorder_rig.datasets import assert_whole
from recorder_rig.parameters import COMMON, SMALL
from recorder_rig.process import END_TIMEOUT_S, ros_arguments
from recorder_rig.surroundings import wait_until

pytestmark = [pytest.mark.ros]

RECORD = [sys.executable, '-m', 'lerobot_streamrec.nodes.record_main']
# Starts the recorder as a launch does, and says which process it is. It does nothing else.
LAUNCH = """
import os, subprocess, sys
end_with = ['--end-with', str(os.getpid())]
child = subprocess.Popen([*sys.argv[2:5], *end_with, *sys.argv[5:]])
with open(sys.argv[1], 'w') as file:
    print(child.pid, file=file)
child.wait()
"""


def is_running(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def test_a_process_above_is_there_until_it_has_ended():
    assert not Launcher(os.getppid()).is_gone()
    # One that has never been above this one, and one whose number nobody has.
    with subprocess.Popen(['sleep', '60']) as other:
        assert Launcher(other.pid).is_gone()
        other.kill()
    assert Launcher(other.pid).is_gone()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_the_running_episode_is_saved_when_the_launch_is_gone(rig, number):
    rig.small_robot()
    arguments = ros_arguments({'root': str(rig.root), **COMMON, **SMALL})
    pid_file, log_file = rig.folder / 'pid', rig.folder / 'launch.log'
    with log_file.open('wb') as log:
        launch = subprocess.Popen(
            [sys.executable, '-c', LAUNCH, str(pid_file), *RECORD, *arguments],
            stdout=log,
            stderr=log,
        )
    wait_until(lambda: pid_file.is_file() and pid_file.read_text(), END_TIMEOUT_S, 'a recorder')
    pid = int(pid_file.read_text())
    try:
        operator = rig.operator()
        operator.start()
        operator.wait_for_rows(10)
        launch.send_signal(number)
        launch.wait(END_TIMEOUT_S)
        wait_until(lambda: not is_running(pid), END_TIMEOUT_S, log_file.read_text)
    finally:
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)
    assert_whole(rig.root, num_episodes=1)
    assert f'process {launch.pid} has ended, so this program ends too' in (
        log_file.read_text()
    )


def test_a_launch_that_was_gone_before_is_no_reason_to_stay(rig):
    with subprocess.Popen(['true']) as gone:
        pass
    recorder = rig.launch(SMALL, '--end-with', str(gone.pid))
    assert recorder.wait() == 0
    assert f'process {gone.pid} has ended, so this program ends too' in recorder.log


@pytest.mark.parametrize('arguments', [['--end-with'], ['--end-with', 'launch']])
def test_a_launch_without_a_number_is_refused(arguments):
    ended = subprocess.run([*RECORD, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert 'a process id is needed, a whole number' in ended.stderr
    assert 'Traceback' not in ended.stderr
