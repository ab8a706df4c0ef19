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
"""What is proposed for a graph: cameras, state, action, rows per second; what is left out."""

from __future__ import annotations

from dataclasses import replace

from lerobot_streamrec.inspection.arrivals import Heard
from lerobot_streamrec.inspection.observation import SeenPart, SeenTopic
from lerobot_streamrec.inspection.proposal import chosen_picture_topics, propose
import pytest
from seen_topics import (
    ARRAY,
    camera,
    COMPRESSED,
    heard,
    IMAGE,
    JOINT_STATE,
    JOINTS,
    joints,
    RELIABLE,
    silent,
    TRAJECTORY,
    TWIST,
)

THEORA = 'theora_image_transport/msg/Packet'


def cameras_of(*topics):
    return {one.name: one for one in propose(topics).cameras}


def action_of(*topics):
    return propose([joints('/joint_states'), *topics]).action


# --- cameras -----------------------------------------------------------------------------------


def test_transports_of_one_camera_are_one_camera():
    proposal = propose(
        [
            camera('/front/image_raw'),
            SeenTopic('/front/image_raw/compressed', COMPRESSED, RELIABLE),
            SeenTopic('/front/image_raw/compressedDepth', COMPRESSED, RELIABLE),
            SeenTopic('/front/image_raw/theora', THEORA, RELIABLE),
        ]
    )
    (front,) = proposal.cameras
    assert (front.name, front.topic) == ('front', '/front/image_raw')
    assert not front.others
    (theora,) = proposal.left_out
    assert '/front/image_raw/theora' in theora
    assert '/front/image_raw is read instead' in theora


def test_a_camera_that_is_only_compressed_is_named_by_its_base_topic():
    cameras = cameras_of(
        camera('/front/image_raw/compressed', COMPRESSED, 'jpeg'),
        # A topic of compressed pictures under any other name.
        camera('/phone/stream', COMPRESSED, 'jpeg'),
    )
    assert cameras['front'].topic == '/front/image_raw'
    assert cameras['front'].seen.name == '/front/image_raw/compressed'
    assert 'is not published' in cameras['front'].remarks[0]
    assert cameras['stream'].topic == '/phone/stream'


def test_the_first_of_several_topics_of_a_camera_is_taken():
    (front,) = cameras_of(
        camera('/front/image_rect'), camera('/front/image_raw'), camera('/front/image_mono')
    ).values()
    assert front.topic == '/front/image_raw'
    assert [one.name for one in front.others] == ['/front/image_rect', '/front/image_mono']


def test_a_topic_that_brings_nothing_gives_way_to_one_that_does():
    (front,) = cameras_of(
        camera('/front/image_raw', rate_hz=0), camera('/front/image_rect')
    ).values()
    assert front.topic == '/front/image_rect'


def test_a_topic_that_cannot_be_read_gives_way_to_one_that_can():
    odd = camera('/front/image_raw', encoding='8SC1', problem='odd')
    proposal = propose([odd, camera('/front/image_rect')])
    assert [one.topic for one in proposal.cameras] == ['/front/image_rect']
    assert proposal.left_out == ('/front/image_raw: odd',)


def test_a_silent_camera_is_proposed_with_a_warning():
    (front,) = cameras_of(silent('/front/image_raw', IMAGE)).values()
    assert 'Does the camera run?' in front.remarks[0]


def test_depth_is_told_by_its_encoding_or_transport():
    cameras = cameras_of(
        camera('/top/color/image_raw'),
        camera('/top/depth/image_raw', encoding='16UC1'),
        camera('/far/image/compressedDepth', COMPRESSED, '32FC1; compressedDepth png'),
    )
    assert {name: one.is_depth for name, one in cameras.items()} == {
        'top': False,
        'top_depth': True,
        'far_depth': True,
    }
    assert cameras['far_depth'].topic == '/far/image'


def test_what_cannot_be_read_is_left_out_with_the_reason():
    proposal = propose(
        [
            camera('/odd/image_raw', encoding='8SC1', problem="'8SC1' is not supported"),
            SeenTopic('/film/image_raw/theora', THEORA, RELIABLE),
        ]
    )
    assert proposal.is_empty
    assert proposal.left_out == (
        f'/film/image_raw/theora ({THEORA}): pictures of this type cannot be recorded',
        "/odd/image_raw: '8SC1' is not supported",
    )


@pytest.mark.parametrize(
    ('delay_s', 'num_zero', 'is_received'),
    [(0.01, 0, False), (2.0, 0, False), (-3600.0, 0, True), (None, 100, True)],
    ids=['good', 'late', 'other-clock', 'zero'],
)
def test_stamps_that_are_of_no_use_are_not_used(delay_s, num_zero, is_received):
    (front,) = cameras_of(
        camera('/front/image_raw', delay_s=delay_s, num_zero=num_zero)
    ).values()
    assert front.seen.heard.is_badly_stamped == is_received


def test_no_driver_compresses_pictures_for_nothing():
    assert chosen_picture_topics(
        {
            '/a/image_raw': IMAGE,
            '/a/image_raw/compressed': COMPRESSED,
            '/b/image_raw/compressed': COMPRESSED,
            '/b/image_raw/compressedDepth': COMPRESSED,
            # Depth cannot be read from the transport of colours.
            '/depth/image_raw/compressed': COMPRESSED,
            '/depth/image_raw/compressedDepth': COMPRESSED,
            '/c/image_raw/theora': THEORA,
        }
    ) == {'/a/image_raw', '/b/image_raw/compressed', '/depth/image_raw/compressedDepth'}


