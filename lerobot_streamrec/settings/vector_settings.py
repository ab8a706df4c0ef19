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
"""Parameters of state, action and other features of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from lerobot_streamrec.conversions.condition import Condition
from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.message_types import has_header, JOINT_FIELDS
from lerobot_streamrec.dataset.format.features import ACTION, check_feature_key, STATE
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import Option, option
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.settings.parameter_reader import ParameterReader
from lerobot_streamrec.settings.stream_settings import (
    HEADER,
    read_stream,
    read_topic,
    RECEIVE,
    Source,
)

_KEYS = {'state': STATE, 'action': ACTION}
_HUMAN = 'when_intervening'
_FEATURES = Option(
    'features',
    (),
    'Other features of numbers, such as next.reward; each needs feature.<name>.topic',
)

TypeOf = Callable[[str, str], str]
"""Returns the type of a topic; takes the parameter that may give the type, and the topic."""

LoadFields = Callable[[str, str], Mapping[str, str]]
"""
Returns the fields of a message type and their types, in order.

It takes the parameter that gives the type, and the type as ``geometry_msgs/msg/Point`` or
``geometry_msgs/Point``; it raises a ConfigError if the type is unknown.
"""


@dataclass(frozen=True, slots=True)
class VectorSettings:
    """
    The settings of one topic of numbers, whose type may still be unknown.

    :param parameter: prefix of its parameters, such as ``state`` or ``state.arm``
    :param part: name of a part of the feature; empty: the topic is the whole feature
    :param stream: configuration of its stream, without names
    :param stamp: ``HEADER`` or ``RECEIVE``
    :param qos: one of ``QOS_CHOICES``
    :param is_header_wanted: True if the user has set ``stamp`` to ``HEADER``
    :param condition: condition on the only number, whose truth is recorded instead; None: none
    """

    parameter: str
    part: str
    stream: StreamConfig
    stamp: str
    qos: str
    is_header_wanted: bool
    message_type: str = option(
        '', 'Type of the messages; empty: the type of the publishers', name='type'
    )
    selectors: tuple[str, ...] = option(
        (), "Numbers to read, such as position[elbow] or twist.linear.x; empty: the type's default"
    )
    names: tuple[str, ...] = option(
        (), 'Names of the numbers, in order; for joints: the joints to record'
    )
    condition: Condition | None = None
    field: str = option(
        JOINT_FIELDS[0],
        f'Field of a joint state to read: {", ".join(JOINT_FIELDS)}',
        choices=JOINT_FIELDS,
    )


def read_vectors(reader: ParameterReader) -> tuple[VectorSettings, ...]:
    """
    Read the parameters of state, action and all other features of numbers.

    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    found = [one for prefix, key in _KEYS.items() for one in _feature(reader, prefix, key)]
    for key in reader.read(_FEATURES):
        check_feature_key('features', key)
        if key in _KEYS.values():
            raise ConfigError('features', key, 'set it by its own parameters, state or action')
        prefix = f'feature.{key}'
        parts = list(_feature(reader, prefix, key))
        if not parts:
            raise ConfigError(f'{prefix}.topic', '', f'the feature {key} needs a topic')
        found += parts
    return tuple(found)


def _feature(reader: ParameterReader, prefix: str, key: str) -> Iterator[VectorSettings]:
    column = reader.read_fields(StreamConfig, prefix, 'dtype', 'window')
    yield from _topics(reader, prefix, key, column)
    if key == ACTION:
        for one in _topics(reader, f'{prefix}.{_HUMAN}', key, column):
            stream = replace(one.stream, key=_human_key(one), is_for_human=True)
            yield replace(one, stream=stream)


def _human_key(settings: VectorSettings) -> str:
    """Return the key of a stream that rows show while a human intervenes."""
    return '.'.join((settings.stream.feature, _HUMAN, settings.part)).removesuffix('.')


def _topics(
    reader: ParameterReader, prefix: str, key: str, column: Mapping[str, Any]
) -> Iterator[VectorSettings]:
    text = f'Names of the topics that form {key} together, in order'
    parts = reader.read(Option('parts', (), text), prefix)
    whole = _vector(reader, prefix, key, '', column)
    if parts and whole is not None:
        raise ConfigError(
            f'{prefix}.topic',
            whole.stream.topic,
            f'set either this topic or {prefix}.parts, not both',
        )
    if whole is not None:
        yield whole
    for part in parts:
        check_feature_key(f'{prefix}.parts', part)
        one = _vector(reader, f'{prefix}.{part}', key, part, column)
        if one is None:
            raise ConfigError(f'{prefix}.{part}.topic', '', f'the part {part} needs a topic')
        yield one


