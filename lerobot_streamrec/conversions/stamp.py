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
"""Header stamps in nanoseconds."""

from __future__ import annotations

from typing import Protocol

from lerobot_streamrec.errors import StampError


class Stamp(Protocol):
    """builtin_interfaces/Time or alike."""

    sec: int
    nanosec: int


class Header(Protocol):
    """What is looked at of a std_msgs/Header."""

    stamp: Stamp


class StampedMessage(Protocol):
    """A message with a header."""

    header: Header


def header_stamp_ns(message: StampedMessage) -> int:
    """
    Return the instant that a message's header names, in nanoseconds.

    :raise StampError: if the stamp was never set, or cannot be an instant
    """
    stamp = message.header.stamp
    if stamp.sec == 0 and stamp.nanosec == 0:
        raise StampError(
            'header.stamp is zero: the publisher does not set it; '
            "set this stream's stamp parameter to receive"
        )
    if stamp.sec < 0 or not 0 <= stamp.nanosec < 1_000_000_000:
        raise StampError(f'header.stamp of {stamp.sec} s and {stamp.nanosec} ns is not an instant')
    return stamp.sec * 1_000_000_000 + stamp.nanosec
