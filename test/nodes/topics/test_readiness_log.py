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
"""The log says ready, or what is missing, when that changes and not more often."""

from __future__ import annotations

from types import SimpleNamespace

from lerobot_streamrec.nodes.topics.readiness_log import ReadinessLog
import pytest

READY = 'ready to record to /data'


@pytest.fixture
def log():
    lines = []
    return SimpleNamespace(lines=lines, info=lines.append, warning=lines.append)


def looks(readiness, problem, begin_s, end_s):
    for half_seconds in range(2 * begin_s, 2 * end_s):
        at_s = half_seconds / 2
        readiness.look([problem.format(at_s)] if problem else [], at_s)


def test_a_problem_is_told_once_it_lasts_and_once_alone(log):
    readiness = ReadinessLog(log, '/data')
    looks(readiness, 'front is stale: {} s', 0, 5)
    assert not log.lines, 'publishers may still be found'
    looks(readiness, 'front is stale: {} s', 5, 300)
    assert log.lines == ['not ready to record: front is stale: 5.0 s']
    looks(readiness, '', 300, 400)
    assert log.lines[1:] == [READY]


def test_another_problem_is_told_beside_the_first(log):
    readiness = ReadinessLog(log, '/data')
    looks(readiness, 'front is missing', 0, 10)
    looks(readiness, 'there is no task', 10, 20)
    assert log.lines == [
        'not ready to record: front is missing',
        'not ready to record: there is no task',
    ]


def test_problems_that_change_all_the_time_do_not_fill_the_log(log):
    readiness = ReadinessLog(log, '/data')
    for second in range(26):
        looks(readiness, f'{chr(ord("a") + second)} is stale', second, second + 1)
    assert len(log.lines) == 5


def test_a_moment_is_no_problem(log):
    readiness = ReadinessLog(log, '/data')
    looks(readiness, '', 0, 10)
    looks(readiness, 'front is stale', 10, 14)
    looks(readiness, '', 14, 20)
    assert log.lines == [READY]


def test_what_comes_and_goes_is_told_no_more_than_once_a_minute(log):
    readiness = ReadinessLog(log, '/data')
    for begin_s in range(0, 120, 10):
        looks(readiness, 'front is stale', begin_s, begin_s + 8)
        looks(readiness, '', begin_s + 8, begin_s + 10)
    assert log.lines.count('not ready to record: front is stale') == 2
    assert log.lines.count(READY) == 2
