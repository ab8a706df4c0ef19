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
"""Which image topics are one camera, and what it is called: names that people would give."""

from __future__ import annotations

from lerobot_streamrec.settings.camera_names import camera_groups, camera_names
import pytest


@pytest.mark.parametrize(
    ('names', 'depths'),
    [
        ({'/camera/front/image_raw': 'front'}, ()),
        ({'/wrist_cam/color/image_rect': 'wrist_cam'}, ()),
        ({'/image_raw': 'camera'}, ()),
        ({'/usb_cam': 'usb_cam'}, ()),
        ({'/robot/Head_Camera/rgb/image_raw': 'head_camera'}, ()),
        ({'/image_left': 'left', '/image_right': 'right'}, ()),
        # Words are added until all differ.
        ({'/left/cam/image_raw': 'left_cam', '/right/cam/image_raw': 'right_cam'}, ()),
        ({'/front/image_raw': 'front', '/camera/front/image_raw': 'front_2'}, ()),
        (
            {
                '/camera/camera/color/image_raw': 'camera',
                '/camera/camera/depth/image_rect_raw': 'camera_depth',
                '/camera/camera/infra1/image_rect_raw': 'infra1',
            },
            ('/camera/camera/depth/image_rect_raw',),
        ),
        # Depth that only its encoding tells.
        (
            {'/top/range/image_raw': 'range_depth', '/top/color/image_raw': 'top'},
            ('/top/range/image_raw',),
        ),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, dict) else '',
)
def test_names_are_short_and_all_different(names, depths):
    assert camera_names(list(names), dict.fromkeys(depths, True)) == names


def test_topics_that_show_the_same_are_one_camera():
    topics = [
        '/front/image_rect',
        '/front/image_mono',
        '/front/image_raw',
        '/front/left',
        '/front/image_left',
        '/wrist/image_rect_color',
        '/wrist/image_mono',
    ]
    assert camera_groups(topics) == [
        ['/front/image_left'],
        ['/front/image_raw', '/front/image_rect', '/front/image_mono'],
        ['/front/left'],
        ['/wrist/image_rect_color', '/wrist/image_mono'],
    ]
