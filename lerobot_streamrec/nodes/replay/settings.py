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

    :param root: the dataset's folder
    """

    root: Path
    episode: int = option(
        -1,
        'Number of the episode; less than 0: from the end, -1 is the last',
        -(2**31),
        2**31,
    )
    rate: float = option(1.0, 'Speed relative to the recording', 0.01, 100.0)
    is_endless: bool = option(
        False, 'Begin anew at the end, until the process is asked to end', name='loop'
    )
    stamp: str = option(
        NOW,
        'Stamps: those of the replay (now), or those of the recording, with /clock (recorded)',
        choices=_STAMPS,
    )
    prefix: str = option(
        '', 'Text before the name of every topic, such as /replay', name='topics_prefix'
    )
    streams: tuple[str, ...] = option(
        (), 'Features to replay, or the last parts of their names; empty: all'
    )
    lead_s: float = option(
        0.0, 'Time for which row 0 is repeated before the episode, seconds', 0.0, 3600.0
    )
    hold_last_s: float = option(
        0.0, 'Time for which the last row is repeated after the episode, seconds', 0.0, 3600.0
    )
    is_forced: bool = option(
        False, 'Publish on topics that have other publishers too', name='force'
    )


def read_replay_settings(reader: ParameterReader) -> ReplaySettings:
    """
    Read every parameter.

    :raise ConfigError: naming the first that cannot be used
    """
    root: str = reader.read(_ROOT)
    settings = reader.read_fields(ReplaySettings)
    reader.refuse_unknown()
    if not root:
        raise ConfigError('root', root, 'set root to the folder of a dataset')
    return ReplaySettings(root=absolute_path('root', root), **settings)
