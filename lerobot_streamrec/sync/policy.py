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
"""Which sample of a stream a row shows."""

from __future__ import annotations

from enum import Enum


class Policy(Enum):
    """What stands in a row whose instant lies between two samples."""

    HOLD = 'hold'
    """The newest at or before the instant: what a policy sees when it runs."""
    NEAREST = 'nearest'
    """The one whose stamp is nearest, though it may be later; of two, the earlier."""
    INTERPOLATE = 'interpolate'
    """Numbers on the straight line between the two; orientations on the shortest arc."""


POLICIES = tuple(policy.value for policy in Policy)
