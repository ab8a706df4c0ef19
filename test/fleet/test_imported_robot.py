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
The files about the robot in a dataset that was made of bags, by the rules of live recording.

Guards against episodes of a bag without the calibration that held, and against a second rule.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip('rosbags', reason='bags need rosbags')

from bags import JAZZY, JOINTS
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.about.robot_files import names_in, PARAMETERS, slot_of
from lerobot_streamrec.dataset.format.catalog import read_catalog
import numpy as np
from robot_bags import BEGIN_NS, make_bag, SECOND_NS, stamped, trains
import yaml

INFO, TEXT = 'sensor_msgs/msg/CameraInfo', 'std_msgs/msg/String'
TRANSFORMS = 'tf2_msgs/msg/TFMessage'
URDF = '<robot name="arm"/>'
TYPES = JAZZY.types


def at(topic, kind, seconds, **fields):
    """Return a message that came this long after the begin of the bag."""
    stamp_ns = BEGIN_NS + round(seconds * SECOND_NS)
    if kind == INFO:
        fields = {'header': stamped(stamp_ns), **fields}
    data = bytes(JAZZY.serialize_cdr(TYPES[kind](**fields), kind))
    return (topic, kind, stamp_ns, data)


def info_at(seconds, focal_length, topic='/front/camera_info'):
    matrix = np.array([focal_length, 0, 320, 0, focal_length, 240, 0, 0, 1], float)
    region = {'x_offset': 0, 'y_offset': 0, 'height': 0, 'width': 0, 'do_rectify': False}
    return at(
        topic,
        INFO,
        seconds,
        height=480,
        width=640,
        distortion_model='plumb_bob',
        d=np.array([0.1, 0.2, 0, 0, 0]),
        k=matrix,
        r=np.eye(3).reshape(-1),
        p=np.zeros(12),
        binning_x=0,
        binning_y=0,
        roi=TYPES['sensor_msgs/msg/RegionOfInterest'](**region),
    )


def transform_at(seconds, child, x):
    vector, turn = (TYPES[f'geometry_msgs/msg/{name}'] for name in ('Vector3', 'Quaternion'))
    pose = TYPES['geometry_msgs/msg/Transform'](vector(x, 0.0, 0.0), turn(0.0, 0.0, 0.0, 1.0))
    stamp = stamped(BEGIN_NS + round(seconds * SECOND_NS))
    one = TYPES['geometry_msgs/msg/TransformStamped'](stamp, child, pose)
    return at('/tf_static', TRANSFORMS, seconds, transforms=[one])


def described_at(seconds, text=URDF, topic='/robot_description'):
    return at(topic, TEXT, seconds, data=text)


def files_of(root):
    """Return the files of each episode by what they are about, as kind, subject, content."""
    return [
        sorted((*slot_of(name), (root / 'meta/robot' / name).read_text()) for name in names)
        for names in (
            names_in(one.texts['robot_files']) for one in read_catalog(root).episodes
        )
    ]


def import_bag(bag, params, *arguments):
    assert main(['import', str(bag), '--params', params, *arguments]) == 0


def test_what_the_robot_said_in_the_bag_is_kept(tmp_path, params, root):
    # Latched messages come first in a bag; the episode begins at 0.3 s.
    others = [
        described_at(0.001),
        transform_at(0.002, 'tool', 0.25),
        *(info_at(0.01 + number / 30, 400.0 if number < 45 else 401.0) for number in range(90)),
        transform_at(0.1, 'optical', 0.5),
        # The same transform once more is no news.
        transform_at(2.5, 'tool', 0.25),
        # These are not where the recorder listens.
        info_at(0.02, 999.0, topic='/back/camera_info'),
        described_at(0.02, '<other/>', topic='/left/robot_description'),
    ]
    given = params()
    import_bag(make_bag(tmp_path / 'drive', trains(), others=others), given)
    (found,) = files_of(root)
    assert [one[:2] for one in found] == [
        ('calibration', 'front'),
        ('calibration', 'front'),
        (PARAMETERS, '1'),
        ('robot_description', ''),
        ('tf_static', ''),
    ]
    infos = [yaml.safe_load(text) for kind, _, text in found if kind == 'calibration']
    assert [one['camera_matrix']['data'][0] for one in infos] in ([400, 401], [401, 400])
    assert {one['camera_name'] for one in infos} == {'front'}
    assert infos[0]['distortion_coefficients']['data'] == [0.1, 0.2, 0, 0, 0]
    texts = {kind: text for kind, _, text in found}
    assert texts['robot_description'] == URDF
    assert texts[PARAMETERS] == Path(given).read_text(encoding='utf-8')
    transforms = yaml.safe_load(texts['tf_static'])['transforms']
    assert [(one['child_frame_id'], one['translation']['x']) for one in transforms] == [
        ('optical', 0.5),
        ('tool', 0.25),
    ]
    assert len(list((root / 'meta/robot').iterdir())) == 5
    assert main(['check', str(root)]) == 0


