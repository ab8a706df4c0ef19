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
The nodes on a FAKE of Humble; see recorder_rig/fake_humble.py for what is false about it.

The real one cannot be installed here. These are the tests that meet what differs there: names of
modules, callbacks without a message's information, its executor. ``make test-matrix``
runs all tests of the nodes like that.
"""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

import pytest
from recorder_rig import fake_humble

HERE = Path(__file__).parent
TESTS = (
    'topics/test_subscriber.py',
    'test_services.py',
    'live/test_live_commands.py::test_a_simulation_is_told_by_its_clock',
)
TIMEOUT_S = 600

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(TIMEOUT_S + 30)]

LOOK = """
import rclpy.subscription
from lerobot_streamrec.nodes.graph import distributions

assert not hasattr(rclpy.subscription.Subscription, 'CallbackType')
assert distributions.IS_HUMBLE
assert distributions.DISCOVERY_VARIABLE == 'ROS_LOCALHOST_ONLY'
try:
    import rclpy.event_handler
except ModuleNotFoundError:
    print('no event_handler')
"""


def run_on_humble(*arguments, folder=HERE.parents[1]):
    inherited = {name: one for name, one in os.environ.items() if not name.startswith('PYTEST_')}
    run = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**inherited, fake_humble.VARIABLE: '1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout


@pytest.mark.skipif(fake_humble.is_wanted(), reason='all of this run is on the fake')
def test_nodes_work_on_a_fake_of_humble():
    tests = [str(HERE / one) for one in TESTS]
    run_on_humble('-m', 'pytest', '-q', '-p', 'no:cacheprovider', *tests)


def test_the_fake_has_what_humble_has(tmp_path):
    (tmp_path / 'look.py').write_text(LOOK)
    said = run_on_humble(fake_humble.__file__, 'look', folder=tmp_path)
    assert 'no event_handler' in said
