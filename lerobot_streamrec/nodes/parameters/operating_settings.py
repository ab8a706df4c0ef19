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
"""Parameters of the ways to drive the recorder: slips, automatic episodes, cues."""

from __future__ import annotations

from dataclasses import dataclass, field

from lerobot_streamrec.nodes.parameters.parameter_reader import ParameterReader
from lerobot_streamrec.recording.operating.config import AutomaticConfig, OperatingConfig
from lerobot_streamrec.recording.operating.cues import CuesConfig


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
    Read the rules and cues for the operator.

    :param debounce_s: the field of ``OperatingConfig``
    :raise ConfigError: naming the first that cannot be used
    """
    rules = OperatingConfig(
        **reader.read_fields(OperatingConfig, 'limits'),
        debounce_s=debounce_s,
        automatic=AutomaticConfig(**reader.read_fields(AutomaticConfig, 'auto')),
    )
    return OperatingSettings(rules, CuesConfig(**reader.read_fields(CuesConfig)))
