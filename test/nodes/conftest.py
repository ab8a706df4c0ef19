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
"""A separate ROS domain, a robot in this process, and the recorder as a process beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
import sys

import pytest

pytest.importorskip('rclpy', reason='the tests of nodes need rclpy')

# With --import-mode=importlib the folder of a test is not on the path.
sys.path.insert(0, str(Path(__file__).parent))

from examples.demo.settings import ros_environment
from recorder_rig import fake_humble

if fake_humble.is_wanted():
    # The fake must be in place before anything is imported from rclpy by name.
    fake_humble.dress()

import rclpy
from recorder_rig.bag_recorder import BagRecorder
from recorder_rig.nursery import Nursery
from recorder_rig.operator import Operator
from recorder_rig.parameters import COMMON, FRONT_TOPIC, JOINTS, STATE_TOPIC
from recorder_rig.pictures import Picture, quadrants
from recorder_rig.process import RecorderProcess, ros_arguments
from recorder_rig.robot import Robot

_RIGS = []


class Rig:
    """Makes robots, recorders and operators, and ends all of them."""

    def __init__(self, context, folder, nursery):
        self.folder = folder
        self._nursery = nursery
        self.root = folder / 'dataset'
        self._context = context
        _RIGS.append(self)
        self._robots = []
        self.recorders = []
        self._operators = []
        self._others = []

    def robot(self, truth_path=None, **options):
        """Return a robot without topics."""
        robot = Robot(self._context, truth_path, **options)
        self._robots.append(robot)
        return robot

    def small_robot(self, truth_path=None, picture=None, *, is_started=True, **options):
        """Start a robot with one camera and joints; return it and the camera."""
        robot = self.robot(truth_path, **options)
        camera = robot.add_camera(FRONT_TOPIC, picture or Picture(quadrants()))
        robot.add_joints(STATE_TOPIC, JOINTS)
        if is_started:
            robot.start()
        return robot, camera

    def launch(
        self,
        parameters: Mapping[str, object],
        *more: str,
        root: Path | None = None,
        is_forked: bool = True,
    ):
        """Start the recorder's process and do not wait for it; see ``launch_bare``."""
        # All recorders of a session have services of the same names.
        others = [one for rig in _RIGS if rig is not self for one in rig.recorders]
        assert not any(one.is_running for one in others), 'another recorder runs'
        wanted = {'root': str(root or self.root), **COMMON, **parameters}
        # If a parameter is given twice, the last value counts.
        return self.launch_bare(*more, *ros_arguments(wanted), is_forked=is_forked)

    def launch_bare(self, *arguments: str, is_forked: bool = True):
        """
        Start the recorder's process with these arguments and no others.

        :param is_forked: True if the nursery starts it, with its modules already loaded
        """
        log_path = self.folder / f'recorder-{len(self.recorders)}.log'
        recorder = RecorderProcess(
            list(arguments), log_path, self.folder, self._nursery if is_forked else None
        )
        self.recorders.append(recorder)
        return recorder

    def program(self, module: str, parameters: Mapping[str, object], *more: str):
        """Start another executable of the package, which ends with the rig as recorders do."""
        log_path = self.folder / f'program-{len(self.recorders)}.log'
        arguments = [*more, *ros_arguments(parameters)]
        program = RecorderProcess(arguments, log_path, self.folder, None, module)
        self.recorders.append(program)
        return program

    def recorder(self, parameters: Mapping[str, object], *more: str, root: Path | None = None):
        """Start a recorder, and wait until it can record."""
        recorder = self.launch(parameters, *more, root=root)
        recorder.wait_until_ready()
        return recorder

    def operator(self, root: Path | None = None, recorder: str = '/episode'):
        """Return an operator who has found the running recorder."""
        operator = Operator(self._context, root or self.root, recorder)
        self._operators.append(operator)
        operator.wait_for_recorder()
        return operator

    def bag_recorder(self, topics):
        """Record topics, whose message classes are given, as a bag beside the recorder."""
        self._others.append(BagRecorder(self._context, topics))
        return self._others[-1]

    def close(self):
        """End everything, and assert that no recorder has printed a traceback or the like."""
        # Recorders end first, while the robot still publishes.
        for one in (*self.recorders, *self._operators, *self._others, *self._robots):
            one.close()
        for recorder in self.recorders:
            assert not recorder.complaints(), recorder.log


@pytest.fixture(scope='session')
def ros_surroundings(tmp_path_factory):
    """Separate this session from all other ROS systems, and its logs from the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ros_environment({}).items():
            patch.setenv(name, value)
        patch.setenv('ROS_LOG_DIR', str(tmp_path_factory.mktemp('ros_log')))
        yield


@pytest.fixture(scope='session')
def ros_context(ros_surroundings):
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture(scope='session')
def nursery(ros_surroundings):
    """Load the recorder's modules once for all recorders of this session."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def rig(ros_context, tmp_path, kept_datasets, nursery):
    """Make robots, recorders and operators for one test."""
    rig = Rig(ros_context, tmp_path, nursery)
    yield rig
    rig.close()
    kept_datasets.add_other(rig.root)


@pytest.fixture(scope='module')
def shared_rig(ros_context, tmp_path_factory, kept_datasets, nursery):
    """Make robots, recorders and operators for all tests of a file."""
    rig = Rig(ros_context, tmp_path_factory.mktemp('shared'), nursery)
    yield rig
    rig.close()
    kept_datasets.add_other(rig.root)
