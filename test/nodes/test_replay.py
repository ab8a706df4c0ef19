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
An episode comes back on the topics that it came from, and is recorded again row by row.

Guards against rows that are left out, shown twice or mixed on the way, numbers that lose a digit,
topics and message types that are not those of the recording, and a live driver beside a replay.
"""

from __future__ import annotations

import re
import shutil
from types import SimpleNamespace

from examples.demo.dataset_files import DatasetFiles, decode, read_instants
from examples.demo.drawing import read_frame_number
from geometry_msgs.msg import WrenchStamped
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.replay.replay import run
from lerobot_streamrec.nodes.replay.topic_watch import TopicWatch
import numpy as np
import pytest
from recorder_rig.datasets import columns, pictures, record
from recorder_rig.parameters import FRONT, FRONT_KEY, FRONT_TOPIC, JOINTS, STATE, STATE_TOPIC
from recorder_rig.pictures import NumberedDepth, NumberedPicture
from recorder_rig.process import ros_arguments
from recorder_rig.robot import seconds_of
from recorder_rig.surroundings import NeverStop
from sensor_msgs.msg import JointState

pytestmark = [pytest.mark.ros]

MODULE = 'lerobot_streamrec.nodes.replay.replay_main'
NUM_ROWS = 40
DEPTH_TOPICS = {'depth': '/front/depth', 'metres': '/simulated/depth'}
LEADER, FORCE = '/leader/joint_states', '/wrench'
PARAMETERS = {
    **FRONT,
    **STATE,
    'cameras': ['front', *DEPTH_TOPICS],
    **{f'camera.{name}.topic': topic for name, topic in DEPTH_TOPICS.items()},
    **{f'camera.{name}.depth': True for name in DEPTH_TOPICS},
    'action.topic': LEADER,
    'action.type': 'sensor_msgs/msg/JointState',
    'action.selectors': [f'velocity[{name}]' for name in JOINTS],
    'action.policy': 'interpolate',
    'features': ['observation.force'],
    'feature.observation.force.topic': FORCE,
    'feature.observation.force.selectors': ['wrench.force.z', 'wrench.torque'],
    'feature.observation.force.dtype': 'float64',
    'feature.observation.force.policy': 'nearest',
    'provenance.per_row': True,
    # On a busy machine messages may be late, and rows wait for them.
    'sync.max_lateness_s': 30.0,
}
COLUMNS = ('observation.state', 'action', 'observation.force')


def fill_leader(message, stamp_ns):
    message.name = list(reversed(JOINTS))
    message.velocity = [seconds_of(stamp_ns) + place for place in range(len(JOINTS))]
    return list(reversed(message.velocity))


def fill_wrench(message, stamp_ns):
    message.wrench.force.z = stamp_ns / 1e9
    message.wrench.torque.x = -stamp_ns / 1e9
    return message.wrench.force.z, message.wrench.torque.x, 0.0, 0.0


@pytest.fixture(scope='module')
def recorded(shared_rig):
    """Record an episode of a robot that is gone afterwards; return the dataset's folder."""
    robot = shared_rig.robot(is_punctual=True)
    robot.add_camera(FRONT_TOPIC, NumberedPicture())
    robot.add_camera(DEPTH_TOPICS['depth'], NumberedDepth())
    robot.add_camera(DEPTH_TOPICS['metres'], NumberedDepth('32FC1'))
    robot.add_joints(STATE_TOPIC, JOINTS)
    robot.add_messages(LEADER, JointState, fill_leader)
    robot.add_messages(FORCE, WrenchStamped, fill_wrench)
    robot.start()
    recorder = shared_rig.recorder(PARAMETERS)
    shared_rig.operator().record(NUM_ROWS)
    assert recorder.end() == 0
    robot.close()
    return shared_rig.root


def rows_of(root):
    """Return each row as numbers that tell it from every other, and codes of depth."""
    rows = columns(root, 0)
    numbers = [read_frame_number(one) for one in pictures(root, FRONT_KEY)]
    depths = {name: codes(root, f'observation.images.{name}') for name in DEPTH_TOPICS}
    return [
        (number, *(tuple(rows[key][k]) for key in COLUMNS), *(depths[name][k] for name in depths))
        for k, number in enumerate(numbers)
    ]


def codes(root, key):
    files = DatasetFiles(root)
    clip = files.clip(files.episodes[0], key)
    return [one.video_frame.to_ndarray(format='gray12le').tobytes() for one in decode(clip.path)]


def assert_in_a_circle(found, episode):
    """Assert that rows are those of an episode in their order, round after round."""
    first = episode.index(found[0])
    wanted = [episode[(first + k) % len(episode)] for k in range(len(found))]
    assert [row[0] for row in found] == [row[0] for row in wanted]
    assert found == wanted


def record_again(rig, root, **changes):
    """Replay in a circle, and record two rounds; return the new dataset's folder."""
    wanted = {**PARAMETERS, **changes.pop('recorder', {})}
    # First of all, since recorders ask what the topics' types are.
    replay = rig.program(MODULE, {'root': str(root), 'loop': True, **changes})
    recorder = rig.recorder(wanted)
    num_rows = len(columns(root, 0)['frame_index'])
    rig.operator().record(2 * num_rows)
    assert replay.end() == 0, replay.log
    assert recorder.end() == 0
    return rig.root


