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
Small JPEGs of pictures of every kind: size, colours, depth in grey, and damaged pictures.

Guards against an operator who looks at a preview that shows another scene than the recorded one:
exchanged colours, a wrong range, a squeezed picture, or the remains of the picture before.
"""

from __future__ import annotations

import io

import av
from depth_pictures import png, rvl
from lerobot_streamrec.conversions.image import image_frame
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import (
    AccessUnit,
    CompressedDepth,
    CompressedPicture,
    DepthFrame,
    Frame,
    METRES,
    MILLIMETRES,
)
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT
from lerobot_streamrec.video.encode.copying_encoder import PacketStream
from lerobot_streamrec.video.tools.thumbnail import grey_of_depth, jpeg_of, JpegMaker
import numpy as np
from packets import encode_packets, FORMATS
from picture_files import jpeg_file, png_file
from PIL import Image
import pytest
import raw_images

WIDTH, HEIGHT = 640, 480
COLOURS = ((220, 30, 40), (30, 180, 60), (40, 60, 210), (200, 200, 60))
# JPEG, 4:2:0 and the fast scaler; an exchanged channel or range is off by far more.
TOLERANCE = 12


def scene(width=WIDTH, height=HEIGHT):
    """Draw four quarters of one colour each."""
    rgb = np.empty((height, width, 3), np.uint8)
    for number, colour in enumerate(COLOURS):
        rows = slice(height // 2) if number < 2 else slice(height // 2, height)
        columns = slice(width // 2) if number % 2 == 0 else slice(width // 2, width)
        rgb[rows, columns] = colour
    return rgb


def opened(jpeg):
    assert jpeg.startswith(b'\xff\xd8\xff')
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert('RGB')).astype(int)


def assert_shows(jpeg, colours=COLOURS, size=(320, 240)):
    pixels = opened(jpeg)
    height, width = pixels.shape[:2]
    assert (width, height) == size
    for number, colour in enumerate(colours):
        row = height // 4 + (number // 2) * (height // 2)
        column = width // 4 + (number % 2) * (width // 2)
        assert pixels[row, column] == pytest.approx(np.asarray(colour), abs=TOLERANCE), number


def grey(rgb):
    return tuple((sum(colour) // 3,) * 3 for colour in rgb)


@pytest.mark.parametrize('encoding', raw_images.ENCODINGS)
@pytest.mark.parametrize('padding', [0, 24])
def test_pixels_of_every_encoding_have_their_colours(encoding, padding):
    message = raw_images.image_message(scene(), encoding, padding)
    is_grey = encoding in raw_images.GRAY
    assert_shows(jpeg_of(image_frame(message), 320), grey(COLOURS) if is_grey else COLOURS)


def compressed(data, codec):
    return CompressedPicture(np.frombuffer(data, np.uint8), codec, HEIGHT, WIDTH)


@pytest.mark.parametrize('subsampling', [0, 1, 2])
def test_a_jpeg_has_its_colours(subsampling):
    assert_shows(jpeg_of(compressed(jpeg_file(scene(), subsampling=subsampling), 'mjpeg'), 320))


def test_a_png_has_its_colours():
    assert_shows(jpeg_of(compressed(png_file(scene()), 'png'), 320))


@pytest.mark.parametrize('codec', sorted(FORMATS))
def test_a_key_frame_has_its_colours(codec):
    (message,) = encode_packets([scene()], codec)
    data = np.frombuffer(message.data, np.uint8)
    packet = PacketStream().push(AccessUnit(data, codec, is_key=True, parameters=b'any'))
    assert_shows(jpeg_of(packet, 320))


def test_a_frame_of_a_video_has_its_colours():
    frame = av.VideoFrame.from_ndarray(scene(), 'rgb24').reformat(format='yuv420p')
    assert_shows(jpeg_of(frame, 320))


@pytest.mark.parametrize(
    ('size', 'wanted'),
    [
        ((1280, 720), (320, 180)),
        ((321, 203), (320, 202)),
        # Narrower pictures are not made larger.
        ((100, 75), (100, 75)),
        ((33, 51), (33, 51)),
        ((1000, 1), (320, 1)),
        ((1, 1000), (1, 1000)),
    ],
)
def test_the_aspect_ratio_stays(size, wanted):
    width, height = size
    frame = Frame(np.full((height, width, 3), 90, np.uint8), 'rgb24')
    assert opened(jpeg_of(frame, 320)).shape[1::-1] == wanted


def test_one_maker_takes_pictures_of_several_sizes_and_kinds():
    maker = JpegMaker(320)
    for _ in range(2):
        assert_shows(maker.jpeg(Frame(scene(), 'rgb24')))
        assert_shows(maker.jpeg(compressed(jpeg_file(scene()), 'mjpeg')))
        assert_shows(maker.jpeg(Frame(scene(200, 100), 'rgb24')), size=(200, 100))


def test_a_real_looking_picture_is_small():
    rng = np.random.default_rng(0)
    noisy = np.clip(scene().astype(int) + rng.integers(-10, 11, (HEIGHT, WIDTH, 3)), 0, 255)
    assert len(jpeg_of(Frame(noisy.astype(np.uint8), 'rgb24'), 320)) < 30_000


def test_a_damaged_picture_is_refused_and_the_next_one_is_whole():
    maker = JpegMaker(320)
    data = jpeg_file(scene())
    assert_shows(maker.jpeg(compressed(data, 'mjpeg')))
    for bad in (data[: len(data) // 2], data[:-60], b'\xff\xd8\xff' + b'\0' * 100):
        with pytest.raises(UndecodableError):
            maker.jpeg(compressed(bad, 'mjpeg'))
    assert_shows(maker.jpeg(compressed(data, 'mjpeg')))


# --- depth -------------------------------------------------------------------------------------


def steps(dtype=np.uint16, scale=1):
    """Return four quarters of 500, 1000, 1500 and 2000 mm, and unmeasured first columns."""
    depth = np.empty((HEIGHT, WIDTH), dtype)
    depth[: HEIGHT // 2, : WIDTH // 2], depth[: HEIGHT // 2, WIDTH // 2 :] = 500, 1000
    depth[HEIGHT // 2 :, : WIDTH // 2], depth[HEIGHT // 2 :, WIDTH // 2 :] = 1500, 2000
    depth = depth / scale if scale != 1 else depth
    depth[:, :40] = 0
    return depth.astype(dtype)


def depth_pictures():
    metres = steps(np.float32, 1000)
    metres[:, :40] = np.nan
    yield 'mm', DepthFrame(steps(), MILLIMETRES)
    yield 'mm, big-endian', DepthFrame(steps('>u2'), MILLIMETRES)
    yield 'm', DepthFrame(metres, METRES)
    yield 'png', CompressedDepth(memoryview(png(steps())), 'png', MILLIMETRES, HEIGHT, WIDTH)
    yield 'rvl', CompressedDepth(memoryview(rvl(steps())), 'rvl', MILLIMETRES, HEIGHT, WIDTH)


@pytest.mark.parametrize('picture', [pytest.param(one, id=name) for name, one in depth_pictures()])
def test_depth_is_darker_the_nearer_and_black_where_it_is_unmeasured(picture):
    assert_shows(jpeg_of(picture, 320), [(one,) * 3 for one in (40, 112, 183, 255)])
    assert opened(jpeg_of(picture, 320))[:, :16].max() <= TOLERANCE


def test_the_codes_of_a_depth_video_look_like_the_depth():
    frame = av.VideoFrame(WIDTH, HEIGHT, DEPTH_PIX_FMT)
    plane = np.frombuffer(frame.planes[0], np.uint8).reshape(HEIGHT, -1)
    plane[:, : 2 * WIDTH] = steps().view(np.uint8)
    assert_shows(jpeg_of(frame, 320), [(one,) * 3 for one in (40, 112, 183, 255)])


@pytest.mark.parametrize('value', [0.0, -1.0, np.nan, np.inf])
def test_depth_without_any_measurement_is_black(value):
    assert not grey_of_depth(np.full((4, 6), value, np.float32)).any()


def test_depth_of_a_single_distance_is_not_black():
    assert (grey_of_depth(np.full((4, 6), 800, np.uint16)) == 40).all()


def test_a_few_wrong_measurements_leave_the_scene_its_greys():
    depth = np.tile(np.linspace(400, 600, 200).astype(np.uint16), (100, 1))
    depth[0, :50] = 65535
    shown = grey_of_depth(depth)[1:]
    assert shown.min() <= 45
    assert shown.max() == 255
