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
Pictures that wait on the disk come back as they were, in every form that a camera has.

Guards promises 1 and 2 when encoders are behind: a spool gives back exactly what was put into it,
and what a crash leaves of it can be read up to the first record that is not whole.
"""

from __future__ import annotations

import errno

from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.frame import (
    CompressedDepth,
    CompressedPicture,
    DepthFrame,
    EncodedPacket,
    Frame,
    METRES,
    MILLIMETRES,
)
from lerobot_streamrec.video.codecs.picture_record import packed, to_record
from lerobot_streamrec.video.encode.spool import count_spooled, read_spool, Spool
import numpy as np
import pytest

CHANCE = np.random.default_rng(0)


def noise(shape, dtype=np.uint8):
    return CHANCE.integers(0, 255, shape).astype(dtype)


PICTURES = {
    'rgb24': Frame(noise((12, 16, 3)), 'rgb24'),
    'padded': Frame(noise((12, 40))[:, :33].reshape(12, 11, 3), 'bgr24'),
    'gray16be': Frame(noise((12, 16), '>u2'), 'gray16be'),
    'nv12': Frame(noise((12, 16)), 'nv12', noise((6, 8, 2))),
    'jpeg': CompressedPicture(noise(77), 'mjpeg', 12, 16),
    'depth': DepthFrame(noise((12, 16), '<u2'), MILLIMETRES),
    'metres': DepthFrame(noise((12, 16), '>f4'), METRES),
    'rvl': CompressedDepth(memoryview(bytes(noise(55))), 'rvl', METRES, 12, 16, (1.5, -0.25)),
}


def parts(picture):
    """Return what a picture is made of, arrays as bytes with their shapes."""
    found = {}
    for name in picture.__dataclass_fields__:
        value = getattr(picture, name)
        if isinstance(value, np.ndarray):
            found[name] = (value.shape, value.dtype.str, value.tobytes())
        else:
            found[name] = bytes(value) if isinstance(value, memoryview) else value
    return type(picture), found


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path / 'take' / 'front.spool')
    yield spool
    spool.close()


@pytest.mark.parametrize('name', PICTURES)
def test_a_picture_comes_back_as_it_was(spool, name):
    picture = PICTURES[name]
    spool.append(0, to_record(PICTURES['rgb24']))
    place = spool.append(1, to_record(picture))
    spool.append(2, None)
    assert parts(spool.read(place)) == parts(picture)


@pytest.mark.parametrize('name', PICTURES)
def test_a_packed_picture_comes_back_as_it_was(spool, name):
    picture = PICTURES[name]
    place = spool.append(0, packed(to_record(picture)))
    assert parts(spool.read(place)) == parts(picture)


@pytest.mark.parametrize(
    'picture',
    [
        Frame(np.full((48, 64, 3), 7, np.uint8), 'bgr24'),
        Frame(np.full((48, 64, 4), 7, np.uint8), 'rgba'),
        Frame(np.full((48, 64), 7, np.uint8), 'nv12', np.full((24, 32, 2), 9, np.uint8)),
        DepthFrame(np.full((48, 64), 700, np.uint16), MILLIMETRES),
    ],
    ids=['bgr24', 'rgba', 'nv12', 'depth'],
)
def test_a_packed_picture_is_smaller(picture):
    sizes = [
        sum(plane.nbytes for plane in one.planes)
        for one in (to_record(picture), packed(to_record(picture)))
    ]
    assert sizes[1] < sizes[0] / 2


def test_what_was_read_already_is_not_looked_at(spool, tmp_path):
    path = tmp_path / 'take' / 'front.spool'
    places = [spool.append(number, to_record(PICTURES['rgb24'])) for number in range(3, 9)]
    assert [number for number, _ in read_spool(path, 6)] == [6, 7, 8]
    with path.open('r+b') as file:
        file.seek(places[1].offset + places[1].size_bytes - 3)
        file.write(b'xyz')
    assert [number for number, _ in read_spool(path, 6)] == [6, 7, 8]
    assert [number for number, _ in read_spool(path)] == [3]
    # Those that are counted follow each other, from the one that is wanted.
    assert [count_spooled(path, first) for first in (2, 3, 6, 8, 9)] == [0, 6, 3, 1, 0]
    with path.open('r+b') as file:
        file.truncate(places[4].offset + 10)
    assert count_spooled(path, 5) == 2
    assert count_spooled(tmp_path / 'nothing', 0) == 0


def test_what_leans_on_others_is_not_taken_apart():
    assert to_record(EncodedPacket(noise(9), 'h264', 12, 16)) is None


def test_what_a_crash_leaves_is_read_to_the_first_record_that_is_not_whole(spool, tmp_path):
    path = tmp_path / 'take' / 'front.spool'
    for number, picture in enumerate(PICTURES.values()):
        spool.append(number, to_record(picture))
    last = spool.append(len(PICTURES), None)
    # Nothing was closed.
    content = path.read_bytes()
    found = list(read_spool(path))
    assert [number for number, _ in found] == list(range(len(PICTURES) + 1))
    assert found[-1][1] is None
    for (_, picture), expected in zip(found, PICTURES.values(), strict=False):
        assert parts(picture) == parts(expected)
    cut = tmp_path / 'cut.spool'
    for size in range(0, len(content), 61):
        cut.write_bytes(content[:size])
        numbers = [number for number, _ in read_spool(cut)]
        assert numbers == list(range(len(numbers)))
        assert size < last.offset or len(numbers) == len(PICTURES)
    broken = bytearray(content)
    broken[len(broken) // 2] ^= 1
    cut.write_bytes(broken)
    assert len(list(read_spool(cut))) < len(PICTURES)


def test_a_missing_spool_holds_nothing(tmp_path):
    assert list(read_spool(tmp_path / 'nothing')) == []


def test_a_cleared_spool_begins_anew(spool, tmp_path):
    spool.append(0, to_record(PICTURES['rgb24']))
    spool.clear()
    assert (tmp_path / 'take' / 'front.spool').stat().st_size == spool.size_bytes == 0
    place = spool.append(1, to_record(PICTURES['depth']))
    assert place.offset == 0
    assert parts(spool.read(place)) == parts(PICTURES['depth'])


def test_a_closed_spool_leaves_no_file(spool, tmp_path):
    spool.append(0, to_record(PICTURES['rgb24']))
    spool.close()
    spool.close()
    assert list((tmp_path / 'take').iterdir()) == []


def test_what_was_changed_on_the_disk_is_not_taken_for_a_picture(spool, tmp_path):
    place = spool.append(0, to_record(PICTURES['rgb24']))
    with (tmp_path / 'take' / 'front.spool').open('r+b') as file:
        file.seek(place.size_bytes - 3)
        file.write(b'xyz')
    with pytest.raises(VideoError, match='the record at byte 0 is damaged'):
        spool.read(place)


def test_a_disk_that_refuses_leaves_what_was_there(spool, monkeypatch):
    first = spool.append(0, to_record(PICTURES['rgb24']))
    size_bytes = spool.size_bytes

    def refuse(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr('os.pwrite', refuse)
        with pytest.raises(OSError, match='No space left'):
            spool.append(1, to_record(PICTURES['depth']))
    assert spool.size_bytes == size_bytes
    second = spool.append(1, to_record(PICTURES['jpeg']))
    assert parts(spool.read(first)) == parts(PICTURES['rgb24'])
    assert parts(spool.read(second)) == parts(PICTURES['jpeg'])