def _vector(
    reader: ParameterReader, prefix: str, key: str, part: str, column: Mapping[str, Any]
) -> VectorSettings | None:
    text = f'Topic of {key}; empty: not recorded'
    topic = read_topic(reader, Option('topic', '', text), prefix)
    values = reader.read_fields(VectorSettings, prefix)
    reading = reader.read_fields(Source, prefix, 'stamp', 'qos')
    is_header_wanted = reading['stamp'] == HEADER and reader.is_given(f'{prefix}.stamp')
    stream_key = f'{key}.{part}' if part else key
    stream = read_stream(reader, prefix, stream_key, topic, reading['stamp'])
    if not topic:
        return None
    stream = replace(stream, part_of=key, **column)
    return VectorSettings(
        prefix, part, stream, is_header_wanted=is_header_wanted, **reading, **values
    )


def vector_sources(
    settings: Sequence[VectorSettings], type_of: TypeOf, load_fields: LoadFields
) -> tuple[Source, ...]:
    """
    Complete the settings of vectors with the types of their topics.

    If two parts of a feature share a name, as two arms do, all names of the feature begin with the
    name of their part.

    :param type_of: function that returns the type of a topic for which the user gives none
    :param load_fields: function that returns the fields of a type
    :raise ConfigError: if a topic cannot be read by its settings
    """
    sources = [_source(one, type_of, load_fields) for one in settings]
    names: dict[tuple[str, bool], list[str]] = {}
    for source in sources:
        names.setdefault(_vector_of(source.stream), []).extend(source.stream.names)
    ambiguous = {vector for vector, all_of in names.items() if len(set(all_of)) < len(all_of)}
    return tuple(
        _with_part(source, part) if part and _vector_of(source.stream) in ambiguous else source
        for source, part in zip(sources, (one.part for one in settings), strict=True)
    )


def _vector_of(stream: StreamConfig) -> tuple[str, bool]:
    return stream.feature, stream.is_for_human


def _with_part(source: Source, part: str) -> Source:
    names = tuple(f'{part}.{name}' for name in source.stream.names)
    return replace(source, stream=replace(source.stream, names=names))


def _source(settings: VectorSettings, type_of: TypeOf, load_fields: LoadFields) -> Source:
    prefix, stamp, stream = settings.parameter, settings.stamp, settings.stream
    message_type = settings.message_type or type_of(f'{prefix}.type', stream.topic)
    definitions = partial(load_fields, f'{prefix}.type')
    # An unknown type is refused before anything is read from it.
    fields = definitions(message_type)
    elements = find_elements(
        prefix, message_type, settings.selectors, settings.names, settings.field, definitions
    )
    if elements.is_timed and not stream.dtype.startswith('float'):
        raise ConfigError(
            f'{prefix}.dtype',
            stream.dtype,
            'a trajectory by time has values in between: take float32 or float64, or choose a '
            'point by its number instead of [time]',
        )
    if elements.is_timed and stream.window > 1:
        why = 'a trajectory by time has no samples: choose a point by its number instead of [time]'
        raise ConfigError(f'{prefix}.window', stream.window, why)
    if not has_header(fields):
        if settings.is_header_wanted:
            raise ConfigError(f'{prefix}.stamp', stamp, f'{message_type} has no header: receive')
        stamp = RECEIVE
    if settings.condition is not None and len(elements.names) != 1:
        numbers = f'select one of the {len(elements.names)} numbers {", ".join(elements.names)}'
        raise ConfigError(prefix, settings.condition.selector.text, numbers)
    stream = replace(
        stream,
        names=elements.names,
        quaternions=elements.quaternions,
        is_stamped_here=stamp == RECEIVE,
        message_type=message_type,
        # A message cannot be made from a truth about one of its numbers.
        selectors=() if settings.condition else tuple(one.text for one in elements.selectors),
    )
    return Source(
        prefix, stream, stamp, settings.qos, message_type, elements, condition=settings.condition
    )
