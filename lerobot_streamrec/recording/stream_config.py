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
"""The settings of one stream: a camera, or a topic of numbers."""

from __future__ import annotations

from dataclasses import dataclass

from lerobot_streamrec.dataset.format.features import INTERVENTION
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import option
from lerobot_streamrec.sync.row_clock import NS_PER_MS, NS_PER_S, POLICIES, Policy
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.depth_config import DepthConfig

DTYPES = ('float32', 'float64', 'int64', 'bool')
"""The dtypes of a vector's column."""


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """
    One topic that becomes a feature or a part of one; fields made by ``option`` say what they are.

    :param key: unique name of the stream: the feature of a camera, such as
        ``observation.images.front``; a vector may have any name
    :param topic: topic of its messages
    :param names: names of a vector's elements; empty: a camera
    :param quaternions: index of the first of four elements x, y, z, w, for each orientation
    :param part_of: feature of a vector, which may have several streams; empty: the key
    :param depth: quantisation of a depth camera; None: a colour camera
    :param encoder: encoder settings of a colour camera; None: those of the recorder
    :param is_stamped_here: True if this computer stamps messages on arrival; False if the
        publisher stamps them
    :param message_type: type of a vector's messages, for a replay; empty: unknown
    :param selectors: places of the elements in a message, for a replay
    :param is_for_human: True if rows show it instead of the feature's other streams while a human
        intervenes
    """

    key: str
    topic: str
    names: tuple[str, ...] = ()
    # A row that shows an older sample counts as stale, and an episode waits for a newer one.
    max_age_s: float = option(
        1.0, 'Age at which a sample counts as stale, in seconds; 0: never', 0.0, 1e6
    )
    offset_ms: float = option(
        0.0,
        'Added to every stamp, in milliseconds: -30 for a camera that stamps 30 ms too late',
        -60_000.0,
        60_000.0,
    )
    policy: Policy = option(
        Policy.HOLD,
        'The sample that a row shows: the newest (hold), the nearest, or a value between two '
        'samples (interpolate)',
        choices=POLICIES,
        shown=Policy.HOLD.value,
    )
    quaternions: tuple[int, ...] = ()
    part_of: str = ''
    dtype: str = option('float32', f'Type of the column: {", ".join(DTYPES)}', choices=DTYPES)
    window: int = option(
        1,
        "Number of samples in each row, up to the row's instant, for sensors that are faster than "
        'the rows; 1: a row holds one sample',
        1,
        10_000,
    )
    depth: DepthConfig | None = None
    encoder: EncoderConfig | None = None
    is_stamped_here: bool = False
    message_type: str = ''
    selectors: tuple[str, ...] = ()
    is_for_human: bool = False

    @property
    def is_camera(self) -> bool:
        """Whether the stream is a camera."""
        return not self.names

    @property
    def is_intervention(self) -> bool:
        """Whether the stream says when a human drives."""
        return self.feature == INTERVENTION

    @property
    def kind(self) -> str:
        """What the stream is, for people: ``camera``, ``depth`` or ``vector``."""
        if not self.is_camera:
            return 'vector'
        return 'camera' if self.depth is None else 'depth'

    @property
    def offset_ns(self) -> int:
        """``offset_ms`` in nanoseconds."""
        return round(self.offset_ms * NS_PER_MS)

    @property
    def max_age_ns(self) -> int:
        """``max_age_s`` in nanoseconds."""
        return round(self.max_age_s * NS_PER_S)

    @property
    def feature(self) -> str:
        """The feature that the stream is, or is a part of."""
        return self.part_of or self.key


def check_parts(feature: str, parts: list[StreamConfig]) -> None:
    """Refuse streams that cannot be one feature; the ConfigError names the feature."""
    human, parts = ([one for one in parts if one.is_for_human is flag] for flag in (True, False))
    if human:
        _check_human(feature, human, parts)
    names = [name for one in parts for name in one.names]
    if len(parts) > 1 and any(one.is_camera for one in parts):
        raise ConfigError(feature, [one.topic for one in parts], 'a camera is one topic')
    if len({one.dtype for one in parts}) > 1:
        raise ConfigError(feature, [one.dtype for one in parts], 'its parts need one dtype')
    if not parts[0].is_camera and parts[0].dtype not in DTYPES:
        raise ConfigError(feature, parts[0].dtype, f'allowed are {", ".join(DTYPES)}')
    for one in parts:
        if one.window != parts[0].window:
            raise ConfigError(feature, one.window, 'its parts need one window')
        if one.window > 1 and one.policy is not Policy.HOLD:
            why = 'a window holds the samples up to the row, so its policy is hold'
            raise ConfigError(f'policy of {one.key}', one.policy.value, why)
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(feature, name, 'every element needs a name of its own')


def _check_human(
    feature: str, human: list[StreamConfig], others: list[StreamConfig]
) -> None:
    """Refuse streams for a human whose elements are not those of the feature."""
    names, theirs = ([name for one in all_of for name in one.names] for all_of in (others, human))
    parameter = f'{feature}.when_intervening'
    if not others:
        raise ConfigError(parameter, [one.topic for one in human], f'set {feature}.topic as well')
    if len(names) != len(theirs):
        raise ConfigError(
            parameter, theirs, f'as many elements as {feature} has are needed: {", ".join(names)}'
        )
    # A leader may name its joints in its own way, but the same names in another order are a slip.
    if names != theirs and set(names) & set(theirs):
        raise ConfigError(
            parameter, theirs, f'give the elements in the order of {feature}: {", ".join(names)}'
        )
    if {one.dtype for one in human} != {one.dtype for one in others}:
        raise ConfigError(parameter, human[0].dtype, f'{feature} has {others[0].dtype}')


def check_policy(stream: StreamConfig) -> None:
    """Refuse to interpolate what has nothing in between; the ConfigError names the stream."""
    is_float = not stream.is_camera and stream.dtype.startswith('float')
    if stream.policy is Policy.INTERPOLATE and not is_float:
        raise ConfigError(
            f'policy of {stream.key}',
            stream.policy.value,
            'there is nothing between two pictures, whole numbers or flags: take hold or nearest',
        )
