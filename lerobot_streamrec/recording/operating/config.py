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
"""The rules for operators' commands, and the settings of automatic episodes."""

from __future__ import annotations

from dataclasses import dataclass, field

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import option

# As lerobot-record has them.
_EPISODE_TIME_S = _RESET_TIME_S = 60.0


@dataclass(frozen=True, slots=True)
class AutomaticConfig:
    """
    Episodes that begin and end by themselves.

    They are on if ``num_episodes``, ``start_on_motion`` or ``save_after_still_s`` is set.

    :raise ConfigError: at construction, if a value is not allowed
    """

    num_episodes: int = option(
        0,
        'Episodes that begin and end by themselves, as those of lerobot-record; 0: none, or any '
        'number with auto.start_on_motion or auto.save_after_still_s',
        0,
        1_000_000,
    )
    episode_time_s: float = option(
        -1.0,
        'Longest automatic episode, in seconds; -1: 60 with auto.num_episodes, any without',
        -1.0,
        86400.0,
    )
    reset_time_s: float = option(
        -1.0,
        'Time between two automatic episodes to reset the scene, in seconds; -1: 60 with '
        'auto.num_episodes, 0 without',
        -1.0,
        86400.0,
    )
    start_on_motion: bool = option(
        False, 'An automatic episode begins when the action first changes'
    )
    save_after_still_s: float = option(
        0.0,
        'Time of a still action after which an automatic episode ends, in seconds; 0: never',
        0.0,
        3600.0,
    )
    motion_threshold: float = option(
        0.02,
        'Distance that an element of the action has to go to count as moving, in its own unit',
        0.0,
        1e9,
    )

    def __post_init__(self) -> None:
        if self.episode_time_s == 0.0:
            raise ConfigError(
                'auto.episode_time_s', self.episode_time_s, 'allowed is more than 0, or -1'
            )

    @property
    def is_on(self) -> bool:
        """Whether there are automatic episodes at all."""
        return self.num_episodes > 0 or self.is_by_motion

    @property
    def is_by_motion(self) -> bool:
        """Whether the motion of the action matters."""
        return self.start_on_motion or self.save_after_still_s > 0.0

    @property
    def longest_episode_s(self) -> float | None:
        """The longest time of an episode, in seconds; None: no limit."""
        if self.episode_time_s > 0.0:
            return self.episode_time_s
        return _EPISODE_TIME_S if self.num_episodes else None

    @property
    def reset_s(self) -> float:
        """The length of the phase between two episodes, in seconds."""
        if self.reset_time_s >= 0.0:
            return self.reset_time_s
        return _RESET_TIME_S if self.num_episodes else 0.0


@dataclass(frozen=True, slots=True)
class OperatingConfig:
    """
    The rules by which commands are accepted.

    :param debounce_s: time within which the same command counts once, in seconds
    :param pauses_at_takeover: True if no rows are recorded while a human takes the robot over
    :param automatic: episodes that begin and end by themselves
    :raise ConfigError: at construction, if the values contradict each other
    """

    min_episode_s: float = option(
        1.0,
        'A shorter episode is saved only on a second request within 2 s, in seconds; 0: no limit',
        0.0,
        3600.0,
    )
    debounce_s: float = 0.25
    pauses_at_takeover: bool = False
    automatic: AutomaticConfig = field(default_factory=AutomaticConfig)

    def __post_init__(self) -> None:
        longest_s = self.automatic.longest_episode_s
        if self.automatic.is_on and longest_s is not None and longest_s < self.min_episode_s:
            raise ConfigError(
                'auto.episode_time_s',
                longest_s,
                f'allowed is limits.min_episode_s ({self.min_episode_s:g}) or more',
            )
