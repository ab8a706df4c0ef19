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
The whole way from pictures of the simulated arm to the delay that was planted in their stamps.

The pictures carry noise, and a number that changes with each of them as a burnt-in clock does.
"""

from __future__ import annotations

from arm_strokes import NoisyView, Strokes
from examples.demo.drawing import VIEWS
from lerobot_streamrec.errors import UnclearDelayError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.sync.motion_delay import JointSeries, measure_delay, MotionRecord
from lerobot_streamrec.video.tools.picture_motion import PictureMotion
import numpy as np
import pytest

BEGIN_NS = 1_800_000_000_000_000_000
FPS, SECONDS = 30, 10
DELAYS_S = (0.0, 0.015, 0.04, 0.09)
ACCURACY_S = 0.005


def stamp_ns(at_s):
    return BEGIN_NS + round(at_s * 1e9)


def watched(view, motion, phase_s=0.0):
    """Return the motion in ten seconds of pictures, with true stamps."""
    pictures = PictureMotion()
    for number in range(FPS * SECONDS):
        at_s = number / FPS + phase_s
        picture = view.picture(motion.joints(at_s), number)
        pictures.push(stamp_ns(at_s), Frame(picture, 'rgb24'))
    return pictures


def joints_of(motion):
    times_s = np.arange(-0.5, SECONDS + 0.5, 0.01)
    stamps_ns = np.array([stamp_ns(one) for one in times_s])
    return JointSeries(stamps_ns, np.array([motion.joints(one) for one in times_s]))


@pytest.mark.slow
@pytest.mark.parametrize('name', VIEWS)
def test_planted_delays_are_found_within_five_milliseconds(name):
    motion = Strokes(11)
    pictures, joints = watched(NoisyView(name), motion, phase_s=0.0123), joints_of(motion)
    changes = pictures.changes()
    for delay_s in DELAYS_S:
        stamps_ns = pictures.stamps_ns + round(delay_s * 1e9)
        found = measure_delay([MotionRecord(stamps_ns, changes, [joints])])
        assert found.delay_s == pytest.approx(delay_s, abs=ACCURACY_S)
    other = joints_of(Strokes(12))
    with pytest.raises(UnclearDelayError):
        measure_delay([MotionRecord(pictures.stamps_ns, changes, [other])])
