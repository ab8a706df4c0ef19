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
"""Encoders are freed when their episode has ended, and pushed pictures do not pile up."""

from __future__ import annotations

import gc
import weakref

import av
from numbered_pictures import numbered_frame
import pytest
from waiting import wait_for

_OF_LIBAV = (av.container.OutputContainer, av.video.codeccontext.VideoCodecContext)


@pytest.fixture
def num_encoders():
    """Count the encoders in memory, while nobody but the recorder looks for garbage."""
    gc.collect()
    there = {id(one) for one in gc.get_objects() if isinstance(one, _OF_LIBAV)}

    def count():
        found = [one for one in gc.get_objects() if isinstance(one, _OF_LIBAV)]
        return sum(id(one) not in there for one in found)

    gc.disable()
    yield count
    gc.enable()


def test_encoders_of_saved_episodes_are_freed(make_rig, num_encoders):
    rig = make_rig()
    rig.run(1)
    for _ in range(2):
        rig.start()
        rig.run(0.5)
        assert num_encoders() > 0
        rig.save()
        wait_for(lambda: num_encoders() == 0)


def test_encoders_of_discarded_episodes_are_freed(make_rig, num_encoders):
    rig = make_rig()
    rig.run(1)
    rig.start()
    rig.run(0.5)
    rig.recorder.discard().result(60)
    wait_for(lambda: num_encoders() == 0)


def test_pictures_that_nobody_takes_in_do_not_pile_up(make_rig):
    """A program that uses the recorder without ROS may call close_rows rarely, or never."""
    rig = make_rig()
    rig.run(1)
    alive = []
    for number in range(1000):
        frame = numbered_frame(number)
        alive = [one for one in alive if one() is not None] + [weakref.ref(frame.pixels)]
        for key in rig.cameras:
            rig.recorder.push_image(key, rig.now_ns + number, frame)
    # One of each camera is the newest, and the others wait together.
    assert len(alive) <= 64
