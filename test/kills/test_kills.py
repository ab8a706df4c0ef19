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
A recorder that is killed at any instant loses no saved episode, and a sync no object.

The short form of `make soak`: the same kills, fewer of them.
"""

from __future__ import annotations

import os
import random

from killing import Account, kill_once, read_with_lerobot, readers_view
import pytest
from s3_server import CREDENTIALS
from sync_kills import strike_often, TARGETS
from weed_server import WEED

SEEDS = {1: 'streaming', 2: 'deferred'}
KILLS_PER_SEED = 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


def test_nothing_that_was_saved_is_lost_at_any_kill(tmp_path):
    copies = []
    for seed, encode in SEEDS.items():
        account, number, chance = Account(), 0, random.Random(seed)
        for kill in range(KILLS_PER_SEED):
            copies.append(tmp_path / f'killed_{seed}_{kill}')
            root = tmp_path / f'dataset_{seed}'
            killed, number = kill_once(
                root, chance, number, account, copies[-1], encode=encode
            )
            assert killed.problems == [], f'kill {kill} of seed {seed}, while {killed.at}'
        assert account.lengths, 'nothing was saved at all'
    python = os.environ.get('STREAMREC_CONFORMANCE_PYTHON')
    if python:
        expected = {copy: lengths for copy in copies if (lengths := readers_view(copy)[0])}
        assert read_with_lerobot(python, expected) == expected


@pytest.mark.skipif(WEED is None, reason='SeaweedFS is missing: requirements/dev.txt')
def test_no_object_is_lost_if_the_sync_its_store_and_its_network_fail(tmp_path, monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    copies = {}
    struck, changes = strike_often(tmp_path, len(TARGETS), 5, copies)
    assert {one.target for one in struck} == set(TARGETS)
    assert [one.problems for one in struck] == [[]] * len(struck)
    assert min(one.num_objects for one in struck) >= 8
    assert changes['save'] > 3
    python = os.environ.get('STREAMREC_CONFORMANCE_PYTHON')
    if python:
        found = read_with_lerobot(python, copies)
        assert {folder: len(one) for folder, one in found.items()} == copies
