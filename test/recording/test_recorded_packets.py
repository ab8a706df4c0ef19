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
Packets of a camera's own encoder: copied while every row shows a new one, otherwise encoded.

Guards promise 1 where frames are not made by us: whatever is lost, repeated or broken, frame k of
the file is what row k shows, and the file decodes by plain PyAV.
"""

from __future__ import annotations

from itertools import pairwise
import shutil
from types import SimpleNamespace

import av
from lerobot_streamrec.conversions.compressed_image import access_unit
from lerobot_streamrec.dataset.format.take_record import parse_take_record
from lerobot_streamrec.dataset.takes.journal import read_journal
from lerobot_streamrec.errors import StreamsNotReadyError, UndecodableError
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.encode.copying_encoder import PacketStream
import numpy as np
from packets import encode_packets
import pytest
from waiting import wait_for

FRONT = 'observation.images.front'
SECOND_NS = 10**9
BLOCK = 32
HEIGHT, WIDTH = 3 * BLOCK, 4 * BLOCK
KEY_DISTANCE = 10
# Frames that an encoder holds back, and those of a fragment that is not written.
HELD_BACK = 4
CAMERA = (StreamConfig(FRONT, '/front/image_raw/compressed'),)
INFO = ('video.g', 'video.crf', 'video.preset')


def drawn(number):
    """Draw a number below 4096 in black and white blocks."""
    bits = np.array([(number >> bit) & 1 for bit in range(12)], np.uint8).reshape(3, 4)
    blocks = np.kron(bits * 255, np.ones((BLOCK, BLOCK), np.uint8))
    return np.repeat(blocks[..., None], 3, 2)


def number_in(pixels):
    middles = pixels[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK].mean(axis=2)
    return sum(1 << bit for bit, level in enumerate(middles.ravel()) if level > 127)


@pytest.fixture(scope='module')
def messages():
    return {
        codec: encode_packets([drawn(number) for number in range(80)], codec, KEY_DISTANCE)
        for codec in ('h264', 'hevc', 'av1')
    }


class PacketRig:
    """A rig whose one camera sends the packets of a codec, by itself one for each row."""

    def __init__(self, rig, messages):
        self.rig = rig
        self.recorder = rig.recorder
        self._messages = messages
        self._stream = PacketStream()
        self._next = 0
        self._stamp_ns = rig.now_ns
        self.missed = set()
        self.broken = set()
        self.sent = []

    def send(self, num_messages, hz=10):
        """Send messages; what was missed never comes, and what is broken comes cut short."""
        for _ in range(num_messages):
            number, self._next = self._next, self._next + 1
            stamp_ns, self._stamp_ns = self._stamp_ns, self._stamp_ns + SECOND_NS // hz
            self.rig.steady_ns += SECOND_NS // hz
            if number in self.missed:
                continue
            message = self._messages[number]
            if number in self.broken:
                cut = message.data[: len(message.data) // 2]
                message = SimpleNamespace(format=message.format, data=cut)
            self.recorder.push_image(FRONT, stamp_ns, self._stream.push(access_unit(message)))
            self.recorder.close_rows()
            self.sent.append((stamp_ns, number))

    def record(self, *trains):
        """Record with a key frame in row 0; return what its rows show and should show."""
        self.send(KEY_DISTANCE + 1)
        self.recorder.start()
        for train in trains:
            self.send(*train)
        return self.rig.save()

    def shown(self, dataset, episode_index=0):
        return [number_in(pixels) for pixels in dataset.pictures(FRONT, episode_index)]

    def meant(self, dataset, episode_index=0):
        instants = self.rig.instants(dataset, episode_index)
        return [max(one for one in self.sent if one[0] <= at)[1] for at in instants]


@pytest.fixture
def make_packet_rig(make_rig, messages):
    def make(codec='h264', **settings):
        return PacketRig(make_rig(streams=CAMERA, **settings), messages[codec])

    return make


def packets_in(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def video_info(dataset):
    info = dataset.info['features'][FRONT]['info']
    return {name: info[name] for name in (*INFO, 'video.codec')}


@pytest.mark.parametrize(('codec', 'name'), [('h264', 'h264'), ('hevc', 'hevc'), ('av1', 'av1')])
def test_packets_are_copied_while_every_row_has_its_own(
    codec, name, make_packet_rig, messages, read_dataset, keep_dataset
):
    rig = make_packet_rig(codec)
    summary = rig.record((40,))
    assert summary.num_repeated == 0
    dataset = read_dataset(rig.rig.config.root)
    shown = rig.shown(dataset)
    assert shown == rig.meant(dataset)
    assert shown[0] == KEY_DISTANCE
    assert len(shown) == 40
    assert video_info(dataset) == {
        'video.g': KEY_DISTANCE,
        'video.crf': None,
        'video.preset': None,
        'video.codec': name,
    }
    # Not encoded again: the camera's own bytes, whatever stands before each part.
    written = packets_in(dataset.video_path(FRONT, 0))
    for number, packet in zip(shown, written, strict=True):
        assert messages[codec][number].data[-12:] == packet[-12:]
    if codec == 'h264':
        keep_dataset(rig.rig.config.root)


def assert_encoded(dataset, codec):
    wanted = {'video.g': 2, 'video.crf': 30, 'video.preset': 'ultrafast', 'video.codec': codec}
    if codec != 'h264':
        wanted['video.preset'] = {'hevc': None, 'av1': 12}[codec]
    assert video_info(dataset) == wanted


@pytest.mark.parametrize('codec', ['h264', 'hevc', 'av1'])
def test_from_a_row_without_a_packet_of_its_own_on_all_is_encoded(
    codec, make_packet_rig, read_dataset
):
    rig = make_packet_rig(codec)
    # The one before a key frame: nothing leans on it.
    rig.missed = {29}
    summary = rig.record((40,))
    dataset = read_dataset(rig.rig.config.root)
    assert rig.shown(dataset) == rig.meant(dataset)
    assert rig.shown(dataset)[17:21] == [27, 28, 28, 30]
    assert summary.num_repeated == 1
    assert_encoded(dataset, codec)
    assert not list(rig.rig.config.root.rglob('*.again.*'))


def follow(make_packet_rig, **settings):
    """Start between two key frames, with the camera's pictures as the rows."""
    rig = make_packet_rig(clock=FRONT, **settings)
    rig.send(5)
    return rig


