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
"""A package that is missing is told in a sentence with the command that brings it: status 2."""

from __future__ import annotations

from command_line import python
import pytest

EXIT_CONFIG = 2
RECORD = 'from lerobot_streamrec.nodes.record_main import main; sys.exit(main(["--ros-args"]))'
CONSOLE = (
    'from lerobot_streamrec.console.console_main import main; sys.exit(main(["--ros-args"]))'
)
STREAMREC = 'from lerobot_streamrec.cli.__main__ import run; run()'


def without(package, code, *arguments):
    return python('-c', f'import sys; sys.modules[{package!r}] = None; {code}', *arguments)


@pytest.mark.parametrize(
    ('package', 'code'),
    [
        *((package, STREAMREC) for package in ('av', 'pyarrow', 'numpy', 'filelock')),
        *((package, STREAMREC) for package in ('click', 'rich')),
        # The recorder looks for ROS first.
        *(
            pytest.param(package, RECORD, marks=pytest.mark.ros)
            for package in ('av', 'pyarrow', 'numpy', 'filelock')
        ),
        *(
            pytest.param(package, CONSOLE, marks=pytest.mark.ros)
            for package in ('segno', 'starlette', 'uvicorn', 'websockets')
        ),
    ],
    ids=lambda value: {RECORD: 'record', STREAMREC: 'streamrec', CONSOLE: 'console'}.get(
        value, value
    ),
)
def test_a_missing_package_is_named_with_a_command(package, code):
    done = without(package, code)
    assert done.returncode == EXIT_CONFIG, done.stderr
    *others, line = done.stderr.splitlines()
    if others and package == 'numpy':
        # Compiled packages of the time of numpy 1 hide which module they did not find.
        assert 'a Python package cannot be loaded (numpy' in line
    else:
        assert not others, done.stderr
        assert f'the Python package {package} is not installed for ' in line
    assert 'pip install ' in done.stderr


@pytest.mark.parametrize(
    'package', ['yaml', 'rosbags', 'jinja2', 'rerun', 'rclpy', 'huggingface_hub']
)
def test_tools_for_datasets_run_without_what_only_other_commands_need(package):
    done = without(package, STREAMREC, '--help')
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    'package', ['rclpy', pytest.param('sensor_msgs', marks=pytest.mark.ros)]
)
@pytest.mark.parametrize(
    ('code', 'arguments'),
    [(RECORD, ()), (STREAMREC, ('init', 'robot.yaml')), (STREAMREC, ('doctor', 'robot.yaml'))],
    ids=['record', 'init', 'doctor'],
)
def test_a_missing_part_of_ros_is_named_with_what_to_source(package, code, arguments):
    done = without(package, code, *arguments)
    assert done.returncode == EXIT_CONFIG, done.stderr
    assert package in done.stderr
    assert 'source your ROS setup' in done.stderr
    assert 'Traceback' not in done.stderr
