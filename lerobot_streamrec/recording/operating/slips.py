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
"""Slips of the hand: contacts that bounce, and episodes that end a moment after they began."""

from __future__ import annotations

from lerobot_streamrec.recording.operating.command import Command, Verb
from lerobot_streamrec.recording.operating.config import OperatingConfig
from lerobot_streamrec.sync.grid import NS_PER_S

_MEANT_WITHIN_S = 2.0
# Two of these in a row may both be meant, since they say different things.
_SAYING = (Verb.VERDICT, Verb.NOTE)


class Slips:
    """
    Remembers the last command and the last short save. Owned by the executor's thread.

    :param config: the limits
    """

    def __init__(self, config: OperatingConfig) -> None:
        self._config = config
        self._last: tuple[Command, int] | None = None
        self._short: tuple[int, int] | None = None

    def is_repeat(self, command: Command, now_ns: int) -> bool:
        """
        Tell whether a press counts together with the one before, and take note of it if not.

        ``toggle`` stands for ``start`` and ``save``, whichever fits.

        :param command: command of a button, a pedal or a topic
        :param now_ns: steady clock
        """
        if self._last is not None:
            before, before_ns = self._last
            is_soon = now_ns - before_ns < self._config.debounce_s * NS_PER_S
            if is_soon and _is_alike(before, command):
                return True
        self._last = command, now_ns
        return False

    def refusal(self, episode_index: int, seconds: float, now_ns: int) -> str:
        """
        Say why a short episode is not saved; empty if it is, since that was asked for twice.

        :param episode_index: the running episode
        :param seconds: its length
        :param now_ns: steady clock
        """
        limit_s = self._config.min_episode_s
        if seconds >= limit_s:
            return ''
        if self._short is not None:
            index, asked_ns = self._short
            if index == episode_index and now_ns - asked_ns <= _MEANT_WITHIN_S * NS_PER_S:
                self._short = None
                return ''
        self._short = episode_index, now_ns
        return (
            f'episode {episode_index} is only {seconds:.1f} s long (limits.min_episode_s is '
            f'{limit_s:g}), so that this may be a slip and it goes on: ask again within '
            f'{_MEANT_WITHIN_S:g} s to save it, or discard it'
        )


def _is_alike(one: Command, other: Command) -> bool:
    verbs = {one.verb, other.verb}
    if Verb.TOGGLE in verbs and verbs <= {Verb.TOGGLE, Verb.START, Verb.SAVE}:
        return True
    if one.verb in _SAYING:
        return one == other
    return one.verb is other.verb
