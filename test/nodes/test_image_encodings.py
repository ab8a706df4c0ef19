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
"""Each image encoding, sent through real DDS, ends in a video of the right colours."""

from __future__ import annotations

import pytest
from recorder_rig.datasets import assert_whole, pictures
from recorder_rig.pictures import HEIGHT, Picture, QUADRANTS, quadrants, quarters, WIDTH

pytestmark = [pytest.mark.ros]

# One of each family; all are tested in test/video/encode/test_encodings.py.
CASES = {
    'rgb8': {'encoding': 'rgb8'},
    'bgr8': {'encoding': 'bgr8'},
    'mono8': {'encoding': 'mono8'},
    'bgra8': {'encoding': 'bgra8'},
    'typed': {'encoding': '8UC3'},
    'mono16': {'encoding': 'mono16', 'is_bigendian': 1},
    'rgb16': {'encoding': 'rgb16', 'padding': 6},
    'uyvy': {'encoding': 'yuv422'},
    'yuy2': {'encoding': 'yuv422_yuy2', 'padding': 8},
    'nv12': {'encoding': 'nv12'},
    'nv21': {'encoding': 'nv21', 'padding': 64},
    'nv24': {'encoding': 'nv24'},
    'bayer': {'encoding': 'bayer_grbg8'},
    'bayer16': {'encoding': 'bayer_rggb16', 'is_bigendian': 1},
    # Cameras with 32 or 64 byte lines, and a driver on a big-endian machine.
    'padded': {'encoding': 'rgb8', 'padding': 37, 'is_bigendian': 1},
    'padded_mono': {'encoding': 'mono8', 'padding': 64, 'is_bigendian': 1},
}
TOLERANCE = 9.0
FPS = 10


@pytest.fixture(scope='module')
def dataset(shared_rig):
    """Record a camera of each encoding, all in one episode; return the dataset's folder."""
    robot = shared_rig.robot()
    parameters = {'cameras': list(CASES), 'encoder.crf': 18.0}
    for name, options in CASES.items():
        topic = f'/{name}/image_raw'
        robot.add_camera(topic, Picture(quadrants(), **options), hz=FPS)
        parameters[f'camera.{name}.topic'] = topic
    robot.start()
    recorder = shared_rig.recorder({**parameters, 'fps': FPS})
    shared_rig.operator().record(num_rows=10)
    assert recorder.end() == 0
    return shared_rig.root


@pytest.mark.parametrize('name', CASES)
def test_colours(dataset, name):
    wanted = [list(map(float, colour)) for colour in QUADRANTS]
    if 'mono' in name:
        wanted = [[round(sum(colour) / 3)] * 3 for colour in wanted]
    frames = pictures(dataset, f'observation.images.{name}')
    assert len(frames) >= 10
    for frame in frames:
        assert frame.shape == (HEIGHT, WIDTH, 3)
        for seen, right in zip(quarters(frame), wanted, strict=True):
            assert seen == pytest.approx(right, abs=TOLERANCE), name


def test_every_frame_is_there(dataset):
    assert_whole(dataset, num_episodes=1)
