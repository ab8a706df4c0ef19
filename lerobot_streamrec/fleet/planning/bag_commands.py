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
"""
Episodes by the commands in a bag: of topics, triggers and a gamepad.

They are carried out by the rules of a live recorder, so a repeat counts once, and what it would
refuse is refused. Only the readiness of streams and the dataset are left to the import.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from lerobot_streamrec.dataset.format.episode_table import VERDICTS
from lerobot_streamrec.errors import ConfigError, EpisodeError, MessageError
from lerobot_streamrec.fleet.planning.bag_takes import Complaints, Takes, Told
from lerobot_streamrec.fleet.reading.bag_parts import Message
from lerobot_streamrec.fleet.reading.bag_reader import Bag
from lerobot_streamrec.recording.operating.command import (
    Command,
    COMMAND_TOPIC,
    OFF,
    ON,
    parse_command,
    SAID,
    SAYING,
    Slips,
    split_sender,
    TASK_TOPIC,
    Verb,
)
from lerobot_streamrec.recording.operating.events import SAVED
from lerobot_streamrec.recording.operating.presses import Binding, Presses
from lerobot_streamrec.settings.recorder_settings import NODE_NAME, recorder_node_name, Settings
from lerobot_streamrec.settings.senses import find_sense, Repetition
from lerobot_streamrec.settings.teleop_settings import (
    JOY_TYPE,
    TeleopSettings,
    TriggerRule,
    TRIGGERS,
)
from lerobot_streamrec.settings.topic_names import full_topic_name
from lerobot_streamrec.sync.row_clock import NS_PER_S

STRING = 'std_msgs/msg/String'

_BETWEEN = (Verb.START, Verb.UNDO, Verb.FINALIZE)
_DURING = (Verb.SAVE, Verb.DISCARD, Verb.ROTATE, Verb.PAUSE, Verb.RESUME, Verb.SUBTASK)

Ear = Callable[[Message, Any], None]
"""A function that takes a message, and the same decoded."""
Give = Callable[[int, str], None]
"""A function that takes the time of a command in nanoseconds, and the command."""


def _hear_text(give: Give, message: Message, decoded: Any) -> None:
    give(message.receive_ns, decoded.data)


class Operator:
    """
    Carries commands out as a recorder would have done. Owned by one thread.

    :param takes: hears what the recorder would have told
    :param settings: settings of the recorder
    """

    def __init__(self, takes: Takes, settings: Settings) -> None:
        self._takes = takes
        self._settings = settings
        self._slips = Slips(settings.rules)
        self._task = ''
        self.refusals = Complaints('refused commands')
        self.problems = Complaints('messages without a command')

    def set_task(self, _at_ns: int, task: str) -> None:
        """Set the task of the episodes that begin from now on."""
        self._task = task.strip()

    def hear(self, at_ns: int, text: str) -> None:
        """
        Carry a command out, unless it repeats the one just given.

        :param at_ns: its receive time, in nanoseconds
        :param text: the command, which may be signed
        """
        try:
            command = parse_command(split_sender(text)[1])
        except EpisodeError as error:
            self.problems.add(error)
        else:
            if not self._slips.is_repeat(command, at_ns):
                self.carry_out(at_ns, command)

    def say(self, verb: Verb, at_ns: int, text: str) -> None:
        """Carry out what a topic says about an episode, even if it is repeated."""
        self.carry_out(at_ns, Command(verb, text))

    def carry_out(self, at_ns: int, command: Command) -> None:
        """
        Carry a command out, even if it repeats the one just given.

        :param at_ns: its receive time, in nanoseconds
        """
        verb, is_running = command.verb, self._takes.running is not None
        if verb is Verb.TOGGLE:
            verb = Verb.SAVE if is_running else Verb.START
        elif verb is Verb.ROTATE and not is_running:
            verb = Verb.START
        if refusal := self._refusal(verb, command, at_ns):
            self.refusals.add(f'{command}: {refusal}')
        else:
            self._tell(at_ns, verb, command.text)

    def _refusal(self, verb: Verb, command: Command, at_ns: int) -> str:
        """Return why the machine or the recorder would refuse a command; empty: they would not."""
        take, text = self._takes.running, command.text.strip()
        is_first = take is None and not self._takes.saved
        is_paused = take is not None and take.is_paused
        reasons = {
            'an episode is being recorded': take is not None and verb in _BETWEEN,
            'no episode is being recorded': take is None and verb in _DURING,
            'there is no saved episode': is_first and verb in (Verb.UNDO, *SAYING),
            'only events tell which episode has this index': command.episode is not None,
            'the episode is paused already': is_paused and verb is Verb.PAUSE,
            'the episode is not paused': not is_paused and verb is Verb.RESUME,
            'the subtask has no text': not text and verb is Verb.SUBTASK,
            f'a verdict is {" or ".join(VERDICTS)}': verb is Verb.VERDICT
            and text not in ('', *VERDICTS),
            'commands do not say who drives, see hil.enabled': verb is Verb.INTERVENE
            and not is_driver_told(self._settings),
        }
        for reason, holds in reasons.items():
            if holds:
                return reason
        if take is not None and verb in (Verb.SAVE, Verb.ROTATE):
            return self._slips.refusal(len(self._takes.saved), take.seconds(at_ns), at_ns)
        return ''

    def _tell(self, at_ns: int, verb: Verb, text: str) -> None:
        """Tell what the recorder would have told, with indices that count from zero."""
        takes, index = self._takes, len(self._takes.saved)
        if verb in (Verb.START, Verb.ROTATE):
            self._task = text or self._task
        if verb is Verb.INTERVENE:
            text = self._driver(text)
        about = index
        if verb is Verb.ROTATE:
            about = index + 1
        elif verb in SAYING and takes.running is None:
            about = index - 1
        takes.hear(Told(at_ns, verb.value, text, self._task, about))
        if verb in (Verb.SAVE, Verb.ROTATE):
            takes.hear(Told(at_ns, SAVED, episode=index))

    def _driver(self, word: str) -> str:
        """Return who drives after ``intervene``, as the text of its event says it."""
        takes = self._takes
        if takes.is_taking_over:
            return OFF if word == OFF else ON
        is_human = word == ON if word else not takes.is_human
        is_recording = takes.running is not None and not takes.running.is_paused
        is_new = is_human and not takes.is_human
        if self._settings.rules.pauses_at_takeover and is_recording and is_new:
            return ''
        return ON if is_human else OFF


def is_driver_told(settings: Settings) -> bool:
    """Return whether the command ``intervene`` says who drives, and not a topic."""
    recorder = settings.recorder
    return recorder.is_hil and not any(one.is_intervention for one in recorder.streams)


class _Trigger:
    """The presses on a topic. Owned by one thread."""

    def __init__(
        self, rule: TriggerRule, message_type: str, debounce_s: float, bag: Bag, give: Give
    ) -> None:
        self._begin_ns = bag.begin_ns or 0
        self._command = rule.command
        self._sense = find_sense(rule, message_type, debounce_s, bag.fields)
        self._repetition = Repetition()
        self._give = give

    def hear(self, message: Message, decoded: Any) -> None:
        content = self._sense.content(decoded)
        now_s = (message.receive_ns - self._begin_ns) / NS_PER_S
        if content is None:
            return
        is_first = self._repetition.push(content, message.publish_ns or 0, now_s)
        if self._sense.push(content, now_s, is_first=is_first):
            self._give(message.receive_ns, self._command)


class _Gamepad:
    """The presses of a gamepad's buttons. Owned by one thread."""

    def __init__(self, settings: TeleopSettings, begin_ns: int, give: Give) -> None:
        self._begin_ns = begin_ns
        self._presses = Presses(
            settings.bindings,
            long_press_s=settings.long_press_s,
            debounce_s=settings.debounce_s,
        )
        self._repetition = Repetition()
        self._num_buttons = -1
        self._give = give

    def hear(self, message: Message, decoded: Any) -> None:
        self.tick(message.receive_ns)
        now_s = (message.receive_ns - self._begin_ns) / NS_PER_S
        buttons = list(decoded.buttons)
        content = (buttons, list(decoded.axes))
        is_first = self._repetition.push(content, message.publish_ns or 0, now_s)
        if is_first or len(buttons) != self._num_buttons:
            self._presses.forget()
        self._num_buttons = len(buttons)
        down = {number for number, value in enumerate(buttons) if value}
        self._tell(message.receive_ns, self._presses.see(down, now_s))

    def tick(self, now_ns: int) -> None:
        """Give the commands of presses that became long, or ended, until now."""
        now_s = (now_ns - self._begin_ns) / NS_PER_S
        while (due_s := self._presses.due_s) <= now_s and not self._repetition.is_late(due_s):
            at_ns = self._begin_ns + round(due_s * NS_PER_S)
            self._tell(at_ns, self._presses.tick(due_s))

    def _tell(self, at_ns: int, meant: Sequence[Binding]) -> None:
        for one in meant:
            self._give(at_ns, one.command)


