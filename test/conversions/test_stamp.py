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
"""A header's stamp is an instant to the nanosecond, or the message is refused."""

from __future__ import annotations

from types import SimpleNamespace

from lerobot_streamrec.conversions.reader import header_stamp_ns
from lerobot_streamrec.errors import MessageError, StampError
import pytest


def message(sec, nanosec):
    stamp = SimpleNamespace(sec=sec, nanosec=nanosec)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp))


@pytest.mark.parametrize(
    ('sec', 'nanosec', 'stamp_ns'),
    [
        (0, 1, 1),
        (1, 0, 1_000_000_000),
        (1_800_000_000, 123_456_789, 1_800_000_000_123_456_789),
        (2**31 - 1, 999_999_999, (2**31 - 1) * 10**9 + 999_999_999),
    ],
)
def test_no_nanosecond_is_lost(sec, nanosec, stamp_ns):
    assert header_stamp_ns(message(sec, nanosec)) == stamp_ns


def test_a_stamp_that_was_never_set_is_refused_with_what_to_do():
    with pytest.raises(StampError, match=r'zero.*stamp parameter to receive'):
        header_stamp_ns(message(0, 0))


@pytest.mark.parametrize(
    ('sec', 'nanosec'), [(-1, 0), (-1, 999_999_999), (5, 10**9), (5, 2**32 - 1), (5, -1)]
)
def test_what_is_no_instant_is_refused(sec, nanosec):
    with pytest.raises(StampError, match=f'{sec} s and {nanosec} ns') as caught:
        header_stamp_ns(message(sec, nanosec))
    assert isinstance(caught.value, MessageError)
