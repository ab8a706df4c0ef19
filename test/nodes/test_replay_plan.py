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
The topics of a replay, and the instants of its rows.

Guards against topics that are taken from a record that does not fit, time that runs backwards, and
stamps whose phase drifts away from the rows of the next recording.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

from filled_messages import load_class
from lerobot_streamrec.conversions.selector import parse_selectors
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.features import (
    camera_feature,
    DONE,
    FeatureSpec,
    SINGLE_FLAG,
    SUBTASK_FEATURES,
    SUCCESS,
    vector_feature,
)
from lerobot_streamrec.dataset.format.info import DatasetInfo, with_defaults
from lerobot_streamrec.dataset.format.layout import FileIndex
from lerobot_streamrec.dataset.rebuild.played_episode import PlayedEpisode
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.replay.schedule import ReplaySettings, schedule_of, stream_instants
from lerobot_streamrec.playback.messages import Numbers
from lerobot_streamrec.playback.streams import plan_of
from lerobot_streamrec.sync.row_clock import Policy
import numpy as np
import pytest

pytestmark = [pytest.mark.ros]

FRONT, STATE, ACTION = 'observation.images.front', 'observation.state', 'action'
FPS, ROWS = 30, 4
PERIOD_NS = 33_333_333
START_NS = 1_800_000_000 * 10**9 + 7
FEATURES = {
    FRONT: camera_feature(48, 64),
    STATE: vector_feature(('x', 'y', 'z')),
    ACTION: vector_feature(('x',)),
}
JOINTS = 'sensor_msgs/msg/JointState'
STREAMS = {
    FRONT: {'topic': '/front/image_raw/compressed', 'policy': 'hold', 'offset_ms': -30.0},
    f'{STATE}.arm': {
        'topic': '/arm',
        'feature': STATE,
        'type': JOINTS,
        'selectors': ['position[x]', 'velocity[x]'],
        'names': ['x', 'y'],
    },
    f'{STATE}.base': {
        'topic': 'base',
        'policy': 'interpolate',
        'feature': STATE,
        'type': 'std_msgs/msg/Float32',
        'selectors': ['data'],
        'names': ['z'],
    },
    ACTION: {
        'topic': '/command',
        'policy': 'nearest',
        'feature': ACTION,
        'type': 'std_msgs/msg/Int16',
        'selectors': ['data'],
        'names': ['x'],
    },
}
SETTINGS = ReplaySettings(
    root=Path('/data'),
    episode=0,
    rate=1.0,
    is_endless=False,
    stamp='now',
    prefix='',
    streams=(),
    lead_s=0.0,
    hold_last_s=0.0,
    is_forced=False,
)


def make_episode(streams, features=FEATURES, **changes):
    return PlayedEpisode(
        root=Path('/data'),
        info=DatasetInfo(FPS, None, with_defaults(features), total_episodes=3),
        row=EpisodeRow(1, ('t',), ROWS, 0, FileIndex(), FileIndex(), {}, {}),
        record=changes.pop('record', {}),
        stamps=changes.pop('stamps', {}),
        streams=streams,
        told_by=changes.pop('told_by', 1),
    )


def told(plan):
    return {one.key: (one.topic, one.message_type) for one in plan.streams}


def test_streams_are_those_of_the_record():
    plan = plan_of(make_episode(STREAMS))
    assert told(plan) == {
        FRONT: ('/front/image_raw', 'sensor_msgs/msg/Image'),
        f'{STATE}.arm': ('/arm', JOINTS),
        f'{STATE}.base': ('base', 'std_msgs/msg/Float32'),
        ACTION: ('/command', 'std_msgs/msg/Int16'),
    }
    front, arm, base, action = plan.streams
    assert (front.offset_ns, arm.begin, base.begin) == (-30_000_000, 0, 2)
    assert (base.policy, action.policy) == (Policy.INTERPOLATE, Policy.NEAREST)
    assert plan.remarks == []
    assert not plan.has_clock


def test_a_neighbour_s_topics_and_a_clock_are_told():
    streams = {**STREAMS, FRONT: {**STREAMS[FRONT], 'is_clock': True}}
    plan = plan_of(make_episode(streams, told_by=2))
    assert plan.remarks == [
        'the record of this episode names no topics, so the topics of episode 2 are used'
    ]
    assert plan.has_clock


