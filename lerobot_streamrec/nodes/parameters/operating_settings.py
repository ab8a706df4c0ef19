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
"""Parameters of whoever drives the recorder: slips, automatic episodes, cues."""

from __future__ import annotations

from dataclasses import dataclass, field

from lerobot_streamrec.nodes.parameters.parameter_reader import defaults_of, ParameterReader, Spec
from lerobot_streamrec.recording.operating.config import AutomaticConfig, OperatingConfig
from lerobot_streamrec.recording.operating.cues import CUES, CuesConfig

_RULES = defaults_of(OperatingConfig)
_AUTOMATIC = defaults_of(AutomaticConfig)
_CUES = defaults_of(CuesConfig)

_MIN_EPISODE = Spec(
    'limits.min_episode_s',
    _RULES['min_episode_s'],
    'A shorter episode is saved only if that is asked for twice within 2 s, seconds; 0: any',
    0.0,
    3600.0,
)
_AUTOMATIC_OPTIONS = {
    'num_episodes': Spec(
        'auto.num_episodes',
        _AUTOMATIC['num_episodes'],
        'Episodes that begin and end by themselves, as those of lerobot-record; 0: none, or any '
        'number with auto.start_on_motion or auto.save_after_still_s',
        0,
        1_000_000,
    ),
    'episode_time_s': Spec(
        'auto.episode_time_s',
        _AUTOMATIC['episode_time_s'],
        'Longest automatic episode, seconds; -1: 60 with auto.num_episodes, any without',
        -1.0,
        86400.0,
    ),
    'reset_time_s': Spec(
        'auto.reset_time_s',
        _AUTOMATIC['reset_time_s'],
        'Time between two automatic episodes to reset the scene, seconds; -1: 60 with '
        'auto.num_episodes, 0 without',
        -1.0,
        86400.0,
    ),
    'start_on_motion': Spec(
        'auto.start_on_motion',
        _AUTOMATIC['start_on_motion'],
        'An automatic episode begins when the action first changes',
    ),
    'save_after_still_s': Spec(
        'auto.save_after_still_s',
        _AUTOMATIC['save_after_still_s'],
        'An automatic episode ends when the action has been still for so long, seconds; 0: not',
        0.0,
        3600.0,
    ),
    'motion_threshold': Spec(
        'auto.motion_threshold',
        _AUTOMATIC['motion_threshold'],
        'How far an element of the action has to go to count as moving, in its own unit',
        0.0,
        1e9,
    ),
}
_CUE = Spec('cues', _CUES['kind'], f'How the operator is told what happens: {", ".join(CUES)}')
_CUE_COMMAND = Spec(
    'cues.command',
    _CUES['command'],
    'A program to run at each event, with {event}, {verb}, {message}, {episode} in its '
    'arguments; empty: none',
)


@dataclass(frozen=True, slots=True)
class OperatingSettings:
    """
    Settings of the ways to drive the recorder.

    :param rules: rules against slips, and automatic episodes
    :param cues: the operator's cues
    """

    rules: OperatingConfig = field(default_factory=OperatingConfig)
    cues: CuesConfig = field(default_factory=CuesConfig)


def read_operating(reader: ParameterReader, debounce_s: float) -> OperatingSettings:
    """
    Read them.

    :param debounce_s: the field of ``OperatingConfig``
    :raise ConfigError: naming the first that cannot be used
    """
    options = {name: reader.read(spec) for name, spec in _AUTOMATIC_OPTIONS.items()}
    rules = OperatingConfig(
        min_episode_s=reader.read(_MIN_EPISODE),
        debounce_s=debounce_s,
        automatic=AutomaticConfig(**options),
    )
    cues = CuesConfig(reader.read(_CUE), reader.read(_CUE_COMMAND))
    return OperatingSettings(rules, cues)
