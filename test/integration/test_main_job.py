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
The main job: three cameras at 640x480 and 30 Hz, two episodes of ten seconds, nothing lost.

The simulated arm, the recorder and the operator (this process) are processes of their own and
talk through real DDS. The arm numbers its pictures and writes down what it published, so every
row is held against the truth: it must show the newest picture and the newest joints at its
instant, exactly.

A row repeats a picture where the arm brought no new one in time. On a machine that is busy with
other things the arm publishes late, and that is no loss of the recorder's. How late each picture
was is told from the truth, too, as the arm keeps to a schedule without drift: a repeat is the
arm's own only if the picture that should have been new was late, or was never taken.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
import os
from types import SimpleNamespace

from examples.demo.__main__ import record, TASKS, TOPICS
from examples.demo.dataset_files import read_instants
from examples.demo.report import format_verdict
from examples.demo.settings import Settings
from examples.demo.truth import read_truth
from examples.demo.verdict import judge
import pytest

pytest.importorskip('rclpy', reason='the main job needs rclpy')

import itertools

from recorder_rig.surroundings import own_environment

pytestmark = [
    pytest.mark.ros,
    pytest.mark.alone,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

EPISODE_S = 6.0
FPS = 30
PERIOD_NS = 10**9 // FPS
CAMERAS = [key for key in TOPICS if key.startswith('observation.images.')]
# Three phases leave a sixth of a period on either side of a row's instant.
LATE_NS = PERIOD_NS // 8
GAP_NS = PERIOD_NS * 3 // 2


@dataclass(frozen=True)
class Figures:
    """What one episode shows of one camera after its first second."""

    rows: int
    repeated: int
    skipped: int
    arm_was_late: int
    """Repeats for want of a picture that came late."""
    arm_had_a_gap: int
    """Repeats for want of a picture that came more than half a period late, or never."""

    @property
    def unexplained(self):
        return self.repeated - self.arm_was_late - self.arm_had_a_gap


@pytest.fixture(scope='module')
def job(tmp_path_factory):
    """Do the job once; return where it was recorded to, and the processes."""
    settings = Settings(tmp_path_factory.mktemp('main_job') / 'dataset', EPISODE_S)
    settings.report.mkdir()
    children = []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own_environment().items():
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


def test_no_picture_is_lost_or_repeated_after_the_first_second(job, verdict):
    settings, _ = job
    truth = read_truth(settings.truth_path)
    phase_ns = schedule_phase_ns({key: truth[TOPICS[key]].stamps_ns for key in CAMERAS})
    found = {}
    for index in range(len(verdict.episodes)):
        instants = read_instants(settings.root, index)[FPS:]
        for place, key in enumerate(CAMERAS):
            due_ns = phase_ns + place * PERIOD_NS // len(CAMERAS)
            figures = look_at(truth[TOPICS[key]].stamps_ns, instants, due_ns)
            found[index, key] = figures
            print(f'episode {index}, {key}: {figures}, unexplained {figures.unexplained}')
    assert len(found) == 2 * len(CAMERAS)
    assert {where: one.unexplained for where, one in found.items() if one.unexplained} == {}


def schedule_phase_ns(stamps_of_cameras):
    """
    Tell when in the period the first camera's pictures are due.

    The arm spreads its cameras evenly. Most pictures are on time, and none comes early.
    """
    millisecond_ns = 10**6
    counts = Counter()
    for place, stamps_ns in enumerate(stamps_of_cameras.values()):
        offset_ns = place * PERIOD_NS // len(stamps_of_cameras)
        counts.update((stamp - offset_ns) % PERIOD_NS // millisecond_ns for stamp in stamps_ns)
    (fullest, _), *_ = counts.most_common(1)
    before = (fullest - 1) % (PERIOD_NS // millisecond_ns)
    # The schedule may fall on the edge of two milliseconds.
    first = before if counts[before] > counts[fullest] // 4 else fullest
    return first * millisecond_ns


def look_at(stamps_ns, instants, due_ns):
    """Compare each row's picture with the one before; verdict has proved which one it shows."""
    places = [bisect_right(stamps_ns, instant) - 1 for instant in instants]
    repeated = skipped = late = gaps = 0
    for before, place in itertools.pairwise(places):
        skipped += max(place - before - 1, 0)
        if place > before:
            continue
        repeated += 1
        shown_ns, next_ns = stamps_ns[place], stamps_ns[place + 1]
        if next_ns - shown_ns > GAP_NS:
            gaps += 1
        elif (next_ns - due_ns) % PERIOD_NS > LATE_NS:
            late += 1
    return Figures(len(instants), repeated, skipped, late, gaps)
