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
"""A message on its way to its stream."""

from __future__ import annotations

from typing import Any, NamedTuple


class Arrival(NamedTuple):
    """
    A message.

    :param key: name of its stream
    :param stamp_ns: its instant
    :param value: frame or vector
    :param now_ns: its arrival, steady clock
    :param is_of_clock: True if the stream's own clock stamped it; False: the clock has jumped
    """

    key: str
    stamp_ns: int
    value: Any
    now_ns: int
    is_of_clock: bool = True
