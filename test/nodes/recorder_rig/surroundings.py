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
"""The options of nodes in the test process, and waits with a limit."""

from __future__ import annotations

from collections.abc import Callable
import time

DISCOVERY_TIMEOUT_S = 90.0

NODE_OPTIONS = {'start_parameter_services': False, 'enable_rosout': False}
"""The options of nodes in the test process, where several may have the same name."""

_POLL_S = 0.01


class NeverStop:
    """A substitute for the stop signals of a process, which never come."""

    def wait(self, timeout_s: float) -> bool:
        """Return False at once."""
        return False


def wait_until(
    condition: Callable[[], object],
    timeout_s: float,
    what: str | Callable[[], str],
) -> None:
    """
    Wait for a condition.

    :param condition: function that is called every 10 ms
    :param timeout_s: longest time to wait, in seconds
    :param what: text of the failure, which describes the event that did not happen
    """
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            text = what if isinstance(what, str) else what()
            raise AssertionError(f'not within {timeout_s:g} s: {text}')
        time.sleep(_POLL_S)
