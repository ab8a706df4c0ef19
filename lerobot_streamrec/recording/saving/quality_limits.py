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
"""Whether an episode is within the limits that the user has set for his data."""

from __future__ import annotations

from lerobot_streamrec.recording.config import Limits, NS_PER_MS
from lerobot_streamrec.recording.episode.finished_take import FinishedTake


def veto_of(take: FinishedTake, limits: Limits) -> str:
    """
    Say what is beyond the limits.

    :param take: its encoders have finished
    :param limits: the user's limits
    :return: empty if the episode is good enough
    """
    found = []
    for key in take.cameras:
        fraction = take.num_repeated(key) / take.num_rows
        if fraction > limits.max_repeated_fraction:
            found.append(
                f'{key} repeats {take.num_repeated(key)} of {take.num_rows} frames '
                f'(limits.max_repeated_fraction is {limits.max_repeated_fraction:g})'
            )
    for key in (stream.key for stream in take.streams if stream.max_age_ns):
        skew_ms = take.rows[key].max_skew_ns / NS_PER_MS
        if limits.max_skew_ms and skew_ms > limits.max_skew_ms:
            found.append(
                f'{key} shows a sample {skew_ms:.1f} ms from its row (limits.max_skew_ms is '
                f'{limits.max_skew_ms:g})'
            )
    return f'the episode is not good enough: {"; ".join(found)}' if found else ''
