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
"""The parameters of recordings in which a policy and a human share the robot."""

from __future__ import annotations

import re

from lerobot_streamrec.conversions.condition import condition_of, TOPIC_AND_CONDITION
from lerobot_streamrec.dataset.format.features import INTERVENTION
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import Option
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.settings.parameter_reader import ParameterReader
from lerobot_streamrec.settings.stream_settings import check_topic, HEADER, QOS_FROM_PUBLISHER
from lerobot_streamrec.settings.vector_settings import VectorSettings

_PARAMETER = 'hil.intervention'
_INTERVENTION = Option(
    _PARAMETER,
    '',
    "What says that a human drives: a std_msgs/msg/Bool such as '/takeover', or a condition such "
    "as '/joy buttons[5] > 0.5'; empty: the command intervene",
)
_TYPE = Option(
    f'{_PARAMETER}.type', '', 'Type of the messages of a condition; empty: that of the publishers'
)
_BOOL = 'std_msgs/msg/Bool'
_TEXT = re.compile(TOPIC_AND_CONDITION)

PAUSE_AT_TAKEOVER = Option(
    'hil.pause_at_takeover',
    False,
    'true: the first intervene pauses the episode until the next one, while the human takes hold '
    'of the leader',
)


def read_intervention(reader: ParameterReader) -> tuple[VectorSettings, ...]:
    """
    Read which topic says that a human drives.

    :return: one topic, or none if commands say so
    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    text, message_type = reader.read(_INTERVENTION), reader.read(_TYPE)
    if not text.strip():
        return ()
    parts = _TEXT.fullmatch(text)
    if parts is None:
        raise ConfigError(
            _PARAMETER,
            text,
            'a topic is needed, optionally with a selector, one of <, <=, > or >=, and a number',
        )
    check_topic(_PARAMETER, parts['topic'])
    condition = condition_of(_PARAMETER, text, parts)
    # Such a topic is often published only when it changes.
    stream = StreamConfig(
        INTERVENTION, parts['topic'], max_age_s=0.0, part_of=INTERVENTION, dtype='bool'
    )
    return (
        VectorSettings(
            _PARAMETER,
            '',
            stream,
            HEADER,
            QOS_FROM_PUBLISHER,
            is_header_wanted=False,
            message_type=message_type if condition else message_type or _BOOL,
            selectors=(condition.selector.text,) if condition else (),
            condition=condition,
        ),
    )
