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
Compressed pictures come out in the colours of the file; one that is broken repeats the one before.

Guards rows against pictures that are half gray, as libav gives them for a JPEG that was cut, and
against levels that are stretched or squeezed between full and limited range.
"""

from __future__ import annotations

import av
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import CompressedPicture, Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.pixels import rgb_pixels
from lerobot_streamrec.video.encode.decoders import PictureDecoder
from lerobot_streamrec.video.encode.mp4_encoder import EncoderAccount, Mp4Encoder
from lerobot_streamrec.video.encode.picture_encoder import ColourMeter, PictureEncoder
import numpy as np
from picture_files import jpeg_file, png_file
import pytest

HEIGHT, WIDTH = 48, 64
BLOCK = 16
LEVELS_OFF = 6
COUNTED_OFF = 4
JPEGS = {
    '420': {'subsampling': 2},
    '422': {'subsampling': 1},
    '444': {'subsampling': 0},
    'gray': {'mode': 'L'},
    'rgb': {'keep_rgb': True},
    'cmyk': {'mode': 'CMYK'},
    'progressive': {'progressive': True},
    'restarts': {'restart_marker_blocks': 2},
}
PNGS = ('RGB', 'RGBA', 'L', 'LA', 'P', 'I;16')
GRAY = ('gray', 'L', 'LA', 'I;16')
KINDS = [*JPEGS, *PNGS]


def patches(seed=0, height=HEIGHT, width=WIDTH):
    """Draw blocks of random colours of the web's palette, black and white among them."""
    size = (height // BLOCK + 1, width // BLOCK + 1, 3)
    colours = np.random.default_rng(seed).integers(0, 6, size) * 51
    colours[0, :2] = [[0] * 3, [255] * 3]
    blocks = np.kron(colours, np.ones((BLOCK, BLOCK, 1), int))
    return blocks[:height, :width].astype(np.uint8)


def middles(rgb):
    return rgb[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK].astype(int)


def gray_of(rgb):
    luma = (rgb @ [0.299, 0.587, 0.114]).round()
    return np.repeat(luma[..., None], 3, 2).astype(np.uint8)


def file_of(rgb, kind):
    return png_file(rgb, kind) if kind in PNGS else jpeg_file(rgb, **JPEGS[kind])


def codec_of(kind):
    return 'png' if kind in PNGS else 'mjpeg'


def picture(data, codec='mjpeg', height=HEIGHT, width=WIDTH):
    return CompressedPicture(np.frombuffer(data, np.uint8), codec, height, width)


class Counter:
    """Remembers what it was shown."""

    def __init__(self):
        self.seen = []

    def push(self, pixels):
        self.seen.append(pixels)

    def push_again(self):
        self.seen.append(self.seen[-1])


@pytest.fixture
def open_chain(tmp_path):
    """Make the chain of a camera, and its counter."""

    def make(g=2, height=HEIGHT, width=WIDTH):
        config = EncoderConfig(vcodec='h264', crf=1, preset='ultrafast', g=g)
        video = Mp4Encoder(tmp_path / 'a.mp4', config, VideoSpec(width, height, 30))
        counter = Counter()
        return PictureEncoder(video, 'front', ColourMeter(counter, 1)), counter

    return make


@pytest.mark.parametrize('kind', KINDS)
def test_colours_are_those_of_the_file(kind, open_chain, decode):
    rgb = patches()
    wanted = middles(gray_of(rgb) if kind in GRAY else rgb)
    encoder, counter = open_chain()
    encoder.encode(picture(file_of(rgb, kind), codec_of(kind)))
    (frame,) = decode(encoder.finish().path)
    assert np.abs(middles(frame.pixels) - wanted).max() <= LEVELS_OFF
    assert np.abs(middles(counter.seen[0]) - wanted).max() <= COUNTED_OFF


@pytest.mark.parametrize('name', ['420', '422', '444', 'gray'])
@pytest.mark.parametrize(('height', 'width'), [(48, 64), (49, 65), (33, 64)])
def test_the_lattice_is_every_stride_th_pixel(name, height, width):
    data = jpeg_file(patches(1, height, width), **JPEGS[name])
    frame = PictureDecoder('mjpeg').decode(picture(data, 'mjpeg', height, width))
    whole, lattice = rgb_pixels(frame).astype(int), rgb_pixels(frame, 3).astype(int)
    assert whole.shape == (height, width, 3)
    assert lattice.shape == whole[::3, ::3].shape
    assert np.abs(lattice - whole[::3, ::3]).max() <= 1


@pytest.mark.parametrize('kind', KINDS)
def test_a_file_that_is_cut_anywhere_is_refused(kind):
    codec, data = codec_of(kind), file_of(patches(2), kind)
    decoder = PictureDecoder(codec)
    for end in (*range(20, len(data) - 60, 41), *range(len(data) - 60, len(data))):
        # What follows the marker of the end tells nothing of the picture.
        if codec == 'png' and end >= len(data) - 4:
            continue
        with pytest.raises(UndecodableError, match=f'{codec} picture of {end} bytes'):
            decoder.decode(picture(data[:end], codec))
    assert decoder.decode(picture(data, codec)).width == WIDTH


@pytest.mark.parametrize('kind', KINDS)
def test_a_picture_shows_nothing_of_the_one_before(kind):
    codec, files = codec_of(kind), [file_of(patches(seed), kind) for seed in range(3)]
    decoder = PictureDecoder(codec)
    for data in files:
        alone = PictureDecoder(codec).decode(picture(data, codec))
        in_turn = decoder.decode(picture(data, codec))
        np.testing.assert_array_equal(rgb_pixels(in_turn), rgb_pixels(alone))


def test_garbage_behind_the_end_does_no_harm():
    for codec, data in (('mjpeg', jpeg_file(patches())), ('png', png_file(patches()))):
        for more in (b'\0' * 300, b'\xff' * 7, bytes(range(200))):
            assert PictureDecoder(codec).decode(picture(data + more, codec)).height == HEIGHT


@pytest.mark.parametrize('kind', ['420', '422', '444', 'gray', 'restarts'])
def test_a_jpeg_with_its_end_and_without_its_middle_is_refused(kind):
    data = file_of(patches(2), kind)
    begin = data.rfind(b'\xff\xda') + 14
    for end in range(begin, len(data) - 40, 23):
        with pytest.raises(UndecodableError, match='cannot be decoded'):
            PictureDecoder('mjpeg').decode(picture(data[:end] + data[-2:]))


def test_broken_checksums_are_refused():
    data = bytearray(png_file(patches()))
    # The last byte of the checksum before the end, which has 12.
    data[-13] ^= 1
    with pytest.raises(UndecodableError, match='cannot be decoded'):
        PictureDecoder('png').decode(picture(bytes(data), 'png'))


@pytest.mark.parametrize(('height', 'width'), [(HEIGHT + 1, WIDTH), (HEIGHT, WIDTH - 1)])
def test_another_size_than_the_header_told_is_refused(height, width):
    said = f'says {width}x{height} pixels, but it holds 64x48'
    with pytest.raises(UndecodableError, match=said):
        PictureDecoder('mjpeg').decode(picture(jpeg_file(patches()), 'mjpeg', height, width))


def test_a_broken_picture_repeats_the_one_before_and_is_counted(open_chain, decode, caplog):
    encoder, counter = open_chain()
    good = [patches(seed) for seed in range(4)]
    whole = [jpeg_file(rgb) for rgb in good]
    shown = []
    for index, data in [(0, whole[0]), (0, whole[1][:-400]), (0, b'\xff\xd8\xff'), (2, whole[2])]:
        encoder.encode(picture(data))
        shown.append(index)
    encoder.repeat()
    encoder.encode(picture(png_file(good[3])[:-100], 'png'))
    encoder.encode(Frame(good[1], 'rgb24'))
    shown += [2, 2, 1]
    video = encoder.finish()
    assert (video.num_frames, video.num_undecodable) == (7, 3)
    frames = decode(video.path)
    for pixels in ([one.pixels for one in frames], counter.seen):
        nearest = [
            int(np.argmin([np.abs(middles(rgb) - middles(one)).mean() for rgb in good]))
            for one in pixels
        ]
        assert nearest == shown
    (told,) = caplog.messages
    assert told.startswith('front: mjpeg picture of')


@pytest.mark.parametrize('first', ['gray', '420'])
def test_kinds_of_files_may_change_from_picture_to_picture(first, open_chain, decode):
    encoder, _ = open_chain()
    kinds, rgb = [first, 'gray', '444', 'cmyk', 'RGBA', 'progressive', 'L', '422'], patches(5)
    for kind in kinds:
        encoder.encode(picture(file_of(rgb, kind), codec_of(kind)))
    video = encoder.finish()
    assert (video.num_frames, video.num_undecodable) == (len(kinds), 0)
    for kind, frame in zip(kinds, decode(video.path), strict=True):
        wanted = middles(gray_of(rgb) if kind in GRAY else rgb)
        assert np.abs(middles(frame.pixels) - wanted).max() <= LEVELS_OFF, kind


def test_what_came_before_the_first_picture_stands_for_it_if_it_is_damaged(tmp_path, decode):
    config = EncoderConfig(vcodec='h264', crf=1, preset='ultrafast')
    video = Mp4Encoder(tmp_path / 'a.mp4', config, VideoSpec(WIDTH, HEIGHT, 30))
    rgb, later = patches(1), patches(2)
    account = EncoderAccount()
    encoder = PictureEncoder(
        video, 'front', account=account, begin=lambda one: one.put(Frame(rgb, 'rgb24'))
    )
    encoder.encode(picture(jpeg_file(later)[:-100]))
    encoder.repeat()
    encoder.encode(picture(jpeg_file(later)[:-100]))
    encoder.encode(picture(jpeg_file(later)))
    made = encoder.finish()
    assert (made.num_frames, made.num_undecodable, account.num_undecodable) == (4, 2, 2)
    for frame, wanted in zip(decode(made.path), [rgb, rgb, rgb, later], strict=True):
        assert np.abs(middles(frame.pixels) - middles(wanted)).max() <= LEVELS_OFF


def test_nothing_can_stand_for_a_first_picture_that_is_broken(open_chain):
    encoder, _ = open_chain()
    with pytest.raises(UndecodableError, match='the first picture: mjpeg picture of'):
        encoder.encode(picture(jpeg_file(patches())[:-100]))
    encoder.abort()


def test_pictures_that_were_key_frames_are_encoded_as_the_settings_say(open_chain):
    encoder, _ = open_chain(g=5)
    for seed in range(10):
        encoder.encode(picture(jpeg_file(patches(seed), dpi=(300, 100))))
    with av.open(str(encoder.finish().path)) as container:
        stream = container.streams.video[0]
        keys = [one.is_keyframe for one in container.demux(stream) if one.size]
        assert keys == [number % 5 == 0 for number in range(10)]
        assert stream.sample_aspect_ratio in (None, 0, 1)
