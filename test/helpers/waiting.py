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
"""A wait for the work of another thread that sets no event."""

from __future__ import annotations

from collections.abc import Callable
import threading
import time

TIMEOUT_S = 120
_POLL_S = 0.005


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; AssertionError if it does not hold in time."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, 'the condition did not hold in time'
        threading.Event().wait(_POLL_S)
