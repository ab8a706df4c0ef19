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
The main job: three cameras at 640x480 and 30 Hz, two episodes of six seconds, nothing lost.

The simulated arm, the recorder and the operator (this process) are processes of their own and
talk through real DDS. The arm numbers its pictures and writes down what it published, so every
row is held against the truth: it must show the newest picture and the newest joints at its
instant, exactly. The arm keeps to its schedule even if the machine is busy and messages leave
late, so that every row must show a new picture of every camera.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

from examples.demo.__main__ import record, TASKS, TOPICS
from examples.demo.report import format_verdict
from examples.demo.settings import ros_environment, Settings
from examples.demo.verdict import judge
import pytest

pytest.importorskip('rclpy', reason='the main job needs rclpy')

pytestmark = [
    pytest.mark.ros,
    pytest.mark.alone,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

EPISODE_S = 6.0
FPS = 30
CAMERAS = [key for key in TOPICS if key.startswith('observation.images.')]


@pytest.fixture(scope='module')
def job(tmp_path_factory):
    """Do the job once; return where it was recorded to, and the processes."""
    settings = Settings(tmp_path_factory.mktemp('main_job') / 'dataset', EPISODE_S)
    settings.report.mkdir()
    children = []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ros_environment({}).items():
            patch.setenv(name, value)
        patch.setenv('ROS_LOG_DIR', str(settings.report))
        assert os.environ['FASTRTPS_DEFAULT_PROFILES_FILE'].endswith('fastdds_images.xml')
        # Signals stay with pytest.
        record(settings, SimpleNamespace(is_raised=False), children)
    return settings, children


@pytest.fixture(scope='module')
def verdict(job):
    settings, _ = job
    return judge(settings.root, settings.truth_path, topics=TOPICS)


def test_the_processes_end_in_order(job):
    _, children = job
    assert {child.name: child.exit_status for child in children} == {'arm': 0, 'recorder': 0}
    for child in children:
        assert 'Traceback' not in child.log_path.read_text(), child.log_tail()


def test_every_row_is_the_truth_at_its_instant(job, verdict, keep_dataset):
    settings, _ = job
    print(f'\n{format_verdict(verdict)}')
    assert verdict.problems == ()
    assert verdict.ok
    assert tuple(episode.task for episode in verdict.episodes) == TASKS
    for episode in verdict.episodes:
        # How long an episode lasts by the arm's stamps is a matter of how busy the machine is.
        assert episode.rows > 2 * FPS
        assert [camera.key for camera in episode.cameras] == CAMERAS
        for camera in episode.cameras:
            assert camera.frames == episode.rows
            assert camera.wrong == 0
    keep_dataset(settings.root)


def test_every_row_shows_a_new_picture_and_none_is_left_out(verdict):
    steps = {
        (episode.episode_index, camera.key): (camera.repeated, camera.skipped)
        for episode in verdict.episodes
        for camera in episode.cameras
    }
    assert steps == {(index, key): (0, 0) for index in range(len(TASKS)) for key in CAMERAS}
