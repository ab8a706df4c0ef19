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
"""The soak distinguishes memory that grows with each episode from memory that varies."""

from __future__ import annotations

import random

import pytest

from benchmarks.memory import growth_of, MOST_GROWTH


@pytest.mark.parametrize('leak_mib', [0.0, 0.5, 5.0])
def test_memory_that_grows_is_told_from_memory_that_varies(leak_mib):
    chance = random.Random(7)
    rss_mib = [180 + leak_mib * number + chance.uniform(-8, 8) for number in range(90)]
    # The first episode loads code, and later ones may need less.
    growth = growth_of([260, *rss_mib])
    assert (growth > MOST_GROWTH) is (leak_mib > 0)


def test_few_episodes_are_enough_for_a_trial():
    assert growth_of([100, 200, 200, 200]) == 1
    assert growth_of([100, 200, 250]) == 1.25
