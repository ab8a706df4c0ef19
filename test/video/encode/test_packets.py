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
"""Packets are chained from key frames on, and copied only if readers can seek in the copy."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import av
from lerobot_streamrec.conversions.compressed_image import access_unit
from lerobot_streamrec.errors import EncoderError, UndecodableError
from lerobot_streamrec.frame import AccessUnit
from lerobot_streamrec.video.encode.copying_encoder import CopyingEncoder, PacketStream
from lerobot_streamrec.video.encode.packet_decoder import PacketDecoder
import numpy as np
from packets import CODECS, encode_packets
import pytest

HEIGHT, WIDTH = 96, 128
FPS = 10


def levels(num_pictures, height=HEIGHT, width=WIDTH):
    return [np.full((height, width, 3), 20 + 5 * k, np.uint8) for k in range(num_pictures)]


@pytest.fixture(scope='module')
def units():
    return {
        codec: [access_unit(one) for one in encode_packets(levels(24), codec, key_distance=8)]
        for codec in CODECS
    }


@pytest.fixture
def open_copying(tmp_path, open_encoder):
    def make(**settings):
        def encoder(path):
            return open_encoder(name=path.name, fps=FPS, height=HEIGHT, width=WIDTH)

        return CopyingEncoder(tmp_path / 'video.mp4', encoder, fps=FPS, **settings)

    return make


def chain(units):
    stream = PacketStream()
    return [stream.push(unit) for unit in units]


def decoded(packets):
    decoder = PacketDecoder(packets[0].codec)
    return [decoder.decode(packet) for packet in packets]


@pytest.mark.parametrize('codec', CODECS)
def test_packets_know_their_size_and_those_before_them(codec, units):
    packets = chain(units[codec])
    assert {(one.height, one.width) for one in packets} == {(HEIGHT, WIDTH)}
    assert [one.is_key for one in packets] == [number % 8 == 0 for number in range(24)]
    for before, after in pairwise(packets):
        assert after.previous is (None if after.is_key else before)


@pytest.mark.parametrize('codec', CODECS)
def test_any_packet_can_be_decoded_alone(codec, units):
    for number in (0, 3, 9, 15, 16, 23):
        frame = PacketDecoder(codec).decode(chain(units[codec])[number])
        assert frame.to_ndarray(format='rgb24').mean() == pytest.approx(20 + 5 * number, abs=4)


def test_nothing_is_taken_before_a_key_frame(units):
    stream = PacketStream()
    for unit in units['h264'][1:8]:
        with pytest.raises(UndecodableError, match='h264 packet without a key frame before it'):
            stream.push(unit)
    assert stream.push(units['h264'][8]).is_key
    with pytest.raises(UndecodableError, match='hevc packet without a key frame'):
        stream.push(units['hevc'][1])


def test_nothing_that_leans_on_a_lost_packet_is_taken(units):
    stream = PacketStream()
    stream.push(units['h264'][0])
    stream.lose()
    for unit in units['h264'][2:8]:
        with pytest.raises(UndecodableError, match='without a key frame before it'):
            stream.push(unit)
    assert stream.push(units['h264'][8]).is_key


def test_a_key_frame_that_cannot_be_read_is_refused(units):
    garbage = np.frombuffer(b'\0\0\1\x67garbage', np.uint8)
    with pytest.raises(UndecodableError, match='h264 key frame'):
        PacketStream().push(AccessUnit(garbage, 'h264', is_key=True, parameters=b'garbage'))


def test_a_chain_does_not_grow_without_end(units):
    stream = PacketStream(max_packets=5)
    for unit in units['h264'][:5]:
        stream.push(unit)
    with pytest.raises(UndecodableError, match='without a key frame for 5 pictures'):
        stream.push(units['h264'][5])
    with pytest.raises(UndecodableError, match='without a key frame before it'):
        stream.push(units['h264'][6])


def test_another_size_comes_with_a_key_frame(units):
    stream = PacketStream()
    stream.push(units['h264'][0])
    (small,) = encode_packets(levels(1, 48, 64))
    assert stream.push(access_unit(small)).height == 48
    assert stream.push(units['h264'][8]).height == HEIGHT


def test_pictures_that_lean_on_later_ones_are_refused():
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH * 2, 3), np.uint8)
    moving = [np.ascontiguousarray(noise[:, 4 * k : 4 * k + WIDTH]) for k in range(12)]
    messages = encode_packets(moving, tune='film', bf='2', preset='veryfast')
    packets = chain([access_unit(one) for one in messages])
    with pytest.raises(UndecodableError, match='turn off B-frames'):
        decoded(packets)


@pytest.mark.parametrize('codec', CODECS)
def test_the_copy_has_each_frame_in_its_place(codec, units, open_copying, decode):
    encoder = open_copying()
    for frame in decoded(chain(units[codec])):
        encoder.encode(frame)
    video = encoder.finish()
    frames = decode(video.path)
    assert [frame.at * FPS for frame in frames] == list(range(24))
    assert [frame.duration * FPS for frame in frames] == [1] * 24
    shown = [frame.colour.mean() for frame in frames]
    assert shown == pytest.approx([20 + 5 * k for k in range(24)], abs=4)
    assert video.num_frames == 24
    assert video.size_bytes == video.path.stat().st_size
    assert video.encoder_info['video.g'] == 8
    with av.open(str(video.path)) as container:
        stream = container.streams.video[0]
        assert stream.base_rate == stream.average_rate == FPS
        keys = [one.is_keyframe for one in container.demux(stream) if one.size]
    assert keys == [number % 8 == 0 for number in range(24)]


def test_a_copy_begins_with_a_key_frame(units, open_copying, decode):
    encoder = open_copying()
    for frame in decoded(chain(units['h264']))[3:10]:
        encoder.encode(frame)
    video = encoder.finish()
    assert video.encoder_info is None
    shown = [frame.colour.mean() for frame in decode(video.path)]
    assert shown == pytest.approx([20 + 5 * number for number in range(3, 10)], abs=4)


@pytest.mark.parametrize(('limit', 'is_copied'), [(7, True), (6, False)])
def test_key_frames_that_are_too_far_apart_are_not_copied(
    limit, is_copied, units, open_copying, decode
):
    encoder = open_copying(max_key_distance=limit)
    for frame in decoded(chain(units['h264'])):
        encoder.encode(frame)
    video = encoder.finish()
    assert (video.encoder_info is not None) == is_copied
    shown = [frame.colour.mean() for frame in decode(video.path)]
    assert shown == pytest.approx([20 + 5 * k for k in range(24)], abs=4)


@pytest.mark.parametrize('num_repeats', [1, 80])
def test_after_a_repeat_everything_is_encoded_in_one_file(
    num_repeats, units, open_copying, decode, tmp_path
):
    encoder = open_copying()
    packets = decoded(chain(units['h264']))
    for frame in packets[:12]:
        encoder.encode(frame)
    for _ in range(num_repeats):
        encoder.repeat()
    for frame in packets[12:]:
        encoder.encode(frame)
    video = encoder.finish()
    numbers = [*range(12), *[11] * num_repeats, *range(12, 24)]
    shown = [frame.colour.mean() for frame in decode(video.path)]
    assert shown == pytest.approx([20 + 5 * number for number in numbers], abs=4)
    assert (video.num_frames, video.encoder_info) == (len(numbers), None)
    assert [path.name for path in tmp_path.iterdir()] == ['video.mp4']


def test_what_was_copied_stays_readable_until_all_of_it_is_encoded(units, open_copying, decode):
    encoder = open_copying()
    for frame in decoded(chain(units['h264'])):
        encoder.encode(frame)
    encoder.repeat()
    path = encoder._path
    assert len(decode(path)) == 24
    for _ in range(60):
        encoder.repeat()
    encoder.abort()
    assert len(decode(path)) > 24 + 20


def test_there_is_nothing_to_repeat_or_to_finish_at_first(open_copying):
    with pytest.raises(EncoderError, match='no frame to repeat'):
        open_copying().repeat()
    with pytest.raises(EncoderError, match='no frame to encode'):
        open_copying().finish()
    assert access_unit(SimpleNamespace(format='jpeg', data=b'')) is None
