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
GR00T's meta/modality.json: every element of state and action is in exactly one slice.

Guards against a model that is trained on the wrong joints.
"""

from __future__ import annotations

import json

from lerobot_streamrec.dataset.about.modality import modality_of, write_modality
from lerobot_streamrec.dataset.format.features import camera_feature, vector_feature
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.info import DatasetInfo
import pytest

# The fields of LeRobotStateActionMetadata and LeRobotModalityField.
SLICE = {'start', 'end', 'rotation_type', 'absolute', 'dtype', 'range', 'original_key'}


def info_of(**features):
    named = {key.replace('__', '.'): spec for key, spec in features.items()}
    return DatasetInfo(fps=30, robot_type='so101', features=named)


def slices(groups):
    return {name: (one['start'], one['end']) for name, one in groups.items()}


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        (('pan', 'lift', 'gripper'), {'single_arm': (0, 2), 'gripper': (2, 3)}),
        (('gripper', 'pan', 'lift'), {'gripper': (0, 1), 'single_arm': (1, 3)}),
        (('a', 'gripper', 'b'), {'single_arm': (0, 1), 'gripper': (1, 2), 'single_arm_2': (2, 3)}),
        (
            ('left.a', 'left.gripper', 'right.a', 'right.b'),
            {'left': (0, 1), 'left_gripper': (1, 2), 'right': (2, 4)},
        ),
        (('arm.a', 'arm.b'), {'single_arm': (0, 2)}),
        (('x',), {'single_arm': (0, 1)}),
    ],
)
def test_elements_are_grouped_by_part_and_gripper(names, expected):
    info = info_of(observation__state=vector_feature(names), action=vector_feature(names))
    found = modality_of(info)
    assert slices(found['state']) == slices(found['action']) == expected
    ends = [0, *(end for _, end in expected.values())]
    assert [begin for begin, _ in expected.values()] == ends[:-1]
    assert ends[-1] == len(names)


def test_cameras_and_other_observations_are_named_by_their_features():
    info = info_of(
        observation__images__front=camera_feature(),
        observation__state=vector_feature(('pan',)),
        observation__force=vector_feature(('x', 'y', 'z')),
        next__reward=vector_feature(('reward',)),
        action=vector_feature(('pan',)),
    )
    found = modality_of(info)
    assert found['video'] == {'front': {'original_key': 'observation.images.front'}}
    assert found['state']['force'] == {
        'start': 0,
        'end': 3,
        'dtype': 'float32',
        'original_key': 'observation.force',
    }
    assert set(found['state']) == {'single_arm', 'force'}
    assert found['annotation'] == {'human.task_description': {'original_key': 'task_index'}}
    assert set(found) == {'state', 'action', 'video', 'annotation'}
    for one in (*found['state'].values(), *found['action'].values()):
        assert one.keys() <= SLICE


def test_a_file_that_is_there_is_left_alone(tmp_path):
    info = info_of(action=vector_feature(('pan',)))
    files = Files(tmp_path)
    (tmp_path / 'meta').mkdir()
    assert write_modality(files, info)
    path = tmp_path / 'meta' / 'modality.json'
    assert slices(json.loads(path.read_text())['action']) == {'single_arm': (0, 1)}
    path.write_text('{"mine": 1}')
    assert not write_modality(files, info)
    assert path.read_text() == '{"mine": 1}'
