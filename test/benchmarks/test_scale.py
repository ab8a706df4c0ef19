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
"""The search for the largest number of cameras ends at the right number, after few attempts."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bench import Bench
from benchmarks.scale import Search, Try

BENCH = Bench(Path('unused'), Path('unused'), Path('unused'), 10.0, lambda: None)


def search(holds, most):
    """Search with a recorder that holds up to a number of cameras, which depends on the time."""

    def record(bench, scenario):
        number, seconds = scenario.num_cameras, bench.seconds
        trouble = '' if number <= holds(seconds) else '3 repeated'
        size = (scenario.width, scenario.height)
        return Try('a recorder', *size, number, seconds, 1.0, 0.1, trouble)

    return Search(BENCH, record, 640, 480).run(most=most, seconds=10.0, confirm_s=60.0)


@pytest.mark.parametrize('most', [1, 2, 5, 32])
@pytest.mark.parametrize('num_held', [0, 1, 2, 3, 7, 16, 31, 40])
def test_the_largest_number_that_holds_is_found(num_held, most):
    tries = search(lambda _seconds: num_held, most)
    expected = min(num_held, most)
    held = [one for one in tries if not one.trouble]
    assert max((one.num_cameras for one in held), default=0) == expected
    assert all(one.num_cameras > expected for one in tries if one.trouble)
    assert len(tries) <= 11
    assert [one.seconds for one in held[-1:]] == [60.0] * bool(expected)


def test_a_number_that_does_not_hold_for_long_is_not_the_largest():
    tries = search(lambda seconds: 6 if seconds < 60 else 4, 32)
    assert [(one.num_cameras, bool(one.trouble)) for one in tries if one.seconds == 60.0] == [
        (6, True),
        (5, True),
        (4, False),
    ]
