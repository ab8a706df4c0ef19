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
One tree per recorder in every tool that shows diagnostics.

The tools are not installed here. Their treatment of names and hardware ids is written again below,
from their sources: rqt_robot_monitor (branch ros2, 2024-03), diagnostic_aggregator (ros2-jazzy)
and the diagnostics panels of Lichtblick (2026-08), the open continuation of Foxglove Studio.
"""

from __future__ import annotations

import socket

from lerobot_streamrec.nodes.status_messages import recorder_message, Sender, stream_message
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.operating.status import OperatingStatus, Phase
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
import pytest
from recorder_rig.parameters import FRONT_KEY, FRONT_TOPIC, STATE_KEY, STATE_TOPIC

OTHER = 'Other'


@pytest.fixture(scope='module')
def status(tmp_path_factory):
    streams = (
        StreamConfig(FRONT_KEY, FRONT_TOPIC),
        StreamConfig(STATE_KEY, STATE_TOPIC, names=('a', 'b')),
    )
    root = tmp_path_factory.mktemp('diagnostics') / 'dataset'
    recorder = Recorder(RecorderConfig(root, streams), lambda: 0)
    try:
        return recorder.status()
    finally:
        recorder.close(30.0)


def told_by(status, node, host, monkeypatch):
    """Return what the recorder on a computer publishes at once."""
    monkeypatch.setattr(socket, 'gethostname', lambda: host)
    sender = Sender.of(node, {})
    streams = [stream_message(stream, sender) for stream in status.streams]
    return [recorder_message(status, sender, OperatingStatus(Phase.READY)), *streams]


def rqt_tree(names):
    """Return the branches that rqt_robot_monitor shows for the names in one message."""
    tree = {}
    for name in names:
        place = tree
        for part in name.removeprefix('/').split('/'):
            place = place.setdefault(part, {})
        place[None] = {}
    return pruned(tree)


def pruned(tree):
    """Leave out branches that are no status themselves, with all that stands below them."""
    return {
        part: pruned(below)
        for part, below in tree.items()
        if part is not None and None in below
    }


def aggregated(messages, prefixes):
    """
    Return the names that the diagnostic aggregator publishes.

    :param prefixes: the only ``find_and_remove_prefix`` of each analyzer, by its path
    """
    items = {path: {} for path in (*prefixes, OTHER)}
    for message in messages:
        fits = [path for path, prefix in prefixes.items() if message.name.startswith(prefix)]
        for path in fits or [OTHER]:
            items[path][message.name] = message.name.replace('/', ' ')
    for path, prefix in prefixes.items():
        chaff = prefix.replace('/', ' ')
        for name, shown in items[path].items():
            items[path][name] = shown.removeprefix(chaff).lstrip(' ')
    found = []
    for path, shown in items.items():
        found += [f'/{path}', *(f'/{path}/{name}' for name in shown.values())]
    return found


def foxglove_groups(messages):
    """Return the names that can be selected together, by hardware id."""
    groups = {}
    for message in messages:
        groups.setdefault(message.hardware_id, set()).add(message.name)
    return groups


def names_of(messages):
    return [one.name for one in messages]


STREAMS = {FRONT_KEY: {}, STATE_KEY: {}}


@pytest.mark.parametrize(
    ('node', 'branch'),
    [
        ('/episode', 'episode: recorder'),
        ('/left/episode', 'left.episode: recorder'),
        ('/lab/left/recorder', 'lab.left.recorder: recorder'),
    ],
)
def test_streams_stand_below_their_recorder(status, monkeypatch, node, branch):
    told = told_by(status, node, 'arm-pc', monkeypatch)
    assert rqt_tree(names_of(told)) == {branch: STREAMS}
    # As the convention wants it: what is before the colon says the node.
    assert all(one.name.startswith(f'{branch.partition(":")[0]}: ') for one in told)


def test_names_with_the_slashes_of_a_namespace_would_not_be_shown():
    """This is why the names have dots; it shows that the tree above is not just a wish."""
    assert rqt_tree(['/left/episode: recorder', '/left/episode: observation.state']) == {}


def test_two_robots_are_two_trees(status, monkeypatch):
    told = [
        one
        for side in ('left', 'right')
        for one in told_by(status, f'/{side}/episode', 'arm-pc', monkeypatch)
    ]
    assert rqt_tree(names_of(told)) == {
        'left.episode: recorder': STREAMS,
        'right.episode: recorder': STREAMS,
    }
    # One analyzer for each robot, and nothing of one in the tree of the other.
    prefixes = {f'{side} robot': f'{side}.episode: ' for side in ('left', 'right')}
    below = {'recorder': {}} | {f'recorder {key}': {} for key in STREAMS}
    assert rqt_tree(aggregated(told, prefixes)) == {
        'left robot': below,
        'right robot': below,
        OTHER: {},
    }
    # Without analyzers all statuses stand under one branch, whatever their names are.
    unsorted = rqt_tree(aggregated(told, {}))
    assert list(unsorted) == [OTHER]
    assert len(unsorted[OTHER]) == len(told)
    groups = foxglove_groups(told)
    assert {key: len(names) for key, names in groups.items()} == {
        'arm-pc/left/episode': 3,
        'arm-pc/right/episode': 3,
    }


def test_two_computers_are_two_groups(status, monkeypatch):
    told = [
        one
        for host in ('arm-pc', 'base-pc')
        for one in told_by(status, '/episode', host, monkeypatch)
    ]
    groups = foxglove_groups(told)
    assert {key: len(names) for key, names in groups.items()} == {
        'arm-pc/episode': 3,
        'base-pc/episode': 3,
    }
    assert not any(key.startswith('/') for key in groups)
