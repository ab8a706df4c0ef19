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
"""Each process with ROS has a domain of its own, also while nobody in it is on the network."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
import socket
import subprocess
import sys

from examples.demo import ros_domain
from examples.demo.ros_domain import claim_domain_id, NUM_DOMAINS
from examples.demo.settings import ros_environment
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

# Begins its search where this process began its own, and keeps the domain until it is told to end.
OTHER = """
import os, sys
os.getpid = lambda: int(sys.argv[1])
from examples.demo.ros_domain import claim_domain_id
print(claim_domain_id(), flush=True)
sys.stdin.read()
"""


def test_neither_this_process_nor_another_gets_a_claimed_domain():
    mine = {claim_domain_id() for _ in range(3)}
    command = [sys.executable, '-c', OTHER, str(os.getpid())]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, text=True) as other:
        theirs = int(other.stdout.readline())
        ours = claim_domain_id()
        other.stdin.close()
        assert other.wait(90.0) == 0
    assert len({*mine, ours, theirs}) == 5
    assert all(1 <= one <= NUM_DOMAINS for one in (*mine, ours, theirs))


def test_a_domain_in_which_some_other_ros_is_stays_alone():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other_ros:
        mine = claim_domain_id()
        # The next one in the order of the search.
        following = 1 + mine % NUM_DOMAINS
        # Where this fails, the domain is in use already, which serves as well.
        with contextlib.suppress(OSError):
            other_ros.bind(('', 7400 + 250 * following))
        assert claim_domain_id() not in (mine, following)


def test_a_machine_whose_domains_are_all_taken_is_told(monkeypatch):
    monkeypatch.setattr(ros_domain, '_is_unused', lambda domain_id: False)
    with pytest.raises(RuntimeError, match='from 1 to 101 are in use'):
        claim_domain_id()


def test_programs_that_one_process_starts_hear_each_other():
    assert ros_environment({}) == ros_environment({})
    assert ros_environment({'ROS_DOMAIN_ID': '7'})['ROS_DOMAIN_ID'] == '7'
