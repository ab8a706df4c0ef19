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
"""The parameters of a running recorder, as `ros2 param` sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorder_rig.parameters import COMMON
import yaml

pytestmark = [pytest.mark.ros]

RECORD_YAML = Path(__file__).resolve().parents[2] / 'config' / 'record.yaml'
# Those that rclpy declares by itself.
FOREIGN = ('use_sim_time', 'start_type_description_service')


def flattened(tree, prefix=''):
    values = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            values |= flattened(value, f'{prefix}{name}.')
        else:
            values[f'{prefix}{name}'] = value
    return values


@pytest.fixture(scope='module')
def operator(shared_rig):
    """Start the recorder with the parameter file of the package as it is installed."""
    shared_rig.recorder({'use_sim_time': False}, '--ros-args', '--params-file', str(RECORD_YAML))
    return shared_rig.operator()


def own_names(operator):
    return [name for name in operator.parameter_names() if name not in FOREIGN]


def test_the_parameter_file_holds_every_parameter_with_its_default(operator, shared_rig):
    written = flattened(yaml.safe_load(RECORD_YAML.read_text())['/**/episode']['ros__parameters'])
    assert set(written) == set(own_names(operator))
    given = {'root': str(shared_rig.root), **COMMON}
    values = operator.get_parameters(list(written))
    assert values == {**written, **given}


def test_every_parameter_is_described(operator):
    names = own_names(operator)
    assert {'fps', 'root', 'task', 'camera.front.topic', 'encoder.vcodec'} <= set(names)
    for name, descriptor in zip(names, operator.describe_parameters(names), strict=True):
        assert len(descriptor.description) > 5, name
        assert descriptor.name == name


def test_ranges_are_told(operator):
    fps, crf = operator.describe_parameters(['fps', 'encoder.crf'])
    (whole,) = fps.integer_range
    assert (whole.from_value, whole.to_value) == (1, 1000)
    (number,) = crf.floating_point_range
    assert (number.from_value, number.to_value) == (-1.0, 63.0)


def test_all_but_the_task_and_the_operator_are_fixed_while_the_recorder_runs(operator):
    names = own_names(operator)
    descriptors = operator.describe_parameters(names)
    free = [one.name for one in descriptors if not one.read_only]
    assert free == ['task', 'operator']
    result = operator.set_parameter('fps', 15)
    assert not result.successful
    assert 'read-only' in result.reason or 'read only' in result.reason
    assert operator.get_parameters(['fps']) == {'fps': 30}
    # rclpy lets this one pass, and stamps of arrival would be those of another clock.
    result = operator.set_parameter('use_sim_time', True)
    assert not result.successful
    assert 'use_sim_time is fixed while the recorder runs' in result.reason
    assert operator.get_parameters(['use_sim_time']) == {'use_sim_time': False}
    assert operator.set_parameter('use_sim_time', False).successful


def test_the_task_can_be_set_at_run_time(operator):
    assert operator.set_parameter('task', 'Fold the towel').successful
    operator.wait_for_status(
        lambda status: status.values['task'] == 'Fold the towel', 'the new task'
    )
    assert operator.get_parameters(['task']) == {'task': 'Fold the towel'}


def test_a_task_that_is_no_text_is_refused(operator):
    assert operator.set_parameter('task', 'Sweep the floor').successful
    assert not operator.set_parameter('task', 7).successful
    operator.wait_for_status(
        lambda status: status.values['task'] == 'Sweep the floor', 'the old task'
    )
