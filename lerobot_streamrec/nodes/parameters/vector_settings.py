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
"""From ROS parameters to state, action and whatever else is made of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.message_types import has_header, JOINT_FIELDS
from lerobot_streamrec.dataset.format.features import check_feature_key
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.topic_types import load_message_class
from lerobot_streamrec.nodes.parameters.parameter_reader import defaults_of, ParameterReader, Spec
from lerobot_streamrec.nodes.parameters.stream_settings import (
    HEADER,
    read_choice,
    read_timing,
    read_topic,
    RECEIVE,
    Source,
    Timing,
)
from lerobot_streamrec.recording.config import DTYPES, StreamConfig

ACTION = 'action'
"""The feature that a policy learns to give."""
_KEYS = {'state': 'observation.state', 'action': ACTION}
_DTYPE = defaults_of(StreamConfig)['dtype']

TypeOf = Callable[[str, str], str]
"""Tells the type of a topic, by the parameter that could say it and the topic's name."""


@dataclass(frozen=True, slots=True)
class VectorSettings:
    """
    What the user says of one topic of numbers; its type may have to be asked for.

    :param parameter: prefix of its parameters, such as ``state`` or ``state.arm``
    :param feature: which it is, or is a part of
    :param part: its name among several; empty: it is the whole feature
    :param topic: where its messages come from
    :param message_type: type of the topic; empty: what it is published with
    :param selectors: which numbers; empty: what is usual for the type
    :param names: names of the numbers; empty: by the selectors
    :param field: field of joints that is read
    :param dtype: dtype of the column
    :param timing: when its samples count
    :param is_header_wanted: True if the user said that stamps are the header's
    """

    parameter: str
    feature: str
    part: str
    topic: str
    message_type: str
    selectors: tuple[str, ...]
    names: tuple[str, ...]
    field: str
    dtype: str
    timing: Timing
    is_header_wanted: bool


def read_vectors(reader: ParameterReader) -> tuple[VectorSettings, ...]:
    """
    Read the parameters of state, action and all other features of numbers.

    :raise ConfigError: naming the first that cannot be used
    """
    found = [one for prefix, key in _KEYS.items() for one in _feature(reader, prefix, key)]
    names: list[str] = reader.read(
        Spec('features', [], 'Other features of numbers, such as next.reward; see feature.<name>')
    )
    # A list of one empty text stands for an empty one.
    for key in filter(None, names):
        check_feature_key('features', key)
        if key in _KEYS.values():
            raise ConfigError('features', key, 'it has parameters of its own: state or action')
        prefix = f'feature.{key}'
        parts = list(_feature(reader, prefix, key))
        if not parts:
            raise ConfigError(f'{prefix}.topic', '', f'the feature {key} needs a topic')
        found += parts
    return tuple(found)


def _feature(reader: ParameterReader, prefix: str, key: str) -> Iterator[VectorSettings]:
    parts = [
        name
        for name in reader.read(
            Spec(f'{prefix}.parts', [], f'Names of the topics that make {key} together, in order')
        )
        if name
    ]
    dtype = read_choice(
        reader, f'{prefix}.dtype', _DTYPE, DTYPES, f'Type of the column {key}: {", ".join(DTYPES)}'
    )
    whole = _vector(reader, prefix, key, '', dtype)
    if parts and whole is not None:
        raise ConfigError(
            f'{prefix}.topic', whole.topic, f'either a topic of its own, or {prefix}.parts'
        )
    if whole is not None:
        yield whole
    for part in parts:
        check_feature_key(f'{prefix}.parts', part)
        one = _vector(reader, f'{prefix}.{part}', key, part, dtype)
        if one is None:
            raise ConfigError(f'{prefix}.{part}.topic', '', f'the part {part} needs a topic')
        yield one


def _vector(
    reader: ParameterReader, prefix: str, key: str, part: str, dtype: str
) -> VectorSettings | None:
    topic = read_topic(reader, prefix, f'Topic of {key}; empty: not recorded')
    message_type = reader.read(
        Spec(f'{prefix}.type', '', 'Type of its messages; empty: what it is published with')
    )
    selectors = reader.read(
        Spec(
            f'{prefix}.selectors',
            [],
            "Which numbers, such as position[elbow] or twist.linear.x; empty: the type's own",
        )
    )
    names = reader.read(
        Spec(f'{prefix}.names', [], 'Names of the numbers, in order; of joints: which to take')
    )
    field = read_choice(
        reader,
        f'{prefix}.field',
        JOINT_FIELDS[0],
        JOINT_FIELDS,
        f'Which numbers of joints: {", ".join(JOINT_FIELDS)}',
    )
    timing = read_timing(reader, prefix)
    if not topic:
        return None
    return VectorSettings(
        parameter=prefix,
        feature=key,
        part=part,
        topic=topic,
        message_type=message_type,
        selectors=tuple(filter(None, selectors)),
        names=tuple(filter(None, names)),
        field=field,
        dtype=dtype,
        timing=timing,
        is_header_wanted=timing.stamp == HEADER and reader.is_given(f'{prefix}.stamp'),
    )


def vector_sources(settings: Sequence[VectorSettings], type_of: TypeOf) -> tuple[Source, ...]:
    """
    Find out what the numbers of all topics are.

    Where two parts of a feature have a name in common, as two arms do, all of its names begin with
    their part's.

    :param type_of: asked if the user has not said a type
    :raise ConfigError: if one cannot be read as the user says
    """
    sources = [_source(one, type_of) for one in settings]
    names: dict[str, list[str]] = {}
    for source in sources:
        names.setdefault(source.stream.feature, []).extend(source.stream.names)
    ambiguous = {feature for feature, all_of in names.items() if len(set(all_of)) < len(all_of)}
    return tuple(
        _with_part(source, one.part) if one.part and one.feature in ambiguous else source
        for source, one in zip(sources, settings, strict=True)
    )


def _with_part(source: Source, part: str) -> Source:
    names = tuple(f'{part}.{name}' for name in source.stream.names)
    return replace(source, stream=replace(source.stream, names=names))


def _source(settings: VectorSettings, type_of: TypeOf) -> Source:
    prefix, timing = settings.parameter, settings.timing
    message_type = settings.message_type or type_of(f'{prefix}.type', settings.topic)

    def load(wanted: str) -> type:
        return load_message_class(f'{prefix}.type', wanted)

    # First of all: nothing can be said of a type that is not there.
    message_class = load(message_type)
    elements = find_elements(
        prefix, message_type, settings.selectors, settings.names, settings.field, load
    )
    if elements.is_timed and not settings.dtype.startswith('float'):
        raise ConfigError(
            f'{prefix}.dtype',
            settings.dtype,
            'a trajectory by time has values in between: take float32 or float64, or choose a '
            'point by its number instead of [time]',
        )
    stamp = timing.stamp
    if not has_header(message_type, message_class):
        if settings.is_header_wanted:
            raise ConfigError(f'{prefix}.stamp', stamp, f'{message_type} has no header: receive')
        stamp = RECEIVE
    stream = StreamConfig(
        key=f'{settings.feature}.{settings.part}' if settings.part else settings.feature,
        topic=settings.topic,
        names=elements.names,
        max_age_s=timing.max_age_s,
        offset_ms=timing.offset_ms,
        policy=timing.policy,
        quaternions=elements.quaternions,
        part_of=settings.feature,
        dtype=settings.dtype,
        is_stamped_here=stamp == RECEIVE,
        message_type=message_type,
        selectors=tuple(one.text for one in elements.selectors),
    )
    return Source(prefix, stream, stamp, timing.qos, message_type, elements)
