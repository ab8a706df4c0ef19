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
Points of clouds over real DDS, recorded as a feature; clouds with a hole are refused and counted.

Guards against numbers of another point or field where a driver changes the layout of its clouds.
"""

from __future__ import annotations

from itertools import count

from clouds import as_message, cloud_of, FLOAT32, FLOAT64, UINT16
from examples.demo.dataset_files import DatasetFiles, read_instants
from examples.demo.truth import read_truth
from lerobot_streamrec.live.init import propose_file
from lerobot_streamrec.live.layout import lay_out
import numpy as np
import pytest
from recorder_rig.datasets import assert_whole, columns, record
from recorder_rig.examining import examine, problems_in
from recorder_rig.robot import seconds_of
from recorder_rig.surroundings import NeverStop
from sensor_msgs.msg import PointCloud2, PointField

pytestmark = [pytest.mark.ros]

NUM_CELLS, NUM_POINTS = 64, 70
SKIN, RING = 'observation.skin', 'observation.ring'


class Skin:
    """Fills clouds in one of several layouts; some have no number for the last cell."""

    def __init__(self, *, has_holes):
        self._has_holes, self._count = has_holes, count()

    def __call__(self, message, stamp_ns):
        number = next(self._count)
        forces = (seconds_of(stamp_ns) % 100 + np.arange(NUM_POINTS)).tolist()
        if self._has_holes and number % 4 == 3:
            forces[NUM_CELLS - 1] = float('nan')
        fields = [
            (('x', FLOAT32), [0.0] * NUM_POINTS),
            (('force', FLOAT64), forces),
            (('ring', UINT16), range(NUM_POINTS)),
        ]
        if number % 5:
            fields.reverse()
        made = cloud_of(dict(fields), order='<>'[number % 2], gap=number % 3)
        filled = as_message(made, PointCloud2, PointField)
        for name in message.get_fields_and_field_types().keys() - {'header'}:
            setattr(message, name, getattr(filled, name))
        return forces[:NUM_CELLS]


PARAMETERS = {
    'features': [SKIN, RING],
    f'feature.{SKIN}.topic': '/skin',
    f'feature.{SKIN}.selectors': [f'points[0:{NUM_CELLS}].force'],
    f'feature.{SKIN}.dtype': 'float64',
    f'feature.{RING}.topic': '/lidar',
    f'feature.{RING}.selectors': ['points[-1].ring', 'points[:2].force', 'width'],
}


@pytest.fixture(scope='module')
def recording(shared_rig):
    truth_path = shared_rig.folder / 'truth.jsonl'
    robot = shared_rig.robot(truth_path)
    robot.add_messages('/skin', PointCloud2, Skin(has_holes=True))
    robot.add_messages('/lidar', PointCloud2, Skin(has_holes=False))
    robot.start()
    recorder = shared_rig.recorder(PARAMETERS)
    operator = shared_rig.operator()
    operator.start()
    operator.wait_for_rows(30)
    operator.wait_for_status(
        lambda one: 'rejected, the last because' in one.message, 'a rejection in the status'
    )
    operator.save()
    assert recorder.end() == 0
    robot.close()
    assert_whole(shared_rig.root, num_episodes=1)
    return columns(shared_rig.root, 0), read_truth(truth_path)


def test_the_feature_has_a_number_for_each_point(recording, shared_rig):
    features = DatasetFiles(shared_rig.root).info['features']
    assert features[SKIN]['shape'] == [NUM_CELLS]
    assert features[SKIN]['names'][::63] == ['points[0].force', 'points[63].force']
    assert features[RING]['names'] == [
        'points[-1].ring',
        'points[0].force',
        'points[1].force',
        'width',
    ]


def test_every_row_shows_the_points_of_one_cloud(recording):
    rows, truth = recording
    published = {tuple(values) for values in truth['/skin'].samples}
    shown = {tuple(values) for values in rows[SKIN]}
    # NaN is unequal to itself, so a cloud with a hole would not be found.
    assert shown <= published
    assert len(shown) > 5


def test_a_cloud_without_holes_stands_where_its_stamp_says(recording, shared_rig):
    rows, truth = recording
    for value, instant_ns in zip(rows[RING], read_instants(shared_rig.root, 0), strict=True):
        forces = truth['/lidar'].newest_at(instant_ns)[:2]
        wanted = [NUM_POINTS - 1, *forces, NUM_POINTS]
        np.testing.assert_array_equal(np.float32(value), np.float32(wanted))


def test_clouds_with_a_hole_are_counted(recording, shared_rig):
    kept = record(shared_rig.root, 0)['streams'][SKIN]
    assert kept['rejected'] > 0
    assert 'points[63].force = nan' in kept['rejection']


FILE = """
/**:
  ros__parameters:
    root: dataset
    task: feel
    state: {topic: /joint_states, type: sensor_msgs/msg/JointState, names: [a]}
    features: [observation.skin]
    feature:
      observation:
        skin:
          topic: /skin
          type: sensor_msgs/msg/PointCloud2
          selectors: ["points[0:2].force"]
"""


def test_commands_that_look_at_a_graph_know_a_cloud(rig, tmp_path):
    robot = rig.robot()
    robot.add_joints('/joint_states', ['a'])
    robot.add_messages('/skin', PointCloud2, Skin(has_holes=False))
    robot.start()
    proposed = tmp_path / 'proposed.yaml'
    propose_file(proposed, seconds=1.0, fps=None, force=False, ros_arguments=(), stop=NeverStop())
    assert '/joint_states' in proposed.read_text()
    assert '/skin' not in proposed.read_text()
    report = examine(tmp_path, FILE, seconds=1.0)
    (_, skin) = report.topics
    assert problems_in(skin.remarks) == []
    assert list(skin.seen.values) == ['points[0].force', 'points[1].force']
    path = tmp_path / 'robot.yaml'
    layout = lay_out(path, seconds=0.0, ros_arguments=(), stop=NeverStop())
    assert f'Plot!{SKIN}' not in layout.content['configById']
    assert any('the points of /skin are left out' in one for one in layout.remarks)
