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
"""The topics and message types on which an episode goes back into messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
import re
from typing import Any

from lerobot_streamrec.conversions.message_types import default_selectors, JOINT_STATE
from lerobot_streamrec.conversions.selector import parse_selectors, Selector
from lerobot_streamrec.dataset.about.derived_columns import DERIVED
from lerobot_streamrec.dataset.format.features import (
    ACTION,
    DEFAULT_FEATURES,
    FeatureSpec,
    INTERVENTION,
    STATE,
)
from lerobot_streamrec.dataset.rebuild.played_episode import PlayedEpisode
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.settings.transports import base_topic, RAW_TYPE
from lerobot_streamrec.sync.row_clock import NS_PER_MS, Policy
import numpy as np
import numpy.typing as npt

# Where a record names the topics, these have none unless one was recorded.
_MADE_BY_RECORDER = {*DERIVED, INTERVENTION}
_SHORT_TOPICS = {STATE: '/state', ACTION: '/action'}


@dataclass(frozen=True, slots=True)
class PlayedStream:
    """
    The part of an episode that belongs to one topic.

    :param key: key of the recorded stream
    :param feature: feature that the stream makes up, alone or together with other streams
    :param topic: topic of the messages
    :param message_type: message type in the replay
    :param names: names of the elements; empty for a camera
    :param selectors: selectors of the elements in a message
    :param begin: index of the first element in the feature
    :param policy: rule by which the rows were matched with samples
    :param offset_ns: offset that the recorder added to the stamps
    :param is_stamped_here: True if the recorder took the time of arrival for the stamp
    :param is_for_human: True if rows show it instead of others while a human intervenes
    :param recorded_topic: topic from which a camera's pictures came; empty: unknown
    """

    key: str
    feature: str
    topic: str
    message_type: str
    names: tuple[str, ...] = ()
    selectors: tuple[Selector, ...] = ()
    begin: int = 0
    policy: Policy = Policy.HOLD
    offset_ns: int = 0
    is_stamped_here: bool = False
    is_for_human: bool = False
    recorded_topic: str = ''

    @property
    def is_camera(self) -> bool:
        """True if the stream is a camera."""
        return not self.names

    @property
    def is_timed(self) -> bool:
        """True if the numbers were read from a trajectory by time."""
        return any(one.trajectory is not None for one in self.selectors)

    def part_of(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the columns of this stream from the values of the feature, ``(rows, d)``."""
        return values[:, self.begin : self.begin + len(self.names)]

    def as_joints(self, prefix: str = '') -> PlayedStream:
        """
        Return the same numbers as positions of a JointState.

        :param prefix: prefix of the joint names
        """
        names = self.names
        if len(set(names)) < len(names) or not all(names):
            names = tuple(map(str, range(len(names))))
        selectors = default_selectors(JOINT_STATE, [prefix + one for one in names], 'position')
        return replace(self, message_type=JOINT_STATE, names=names, selectors=selectors or ())


@dataclass(slots=True)
class Plan:
    """
    The streams of an episode.

    :param streams: all streams
    :param has_clock: True if the rows are the frames of a clock camera
    :param remarks: differences from the recorded messages, one sentence each
    """

    streams: list[PlayedStream] = field(default_factory=list)
    has_clock: bool = False
    remarks: list[str] = field(default_factory=list)


def plan_of(
    episode: PlayedEpisode, wanted: Sequence[str] = (), *, has_human: bool = False
) -> Plan:
    """
    Choose the topics and message types on which an episode is published.

    :param wanted: keys of features, or the last parts of keys; empty: all
    :param has_human: True to publish on the topics that rows show while a human intervenes, too
    :raise ConfigError: if the dataset lacks one of the features
    """
    plan = Plan()
    features = _chosen(episode.info.features, wanted)
    told = _told(episode.streams)
    if told and episode.told_by != episode.row.episode_index:
        plan.remarks.append(
            f'the record of this episode names no topics, so the topics of episode '
            f'{episode.told_by} are used'
        )
    plan.has_clock = any(
        isinstance(one, dict) and one.get('is_clock') is True for one in episode.streams.values()
    )
    short = [_last(key) for key, spec in episode.info.features.items() if spec.is_video]
    for key, spec in features.items():
        streams = told.get(key, [])
        if told and not streams and key in _MADE_BY_RECORDER and not wanted:
            continue
        if not spec.is_video and not _is_numeric(spec):
            plan.remarks.append(f'{key} is left out: it has no numbers ({spec.dtype})')
        elif _is_told(streams, spec):
            plan.streams += streams
            human = _told(episode.streams, of_human=True).get(key, []) if has_human else []
            plan.streams += human if _is_told(human, replace(spec, names=None)) else []
        else:
            is_plain = short.count(_last(key)) == 1
            plan.streams.append(_derived(key, spec, streams, is_plain=is_plain))
            plan.remarks.append(
                f'the messages of {key} are not described: it is published on '
                f'{plan.streams[-1].topic} as {plan.streams[-1].message_type}'
            )
    return plan


