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
One picture a second tells whether a camera's pictures decode, and the newest when it is asked.

Guards the time of the executor as much as the truth of what `start` is told.
"""

from __future__ import annotations

from lerobot_streamrec.conversions.compressed_image import access_unit
from lerobot_streamrec.frame import CompressedPicture
from lerobot_streamrec.video.encode.copying_encoder import PacketStream
from lerobot_streamrec.video.encode.decoders import PictureDecoder
from lerobot_streamrec.video.encode.packet_decoder import PacketDecoder
from lerobot_streamrec.video.encode.picture_fitness import NUM_RECENT, PictureFitness
from numbered_pictures import HEIGHT, numbered_frame, WIDTH
import numpy as np
from packets import encode_packets
from picture_files import jpeg_file
import pytest

SECOND_NS = 10**9
FILE = jpeg_file(numbered_frame(7).pixels)
HZ = 25


def whole():
    return CompressedPicture(np.frombuffer(FILE, np.uint8), 'mjpeg', HEIGHT, WIDTH)


def damaged():
    return CompressedPicture(np.frombuffer(FILE[:-40], np.uint8), 'mjpeg', HEIGHT, WIDTH)


class Timer:
    """A clock that goes on by as much as each picture is said to take."""

    def __init__(self, look_ns):
        self.now_ns = 0
        self._step_ns = look_ns
        self._is_begin = False

    def __call__(self):
        self._is_begin = not self._is_begin
        if not self._is_begin:
            self.now_ns += self._step_ns
        return self.now_ns


@pytest.fixture
def num_decoded(monkeypatch):
    """Count what is decoded."""
    counted = []
    for decoder in (PictureDecoder, PacketDecoder):
        real = decoder.decode

        def decode(self, picture, real=real):
            counted.append(picture)
            return real(self, picture)

        monkeypatch.setattr(decoder, 'decode', decode)
    return lambda: len(counted)


def run(fitness, pictures, *, may_look=True, begin_s=0):
    for number, picture in enumerate(pictures):
        now_ns = begin_s * SECOND_NS + number * SECOND_NS // HZ
        fitness.push(picture, now_ns, may_look=may_look)


@pytest.mark.parametrize(
    ('look_ms', 'num_looks'),
    [(2, 10), (20, 10), (100, 2)],
    ids=['one a second', '2 % of the time', 'less often if that were more'],
)
def test_whole_pictures_cost_one_look_a_second_and_2_percent_at_the_most(
    look_ms, num_looks, num_decoded
):
    fitness = PictureFitness(Timer(look_ms * 10**6))
    run(fitness, [whole() for _ in range(10 * HZ)])
    assert num_decoded() == num_looks
    assert fitness.problem == ''
    # The newest one is looked at when an episode is to begin, and no other.
    fitness.settle()
    fitness.settle()
    assert num_decoded() == num_looks + 1


def test_damaged_pictures_are_looked_at_until_one_is_whole(num_decoded):
    fitness = PictureFitness(Timer(0))
    run(fitness, [damaged(), damaged(), damaged(), whole(), damaged(), damaged()])
    assert num_decoded() == 4
    assert fitness.problem == ''


@pytest.mark.parametrize('num_damaged', range(NUM_RECENT + 2))
def test_a_camera_is_unfit_when_none_of_the_newest_decodes(num_damaged, num_decoded):
    fitness = PictureFitness(Timer(0))
    good = whole()
    run(fitness, [whole()] * 3)
    run(fitness, [good, *(damaged() for _ in range(num_damaged))], may_look=False)
    before = num_decoded()
    fitness.settle()
    assert num_decoded() - before == min(num_damaged + 1, NUM_RECENT)
    assert bool(fitness.problem) == (num_damaged >= NUM_RECENT)
    if not fitness.problem:
        assert fitness.whole is good


@pytest.mark.parametrize('may_look', [True, False])
@pytest.mark.parametrize(('sizes', 'chosen'), [('SSSs', 2), ('SSss', 3), ('sSSS', 3), ('Ssss', 3)])
def test_a_picture_of_another_size_is_not_what_an_episode_begins_with(sizes, chosen, may_look):
    """A header that is damaged may say a smaller size, with which the picture decodes."""
    at = FILE.find(b'\xff\xc0')
    smaller = FILE[: at + 5] + b'\x00\x10\x00\x10' + FILE[at + 9 :]
    pictures = [
        whole() if size == 'S'
        else CompressedPicture(np.frombuffer(smaller, np.uint8), 'mjpeg', 16, 16)
        for size in sizes
    ]
    fitness = PictureFitness(Timer(0))
    for number, picture in enumerate(pictures):
        fitness.push(picture, number * SECOND_NS, may_look=may_look)
    fitness.settle()
    assert (fitness.problem, fitness.whole) == ('', pictures[chosen])


def test_nothing_is_decoded_while_an_episode_is_recorded(num_decoded):
    fitness = PictureFitness(Timer(0))
    run(fitness, [damaged() for _ in range(3 * HZ)], may_look=False)
    assert num_decoded() == 0


def test_pixels_are_always_fit_and_only_the_newest_is_kept(num_decoded):
    fitness = PictureFitness(Timer(0))
    run(fitness, [damaged()] * NUM_RECENT)
    assert fitness.problem
    frame = numbered_frame(3)
    run(fitness, [numbered_frame(2), frame])
    fitness.settle()
    assert (fitness.problem, fitness.whole) == ('', frame)


def test_of_packets_the_first_after_a_key_frame_are_decoded(num_decoded):
    messages = encode_packets([numbered_frame(n).pixels for n in range(4 * HZ)], 'h264', HZ)
    stream = PacketStream()
    packets = [stream.push(access_unit(one)) for one in messages]
    fitness = PictureFitness(Timer(10**6))
    run(fitness, packets[:-1])
    assert num_decoded() == 4 * 8
    # In a group that is known already, nothing has to be decoded for a start.
    fitness.settle()
    assert num_decoded() == 4 * 8
    assert fitness.problem == ''
