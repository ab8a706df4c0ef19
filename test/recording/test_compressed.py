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
from lerobot_streamrec.errors import EpisodeError, StreamsNotReadyError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.recording.status import RecorderState
import numpy as np
from picture_files import jpeg_file, png_file
import pytest
from waiting import wait_for

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
    reason = 'because the pictures that the camera sent could not be decoded'
    assert summary.remarks == (f'{FRONT}: 3 frames repeated {reason}',)
    streams = rig.record_of(0)['streams']
    assert [streams[key]['rows_undecodable'] for key in (FRONT, TOP)] == [3, 0]
    assert rig.shown(dataset, 0, TOP) == sorted(set(rig.shown(dataset, 0, TOP)))


def whole_before(rig, dataset, bad):
    """Return what rows should show: the newest picture before them that is not broken."""
    return [
        max(one for one in rig.sent[FRONT] if one[0] <= at and one[1] not in bad)[1]
        for at in rig.instants(dataset, 0)
    ]


def damaged(data, kind):
    """Damage a file of a picture in one of the ways that its header does not show."""
    if kind == 'no data':
        return data[: data.rfind(b'\xff\xda') + 10] + b'\xff\xd9'
    if kind == 'larger in its header':
        at = data.find(b'\xff\xc0')
        return data[: at + 5] + b'\x03\x00\x04\x00' + data[at + 9 :]
    if kind == 'smaller in its header':
        at = data.find(b'\xff\xc0')
        return data[: at + 5] + b'\x00\x10\x00\x10' + data[at + 9 :]
    if kind == 'checksum':
        return data[:-13] + bytes([data[-13] ^ 1]) + data[-12:]
    return data[:-40]


def test_a_camera_of_which_nothing_decodes_is_refused_with_the_reason_until_it_recovers(
    compressed_rig, read_dataset
):
    rig = compressed_rig
    assert rig.stream(FRONT).problem == ''
    rig.draw[FRONT] = broken(jpeg, range(4096))
    rig.run(0.5)
    reason = r'front \(/front/image_raw\) sends pictures, but none of them decodes: mjpeg pict'
    with pytest.raises(StreamsNotReadyError, match=reason):
        rig.recorder.start()
    assert rig.recorder.status().state is RecorderState.IDLE
    assert 'none of them decodes' in rig.stream(FRONT).problem
    rig.draw[FRONT] = jpeg
    rig.run(0.1)
    rig.recorder.start()
    rig.run(1)
    assert rig.save().num_repeated == 0
    rig.check(read_dataset(rig.config.root), 0)


@pytest.mark.parametrize('mode', ['streaming', 'deferred'])
@pytest.mark.parametrize('begin', range(4))
@pytest.mark.parametrize('step', [2, 3, 0])
def test_an_episode_begins_with_a_whole_picture_though_the_first_is_damaged(
    mode, begin, step, make_rig, read_dataset
):
    """Every second picture is damaged, two of three, or all but the first ones before start."""
    rig = make_rig(encode=mode)
    bad = {n for n in range(4096) if (n % step if step else n >= 10 + begin)}
    rig.draw = {FRONT: broken(jpeg, bad), TOP: png}
    rig.run(1 + begin / 10)
    rig.recorder.start()
    assert rig.stream(FRONT).problem == ''
    rig.run(2)
    summary = rig.save()
    rig.recorder.finalize().result(30)
    dataset = read_dataset(rig.config.root)
    assert summary.episode.num_rows == dataset.episodes.loc[0, 'length'] >= 18
    shown = rig.shown(dataset, 0, FRONT)
    assert shown == whole_before(rig, dataset, bad)
    meant = whole_before(rig, dataset, set())
    assert rig.record_of(0)['streams'][FRONT]['rows_undecodable'] == len(set(meant) & bad) > 8
    rig.draw = {TOP: png}
    assert rig.shown(dataset, 0, TOP) == sorted(set(rig.shown(dataset, 0, TOP)))


