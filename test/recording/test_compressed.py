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
Compressed cameras show in every row what they should, and a broken picture shifts nothing.

Guards promise 1 against pictures that turn out to be broken only after their row was closed.
"""

from __future__ import annotations

from lerobot_streamrec.conversions.compressed_image import compressed_picture
from lerobot_streamrec.errors import CommitError, EpisodeError
from lerobot_streamrec.frame import Frame
import numpy as np
from picture_files import jpeg_file, png_file
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
BLOCK = 16


class Message:
    """What is looked at of a sensor_msgs/CompressedImage."""

    def __init__(self, data):
        self.format = 'bgr8; jpeg compressed bgr8'
        self.data = data


def drawn(number):
    """Draw a number below 4096 in black and white blocks."""
    bits = np.array([(number >> bit) & 1 for bit in range(12)], np.uint8).reshape(3, 4)
    blocks = np.kron(bits * 255, np.ones((BLOCK, BLOCK), np.uint8))
    return np.repeat(blocks[..., None], 3, 2)


def jpeg(number):
    return compressed_picture(Message(jpeg_file(drawn(number), subsampling=2)))


def png(number):
    return compressed_picture(Message(png_file(drawn(number))))


@pytest.fixture
def compressed_rig(make_rig):
    """A JPEG and a PNG camera that have been running for a second."""
    rig = make_rig()
    rig.draw = {FRONT: jpeg, TOP: png}
    rig.run(1)
    return rig


def broken(draw, numbers):
    """Cut the pictures of some numbers short."""

    def cut(number):
        picture = draw(number)
        if number in numbers:
            return compressed_picture(Message(picture.data[:-40].tobytes()))
        return picture

    return cut


def test_rows_show_the_pictures_of_compressed_cameras(compressed_rig, read_dataset, keep_dataset):
    rig = compressed_rig
    rig.record(2)
    summary = rig.record(1)
    assert summary.num_repeated == 0
    assert summary.remarks == ()
    dataset = read_dataset(rig.config.root)
    rig.check(dataset, 0)
    rig.check(dataset, 1)
    keep_dataset(rig.config.root)


def test_what_cannot_be_decoded_repeats_the_one_before_and_is_told(compressed_rig, read_dataset):
    rig = compressed_rig
    rig.recorder.start()
    rig.run(0.5)
    first = len(rig.sent[FRONT])
    # Two in a row and one by itself.
    rig.draw[FRONT] = broken(jpeg, {first, first + 1, first + 5})
    rig.run(1.5)
    summary = rig.save()
    dataset = read_dataset(rig.config.root)
    instants = rig.instants(dataset, 0)
    meant = [max(one for one in rig.sent[FRONT] if one[0] <= at)[1] for at in instants]
    stand_in = {first: first - 1, first + 1: first - 1, first + 5: first + 4}
    assert rig.shown(dataset, 0, FRONT) == [stand_in.get(number, number) for number in meant]
    assert set(stand_in) <= set(meant)
    assert summary.num_repeated == 3
    reason = 'because what the camera sent could not be decoded'
    assert summary.remarks == (f'{FRONT}: 3 frames repeated {reason}',)
    streams = rig.record_of(0)['streams']
    assert [streams[key]['rows_undecodable'] for key in (FRONT, TOP)] == [3, 0]
    assert rig.shown(dataset, 0, TOP) == sorted(set(rig.shown(dataset, 0, TOP)))


def test_a_first_picture_that_is_broken_fails_the_episode_with_the_reason(
    compressed_rig, read_dataset
):
    rig = compressed_rig
    rig.draw[FRONT] = broken(jpeg, range(4096))
    rig.run(0.5)
    rig.recorder.start()
    rig.run(0.3)
    # Whether the encoder finds it out before or after the save was asked for.
    reason = f'{FRONT}: the first picture: mjpeg picture'
    with pytest.raises((CommitError, EpisodeError), match=reason):
        rig.save()
    rig.draw[FRONT] = jpeg
    rig.run(0.5)
    rig.record(1)
    rig.check(read_dataset(rig.config.root), 0)


def test_a_camera_may_change_between_raw_and_compressed(compressed_rig, read_dataset):
    rig = compressed_rig
    rig.recorder.start()
    for draw in (jpeg, lambda number: Frame(drawn(number), 'bgr24'), png, jpeg):
        rig.draw[FRONT] = draw
        rig.run(0.5)
    assert rig.save().num_repeated == 0
    rig.check(read_dataset(rig.config.root), 0)
