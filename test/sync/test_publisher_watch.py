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
"""Which trains of message numbers are those of several publishers."""

from __future__ import annotations

from lerobot_streamrec.sync.publisher_watch import PublisherWatch
import pytest


def told(numbers, period_s=0.1):
    watch = PublisherWatch()
    return [
        watch.push({'publication_sequence_number': number}, place * period_s)
        for place, number in enumerate(numbers)
    ]


@pytest.mark.parametrize(
    'numbers',
    [
        [1, 2, 3, 4, 5, 6, 7, 8],
        # Some were lost.
        [5, 6, 9, 10, 20, 21, 22, 40],
        # A driver that was started anew, with fewer and with more messages than before.
        [900, 901, 902, 1, 2, 3, 4, 5],
        [2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8],
        # The same, twice.
        [50, 51, 1, 2, 3, 1, 2, 3, 4, 5],
        # One was overtaken.
        [1, 2, 4, 3, 5, 6, 7],
        # The middleware does not number them.
        [None] * 10,
        [0] * 10,
    ],
)
def test_one_publisher_is_one(numbers):
    assert not any(told(numbers))


@pytest.mark.parametrize(
    'numbers',
    [
        [100, 1, 101, 2, 102, 3],
        # Started together.
        [1, 1, 2, 2, 3, 3, 4, 4],
        [7, 8, 8, 9, 9, 10, 10, 11, 11],
        # A slow one beside a quick one.
        [1, 500, 501, 502, 503, 2, 504, 505, 506, 3, 507],
        # Three, and losses.
        [10, 20, 30, 12, 23, 33, 13, 24, 36],
    ],
)
def test_two_that_send_in_turn_are_two(numbers):
    assert told(numbers)[-1]


def test_those_who_take_turns_rarely_are_not_told():
    assert not any(told([1, 2, 90, 91, 3, 4, 92, 93, 5, 6, 94], period_s=2.0))


def test_when_one_has_ended_the_other_is_alone():
    numbers = [100, 1, 101, 2, 102, 3, *range(4, 100)]
    found = told(numbers)
    assert found[6]
    assert not found[-1]
