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
from lerobot_streamrec.nodes.parameters.parameter_reader import ParameterReader, Spec
from lerobot_streamrec.nodes.parameters.stream_settings import read_choice
from lerobot_streamrec.nodes.settings import absolute_path

NOW = 'now'
RECORDED = 'recorded'
_STAMPS = (NOW, RECORDED)

_ROOT = Spec('root', '', 'Folder of the dataset')
_EPISODE = Spec(
    'episode',
    -1,
    'Number of the episode; less than 0: from the end, -1 is the last',
    -(2**31),
    2**31,
)
_RATE = Spec('rate', 1.0, 'How much faster than recorded', 0.01, 100.0)
_LOOP = Spec('loop', False, 'Begin anew at the end, until the process is asked to end')
_PREFIX = Spec('topics_prefix', '', 'Put before the name of every topic, such as /replay')
_STREAMS = Spec('streams', [], 'What to replay: features, or their last parts; empty: all')
_LEAD = Spec('lead_s', 0.0, 'How long row 0 is repeated before the episode, seconds', 0.0, 3600.0)
_HOLD = Spec(
    'hold_last_s', 0.0, 'How long the last row is repeated after it, seconds', 0.0, 3600.0
)
_FORCE = Spec('force', False, 'Publish on topics that somebody else publishes too')


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """
    All that can be set.

    :param root: the dataset's folder
    :param episode: its number; less than 0: from the end
    :param rate: speed relative to the recording
    :param is_endless: True: the episode begins anew at its end
    :param stamp: ``NOW`` or ``RECORDED``
    :param prefix: text before the name of every topic
    :param streams: keys of features, or their last parts; empty: all
    :param lead_s: time for which row 0 is repeated before the episode
    :param hold_last_s: time for which the last row is repeated after it
    :param is_forced: True: topics may be shared with other publishers
    """

    root: Path
    episode: int
    rate: float
    is_endless: bool
    stamp: str
    prefix: str
    streams: tuple[str, ...]
    lead_s: float
    hold_last_s: float
    is_forced: bool


def read_replay_settings(reader: ParameterReader) -> ReplaySettings:
    """
    Read every parameter.

    :raise ConfigError: naming the first that cannot be used
    """
    root: str = reader.read(_ROOT)
    settings = {
        'episode': reader.read(_EPISODE),
        'rate': reader.read(_RATE),
        'is_endless': reader.read(_LOOP),
        'stamp': read_choice(
            reader,
            'stamp',
            NOW,
            _STAMPS,
            'Stamps: those of the replay (now), or those of the recording, with /clock (recorded)',
        ),
        'prefix': reader.read(_PREFIX),
        'streams': tuple(filter(None, reader.read(_STREAMS))),
        'lead_s': reader.read(_LEAD),
        'hold_last_s': reader.read(_HOLD),
        'is_forced': reader.read(_FORCE),
    }
    reader.refuse_unknown()
    if not root:
        raise ConfigError('root', root, 'set root to the folder of a dataset')
    return ReplaySettings(root=absolute_path('root', root), **settings)
