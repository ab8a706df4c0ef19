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
The set-up page: the doctor's words on each topic, and a choice that becomes a parameter file.

Guards against a page that shows a stopped or badly stamped driver as if it were fit to record.
"""

from __future__ import annotations

import pytest

pytest.importorskip('starlette', reason='the console needs requirements/console.txt')

from lerobot_streamrec.console.setup_choice import (
    ChoiceError,
    chosen_proposal,
    Look,
    offered_camera,
    offered_vector,
)
from lerobot_streamrec.inspection.observation import CONTESTED, NUMBER_TYPES, SeenTopic
from lerobot_streamrec.inspection.proposal import propose
from seen_topics import ARRAY, camera, heard, joints, RELIABLE

pytestmark = [pytest.mark.ros]

WRENCH = 'geometry_msgs/msg/WrenchStamped'


def look_at(*topics, silent_s=None):
    vectors = tuple(one for one in topics if one.message_type in NUMBER_TYPES)
    return Look(propose(topics), vectors, {}, frozenset(), silent_s or {})


def problems_of(look, topic):
    found = [offered_camera(one, look, look.proposal) for one in look.proposal.cameras]
    found += [offered_vector(one, look, look.proposal) for one in look.vectors]
    (told,) = [one for one in found if one['topic'] == topic]
    return told, ' '.join(f'{one["text"]} {one["help"]}' for one in told['problems'])


def published(topic, *nodes):
    return type(topic)(
        **{name: getattr(topic, name) for name in topic.__slots__} | {'nodes': nodes}
    )


def test_a_robot_without_a_fault_has_no_problem():
    look = look_at(
        published(camera('/front/image_raw'), '/camera'),
        published(joints('/joint_states'), '/driver'),
    )
    for topic in ('/front/image_raw', '/joint_states'):
        told, text = problems_of(look, topic)
        assert (text, told['rate_hz'] > 1) == ('', True)


def test_the_page_has_the_words_of_the_doctor():
    slow = published(camera('/wrist/image_raw', rate_hz=30.0, delay_s=3.0), '/wrist_driver')
    look = look_at(
        published(camera('/front/image_raw'), '/front_driver'),
        slow,
        published(joints('/joint_states'), '/driver'),
    )
    _, text = problems_of(look, '/wrist/image_raw')
    assert 'synchronise the clocks, or set camera.wrist.offset_ms' in text
    assert problems_of(look, '/front/image_raw')[1] == ''


def test_a_driver_that_never_sent_is_named():
    silent = SeenTopic('/front/image_raw', 'sensor_msgs/msg/Image', RELIABLE, nodes=('/camera',))
    _, text = problems_of(look_at(silent), '/front/image_raw')
    assert '/camera publishes /front/image_raw, but no message came: check that' in text


def test_a_driver_that_has_stopped_is_not_shown_with_its_old_rate():
    topics = (
        published(camera('/front/image_raw'), '/camera'),
        published(joints('/joint_states'), '/driver'),
    )
    look = look_at(*topics, silent_s={'/front/image_raw': 4.0, '/joint_states': 0.4})
    told, text = problems_of(look, '/front/image_raw')
    assert told['rate_hz'] == 0
    assert 'No message has come for 4.0 s. Check that its driver runs.' in text
    told, text = problems_of(look, '/joint_states')
    assert (told['rate_hz'], text) == (60.0, '')


def test_a_slow_topic_is_not_silent_between_two_messages():
    slow = SeenTopic('/tool', WRENCH, RELIABLE, heard(rate_hz=0.5), nodes=('/tool',))
    told, _ = problems_of(look_at(slow, silent_s={'/tool': 4.0}), '/tool')
    assert told['rate_hz'] == 0.5


def test_useless_stamps_are_told_with_what_the_file_does_about_them():
    look = look_at(published(camera('/front/image_raw', num_zero=100), '/camera'))
    _, text = problems_of(look, '/front/image_raw')
    assert text.count('stamps are zero') == 1
    assert 'recorded by their arrival' in text


def choose(look, **roles):
    vectors = [
        {'id': topic.strip('/'), 'role': role, 'name': name}
        for topic, (role, name) in roles.pop('topics').items()
    ]
    choices = {'fps': 30, 'root': '/tmp/dataset', 'task': '', 'cameras': [], 'vectors': vectors}
    return chosen_proposal(look, {**choices, **roles})


def test_two_arms_and_a_force_are_chosen_without_an_editor():
    look = look_at(
        joints('/left/joint_states'),
        joints('/right/joint_states'),
        SeenTopic('/commands', ARRAY, RELIABLE, heard(), size=4),
        SeenTopic('/ft_sensor/wrench', WRENCH, RELIABLE, heard()),
    )
    offered = {one.name: offered_vector(one, look, look.proposal) for one in look.vectors}
    assert offered['/ft_sensor/wrench']['name'] == 'observation.wrench'
    proposal = choose(
        look,
        topics={
            '/left/joint_states': ('state', ''),
            '/right/joint_states': ('state', ''),
            '/commands': ('action', ''),
            '/ft_sensor/wrench': ('feature', ' observation.force '),
        },
    )
    parts = {name: seen.name for name, (seen, _) in proposal.state.parts.items()}
    assert parts == {'left': '/left/joint_states', 'right': '/right/joint_states'}
    assert proposal.action.names == tuple(
        f'{arm}.{joint}' for arm in ('left', 'right') for joint in ('shoulder', 'elbow')
    )
    assert [name for name, _ in proposal.features] == ['observation.force']


@pytest.mark.parametrize(
    ('topics', 'told'),
    [
        ({'/tool': ('feature', '')}, 'vectors'),
        ({'/tool': ('feature', 'observation/force')}, 'vectors'),
        (
            {'/tool': ('feature', 'force'), '/joint_states': ('feature', 'force')},
            'no two features have the same name',
        ),
        ({'/silent': ('state', '')}, 'name no numbers so far'),
        ({'/tool': ('none', '')}, 'nothing is chosen'),
    ],
)
def test_a_choice_that_cannot_be_recorded_is_refused(topics, told):
    look = look_at(
        joints('/joint_states'),
        SeenTopic('/tool', WRENCH, RELIABLE, heard()),
        SeenTopic('/silent', 'sensor_msgs/msg/JointState', RELIABLE),
    )
    with pytest.raises(ChoiceError, match=told):
        choose(look, topics=topics)


def test_a_remark_that_the_doctor_repeats_is_shown_once():
    look = look_at(published(joints('/joint_states', is_contested=True), '/one', '/other'))
    _, text = problems_of(look, '/joint_states')
    assert text.count(CONTESTED) == 1
