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
    'Number of the episode; negative numbers count from the end, -1 is the last one',
    -(2**31),
    2**31,
)
_RATE = Spec('rate', 1.0, 'Speed relative to the recording', 0.01, 100.0)
_LOOP = Spec('loop', False, 'true: start again at the end of the episode, until asked to end')
_PREFIX = Spec('topics_prefix', '', 'Prefix of the name of every topic, such as /replay')
_STREAMS = Spec('streams', [], 'Features to replay, by key or by the last part of it; empty: all')
_LEAD = Spec(
    'lead_s', 0.0, 'How long row 0 is repeated before the episode, in seconds', 0.0, 3600.0
)
_HOLD = Spec(
    'hold_last_s',
    0.0,
    'How long the last row is repeated after the episode, in seconds',
    0.0,
    3600.0,
)
_FORCE = Spec('force', False, 'true: publish even if other nodes publish on the same topics')


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """
    The settings of a replay.

    :param root: folder of the dataset
    :param episode: number of the episode; negative numbers count from the end
    :param rate: speed relative to the recording
    :param is_endless: True if the episode starts again at its end
    :param stamp: ``NOW`` or ``RECORDED``
    :param prefix: prefix of the name of every topic
    :param streams: keys of features, or the last parts of keys; empty: all
    :param lead_s: time for which row 0 is repeated before the episode
    :param hold_last_s: time for which the last row is repeated after the episode
    :param is_forced: True if topics may be shared with other publishers
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

    :raise ConfigError: if a parameter cannot be used; the error names the first one
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
            'Stamps of the messages: the present time (now), or the recorded stamps, with the '
            'recorded time on /clock (recorded)',
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