def test_a_replay_that_is_recorded_gives_the_same_rows(rig, recorded):
    episode = rows_of(recorded)
    assert len(set(episode)) == len(episode) >= NUM_ROWS
    again = record_again(rig, recorded)
    assert_in_a_circle(rows_of(again), episode)
    streams = record(again, 0)['streams'].values()
    assert [one['rows_repeated'] for one in streams] == [0] * len(streams)


def test_with_recorded_stamps_and_a_clock_it_does_so_in_the_time_of_the_recording(rig, recorded):
    again = record_again(rig, recorded, stamp='recorded', recorder={'use_sim_time': True})
    assert_in_a_circle(rows_of(again), rows_of(recorded))
    before, after = read_instants(recorded, 0), read_instants(again, 0)
    num_rounds = (after[-1] - before[0]) // (before[-1] - before[0])
    # Time goes on from round to round, by steps as small as those between two rows.
    assert before[0] <= after[0]
    assert max(np.diff(after)) <= max(np.diff(before)) + 1
    assert num_rounds >= 2


def test_a_live_driver_is_not_talked_over(rig, recorded):
    robot = rig.robot()
    robot.add_joints(STATE_TOPIC, JOINTS)
    robot.start()
    replay = rig.program(MODULE, {'root': str(recorded), 'loop': True})
    assert replay.wait() == 2
    said = f'{STATE_TOPIC} is also published by /test_robot, so subscribers would hear both'
    assert said in replay.log
    assert 'topics_prefix:=/replay' in replay.log


def test_a_name_that_discovery_tells_late_is_waited_for():
    """A publisher may be known some moments before its node."""
    names = ['_NODE_NAME_UNKNOWN_'] * 4 + ['driver']

    def publishers(topic):
        name = names.pop(0) if len(names) > 1 else names[0]
        space = '' if name.startswith('_') else '/arm'
        return [SimpleNamespace(node_namespace=space, node_name=name)]

    node = SimpleNamespace(
        get_logger=lambda: None,
        get_fully_qualified_name=lambda: '/replay',
        get_publishers_info_by_topic=publishers,
    )
    watch = TopicWatch(node, [STATE_TOPIC], [], is_forced=False)
    with pytest.raises(ConfigError, match=f'{STATE_TOPIC} is also published by /arm/driver, so'):
        watch.look()


@pytest.fixture
def foreign(recorded, tmp_path):
    """Return a copy of the dataset without what no other writer keeps."""
    root = tmp_path / 'foreign'
    shutil.copytree(recorded, root, ignore=shutil.ignore_patterns('.streamrec'))
    return root


def replay_here(root, **parameters):
    """Replay in this process, and return the exit status."""
    return run(ros_arguments({'root': str(root), **parameters}), NeverStop())


def test_a_dataset_of_another_writer_is_published_on_topics_made_of_its_keys(foreign, capfd):
    status = replay_here(foreign, rate=10.0, force=True, topics_prefix='/replay/')
    said = capfd.readouterr().err
    assert status == 0, said
    for topic in ('front/image', 'depth/image', 'metres/image', 'state', 'action'):
        assert f'/replay/{topic}' in said
    assert '/replay/observation/force' in said
    assert 'the messages of action are not described: it is published on /action as' in said
    assert 'episode 0 is over' in said
    assert not (foreign / '.streamrec').exists()


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'episode': 7}, 'episode is 7: .* has the episodes 0 to 0; -1 is the last one'),
        ({'episode': -2}, 'episode is -2'),
        ({'root': ''}, "root is '': set root to the folder of a dataset"),
        ({'root': '/nowhere'}, '/nowhere holds no LeRobot dataset'),
        ({'rate': 0.0}, r'rate is 0.0: allowed is 0.01 to 100'),
        ({'stamp': 'then'}, "stamp is 'then': allowed are now, recorded"),
        (
            {'stamp': 'recorded'},
            'the dataset does not say when episode 0 was recorded: set stamp to now',
        ),
        ({'streams': ['wrist']}, "streams is 'wrist': the dataset has observation.images.front"),
        (
            {'topics_prefix': '/a b'},
            r"topics_prefix is '/a b': /a b/front/image is not a valid topic",
        ),
        ({'episodes': 0}, 'episodes is 0: there is no such parameter; did you mean episode'),
        ({'use_sim_time': True}, "use_sim_time is True: a replay runs on this computer's clock"),
    ],
)
def test_what_cannot_be_replayed_is_refused_in_a_sentence(changes, said, foreign, capfd):
    assert replay_here(changes.pop('root', foreign), **changes) == 2
    log = capfd.readouterr().err
    assert re.search(said, log), log
    assert 'cannot start: ' in log


def test_a_video_that_is_cut_off_ends_the_replay_with_an_error(foreign, capfd):
    (path,) = (foreign / 'videos' / FRONT_KEY).rglob('*.mp4')
    path.write_bytes(path.read_bytes()[:2000])
    assert replay_here(foreign, rate=10.0, force=True, topics_prefix='/broken') == 1
    assert f'replay has failed: {path}' in capfd.readouterr().err
