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
The events of the real machine, recorded in a bag, give the episodes that it saved.

Guards against events that change and are then read in another way, and against rules for the
commands in a bag that are not those of the machine.
"""

from __future__ import annotations

from dataclasses import replace
import json
import random

from bags import JAZZY, write_bag
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.fleet.planning.bag_episodes import plan_episodes
from lerobot_streamrec.fleet.reading.bag_reader import open_bag
from lerobot_streamrec.recording.operating.command import Verb
from lerobot_streamrec.recording.operating.config import OperatingConfig
from lerobot_streamrec.settings.recorder_settings import Settings
import pytest

STRING = 'std_msgs/msg/String'
# A slow machine refuses nothing.
CONFIG = {'is_hil': True, 'subtasks': 'language', 'max_pending_episodes': 32}
COMMANDS = (
    *('start', 'start fold', 'save', 'save success', 'save failure', 'rotate', 'rotate pour'),
    *('toggle', 'toggle', 'discard', 'undo', 'pause', 'resume', 'subtask reach', 'intervene'),
    *('intervene on', 'intervene off', 'verdict failure', 'verdict none', "note it's wet"),
)


class Beside:
    """A recorder whose commands and events are recorded in a bag beside."""

    def __init__(self, drive, tmp_path, **rules):
        self.driver = drive(CONFIG, **rules)
        self.config = OperatingConfig(**rules)
        self.messages = []
        self.path = tmp_path
        self.driver.room.publish = lambda event: self._write('events', event.as_json(1.8e9))

    def _write(self, topic, data):
        message = JAZZY.types[STRING](data=data)
        content = bytes(JAZZY.serialize_cdr(message, STRING))
        self.messages.append((f'/episode/{topic}', STRING, self.driver.rig.now_ns, content))

    def press(self, text, seconds=0.0):
        self._write('command', text)
        answer = self.driver.press(text)
        self.driver.run(seconds)
        return answer

    def plan(self, choice, change=lambda event: event):
        """Return the episodes of a bag with these messages, the events of which are changed."""
        messages = []
        for topic, kind, now_ns, content in self.messages:
            if topic.endswith('events'):
                event = change(json.loads(JAZZY.deserialize_cdr(content, STRING).data))
                message = JAZZY.types[STRING](data=json.dumps(event))
                content = bytes(JAZZY.serialize_cdr(message, STRING))
            messages.append((topic, kind, now_ns, content))
        bag = open_bag(write_bag(self.path / f'bag_{choice}_{change.__name__}', messages))
        settings = Settings(self.driver.rig.config, (), self.config)
        return plan_episodes(bag, choice, settings, '/')


def without_keys(event):
    """Return an event as recorders wrote it that had no keys for tasks and texts."""
    return {key: event[key] for key in ('verb', 'success', 'message', 'episode', 'source')}


def episodes_of(beside):
    """Return tasks and texts of the episodes that the recorder has saved."""
    return [
        (one.tasks[0], {key: one.texts[key] for key in ('verdict', 'notes') if one.texts.get(key)})
        for one in read_catalog(beside.driver.rig.config.root).episodes
    ]


@pytest.mark.parametrize('seed', range(4))
def test_events_and_commands_give_what_the_recorder_saved(seed, drive, tmp_path):
    beside = Beside(drive, tmp_path, min_episode_s=1.0, pauses_at_takeover=bool(seed % 2))
    choice = random.Random(seed)
    for _ in range(60):
        beside.press(choice.choice(COMMANDS), choice.choice((0.1, 3.0)))
    beside.press('discard')
    # It waits for all saves.
    assert beside.press('finalize').success
    spans = beside.plan('events')
    said = [(span.task or 'pick the cube', dict(span.texts)) for span in spans]
    assert said == episodes_of(beside)
    assert said
    commands = beside.plan('commands')
    assert [(one.begin_ns, one.end_ns, one.texts, one.marks) for one in commands] == [
        (one.begin_ns, one.end_ns, one.texts, one.marks) for one in spans
    ]
    assert [span.task or 'pick the cube' for span in commands] == [one.task for one in spans]
    # An older recorder did not tell the verdict of a save.
    older = beside.plan('events', without_keys)
    notes = [replace(one, texts={'notes': one.texts.get('notes')}) for one in spans]
    assert [replace(one, texts={'notes': one.texts.get('notes')}) for one in older] == notes


def test_what_is_said_later_and_of_earlier_episodes_is_found(drive, tmp_path):
    beside = Beside(drive, tmp_path, min_episode_s=0.0)
    for text in ('start fold', 'save', 'start', 'save success', 'verdict none', 'note 0: wet'):
        assert beside.press(text, 1.0).success
    for text in ('start pour', 'verdict failure 1', 'verdict success', 'note 9: lost'):
        beside.press(text, 1.0)
    beside.press('intervene on', 1.0)
    beside.press('save', 1.0)
    beside.press('start', 1.0)
    beside.press('save', 1.0)
    for change in (lambda event: event, without_keys):
        spans = beside.plan('events', change)
        assert [(span.task, dict(span.texts)) for span in spans] == episodes_of(beside)
        drivers = [[str(mark.command) for mark in span.marks] for span in spans]
        assert drivers == [[], [], ['intervene on'], ['intervene on']]
    assert {mark.command.verb for span in spans for mark in span.marks} == {Verb.INTERVENE}


def test_an_episode_that_failed_or_ended_by_itself(drive, tmp_path):
    beside = Beside(drive, tmp_path, min_episode_s=0.0)
    beside.press('start', 1.0)
    beside.driver.rig.push('observation.images.top', beside.driver.rig.now_ns + 1, height=80)
    beside.driver.run(0.5)
    assert not beside.press('save').success
    beside.press('start fold', 1.0)
    ended_ns = beside.driver.rig.now_ns
    beside.driver.rig.recorder.save().result(120)
    beside.driver.machine.tick()
    (span,) = beside.plan('events')
    assert (span.task, span.end_ns) == ('fold', ended_ns)