def test_rows_that_follow_the_camera_can_wait_for_a_key_frame(make_packet_rig, read_dataset):
    rig = follow(make_packet_rig, is_key_first=True)
    summary = rig.record((40,))
    dataset = read_dataset(rig.rig.config.root)
    assert rig.shown(dataset) == rig.meant(dataset)
    assert rig.shown(dataset)[:2] == [20, 21]
    assert summary.num_repeated == 0
    assert video_info(dataset)['video.g'] == KEY_DISTANCE
    start_ns = rig.rig.record_of(0)['start_stamp_ns']
    assert start_ns == next(stamp for stamp, number in rig.sent if number == 20)


def test_by_themselves_rows_wait_for_no_key_frame(make_packet_rig, read_dataset):
    rig = follow(make_packet_rig)
    rig.record((40,))
    dataset = read_dataset(rig.rig.config.root)
    assert rig.shown(dataset)[:2] == [15, 16]
    assert_encoded(dataset, 'h264')


def test_packets_between_those_that_rows_show_are_decoded_as_well(make_packet_rig, read_dataset):
    rig = make_packet_rig()
    summary = rig.record((13,), (26, 20), (10,))
    dataset = read_dataset(rig.rig.config.root)
    shown = rig.shown(dataset)
    assert shown == rig.meant(dataset)
    assert any(after - before == 2 for before, after in pairwise(shown))
    assert summary.num_repeated == 0
    assert_encoded(dataset, 'h264')