# --- fps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('rates', 'fps', 'words'),
    [
        ((29.9,), 30, 'front0 sends 29.9'),
        ((30.1, 14.8), 15, 'front1 sends 14.8 pictures per second, the fewest'),
        ((59.0,), 60, ''),
        ((5.0,), 10, 'not a usual rate'),
        ((0,), 30, 'the rate of no camera is known'),
        ((), 30, 'the rate of no camera is known'),
    ],
)
def test_frames_per_second_are_those_of_the_slowest_camera(rates, fps, words):
    proposal = propose(
        [camera(f'/front{number}/image_raw', rate_hz=hz) for number, hz in enumerate(rates)]
    )
    assert proposal.fps == fps
    assert words in proposal.fps_reason


def test_the_rate_of_a_camera_that_is_not_heard_well_is_not_believed():
    lossy = camera('/front/image_raw', rate_hz=7.0, num_lost=80)
    assert propose([lossy, camera('/top/image_raw', rate_hz=25.0)]).fps == 25
    proposal = propose([lossy])
    assert proposal.fps == 30
    assert 'config/fastdds_images.xml' in proposal.cameras[0].remarks[0]
    assert '80 messages lost in transport' in lossy.facts


# --- state and action --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('names', 'chosen'),
    [
        (['/joint_states', '/arm/joint_states'], '/joint_states'),
        (['/follower/joint_states', '/joint_states'], '/follower/joint_states'),
        (['/leader/joint_states', '/z/joint_states'], '/z/joint_states'),
        (['/joint_commands', '/arm/state'], '/arm/state'),
    ],
)
def test_the_state_is_the_follower(names, chosen):
    state = propose([joints(name) for name in names]).state
    assert state.seen.name == chosen
    assert state.names == JOINTS
    assert chosen not in [one.name for one in state.others]


def test_joints_keep_the_order_of_the_message():
    assert propose([joints('/joint_states', ('b', 'a', 'c'))]).state.names == ('b', 'a', 'c')


def test_joints_without_positions_are_read_otherwise():
    state = propose([joints('/joint_states', field='velocity')]).state
    assert 'velocity is recorded.' in state.remarks[0]


def test_joint_states_that_never_came_are_no_state():
    assert propose([silent('/joint_states', JOINT_STATE)]).state is None


def test_the_leader_goes_before_all_other_actions():
    action = action_of(
        SeenTopic('/arm/commands', ARRAY, RELIABLE, heard(), size=2),
        joints('/leader/joint_states'),
        SeenTopic(
            '/arm_controller/joint_trajectory',
            TRAJECTORY,
            RELIABLE,
            heard(),
            parts=(SeenPart(JOINTS),),
        ),
        SeenTopic('/cmd_vel', TWIST, RELIABLE, heard()),
    )
    assert action.seen.name == '/leader/joint_states'
    assert [one.name for one in action.others] == [
        '/arm_controller/joint_trajectory',
        '/arm/commands',
        '/cmd_vel',
    ]


def test_a_leader_with_the_joints_of_the_state_goes_before_one_of_a_part():
    action = action_of(joints('/leader/a', ('gripper',)), joints('/leader/b', JOINTS[::-1]))
    assert (action.seen.name, action.names) == ('/leader/b', JOINTS[::-1])


def test_what_speaks_goes_before_what_does_not():
    action = action_of(
        silent('/leader/joint_states', JOINT_STATE),
        SeenTopic('/cmd_vel', TWIST, RELIABLE, heard()),
    )
    assert (action.seen.name, action.names) == ('/cmd_vel', ())


def test_what_nobody_publishes_is_only_listed():
    unpublished = SeenTopic('/arm_controller/joint_trajectory', TRAJECTORY)
    assert action_of(unpublished) is None
    action = action_of(unpublished, SeenTopic('/cmd_vel', TWIST, RELIABLE, heard()))
    assert action.others == (unpublished,)


@pytest.mark.parametrize(
    ('size', 'names', 'words'),
    [
        (2, JOINTS, 'these are the names of the state'),
        (3, ('joint_0', 'joint_1', 'joint_2'), 'replace these by the names of its numbers'),
    ],
)
def test_names_of_an_array(size, names, words):
    action = action_of(SeenTopic('/commands', ARRAY, RELIABLE, heard(), size=size))
    assert action.names == names
    assert words in action.remarks[0]


def test_an_array_without_a_word_that_says_so_is_no_action():
    assert action_of(SeenTopic('/tactile', ARRAY, RELIABLE, heard(), size=2)) is None


def test_a_trajectory_that_never_came_takes_the_joints_of_the_state():
    action = action_of(silent('/arm_controller/joint_trajectory', TRAJECTORY))
    assert action.names == JOINTS
    assert 'No message came' in action.remarks[0]
    # Without a state there is nothing to take.
    assert propose([silent('/arm_controller/joint_trajectory', TRAJECTORY)]).action is None


def test_a_cloud_is_no_state_or_action():
    cloud = SeenTopic('/action/points', 'sensor_msgs/msg/PointCloud2', RELIABLE, heard())
    proposal = propose([joints('/joint_states'), cloud])
    assert proposal.state.seen.name == '/joint_states'
    assert proposal.action is None
    assert not proposal.left_out


def test_a_graph_without_anything():
    proposal = propose([SeenTopic('/rosout', 'rcl_interfaces/msg/Log', RELIABLE)])
    assert proposal.is_empty
    assert replace(proposal, state=propose([joints('/joint_states')]).state).is_empty is False
    assert Heard().stamp_trouble == ''