@pytest.mark.parametrize('mode', ['streaming', 'deferred'])
@pytest.mark.parametrize(
    'kind', ['cut', 'no data', 'larger in its header', 'smaller in its header', 'checksum']
)
def test_whatever_is_damaged_of_a_picture_it_repeats_the_one_before(
    kind, mode, make_rig, read_dataset
):
    rig = make_rig(encode=mode)
    draw, bad = (png if kind == 'checksum' else jpeg), {11, 12, 17}

    def send(number):
        picture = draw(number)
        if number not in bad:
            return picture
        return compressed_picture(Message(damaged(picture.data.tobytes(), kind)))

    rig.draw = {FRONT: send, TOP: png}
    rig.run(1)
    rig.recorder.start()
    num_rejected = 0
    for stamp_ns, key in rig.events(2):
        num_rejected += 'in its header' in kind and key == FRONT and len(rig.sent[key]) in bad
        rig.push(key, stamp_ns)
        assert rig.stream(FRONT).counts.rejected == num_rejected
    assert num_rejected == (3 if 'in its header' in kind else 0)
    summary = rig.save()
    rig.recorder.finalize().result(30)
    dataset = read_dataset(rig.config.root)
    assert rig.shown(dataset, 0, FRONT) == whole_before(rig, dataset, bad)
    streams = rig.record_of(0)['streams'][FRONT]
    assert streams['rows_undecodable'] + streams['rows_repeated'] == len(bad)
    assert summary.episode.num_rows == dataset.episodes.loc[0, 'length'] >= 18


def test_a_size_that_changes_for_good_fails_the_take_at_that_instant(compressed_rig, caplog):
    rig = compressed_rig
    rig.recorder.start()
    rig.run(1)
    file = jpeg_file(np.zeros((32, 32, 3), np.uint8))
    for number in range(4):
        assert rig.recorder.status().failure == ''
        rig.recorder.push_image(FRONT, rig.now_ns + number, compressed_picture(Message(file)))
        counts = rig.stream(FRONT).counts
        assert counts.rejected == min(number + 1, 3)
        assert counts.rejection.startswith('its header says 32x32 pixels, but earlier pictures')
    told = [one for one in caplog.messages if 'its header says' in one]
    # Further ones within a few seconds are only counted.
    assert len(told) == 1
    assert told[0].startswith(f'{FRONT} (')
    assert '64x48 to 32x32 pixels after' in rig.recorder.status().failure
    rig.run(0.5, without=[FRONT])
    told = [one for one in caplog.messages if 'changed from' in one]
    assert len(told) == 1
    assert told[0].startswith('the running episode cannot be saved: ')
    with pytest.raises(EpisodeError, match='changed from 64x48'):
        rig.save()


@pytest.mark.parametrize('mode', ['streaming', 'deferred'])
def test_a_camera_that_goes_blind_is_in_the_status_until_it_recovers(mode, make_rig, caplog):
    rig = make_rig(encode=mode)
    rig.draw = {FRONT: jpeg, TOP: png}
    rig.run(1)
    rig.recorder.start()
    rig.run(0.5)
    rig.draw[FRONT] = broken(jpeg, range(4096))
    rig.run(2)
    wait_for(lambda: rig.stream(FRONT).trouble)
    status = rig.stream(FRONT)
    assert 'its pictures cannot be decoded any more' in status.trouble
    assert 'its end is missing' in status.trouble
    assert status.repeated >= 4
    rig.draw[FRONT] = jpeg
    rig.run(1)
    wait_for(lambda: not rig.stream(FRONT).trouble)
    summary = rig.save()
    told = [one for one in caplog.messages if 'decoded' in one and FRONT in one]
    assert ['any more' in one for one in told] == [False, True, False]
    assert 'can be decoded again, after' in told[2]
    assert any('could not be decoded' in one for one in summary.remarks)


def test_a_camera_may_change_between_raw_and_compressed(compressed_rig, read_dataset):
    rig = compressed_rig
    rig.recorder.start()
    for draw in (jpeg, lambda number: Frame(drawn(number), 'bgr24'), png, jpeg):
        rig.draw[FRONT] = draw
        rig.run(0.5)
    assert rig.save().num_repeated == 0
    rig.check(read_dataset(rig.config.root), 0)
