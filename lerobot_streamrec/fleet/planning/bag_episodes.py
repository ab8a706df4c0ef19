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
"""The episodes that a bag holds, by the user's choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lerobot_streamrec.errors import ConfigError, MessageError
from lerobot_streamrec.fleet.planning.bag_commands import (
    hear_commands,
    is_driver_told,
    lacks,
    STRING,
)
from lerobot_streamrec.fleet.planning.bag_spans import Mark, Span
from lerobot_streamrec.fleet.planning.bag_table import spans_of_table
from lerobot_streamrec.fleet.planning.bag_takes import Complaints, read_event, Takes
from lerobot_streamrec.fleet.reading.bag_parts import Remark
from lerobot_streamrec.fleet.reading.bag_reader import Bag
from lerobot_streamrec.recording.config import NO_SUBTASKS
from lerobot_streamrec.recording.operating.command import Verb
from lerobot_streamrec.recording.operating.events import EVENTS_TOPIC
from lerobot_streamrec.settings.recorder_settings import recorder_node_name, Settings
from lerobot_streamrec.settings.teleop_settings import TriggerRule
from lerobot_streamrec.settings.topic_names import full_topic_name

WHOLE, FILES, EVENTS, COMMANDS = CHOICES = ('bag', 'files', 'events', 'commands')


def episodes_choice(text: str | None, *, has_triggers: bool) -> str:
    """
    Return how the episodes of bags are found: one of ``CHOICES``, or the path of a table.

    :param text: value of ``--episodes``; None: the default
    :param has_triggers: True if ``--trigger`` is given
    :raise ConfigError: if there is no such choice, or it does not go with triggers
    """
    choice = text or (COMMANDS if has_triggers else WHOLE)
    if choice not in CHOICES and not Path(choice).is_file():
        allowed = f'allowed are {", ".join(CHOICES)}, and the path of a CSV file that exists'
        raise ConfigError('--episodes', choice, allowed)
    if has_triggers and choice != COMMANDS:
        raise ConfigError('--episodes', choice, f'--trigger gives commands: use {COMMANDS}')
    return choice


def plan_episodes(
    bag: Bag,
    choice: str,
    settings: Settings,
    namespace: str,
    triggers: Sequence[TriggerRule] = (),
    *,
    has_others: bool = False,
) -> list[Span]:
    """
    Return the episodes of a bag, in order. Reads the topics that tell of them.

    What is damaged there becomes a remark of the bag.

    :param choice: from ``episodes_choice``
    :param settings: settings of the recorder
    :param namespace: namespace of the recorder, such as ``/left``
    :param triggers: triggers that replace those of the settings
    :param has_others: True if other bags are imported as well
    :raise ConfigError: if the choice cannot be used, or gives no episode
    """
    if choice == WHOLE:
        return [Span(bag.begin_ns or 0, bag.end_ns or 0)]
    if choice == FILES:
        return _spans_of_files(bag)
    if choice not in CHOICES:
        return spans_of_table(Path(choice), bag, has_others=has_others)
    takes, refusals = Takes(), ''
    if choice == EVENTS:
        problems = str(_hear_events(bag, takes, namespace))
    else:
        operator = hear_commands(bag, takes, settings, namespace, triggers)
        problems, refusals = str(operator.problems), str(operator.refusals)
        if settings.rules.automatic.is_on:
            why = 'automatic episodes (auto) cannot be made of commands: see --episodes events'
            bag.tell(Remark(bag.path, why))
    if problems:
        bag.tell(Remark(bag.path, problems))
    unconfirmed = takes.end()
    if left_out := str(takes):
        bag.tell(Remark(bag.path, f'episodes that are left out: {left_out}'))
    for take in unconfirmed:
        why = f'it ends before the recorder had saved episode {take.index}, which is imported'
        bag.tell(Remark(bag.path, why))
    if not takes.saved:
        found = '; '.join(filter(None, (str(takes) or 'none was begun', refusals, problems)))
        why = f'{bag.path}: no episode was saved: {found}; --episodes bag imports all of it'
        raise ConfigError('--episodes', choice, why)
    return [_usable(bag, take.span(), settings) for take in takes.saved]


def _spans_of_files(bag: Bag) -> list[Span]:
    spans: list[Span] = []
    for begin_ns, end_ns in bag.file_spans:
        # A recorder that writes in several threads may put a message into the next file.
        begin_ns = max(begin_ns, spans[-1].end_ns if spans else 0)
        if end_ns > begin_ns:
            spans.append(Span(begin_ns, end_ns))
    if not spans:
        raise ConfigError('--episodes', FILES, f'{bag.path} has no file with messages')
    return spans


def _hear_events(bag: Bag, takes: Takes, namespace: str) -> Complaints:
    """Let the takes hear the events; return what is no event."""
    topic = full_topic_name(EVENTS_TOPIC, recorder_node_name(namespace))
    types = bag.types_of(topic)
    if STRING not in types:
        why = f'{bag.path} has {topic} as {" and as ".join(sorted(types))}, not as {STRING}'
        raise ConfigError('--episodes', EVENTS, why if types else lacks(bag, (topic,)))
    problems = Complaints(f'messages on {topic} that are no events')
    for message in bag.messages((topic,)):
        try:
            line = bag.decode(message.type_name, message.data).data
            told = read_event(message.receive_ns, line)
        except (MessageError, ValueError) as error:  # noqa: PERF203
            problems.add(error)
        else:
            if told is not None:
                takes.hear(told)
    return problems


def _usable(bag: Bag, span: Span, settings: Settings) -> Span:
    """Return a span without the marks for which the dataset has no column, and remark on them."""
    lacking = {}
    if settings.recorder.subtasks == NO_SUBTASKS:
        lacking[Verb.SUBTASK] = 'subtasks are left out: set subtasks to language or index'
    if not is_driver_told(settings):
        lacking[Verb.INTERVENE] = 'who drives is left out: see hil.enabled and hil.intervention'
    kept: list[Mark] = []
    for mark in span.marks:
        if why := lacking.get(mark.command.verb):
            bag.tell(Remark(bag.path, why))
        else:
            kept.append(mark)
    return replace(span, marks=tuple(kept))
