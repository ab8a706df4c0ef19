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
A camera's frames are put together from its file and what waits beside it, each once, in order.

Guards promise 1 where encoding comes late: what stands in the file, what an encoder had taken, and
what waited for it are three places for the frames of one video.
"""

from __future__ import annotations

from dataclasses import replace

from lerobot_streamrec.dataset.format.take_record import TakenCamera, TakeRecord, video_name
from lerobot_streamrec.dataset.takes.whole_videos import (
    first_whole_row,
    frame_sources,
    whole_videos,
)
from lerobot_streamrec.errors import EncoderError, InterruptedWorkError
from lerobot_streamrec.frame import CompressedPicture, DepthFrame, Frame, METRES, MILLIMETRES
from lerobot_streamrec.video.codecs.config import config_record, EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.depth_config import DEPTH_ENCODER, DepthConfig, DepthQuantiser
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.video.encode.spool import SpoolingEncoder
from lerobot_streamrec.video.mp4.frame_decoder import decode_codes, decode_rgb
from lerobot_streamrec.video.mp4.packet_index import survey_video
from numbered_pictures import HEIGHT, number_in, numbered_frame, WIDTH
import numpy as np
from picture_files import jpeg_file
import pytest

KEY = 'observation.images.front'
FPS = 30
QUICK = EncoderConfig(vcodec='h264', preset='ultrafast', crf=20)
REPEAT = None


def colours(number):
    return numbered_frame(number)


def jpeg(number):
    file = np.frombuffer(jpeg_file(numbered_frame(number).pixels), np.uint8)
    return CompressedPicture(file, 'mjpeg', HEIGHT, WIDTH)


def damaged(number):
    return replace(jpeg(number), data=jpeg(number).data[:-40])


def packed_yuv(number):
    luma = 16 + (numbered_frame(number).pixels[..., 0].astype(int) * 219 // 255)
    pixels = np.stack([luma, np.full_like(luma, 128)], axis=2).astype(np.uint8)
    return Frame(pixels, 'yuyv422')


def millimetres(number):
    # Far is light.
    return DepthFrame(numbered_frame(number).pixels[..., 0].astype(np.uint16) * 39, MILLIMETRES)


def metres(number):
    return DepthFrame((numbered_frame(number).pixels[..., 0] / 26).astype(np.float32), METRES)


@pytest.fixture
def take(tmp_path):
    """Lay out a camera's files, and put them together."""

    class Take:
        def __init__(self):
            self.encoder = QUICK
            self.depth_info = {}

        def file(self, frames, config=None):
            """Encode the beginning, as far as an encoder came."""
            path, config = tmp_path / video_name(KEY), config or self.encoder
            encoder = Mp4Encoder(path, config, VideoSpec(WIDTH, HEIGHT, FPS))
            for frame in frames:
                encoder.encode(frame)
            encoder.finish()

        def spool(self, first, pictures, suffix='.spool'):
            """Write down pictures that wait, from a number on."""
            spool = SpoolingEncoder((tmp_path / video_name(KEY)).with_suffix(suffix), first)
            for picture in pictures:
                if picture is REPEAT:
                    spool.repeat()
                else:
                    spool.encode(picture)
            spool.finish()

        def sources(self):
            info = {**self.encoder.as_info(), **self.depth_info}
            camera = TakenCamera(HEIGHT, WIDTH, info, config_record(self.encoder))
            return frame_sources(tmp_path, TakeRecord('t', FPS, 0, {KEY: camera}, {}))

        def whole(self, num_rows=10**6, first=0):
            """Return the numbers that the whole video shows, and the video."""
            num_rows, videos = whole_videos(self.sources(), num_rows, first=first)
            if not num_rows:
                return [], None
            video = videos[KEY]
            assert survey_video(video.path, FPS).num_frames == video.num_frames == num_rows
            decode = decode_codes if self.depth_info else decode_rgb
            return [number_in(pixels) for pixels in decode(video.path)], video

    return Take()


@pytest.mark.parametrize('draw', [colours, jpeg, packed_yuv])
def test_what_waits_is_encoded_as_it_would_have_been(take, draw):
    take.spool(0, [draw(n) if n % 4 else REPEAT for n in range(1, 41)])
    shown, video = take.whole()
    assert shown == [n if n % 4 else n - 1 for n in range(1, 41)]
    assert video.statistics.num_rows == 40


@pytest.mark.parametrize('draw', [millimetres, metres])
@pytest.mark.parametrize('num_encoded', [0, 25])
def test_depth_is_quantised_when_it_is_encoded(take, draw, num_encoded):
    depth = DepthConfig()
    unit = draw(0).unit
    take.encoder = DEPTH_ENCODER
    take.depth_info = {**depth.as_info(), 'depth_unit': unit}
    quantiser = DepthQuantiser(depth, unit)
    if num_encoded:
        take.file(Frame(quantiser.codes(draw(n)), 'gray12le') for n in range(num_encoded))
    take.spool(num_encoded, map(draw, range(num_encoded, 40)))
    shown, video = take.whole()
    assert shown == list(range(40))
    farthest = 9945 if unit == MILLIMETRES else 255 / 26
    assert video.statistics.values['max'].item() == pytest.approx(farthest, rel=0.01)