def hear_commands(
    bag: Bag,
    takes: Takes,
    settings: Settings,
    namespace: str,
    triggers: Sequence[TriggerRule] = (),
) -> Operator:
    """
    Read the commands in a bag.

    :param takes: hears what the recorder would have told
    :param settings: settings of the recorder, with its own triggers and gamepad
    :param namespace: namespace of the recorder
    :param triggers: triggers that replace those of the settings, all of which the bag has to have
    :return: the operator, after the last command
    :raise ConfigError: if a trigger cannot be used, or the bag has no topic with commands
    """
    name = partial(full_topic_name, node_name=recorder_node_name(namespace))
    operator, teleop = Operator(takes, settings), settings.teleop
    hearers: dict[str, Give] = {COMMAND_TOPIC: operator.hear, TASK_TOPIC: operator.set_task}
    hearers |= {f'~/{topic}': partial(operator.say, verb) for topic, verb in SAID.items()}
    ears: defaultdict[tuple[str, str], list[Ear]] = defaultdict(list)
    for topic, hearer in hearers.items():
        ears[name(topic), STRING].append(partial(_hear_text, hearer))
    gamepad = _Gamepad(teleop, bag.begin_ns or 0, operator.hear)
    joy = name(teleop.joy_topic) if teleop.bindings else ''
    ears[joy, JOY_TYPE].append(gamepad.hear)
    begins = [name(COMMAND_TOPIC), *([joy] if joy else [])]
    for rule in triggers or teleop.triggers:
        topic = name(rule.topic)
        begins.append(topic)
        try:
            for kind in _types(bag, topic, is_needed=bool(triggers)):
                trigger = _Trigger(rule, kind, teleop.debounce_s, bag, operator.hear)
                ears[topic, kind].append(trigger.hear)
        except ConfigError as error:
            parameter = '--trigger' if triggers else TRIGGERS
            raise ConfigError(parameter, rule.text, error.allowed) from error
    if not any(bag.types_of(topic) for topic in begins):
        raise ConfigError('--episodes', 'commands', lacks(bag, begins))
    for message in bag.messages({topic for topic, _ in ears}):
        gamepad.tick(message.receive_ns)
        for ear in ears.get((message.topic, message.type_name), ()):
            if problem := _pass_on(bag, message, ear):
                operator.problems.add(problem)
    gamepad.tick(bag.end_ns or 0)
    return operator