def test_an_episode_has_the_files_of_its_own_bag(tmp_path, params, root, capsys):
    bags = [
        make_bag(tmp_path / 'a', trains(2), others=[info_at(0.1, 400.0), described_at(0.1)]),
        make_bag(tmp_path / 'b', trains(2), others=[info_at(1.9, 400.0)]),
        make_bag(tmp_path / 'c', trains(2)),
    ]
    for bag in bags:
        import_bag(bag, params())
    kinds = [[kind for kind, _, _ in found] for found in files_of(root)]
    assert kinds == [
        ['calibration', PARAMETERS, 'robot_description'],
        ['calibration', PARAMETERS],
        [PARAMETERS],
    ]
    assert len(list((root / 'meta/robot').iterdir())) == 3
    assert 'changed' not in capsys.readouterr().err


def test_names_are_those_of_the_recorders_namespace_and_parameters(tmp_path, params, root):
    sent = [(f'/left{topic}', *rest) for topic, *rest in trains(2)]
    others = [
        info_at(0.1, 500.0, topic='/calibrations/front'),
        info_at(0.1, 400.0, topic='/left/front/camera_info'),
        described_at(0.1, topic='/left/robot_description'),
        described_at(0.1, '<other/>'),
        transform_at(0.1, 'tool', 0.25),
    ]
    camera = {'topic': 'front/image_raw', 'camera_info': '/calibrations/front'}
    given = params(
        camera={'front': camera}, state={'topic': 'joint_states', 'names': ['a', 'b']}
    )
    bag = make_bag(tmp_path / 'drive', sent, others=others)
    import_bag(bag, given, '--namespace', '/left')
    (found,) = files_of(root)
    texts = {kind: text for kind, _, text in found}
    assert len(found) == len(texts) == 4
    assert yaml.safe_load(texts['calibration'])['camera_matrix']['data'][0] == 500
    assert texts['robot_description'] == URDF
    assert 'tool' in texts['tf_static']


def test_damaged_and_unusual_messages_are_told_and_cost_nothing_else(
    tmp_path, params, root, capsys, caplog
):
    damaged = ('/front/camera_info', INFO, BEGIN_NS + 1, info_at(0.1, 400.0)[-1][:40])
    not_text = described_at(0.2)[-1].replace(b'robot', b'r\xffbot')
    others = [
        damaged,
        ('/tf_static', TRANSFORMS, BEGIN_NS + 2, b'\x00\x01\x00\x00\x01'),
        ('/robot_description', TEXT, BEGIN_NS + 3, not_text),
        info_at(1.0, 400.0),
    ]
    import_bag(make_bag(tmp_path / 'drive', trains(2), others=others), params())
    (found,) = files_of(root)
    assert [kind for kind, _, _ in found] == ['calibration', PARAMETERS]
    told = [one.getMessage() for one in caplog.records]
    for topic in ('/front/camera_info', '/tf_static', '/robot_description'):
        assert [one for one in told if one.startswith(f'{topic}: ')]


@pytest.mark.parametrize('kind', [JOINTS, TEXT])
def test_a_topic_of_another_type_is_no_calibration(kind, tmp_path, params, root):
    fields = {'data': 'text'} if kind == TEXT else {
        'header': stamped(BEGIN_NS),
        'name': [],
        **dict.fromkeys(('position', 'velocity', 'effort'), np.empty(0)),
    }  # fmt: skip
    others = [at('/front/camera_info', kind, 0.5, **fields)]
    import_bag(make_bag(tmp_path / 'drive', trains(2), others=others), params())
    assert [[kind for kind, _, _ in found] for found in files_of(root)] == [[PARAMETERS]]


def test_it_can_be_turned_off(tmp_path, params, root):
    others = [info_at(0.1, 400.0), described_at(0.1)]
    bag = make_bag(tmp_path / 'drive', trains(2), others=others)
    import_bag(bag, params(robot_files=False))
    assert files_of(root) == [[]]
    assert not (root / 'meta/robot').exists()
