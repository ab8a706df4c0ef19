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
"""Depth into files: no code is changed, damaged pictures are replaced, and all is counted."""

from __future__ import annotations

import av
from depth_pictures import png
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import CompressedDepth, DepthFrame, Frame, MILLIMETRES
from lerobot_streamrec.video.codecs import video_frame
from lerobot_streamrec.video.codecs.config import VideoSpec
from lerobot_streamrec.video.codecs.depth_config import DEPTH_ENCODER, DepthConfig, DepthQuantiser
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.video.encode.picture_encoder import DepthMeter, PictureEncoder
from lerobot_streamrec.video.mp4.frame_decoder import decode_codes
from lerobot_streamrec.video.mp4.video_info import probe_video
import numpy as np
import pytest

HEIGHT, WIDTH = 24, 32
UNSPECIFIED = 2
KEY = 'observation.images.depth'


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'depth.mp4'


def open_mp4(path, height=HEIGHT, width=WIDTH):
    return Mp4Encoder(path, DEPTH_ENCODER.with_threads(1), VideoSpec(width, height, 30))


@pytest.mark.parametrize(('height', 'width'), [(64, 64), (17, 33), (49, 97)])
def test_all_codes_come_back_as_they_were(path, height, width):
    codes = np.resize(np.arange(4096, dtype=np.uint16), (height, width))
    noise = np.random.default_rng(1).integers(0, 4096, (height, width)).astype(np.uint16)
    frames = [codes, noise, 4095 - codes, np.full_like(codes, 4095), np.zeros_like(codes)]
    encoder = open_mp4(path, height, width)
    for one in frames:
        encoder.encode(Frame(one, 'gray12le'))
    encoder.repeat()
    assert encoder.finish().num_frames == 6
    for shown, sent in zip(decode_codes(path), [*frames, frames[-1]], strict=True):
        np.testing.assert_array_equal(shown, sent)
    probed = probe_video(path)
    assert (probed['video.codec'], probed['video.pix_fmt']) == ('hevc', 'gray12le')
    assert probed['video.channels'] == 1
    with av.open(str(path)) as container:
        # As LeRobot's depth: codes are no colours of any kind.
        assert container.streams.video[0].codec_context.colorspace == UNSPECIFIED


def test_no_scaler_touches_codes(path, monkeypatch):
    monkeypatch.setattr(video_frame, 'VideoReformatter', lambda: None)
    encoder = open_mp4(path)
    encoder.encode(Frame(shade(4095), 'gray12le'))
    assert encoder.finish().num_frames == 1


class Counter:
    """Remembers what it was shown."""

    def __init__(self):
        self.seen = []

    def push(self, depth):
        self.seen.append(depth.copy())

    def push_again(self):
        self.seen.append(self.seen[-1])


def shade(level):
    return np.full((HEIGHT, WIDTH), level, np.uint16)


def compressed(data):
    return CompressedDepth(memoryview(data), 'png', MILLIMETRES, HEIGHT, WIDTH)


@pytest.fixture
def counter():
    return Counter()


@pytest.fixture
def chain(path, counter):
    quantiser = DepthQuantiser(DepthConfig(), MILLIMETRES)
    return PictureEncoder(open_mp4(path), KEY, DepthMeter(counter, 4, quantiser))


def test_what_is_counted_is_what_is_encoded(chain, counter, path):
    chain.encode(DepthFrame(shade(500), MILLIMETRES))
    chain.encode(compressed(png(shade(1000))))
    chain.encode(compressed(png(shade(2000))[:-20]))
    chain.repeat()
    chain.encode(compressed(png(shade(3000))))
    video = chain.finish()
    assert (video.num_frames, video.num_undecodable) == (5, 1)
    assert [one.shape for one in counter.seen] == [(HEIGHT // 4, WIDTH // 4)] * 5
    levels = [500, 1000, 1000, 1000, 3000]
    assert [int(one[0, 0]) for one in counter.seen] == levels
    quantiser = DepthQuantiser(DepthConfig(), MILLIMETRES)
    for shown, level in zip(decode_codes(path), levels, strict=True):
        sent = quantiser.codes(DepthFrame(shade(level), MILLIMETRES))
        np.testing.assert_array_equal(shown, sent)


def test_nothing_can_stand_in_for_the_first_picture(chain):
    with pytest.raises(UndecodableError, match='the first picture'):
        chain.encode(compressed(b'nothing'))
    chain.abort()
