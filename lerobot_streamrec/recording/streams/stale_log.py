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
"""A line in the log for a stream that goes stale in an episode, and one when it comes back."""

from __future__ import annotations

import logging

from lerobot_streamrec.recording.streams.stream import Stream

_log = logging.getLogger(__name__)


class StaleLog:
    """Owned by the executor's thread."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def clear(self) -> None:
        """Forget which streams were reported: another episode begins."""
        self._told.clear()

    def look(self, stream: Stream, now_ns: int) -> None:
        """
        Tell that a stream is stale, once.

        :param now_ns: steady clock
        """
        config = stream.config
        if config.key not in self._told and _is_stale(stream, now_ns):
            self._told.add(config.key)
            _log.warning(
                '%s (%s) is stale: no sample has come for %.1f s (max_age_s is %g)',
                config.key,
                config.topic,
                stream.age_s(now_ns),
                config.max_age_s,
            )

    def come(self, stream: Stream, now_ns: int) -> None:
        """
        Log that a stale stream is back; call it before the stream takes in its sample.

        :param now_ns: steady clock
        """
        if not self._told and not _is_stale(stream, now_ns):
            return
        self.look(stream, now_ns)
        config = stream.config
        if config.key in self._told:
            self._told.discard(config.key)
            _log.warning(
                '%s (%s) is back after %.1f s', config.key, config.topic, stream.age_s(now_ns)
            )


def _is_stale(stream: Stream, now_ns: int) -> bool:
    limit_ns, arrived_ns = stream.max_age_ns, stream.arrived_ns
    return bool(limit_ns) and arrived_ns is not None and now_ns - arrived_ns > limit_ns
