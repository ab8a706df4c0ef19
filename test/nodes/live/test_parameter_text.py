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
"""The proposed file: the recorder's own reader takes it, whatever was seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.inspection.observation import SeenTopic
from lerobot_streamrec.inspection.parameter_text import parameter_text
from lerobot_streamrec.inspection.proposal import propose, TASK
from lerobot_streamrec.inspection.vector_proposal import chosen_vector
from lerobot_streamrec.installed import record_command
from lerobot_streamrec.live.session import Session
from lerobot_streamrec.nodes.graph.topic_types import load_fields
from lerobot_streamrec.settings.checked_file import write_checked
import pytest
from recorder_rig.surroundings import NeverStop
from seen_topics import (
    ARRAY,
    camera,
    COMPRESSED,
    heard,
    joints,
    RELIABLE,
    silent,
    TRAJECTORY,
    TWIST,
)

pytestmark = [pytest.mark.ros]


def text_of(proposal):
    return parameter_text(proposal, file_name='robot.yaml', when='2026-01-02 03:04', looked='5 s')


@pytest.fixture
def read(ros_surroundings, tmp_path):
    """Read a proposal's file as the recorder does."""

    def read(proposal):
        path = tmp_path / 'robot.yaml'
        path.write_text(text_of(proposal), 'utf-8')
        with Session(['--ros-args', '--params-file', str(path)], NeverStop()) as session:
            given = session.read_settings()
        # The file says all types itself.
        return given.complete(lambda *_: pytest.fail('a type was asked for'), load_fields)

    return read


def test_everything_that_was_chosen_is_recorded(read):
    proposal = propose(
        [
            camera('/front/image_raw'),
            camera('/front/image_rect'),
            camera('/wrist/image_raw/compressed', COMPRESSED, 'jpeg', num_zero=100),
            camera('/top/depth/image_raw', encoding='16UC1'),
            joints('/joint_states', field='effort'),
            SeenTopic('/cmd_vel', TWIST, RELIABLE, heard()),
        ]
    )
    settings = read(proposal)
    streams = {one.key: one for one in settings.recorder.streams}
    assert set(streams) == {
        'observation.images.front',
        'observation.images.wrist',
        'observation.images.top_depth',
        'observation.state',
        'action',
    }
    assert streams['observation.images.top_depth'].depth is not None
    assert streams['observation.images.front'].depth is None
    assert streams['observation.state'].names == ('shoulder', 'elbow')
    assert len(streams['action'].names) == 6
    assert {one.parameter: one.stamp for one in settings.sources} == {
        'camera.front': 'header',
        'camera.wrist': 'receive',
        'camera.top_depth': 'header',
        'state': 'header',
        # It has no header.
        'action': 'receive',
    }
    assert settings.recorder.fps == 30
    assert settings.recorder.task == TASK
    assert settings.recorder.root == Path('~/datasets/my_dataset').expanduser()


def test_a_vector_of_several_topics_and_a_feature_are_recorded(read):
    left, right = joints('/left/joint_states'), joints('/right/joint_states')
    leaders = [joints('/leader_left'), joints('/leader_right', field='effort')]
    wrench = SeenTopic('/wrench', 'geometry_msgs/msg/WrenchStamped', RELIABLE, heard())
    state = chosen_vector([left, right])
    proposal = replace(
        propose([]),
        state=state,
        action=chosen_vector(leaders, state),
        features=(('observation.force', chosen_vector([wrench])),),
    )
    streams = {one.key: one for one in read(proposal).recorder.streams}
    assert {key: one.topic for key, one in streams.items()} == {
        'observation.state.left': '/left/joint_states',
        'observation.state.right': '/right/joint_states',
        'action.leader_left': '/leader_left',
        'action.leader_right': '/leader_right',
        'observation.force': '/wrench',
    }
    assert streams['observation.state.right'].names == ('right.shoulder', 'right.elbow')
    assert streams['action.leader_right'].selectors == ('effort[shoulder]', 'effort[elbow]')
    assert len(streams['observation.force'].names) == 6


