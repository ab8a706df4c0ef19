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
"""What was seen of one topic that a parameter file names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lerobot_streamrec.live.arrivals import Heard


@dataclass(frozen=True, slots=True)
class Observation:
    """
    What there is to judge a topic by.

    :param parameter: prefix of its parameters, such as ``camera.front``
    :param key: of its stream
    :param topic: what is subscribed to
    :param message_type: that is expected of it; empty: not known
    :param is_camera: whether it brings pictures
    :param stamp: ``header`` or ``receive``
    :param offered: what each publisher offers, with its node's name
    :param types: that it is published with
    :param asked: what is asked for
    :param obstacles: which publishers cannot be heard, and why
    :param alike: topics of the expected type with names like this one
    :param heard: when its messages came
    :param num_rejected: messages that cannot be recorded
    :param rejection: why the last of them cannot
    :param ignored: names in messages that are meant for others; empty: no such message came since
        the last one of its own
    :param is_unsure: True if messages of several publishers cannot be told apart
    :param readiness: what would keep an episode from starting; empty: nothing
    :param offset_ms: the setting, which is added to its stamps
    :param encoding: of its pictures
    :param width: of its pictures, in pixels
    :param height: of its pictures, in pixels
    :param size_bytes: of one message's data
    :param picture_problem: why its pictures cannot be used; empty if they can
    :param picture_file: where the first one was saved; empty: nowhere
    :param values: of one message, by name
    """

    parameter: str
    key: str
    topic: str
    message_type: str
    is_camera: bool
    stamp: str
    offered: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    asked: str = ''
    obstacles: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    heard: Heard = field(default_factory=Heard)
    num_rejected: int = 0
    rejection: str = ''
    ignored: str = ''
    is_unsure: bool = False
    readiness: str = ''
    offset_ms: float = 0.0
    encoding: str = ''
    width: int = 0
    height: int = 0
    size_bytes: int = 0
    picture_problem: str = ''
    picture_file: str = ''
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def instants(self) -> Heard:
        """When its messages came, told from their instants instead of their header stamps."""
        delay_s = self.heard.delay_s
        if delay_s is None:
            return self.heard
        return replace(self.heard, delay_s=delay_s - self.offset_ms / 1000)
