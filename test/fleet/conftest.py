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
"""The parameter file and the root of imports."""

from __future__ import annotations

import pytest
import yaml

PARAMETERS = {
    'fps': 10,
    'task': 'push the cube',
    'robot_type': 'arm',
    'cameras': ['front'],
    'camera': {'front': {'topic': '/front/image_raw'}},
    'state': {'topic': '/joint_states', 'names': ['a', 'b']},
    'encoder': {'vcodec': 'h264', 'preset': 'ultrafast', 'crf': 10.0},
}


@pytest.fixture
def params(tmp_path):
    path = tmp_path / 'robot.yaml'

    def write(**changes):
        values = {**PARAMETERS, 'root': str(tmp_path / 'dataset'), **changes}
        path.write_text(yaml.safe_dump({'/**/episode': {'ros__parameters': values}}))
        return str(path)

    return write


@pytest.fixture
def root(tmp_path):
    return tmp_path / 'dataset'