@pytest.mark.parametrize(
    'names',
    [
        ('yes', 'no', 'null', '1', '1e3', '~', 'a'),
        ('left arm', 'ünï', 'a: b', '[x]', '#y', "it's", '"'),
        tuple(f'left_hand_finger_{number}_joint' for number in range(30)),
    ],
    ids=['words-of-yaml', 'odd', 'many'],
)
def test_joints_may_have_any_name(read, names):
    settings = read(propose([joints('/joint_states', names)]))
    assert settings.recorder.streams[0].names == names


@pytest.mark.parametrize(
    ('topics', 'words'),
    [
        ([camera('/front/image_raw')], ['# No state', '# No action']),
        ([joints('/joint_states')], ['# No camera', '# cameras: [front]']),
        ([camera('/far/image', delay_s=-7200.0)], ['2.0 h ahead of', 'stamp: receive']),
        ([camera('/far/image', delay_s=3.0)], ['arrive 3.0 s after their header stamps']),
        ([camera('/far/image'), camera('/x/image/theora', 'a/msg/Packet')], ['# Left out']),
        (
            [joints('/joint_states'), SeenTopic('/command', ARRAY, RELIABLE, heard(), size=9)],
            ['An array has no names', 'joint_8'],
        ),
        (
            [joints('/left/joint_states', ('l1',)), joints('/right/joint_states', ('r1',))],
            ['can be combined with these: see state.parts'],
        ),
        (
            [joints('/joint_states'), silent('/arm/joint_trajectory', TRAJECTORY)],
            ['No message came', 'no message came'],
        ),
        (
            [joints('/joint_states'), joints('/leader'), SeenTopic('/cmd_vel', TWIST)],
            ['/cmd_vel (geometry_msgs/msg/Twist): nobody publishes it now'],
        ),
    ],
)
def test_what_is_doubtful_is_said(read, topics, words):
    proposal = propose(topics)
    read(proposal)
    text = text_of(proposal)
    assert all(word in text for word in words), text
    # The command for this machine names its Python, however long that path is.
    command = record_command('robot.yaml')
    assert command in text
    assert all(len(line) < 100 for line in text.replace(command, '').splitlines())


def test_a_simulation_keeps_its_clock(read):
    text = text_of(propose([camera('/front/image_raw')], is_sim_time=True))
    assert '    use_sim_time: true\n' in text
    read(replace(propose([camera('/front/image_raw')]), is_sim_time=True))


# --- the file ----------------------------------------------------------------------------------


def test_a_file_that_is_there_is_kept(tmp_path):
    path = tmp_path / 'robot.yaml'
    path.write_text('precious')
    with pytest.raises(ConfigError, match='--force'):
        write_checked(path, 'new', lambda _: None, force=False)
    assert path.read_text() == 'precious'
    write_checked(path, 'new', lambda _: None, force=True)
    assert path.read_text() == 'new'
    assert [one.name for one in tmp_path.iterdir()] == ['robot.yaml']


def test_a_file_that_came_meanwhile_is_kept(tmp_path):
    path = tmp_path / 'robot.yaml'
    with pytest.raises(ConfigError, match='--force'):
        write_checked(path, 'new', lambda _: path.write_text('precious'), force=False)
    assert path.read_text() == 'precious'
    assert [one.name for one in tmp_path.iterdir()] == ['robot.yaml']


@pytest.mark.parametrize('force', [False, True])
def test_a_file_that_the_recorder_would_not_take_is_not_written(tmp_path, force):
    path = tmp_path / 'robot.yaml'

    def refuse(aside):
        assert aside.read_text() == 'new'
        raise ConfigError('fps', 0, 'is none')

    with pytest.raises(ConfigError, match='fps'):
        write_checked(path, 'new', refuse, force=force)
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written_to(tmp_path):
    for path in (tmp_path, tmp_path / 'nowhere' / 'robot.yaml'):
        with pytest.raises(ConfigError, match='OUTPUT'):
            write_checked(path, 'new', lambda _: None, force=True)