def _chosen(features: Mapping[str, FeatureSpec], wanted: Sequence[str]) -> dict[str, FeatureSpec]:
    there = {key: spec for key, spec in features.items() if key not in DEFAULT_FEATURES}
    for name in wanted:
        if not any(name in (key, _last(key)) for key in there):
            raise ConfigError('streams', name, f'the dataset has {", ".join(there)}')
    return {
        key: spec
        for key, spec in there.items()
        if not wanted or key in wanted or _last(key) in wanted
    }


def _told(
    streams: Mapping[str, Any], *, of_human: bool = False
) -> dict[str, list[PlayedStream]]:
    """Return the streams that a record describes, by feature; skip incomplete descriptions."""
    found: dict[str, list[PlayedStream]] = {}
    for key, entry in streams.items():
        try:
            # The rows of a human's topics cannot be told from those of the policy's.
            if bool(entry.get('when_intervening')) is not of_human:
                continue
            feature = str(entry.get('feature', key))
            before = found.setdefault(feature, [])
            names = tuple(map(str, entry.get('names', ())))
            one = PlayedStream(
                key=key,
                feature=feature,
                # Raw images are published on the base topic, where recorders look for them.
                topic=str(entry['topic']) if names else base_topic(str(entry['topic'])),
                message_type=str(entry.get('type', '')) if names else RAW_TYPE,
                names=names,
                selectors=parse_selectors('selectors', entry.get('selectors', ())),
                begin=sum(len(other.names) for other in before),
                policy=Policy(entry.get('policy', Policy.HOLD)),
                offset_ns=round(float(entry.get('offset_ms', 0.0)) * NS_PER_MS),
                is_stamped_here=entry.get('is_stamped_here') is True,
                is_for_human=of_human,
                recorded_topic=str(entry['topic']),
            )
        # These errors occur if somebody has edited the file.
        except (ConfigError, AttributeError, KeyError, TypeError, ValueError, OverflowError):
            continue
        before.append(one)
    return found


def _is_told(streams: Sequence[PlayedStream], spec: FeatureSpec) -> bool:
    """Return True if the streams make up the whole feature, and are fully described."""
    if spec.is_video:
        return len(streams) == 1
    names = tuple(name for one in streams for name in one.names)
    has_types = all(one.message_type and one.selectors for one in streams)
    return has_types and len(names) == _width(spec) and spec.names in (None, names)


def _derived(
    key: str, spec: FeatureSpec, streams: Sequence[PlayedStream], *, is_plain: bool
) -> PlayedStream:
    """Derive a stream from the feature; keep what the record says if it is one whole stream."""
    topic = _SHORT_TOPICS.get(key) or '/' + key.replace('.', '/')
    if spec.is_video:
        topic = f'/{_last(key) if is_plain else key.replace(".", "/")}/image'
    # In ROS, no part of a topic name may begin with a digit.
    topic = re.sub(r'/(?=[0-9])', '/_', re.sub(r'[^A-Za-z0-9_/]', '_', topic))
    is_whole = len(streams) == 1 and streams[0].key == key
    made = streams[0] if is_whole else PlayedStream(key, key, topic, RAW_TYPE)
    if spec.is_video:
        return made
    width = _width(spec)
    names = spec.names if spec.names and len(spec.names) == width else ('',) * width
    return replace(made, names=tuple(map(str, names))).as_joints()


def _width(spec: FeatureSpec) -> int:
    # Of a window, the newest sample is published.
    return len(spec.names or ()) if spec.is_window else int(np.prod(spec.shape or (1,)))


def _is_numeric(spec: FeatureSpec) -> bool:
    try:
        return np.dtype(spec.dtype).kind in 'fiub' and _width(spec) > 0
    except TypeError:
        return False


def _last(key: str) -> str:
    return key.rpartition('.')[2]