def _types(bag: Bag, topic: str, *, is_needed: bool) -> list[str]:
    """Return the type of a topic; none if the bag need not have it."""
    types = sorted(bag.types_of(topic))
    if len(types) > 1:
        why = f'{topic} is recorded as {" and as ".join(types)}: only one type can be heard'
        raise ConfigError(topic, types, why)
    if is_needed and not types:
        raise ConfigError(topic, types, lacks(bag, (topic,)))
    return types


def _pass_on(bag: Bag, message: Message, ear: Ear) -> str:
    """Let an ear hear a message; return why it cannot, empty if it does."""
    try:
        ear(message, bag.decode(message.type_name, message.data))
    except MessageError as error:
        return f'{message.topic}: {error}'
    return ''


def lacks(bag: Bag, topics: Sequence[str]) -> str:
    """Return a sentence about topics that a bag lacks, and the way to import it nevertheless."""
    there = sorted({one.name for one in bag.topics})
    asked = topics[0] if len(topics) == 1 else f'such as {", ".join(topics)}'
    _, of_node, last = f'/{topics[0]}'.rpartition(f'/{NODE_NAME}/')
    others = [one for one in there if of_node and one.endswith(of_node + last)]
    advice = '--episodes bag imports all of it'
    if others:
        namespace = others[0].removesuffix(of_node + last) or '/'
        advice = f'--namespace {namespace} reads {others[0]}'
    return f'{bag.path} has no topic {asked}; it has {", ".join(there) or "none"}; {advice}'
