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
"""The doctor's way from given settings to a report on each topic, without the graph or the bag."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
import difflib
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.inspection.diagnosis import judge, Level, Remark
from lerobot_streamrec.inspection.observation import Observation
from lerobot_streamrec.inspection.report import TopicReport
from lerobot_streamrec.settings.recorder_settings import GivenSettings, Settings
from lerobot_streamrec.settings.vector_settings import (
    LoadFields,
    TypeOf,
    vector_sources,
    VectorSettings,
)


class _NotPublishedError(ConfigError):
    """The type of a topic is needed, but it has no publisher, or several types."""


@dataclass(frozen=True, slots=True)
class UntypedTopic:
    """
    A topic whose type is unknown.

    :param settings: the topic's settings in the file
    :param reason: why the type is unknown
    :param types: types with which it is published; none, or several
    """

    settings: VectorSettings
    reason: str
    types: tuple[str, ...]

    def observation(self, full_name: Callable[[str], str]) -> Observation:
        """
        Return the few facts that are known without its type.

        :param full_name: function that resolves a topic name
        """
        vector, stream = self.settings, self.settings.stream
        return Observation(
            parameter=vector.parameter,
            key=stream.feature,
            topic=full_name(stream.topic),
            message_type='',
            is_camera=False,
            stamp=vector.stamp,
            offered=self.types,
            types=self.types,
        )


def complete(
    given: GivenSettings,
    types_of: Callable[[str], Collection[str]],
    load_fields: LoadFields,
    full_name: Callable[[str], str],
) -> tuple[Settings | None, list[UntypedTopic]]:
    """
    Complete the settings with the types that are published.

    :param given: settings from the file
    :param types_of: function that returns the types of a topic as the file names it
    :param load_fields: function that returns the fields of a message type
    :param full_name: function that resolves a topic name
    :return: settings without topics of unknown type, None if no topic is left; and those topics
    :raise ConfigError: if the recorder would reject the settings
    """

    def type_of(parameter: str, topic: str) -> str:
        types = sorted(types_of(topic))
        if len(types) != 1:
            reason = (
                f'{topic} is published as {" and as ".join(types)}: set {parameter} to one of them'
            )
            raise _NotPublishedError(parameter, '', reason)
        return types[0]

    typed, untyped = [], []
    for one in given.vectors:
        reason = _why_untyped(one, type_of, load_fields)
        if reason:
            types = tuple(sorted(types_of(one.stream.topic)))
            untyped.append(UntypedTopic(one, reason, types))
        else:
            typed.append(one)
    if untyped and not typed and not given.cameras:
        return None, untyped
    known = replace(given, vectors=tuple(typed))
    return known.complete(type_of, load_fields, full_name), untyped


def _why_untyped(one: VectorSettings, type_of: TypeOf, load_fields: LoadFields) -> str:
    try:
        vector_sources([one], type_of, load_fields)
    except _NotPublishedError as error:
        return error.allowed
    return ''


def topic_reports(
    seen: Sequence[Observation], untyped: Sequence[UntypedTopic], options: Mapping[str, Any]
) -> list[TopicReport]:
    """
    Return the remarks on each topic of a file.

    :param seen: facts about all of its topics
    :param untyped: topics whose types are unknown
    :param options: options of the recorder in the file
    """
    reasons = {one.settings.parameter: one.reason for one in untyped}
    reports = []
    for one in seen:
        if one.offered and one.parameter in reasons:
            remarks: tuple[Remark, ...] = (Remark(Level.PROBLEM, reasons[one.parameter]),)
        else:
            others = [other for other in seen if other is not one]
            remarks = judge(one, others, options['fps'], options['max_lateness_s'])
        reports.append(TopicReport(one, remarks))
    return reports


def with_alike(seen: Observation, published: Mapping[str, Collection[str]]) -> Observation:
    """
    Add published topics with similar names, which the user may have meant, to an absent one.

    :param published: types of each published topic
    """
    if seen.offered:
        return seen
    names = [name for name, types in published.items() if seen.message_type in ('', *types)]
    alike = difflib.get_close_matches(seen.topic, names, n=2, cutoff=0.5)
    return replace(seen, alike=tuple(alike))