def test_without_a_record_topics_are_made_of_keys():
    features = {
        **FEATURES,
        'observation.images.2nd-view': camera_feature(48, 64),
        'other.front': camera_feature(48, 64),
        'next.done': FeatureSpec('bool', (1,)),
        'matrix': FeatureSpec('float32', (2, 3)),
        'note': FeatureSpec('string', (1,)),
    }
    plan = plan_of(make_episode({}, features, told_by=None))
    assert told(plan) == {
        FRONT: ('/observation/images/front/image', 'sensor_msgs/msg/Image'),
        STATE: ('/state', JOINTS),
        ACTION: ('/action', JOINTS),
        'observation.images.2nd-view': ('/_2nd_view/image', 'sensor_msgs/msg/Image'),
        'other.front': ('/other/front/image', 'sensor_msgs/msg/Image'),
        'next.done': ('/next/done', JOINTS),
        'matrix': ('/matrix', JOINTS),
    }
    assert {one.key: one.names for one in plan.streams}['matrix'] == tuple('012345')
    assert 'note is left out: it has no numbers (string)' in plan.remarks
    assert f'the messages of {STATE} are not described: it is published on /state' in str(
        plan.remarks
    )


@pytest.mark.parametrize(
    'wrong',
    [
        {'type': ''},
        {'names': ['x', 'q']},
        {'names': 3},
        {'selectors': ['x.']},
        {'policy': 'newest'},
        {'offset_ms': float('inf')},
    ],
)
def test_what_a_record_does_not_tell_whole_is_published_as_joints(wrong):
    streams = {**STREAMS, f'{STATE}.arm': {**STREAMS[f'{STATE}.arm'], **wrong}}
    plan = plan_of(make_episode(streams))
    assert told(plan)[STATE] == ('/state', JOINTS)
    assert len(plan.remarks) == 1


def test_a_record_from_before_types_were_kept_tells_topics():
    streams = {ACTION: {'topic': '/command', 'policy': 'nearest', 'offset_ms': 5.0}}
    (action,) = plan_of(make_episode(streams), ['action']).streams
    assert (action.topic, action.message_type) == ('/command', JOINTS)
    assert (action.policy, action.offset_ns) == (Policy.NEAREST, 5_000_000)


def test_streams_are_chosen_by_key_or_last_part():
    assert list(told(plan_of(make_episode(STREAMS), ['front', 'action']))) == [FRONT, ACTION]
    with pytest.raises(ConfigError, match=f"streams is 'wrist': .* has {FRONT}, {STATE}, action"):
        plan_of(make_episode(STREAMS), ['wrist'])


def test_a_policy_s_topic_gets_the_actions_of_whoever_drove():
    """The columns that the recorder made itself have no topic."""
    own = {'intervention': SINGLE_FLAG, **dict.fromkeys((DONE, SUCCESS), SINGLE_FLAG)}
    leader = {**STREAMS[ACTION], 'topic': '/leader', 'when_intervening': True}
    streams = {**STREAMS, f'{ACTION}.when_intervening': leader}
    plan = plan_of(make_episode(streams, {**FEATURES, **own, **SUBTASK_FEATURES}))
    assert [one.topic for one in plan.streams if one.feature == ACTION] == ['/command']
    assert not {one.feature for one in plan.streams} & {*own, *SUBTASK_FEATURES}
    assert plan.remarks == []
    asked = plan_of(make_episode(STREAMS, {**FEATURES, **own}), ['intervention'])
    assert [one.topic for one in asked.streams] == ['/intervention']



def shown(episode, settings, stream):
    """Return each showing's row and instant."""
    schedule = schedule_of(episode, settings)
    instants = stream_instants(stream, schedule, episode, is_between=True)
    return [
        (step.row, int(instants[step.row]) + step.shift_ns)
        for step in islice(schedule.steps(), 20)
    ]


def test_rows_are_whole_periods_apart_before_and_after_the_episode_too():
    episode = make_episode(STREAMS)
    front, *_, action = plan_of(episode).streams
    settings = replace(SETTINGS, lead_s=0.1, hold_last_s=0.07)
    rows = [0, 0, 0, 0, 1, 2, 3, 3, 3]
    assert shown(episode, settings, front) == [
        (row, number * PERIOD_NS) for number, row in enumerate(rows, start=-3)
    ]
    # A sample that a row shows by nearness stands where the next recorder puts the row.
    half_ns = PERIOD_NS // 2
    assert shown(episode, SETTINGS, action) == [
        (row, row * PERIOD_NS + half_ns) for row in range(ROWS)
    ]
    assert schedule_of(episode, settings).due_ns(0) == 3 * PERIOD_NS
    assert schedule_of(episode, replace(SETTINGS, rate=2.0)).rows_ns[1] == PERIOD_NS // 2


def test_rounds_go_on_one_period_after_the_last_row():
    episode = make_episode(STREAMS)
    front = plan_of(episode).streams[0]
    found = shown(episode, replace(SETTINGS, is_endless=True), front)
    assert found == [(k % ROWS, k * PERIOD_NS) for k in range(20)]


