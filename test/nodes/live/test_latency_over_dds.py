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
`streamrec latency` over real DDS: a planted delay is found, and put into the parameter file.

Guards the way of a user whose driver stamps pictures late: from a robot that moves to a file with
which the rows fit, and to a reason where a camera cannot be measured.
"""

from __future__ import annotations

from functools import partial
import json
import subprocess

from arm_strokes import Strokes
from lerobot_streamrec.errors import ConfigError, UnclearDelayError
from lerobot_streamrec.live.latency.measure import measure_latency, read_offsets
from lerobot_streamrec.settings.camera_offsets import with_offsets, write_offsets
import numpy as np
import pytest
from recorder_rig.fake_humble import python_module
from recorder_rig.moving_arm import add_moving_arm, add_rival, DELAY_S, NAMES
from recorder_rig.surroundings import NeverStop
import yaml

pytestmark = [pytest.mark.ros]
TIMEOUT_S = 120.0
FILE = f"""\
/episode:
  ros__parameters:
    root: /nowhere  # stays
    fps: 30
    task: t
    cameras: [front, wall]
    camera:
      front:
        topic: /front/image_raw
        offset_ms: -5.0  # of the driver
      wall: {{topic: /wall/image_raw}}
    state.topic: /joint_states
    state.names: [{', '.join(NAMES)}]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'robot.yaml'
    path.write_text(FILE, encoding='utf-8')
    return path


def run(*arguments):
    process = subprocess.run(
        [*python_module('lerobot_streamrec.cli'), 'latency', *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert 'Traceback' not in process.stderr, process.stderr
    return process


def offset_of(path, name='front'):
    return read_offsets(path, ros_arguments=(), stop=NeverStop())[name]


def test_a_planted_delay_is_found_and_written(rig, file):
    add_moving_arm(rig, Strokes(21).joints)
    done = run(file, '--write', '--json')
    # The camera that sees only the wall is not measured, and says why.
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)['cameras']
    assert found['front']['delay_ms'] == pytest.approx(1e3 * DELAY_S, abs=5)
    assert found['front']['offset_ms'] == -5.0
    assert 'do not show how the robot moves' in found['wall']['problem']
    wanted = found['front']['wanted_offset_ms']
    assert wanted == pytest.approx(-1e3 * DELAY_S, abs=5)
    assert offset_of(file) == wanted
    assert file.read_text() == FILE.replace('offset_ms: -5.0', f'offset_ms: {wanted}')

    # What is there already changes nothing: the whole offset is measured again.
    done = run(file)
    assert done.returncode == 1
    (line,) = [one for one in done.stdout.splitlines() if 'camera.front.offset_ms:' in one]
    assert float(line.partition(':')[2]) == pytest.approx(-1e3 * DELAY_S, abs=5)
    assert f'{wanted:g}' in next(one for one in done.stdout.splitlines() if one[:5] == 'front')
    assert offset_of(file) == wanted


def test_reasons_are_given_where_nothing_can_be_measured(rig, file):
    add_moving_arm(rig, lambda _at_s: np.zeros(6))
    add_rival(rig)
    text = FILE.replace('[front, wall]', '[front, wall, gone]')
    file.write_text(f'{text}    camera.gone.topic: /gone/image_raw\n', encoding='utf-8')
    told = []
    front, wall, gone = measure_latency(
        file, seconds=5, ros_arguments=(), stop=NeverStop(), tell=told.append
    )
    assert 'no joint moves' in str(wall.found)
    for words in ('messages of its pictures come from', '/rival', 'in turn: end all but one'):
        assert words in str(front.found)
    assert isinstance(gone.found, UnclearDelayError)
    assert 'no message of its pictures could be read' in str(gone.found)
    assert 'doctor' in str(gone.found)
    assert (front.wanted_ms, gone.wanted_ms) == (None, None)
    assert told == [None, 5, 4, 3, 2, 1, 0]

    file.write_text(FILE.partition('    state')[0], encoding='utf-8')
    with pytest.raises(ConfigError, match=r'state\.topic'):
        measure_latency(file, seconds=5, ros_arguments=(), stop=NeverStop(), tell=told.append)


NODE = '/episode:\n  ros__parameters:\n    cameras: [front, top]\n'


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        (
            '    camera.front.topic: /f',
            '    camera.front.topic: /f\n    camera.front.offset_ms: -41.0',
        ),
        (
            '    camera:\n      front:\n        topic: /f  # mine\n        depth: false\n',
            '    camera:\n      front:\n        topic: /f  # mine\n        offset_ms: -41.0\n'
            '        depth: false\n',
        ),
        (
            '    camera:\n      front: {topic: /f, depth: false}\n',
            '    camera:\n      front: {topic: /f, offset_ms: -41.0, depth: false}\n',
        ),
        (
            '    camera: {front.topic: "/f"}\n',
            '    camera: {front.topic: "/f", front.offset_ms: -41.0}\n',
        ),
        (
            '    camera.front: {offset_ms: 3.5, topic: /f}  # old\n',
            '    camera.front: {offset_ms: -41.0, topic: /f}  # old\n',
        ),
        (
            '    camera:\n      top:\n        topic: /t\n        offset_ms: 1.0\n'
            '      front:\n        topic: /f\n',
            '    camera:\n      top:\n        topic: /t\n        offset_ms: 1.0\n'
            '      front:\n        topic: /f\n        offset_ms: -41.0\n',
        ),
    ],
)
def test_only_the_offset_changes_in_a_file(before, after):
    made = with_offsets(NODE + before, {'front': -41.0})
    assert made == NODE + after
    assert with_offsets(made, {'front': -41.0}) == made
    yaml.safe_load(made)


def test_a_file_from_which_another_value_would_be_read_stays(ros_surroundings, file):
    arguments = ['--ros-args', '-p', 'camera.front.offset_ms:=3.0']
    with pytest.raises(ConfigError, match=r'still read 3\.0 .* by hand: camera\.front\.offset_ms'):
        write_offsets(
            file,
            {'front': -41.0},
            partial(read_offsets, ros_arguments=arguments, stop=NeverStop()),
        )
    assert file.read_text() == FILE
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    write_offsets(
        file, {'wall': 12.0}, partial(read_offsets, ros_arguments=(), stop=NeverStop())
    )
    assert (offset_of(file), offset_of(file, 'wall')) == (-5.0, 12.0)
