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
"""The parameters of a replay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.parameters.parameter_reader import ParameterReader
from lerobot_streamrec.nodes.settings import absolute_path
from lerobot_streamrec.option import Option, option

NOW = 'now'
RECORDED = 'recorded'
_STAMPS = (NOW, RECORDED)

_ROOT = Option('root', '', 'Folder of the dataset')


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """
    The settings of a replay.

    :param root: folder of the dataset
    """

    root: Path
    episode: int = option(
        -1,
        'Number of the episode; negative numbers count from the end, -1 is the last one',
        -(2**31),
        2**31,
    )
    rate: float = option(1.0, 'Speed relative to the recording', 0.01, 100.0)
    is_endless: bool = option(
        False, 'true: start again at the end of the episode, until asked to end', name='loop'
    )
    stamp: str = option(
        NOW,
        'Stamps of the messages: the present time (now), or the recorded stamps, with the '
        'recorded time on /clock (recorded)',
        choices=_STAMPS,
    )
    prefix: str = option(
        '', 'Prefix of the name of every topic, such as /replay', name='topics_prefix'
    )
    streams: tuple[str, ...] = option(
        (), 'Features to replay, by key or by the last part of it; empty: all'
    )
    lead_s: float = option(
        0.0, 'How long row 0 is repeated before the episode, in seconds', 0.0, 3600.0
    )
    hold_last_s: float = option(
        0.0, 'How long the last row is repeated after the episode, in seconds', 0.0, 3600.0
    )
    is_forced: bool = option(
        False, 'true: publish even if other nodes publish on the same topics', name='force'
    )


def read_replay_settings(reader: ParameterReader) -> ReplaySettings:
    """
    Read every parameter.

    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    root: str = reader.read(_ROOT)
    settings = reader.read_fields(ReplaySettings)
    reader.refuse_unknown()
    if not root:
        raise ConfigError('root', root, 'set root to the folder of a dataset')
    return ReplaySettings(root=absolute_path('root', root), **settings)