def test_recorded_instants_are_those_of_the_samples():
    stamps = {
        'row': START_NS + np.array([0, 40, 70, 100]) * 10**6,
        FRONT: START_NS + np.array([-10, 30, 30, 95]) * 10**6,
        f'{STATE}.base': START_NS + np.array([-1, 41, 69, 101]) * 10**6,
    }
    episode = make_episode(STREAMS, stamps=stamps)
    front, arm, base, _ = plan_of(episode).streams
    settings = replace(SETTINGS, stamp='recorded', rate=0.5, is_endless=True)
    schedule = schedule_of(episode, settings)
    assert (schedule.begin_ns, schedule.due_ns(10)) == (START_NS, 20)
    found = [instant / 10**6 for _, instant in shown(episode, settings, front)]
    assert found[:4] == [-10, 30, 30, 95]
    assert found[4] == pytest.approx(100 + PERIOD_NS / 10**6 - 10)
    assert all(before <= after for before, after in pairwise(found))
    for one in (arm, base):
        # Nothing is kept of the one; the other's values were computed for the rows.
        assert [instant for _, instant in shown(episode, settings, one)][:4] == [
            0,
            40 * 10**6,
            70 * 10**6,
            100 * 10**6,
        ]


def test_without_stamps_of_rows_the_record_tells_the_beginning_and_the_pauses():
    cut = {'row': 2, 'from_ns': START_NS + PERIOD_NS, 'to_ns': START_NS + 10**9}
    episode = make_episode(STREAMS, record={'start_stamp_ns': START_NS, 'cuts': [cut]})
    schedule = schedule_of(episode, replace(SETTINGS, stamp='recorded'))
    assert schedule.begin_ns == START_NS
    assert schedule.rows_ns.tolist() == [0, PERIOD_NS, 10**9, 10**9 + PERIOD_NS]
    with pytest.raises(ConfigError, match='the dataset does not say when episode 1 was recorded'):
        schedule_of(make_episode(STREAMS), replace(SETTINGS, stamp='recorded'))


def test_what_cannot_be_put_back_is_published_as_joints_and_what_is_rounded_is_told():
    plan = plan_of(make_episode(STREAMS))
    action = plan.streams[-1]
    numbers = Numbers([action], [np.array([[1.0], [2.5]], np.float32)], load_class)
    assert numbers.message_type == 'std_msgs/msg/Int16'
    assert 'rounded are action x' in numbers.remarks[0]
    unknown = replace(action, message_type='nobody_msgs/msg/Has')
    numbers = Numbers([unknown], [np.array([[1.0], [2.5]], np.float32)], load_class)
    assert numbers.message_type == JOINTS
    assert '/command is published as sensor_msgs/msg/JointState, not as' in numbers.remarks[0]
    message = numbers.message(1)
    assert (message.name, list(message.position)) == (['x'], [2.5])


def test_every_row_has_to_be_read_from_its_message():
    """The first row's number is the one by which the element is found, the second row's is not."""
    selectors, names = ['fields[datatype=7].offset', 'fields[0].datatype'], ['x', 'y']
    told = {'type': 'sensor_msgs/msg/PointCloud2', 'selectors': selectors, 'names': names}
    features = {STATE: vector_feature(tuple(names))}
    (skin,) = plan_of(make_episode({STATE: {'topic': '/skin', **told}}, features)).streams
    good = Numbers([skin], [np.array([[4.0, 7.0], [5.0, 7.0]], np.float32)], load_class)
    assert (good.message_type, good.message(1).fields[0].offset) == (told['type'], 5)
    bad = Numbers([skin], [np.array([[4.0, 7.0], [5.0, 8.0]], np.float32)], load_class)
    assert bad.message_type == JOINTS
    assert 'fields has no element whose datatype is 7; found 8' in bad.remarks[0]


def test_points_of_a_cloud_are_published_as_joints():
    selectors, names = ['points[0:2].z'], ['points[0].z', 'points[1].z']
    told = {'type': 'sensor_msgs/msg/PointCloud2', 'selectors': selectors, 'names': names}
    features = {STATE: vector_feature(tuple(names))}
    (skin,) = plan_of(make_episode({STATE: {'topic': '/skin', **told}}, features)).streams
    assert skin.message_type == told['type']
    numbers = Numbers([skin], [np.array([[1.0, 2.5]], np.float32)], load_class)
    assert numbers.message_type == JOINTS
    assert 'points[0:2].z selects points of a cloud, which are not made' in numbers.remarks[0]
    message = numbers.message(0)
    assert (message.name, list(message.position)) == (names, [1.0, 2.5])


def test_topics_of_several_features_bring_all_of_them_in_one_message():
    plan = plan_of(make_episode(STREAMS))
    arm = plan.streams[1]
    selectors = parse_selectors('action', ['effort[q]'])
    effort = replace(arm, key='action', selectors=selectors, names=('q',))
    numbers = Numbers([arm, effort], [np.array([[1.0, 2.0]]), np.array([[3.0]])], load_class)
    message = numbers.message(0)
    assert message.name == ['x', 'q']
    assert [list(one) for one in (message.position, message.velocity, message.effort)] == [
        [1.0, 0.0],
        [2.0, 0.0],
        [0.0, 3.0],
    ]