def test_an_episode_may_begin_between_key_frames(make_packet_rig, read_dataset):
    rig = make_packet_rig()
    rig.send(5)
    summary = rig.record((20,))
    dataset = read_dataset(rig.rig.config.root)
    assert rig.shown(dataset) == rig.meant(dataset) == list(range(15, 35))
    assert summary.num_repeated == 0
    assert_encoded(dataset, 'h264')


@pytest.mark.parametrize('codec', ['h264', 'hevc', 'av1'])
def test_what_leans_on_a_broken_packet_is_repeated_until_the_next_key_frame(
    codec, make_packet_rig, read_dataset
):
    rig = make_packet_rig(codec)
    rig.broken = {26}
    summary = rig.record((40,))
    dataset = read_dataset(rig.rig.config.root)
    wanted = [25 if 26 <= number < 30 else number for number in rig.meant(dataset)]
    assert rig.shown(dataset) == wanted
    assert summary.num_repeated == 4
    assert rig.rig.record_of(0)['streams'][FRONT]['rows_undecodable'] == 4
    assert_encoded(dataset, codec)


def test_statistics_are_those_of_the_pictures_in_either_way(make_packet_rig, read_dataset):
    rig = make_packet_rig()
    rig.record((30,))
    copied = read_dataset(rig.rig.config.root)
    pictures = np.array(copied.pictures(FRONT, 0))
    mean = copied.stats[FRONT]['mean']
    assert np.ravel(mean) == pytest.approx(pictures.mean(axis=(0, 1, 2)) / 255, abs=0.01)


def num_on_disk(rig):
    """Count the rows that are written down."""
    (take,) = (rig.rig.config.root / '.streamrec/staging').glob('take-*')
    if not (take / 'take.json').is_file():
        return 0
    record = parse_take_record((take / 'take.json').read_bytes(), take)
    return read_journal(take, record)[0]


def is_on_disk(rig):
    """Whether all that was pushed is encoded and written down."""
    status = rig.recorder.status()
    is_encoded = not any(one.queue.num_queued for one in status.streams)
    return is_encoded and num_on_disk(rig) == status.num_rows


@pytest.mark.parametrize('missed', [set(), {29}], ids=['copied', 'encoded'])
def test_a_crash_costs_no_more_than_with_any_other_camera(
    missed, make_packet_rig, make_rig, tmp_path, read_dataset
):
    rig = make_packet_rig()
    rig.missed = missed
    rig.send(KEY_DISTANCE + 1)
    rig.recorder.start()
    rig.send(64)
    wait_for(lambda: is_on_disk(rig))
    rows = rig.recorder.status().num_rows
    shutil.copytree(rig.rig.config.root, tmp_path / 'copy')
    again = make_rig(root=tmp_path / 'copy', streams=CAMERA)
    assert 'recovered episode 0 after a crash' in again.recorder.status().last_result
    dataset = read_dataset(tmp_path / 'copy')
    shown = rig.shown(dataset)
    wanted = [28 if number in missed else number for number in range(10, 10 + rows)]
    assert rows - HELD_BACK <= len(shown) <= rows
    assert shown == wanted[: len(shown)]


