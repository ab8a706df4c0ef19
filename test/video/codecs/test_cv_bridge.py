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
Pixels are those of cv_bridge, which most code of ROS reads pictures with.

The package index has no cv_bridge that works, so that this is compared only where a ROS
installation has brought it; the comparison itself is tried everywhere, on stand-ins.
"""

from __future__ import annotations

from colour_patches import draw
from lerobot_streamrec.conversions.image import image_frame
from lerobot_streamrec.video.codecs.pixels import rgb_pixels
import numpy as np
import pytest
import raw_images
from raw_images import image_message

# OpenCV and libav round YUV differently.
OFF = 4
SIZE = (72, 96)
# Every cv_bridge since Humble turns these into colours; later ones know more of ours.
KNOWN_TO_ALL = {
    'rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', 'mono16', 'rgb16', 'bgr16', 'rgba16', 'bgra16',
    'yuv422', 'yuv422_yuy2', 'bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8',
}  # fmt: skip


def difference(bridge, encoding):
    """Return how far our colours are from a bridge's; None if it does not know the encoding."""
    rgb, is_judged = draw(*SIZE)
    message = image_message(rgb, encoding)
    try:
        theirs = np.asarray(bridge.imgmsg_to_cv2(message, 'rgb8')).astype(int)
    # What it raises for encodings that it cannot convert differs from release to release.
    except Exception:  # noqa: BLE001
        theirs = None
    if theirs is None or theirs.shape != (*SIZE, 3):
        assert encoding not in KNOWN_TO_ALL
        return None
    ours = rgb_pixels(image_frame(message)).astype(int)
    return int(np.abs(ours - theirs)[is_judged].max())


def test_pixels_are_those_of_cv_bridge():
    try:
        from cv_bridge import CvBridge

        bridge = CvBridge()
        bridge.imgmsg_to_cv2(image_message(draw(*SIZE)[0], 'bgr8'), 'rgb8')
    # One without its compiled part, or for another numpy, cannot be imported, or fails here.
    except (ImportError, AttributeError) as error:
        pytest.skip(
            f'cv_bridge is not usable here ({error}): a ROS installation has it, as '
            'ros-<distro>-cv-bridge; nothing was compared with it'
        )
    found = {encoding: difference(bridge, encoding) for encoding in raw_images.ENCODINGS}
    off = {encoding: by for encoding, by in found.items() if by is not None and by > OFF}
    assert not off, f'levels off, of 255: {off}'


class Bridge:
    """Stands in for cv_bridge, with one encoding."""

    def __init__(self, order):
        self._order = order

    def imgmsg_to_cv2(self, message, wanted):
        assert wanted == 'rgb8'
        if message.encoding not in ('bgr8', 'nv12'):
            raise ValueError(message.encoding)
        data = np.frombuffer(message.data, np.uint8)
        if message.encoding == 'nv12':
            return data.reshape(-1, message.width)
        return data.reshape(message.height, message.width, 3)[..., self._order]


def test_equal_pixels_are_equal():
    assert difference(Bridge([2, 1, 0]), 'bgr8') == 0


def test_colours_in_another_order_are_seen():
    assert difference(Bridge([0, 1, 2]), 'bgr8') > 100


def test_encodings_that_a_bridge_does_not_know_are_not_compared():
    assert difference(Bridge([2, 1, 0]), 'nv24') is None
    assert difference(Bridge([2, 1, 0]), 'nv12') is None
    with pytest.raises(AssertionError):
        difference(Bridge([2, 1, 0]), 'rgb8')


def test_encodings_that_every_bridge_knows_are_ours():
    assert set(raw_images.ENCODINGS) >= KNOWN_TO_ALL
