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
"""Whether a stream is fit for an episode to start, and if not, why."""

from __future__ import annotations

from lerobot_streamrec.recording.stream import Stream
from lerobot_streamrec.sync.grid import NS_PER_S


def stream_problem(stream: Stream, now_ns: int, newest_of_all_ns: int | None) -> str:
    """
    Say what keeps an episode from starting.

    :param stream: one of the streams
    :param now_ns: steady clock
    :param newest_of_all_ns: newest stamp of all streams
    :return: empty if nothing does; else a text that goes on after the stream's name
    """
    age_s, newest_ns = stream.age_s(now_ns), stream.newest_ns
    why = stream.last_rejection and f'; its messages cannot be recorded: {stream.last_rejection}'
    if age_s is None or newest_ns is None:
        return f'is missing{why or ": no message has come yet"}'
    max_age_s = stream.config.max_age_s
    if max_age_s and age_s > max_age_s:
        return (
            f'is stale: its last sample came {age_s:.1f} s ago (max_age_s is {max_age_s:g}){why}'
        )
    behind_s = (newest_of_all_ns - newest_ns) / NS_PER_S if newest_of_all_ns is not None else 0.0
    if max_age_s and behind_s > max_age_s:
        return (
            f'has stamps {behind_s:.1f} s behind the newest stream (max_age_s is {max_age_s:g}): '
            'its clock is another one, or its messages are delayed; mend the clocks or set its '
            f'stamp parameter to receive{why}'
        )
    return ''