def moving(num_pictures):
    """Draw pictures for which an encoder likes to look ahead."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH * 2, 3), np.uint8)
    return [np.ascontiguousarray(noise[:, 2 * k : 2 * k + WIDTH]) for k in range(num_pictures)]


def reordered(codec):
    """Return messages of which packets do not come in the order of their pictures."""
    if codec == 'hevc':
        params = 'repeat-headers=1:bframes=2:b-adapt=0:log-level=error'
        options = {'tune': 'grain', 'preset': 'veryfast', 'x265-params': params}
    else:
        options = {'tune': 'film', 'bf': '2', 'preset': 'veryfast'}
    return encode_packets(moving(40), codec.partition('-')[0], KEY_DISTANCE, **options)


def untold(messages):
    """Take out of the parameter sets that frames are reordered, as some cameras leave it out."""
    key = messages[0].data
    begin = key.index(b'\0\0\1\x67') + 3
    told = key[begin : key.index(b'\0\0\1', begin)].rstrip(b'\0')
    bits = ''.join(f'{byte:08b}' for byte in told.replace(b'\0\0\3', b'\0\0'))
    # The last flag of the parameters says whether their last part follows.
    bits = bits[: bits.rindex('11110000001111000')] + '01'
    bits += '0' * (-len(bits) % 8)
    less = int(bits, 2).to_bytes(len(bits) // 8, 'big').replace(b'\0\0\1', b'\0\0\3\1')
    return [
        SimpleNamespace(format=one.format, data=one.data.replace(told, less)) for one in messages
    ]


@pytest.mark.parametrize('codec', ['h264', 'h264-untold', 'hevc'])
def test_a_camera_that_reorders_its_frames_is_refused_before_an_episode(codec, make_packet_rig):
    rig = make_packet_rig()
    rig._messages = reordered(codec)
    if codec == 'h264-untold':
        rig._messages = untold(rig._messages)
    for num_more in (15, 1, 9):
        rig.send(num_more)
        with pytest.raises(StreamsNotReadyError, match='turn off B-frames in the camera'):
            rig.recorder.start()
        assert 'B-frames' in rig.rig.stream(FRONT).problem


@pytest.mark.parametrize('broken', [range(10, 20), range(11, 20)])
def test_packets_that_do_not_decode_are_refused_until_a_group_does(
    broken, make_packet_rig, read_dataset
):
    rig = make_packet_rig()
    rig.broken = set(broken)
    rig.send(20)
    with pytest.raises(StreamsNotReadyError, match='but none of them decodes: h264'):
        rig.recorder.start()
    rig.send(1)
    rig.recorder.start()
    rig.send(15)
    assert rig.rig.save().num_repeated == 0
    dataset = read_dataset(rig.rig.config.root)
    assert rig.shown(dataset) == rig.meant(dataset)


@pytest.mark.parametrize('at', [16, 17, 18])
def test_an_episode_that_begins_among_broken_packets_shows_what_came_before(
    at, make_packet_rig, read_dataset
):
    rig = make_packet_rig()
    rig.broken = {16}
    rig.send(at)
    rig.recorder.start()
    rig.send(20)
    summary = rig.rig.save()
    dataset = read_dataset(rig.rig.config.root)
    meant, shown = rig.meant(dataset), rig.shown(dataset)
    whole = [number for number in meant if number < 16 or number >= 20]
    assert shown[-len(whole) :] == whole
    num_lost = len(meant) - len(whole)
    assert summary.num_repeated == num_lost > 0
    # The last one of the group that is known to decode: its first eight were looked at.
    assert set(shown[:num_lost]) <= {14, 15}


def test_a_stream_that_begins_without_its_parameter_sets_waits_for_a_key_frame(
    make_packet_rig, read_dataset
):
    rig = make_packet_rig()
    rig._next = 3
    for _ in range(7):
        with pytest.raises(UndecodableError, match='without a key frame before it'):
            rig.send(1)
    rig.send(3)
    rig.recorder.start()
    rig.send(12)
    assert rig.rig.save().num_repeated == 0
    dataset = read_dataset(rig.rig.config.root)
    assert rig.shown(dataset) == rig.meant(dataset)


@pytest.mark.parametrize('settings', [{}, {'clock': FRONT, 'is_key_first': True}])
def test_a_rotation_between_two_key_frames_loses_no_row(settings, make_packet_rig, read_dataset):
    rig = make_packet_rig(**settings)
    rig.send(KEY_DISTANCE + 1)
    rig.recorder.start()
    for num_messages in (13, 14, 11):
        rig.send(num_messages)
        rig.recorder.rotate().saving.result(120)
    rig.send(8)
    rig.rig.save()
    dataset = read_dataset(rig.rig.config.root)
    numbers = []
    for index in range(4):
        assert rig.shown(dataset, index) == rig.meant(dataset, index)
        numbers += rig.shown(dataset, index)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