def test_file_and_two_spools_overlap_and_each_frame_comes_once(take):
    take.file(map(colours, range(30)))
    take.spool(24, map(colours, range(24, 40)), '.rest')
    take.spool(33, map(colours, range(33, 60)))
    assert take.whole()[0] == list(range(60))


def test_a_gap_ends_the_video(take):
    take.file(map(colours, range(30)))
    take.spool(31, map(colours, range(31, 60)))
    assert take.whole()[0] == list(range(30))


def test_a_repeat_may_come_first_after_the_file(take):
    take.file(map(colours, range(30)))
    take.spool(30, [REPEAT, REPEAT, colours(32), REPEAT])
    assert take.whole()[0] == [*range(30), 29, 29, 32, 32]


@pytest.mark.parametrize('profile', ['', 'high'])
@pytest.mark.parametrize('first_two', [[damaged, damaged], [REPEAT, damaged], [damaged, REPEAT]])
def test_what_follows_the_file_may_begin_with_damaged_pictures(take, first_two, profile):
    """As when an encoder dies of a picture that nobody has decoded yet."""
    config = replace(QUICK, extra_options={'profile': profile}, g=9) if profile else None
    take.file(map(colours, range(30)), config)
    waiting = [one and one(30) for one in first_two]
    take.spool(30, [*waiting, jpeg(32), damaged(33), jpeg(34)])
    shown, video = take.whole()
    assert shown == [*range(30), 29, 29, 32, 32, 34]
    assert video.num_undecodable == 1 + sum(one is damaged for one in first_two)


def test_a_spool_is_whole_from_its_first_picture_that_decodes(take):
    take.spool(0, [damaged(0), REPEAT, damaged(2), jpeg(3), damaged(4), REPEAT, jpeg(6)])
    assert first_whole_row(take.sources(), 7) == 3
    assert first_whole_row(take.sources(), 3) == 3
    shown, video = take.whole(first=3)
    assert shown == [3, 3, 3, 6]
    assert video.num_undecodable == 1
    # Another camera may be whole later than this one.
    shown, video = take.whole(first=5)
    assert shown == [3, 6]
    assert video.statistics.count == 2


@pytest.mark.parametrize(('first', 'end'), [(5, 20), (5, 36), (29, 36), (30, 36), (33, 36)])
def test_a_file_begins_with_a_later_row_when_another_camera_does(take, first, end):
    take.file(map(colours, range(30)))
    take.spool(30, [damaged(30), REPEAT, jpeg(32), damaged(33), REPEAT, jpeg(35)])
    assert first_whole_row(take.sources(), 36) == 0
    whole = [*range(30), 29, 29, 32, 32, 32, 35]
    assert take.whole(end, first)[0] == whole[first:end]


def test_a_file_of_other_settings_is_encoded_once_more(take):
    take.file(map(colours, range(30)), replace(QUICK, extra_options={'profile': 'high'}, g=9))
    take.spool(30, map(colours, range(30, 50)))
    assert take.whole()[0] == list(range(50))


def test_a_file_that_is_cut_gives_way_to_what_was_kept_of_it(take, tmp_path):
    take.file(map(colours, range(60)))
    path = tmp_path / video_name(KEY)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    (alone,) = take.sources().values()
    take.spool(0, map(colours, range(70)), '.rest')
    (both,) = take.sources().values()
    assert alone.num_frames < 60
    assert both.num_frames == 70
    assert take.whole()[0] == list(range(70))


@pytest.mark.parametrize('num_rows', [1, 20, 45])
def test_no_more_frames_than_rows(take, num_rows):
    take.file(map(colours, range(30)))
    take.spool(30, map(colours, range(30, 50)))
    assert take.whole(num_rows)[0] == list(range(num_rows))


def test_nothing_is_nothing(take):
    assert take.whole() == ([], None)


def test_what_ends_the_work_comes_through_and_it_can_be_begun_anew(take):
    def tell(num_done):
        if num_done == 20:
            raise InterruptedWorkError('enough')

    take.spool(0, map(colours, range(40)))
    with pytest.raises(InterruptedWorkError):
        whole_videos(take.sources(), 40, tell)
    assert take.whole()[0] == list(range(40))


def test_settings_of_another_release_are_named(take, tmp_path):
    take.spool(0, map(colours, range(4)))
    sources = take.sources()
    camera = replace(sources[KEY].camera, encoder={'codec': 'h264'})
    with pytest.raises(EncoderError, match='its encoder settings cannot be read'):
        whole_videos({KEY: replace(sources[KEY], camera=camera)}, 4)


def test_what_a_codec_says_is_told_with_the_camera(take):
    take.spool(0, map(colours, range(4)))
    take.encoder = replace(QUICK, extra_options={'x264-params': 'no'}, preset='nonsense')
    with pytest.raises(EncoderError, match=f'{KEY} cannot be encoded: '):
        take.whole()
