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
"""Contact sheets show key frames of their own episode, and cost one decoded frame each."""

from __future__ import annotations

from fractions import Fraction
import io

from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.frame import DepthFrame, Frame, MILLIMETRES
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.depth_config import (
    DEPTH_ENCODER,
    DEPTH_PIX_FMT,
    DepthConfig,
    DepthQuantiser,
)
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.video.tools.contact_sheet import contact_sheet, ContactSheet
from lerobot_streamrec.video.tools.extract import Episode
import numpy as np
from PIL import Image
import pytest

FPS = 10


def gray_video(path, num_frames, g):
    """Write a video whose frame k has the shade 4 k."""
    options = {'x264-params': 'bframes=0:scenecut=0'}
    config = EncoderConfig(vcodec='h264', preset='ultrafast', g=g, crf=10, extra_options=options)
    encoder = Mp4Encoder(path, config, VideoSpec(64, 48, FPS))
    for k in range(num_frames):
        encoder.encode(Frame(np.full((48, 64, 3), 4 * k, np.uint8), 'rgb24'))
    encoder.finish()
    return path


def numbers(sheet):
    return [round(float(frame.mean()) / 4) for frame in sheet.frames]


def test_it_shows_the_key_frames_before_evenly_spaced_instants(tmp_path):
    path = gray_video(tmp_path / 'a.mp4', 60, g=10)
    sheet = contact_sheet(Episode(path), Fraction(6), 2, 32)
    assert numbers(sheet) == [10, 40]
    assert sheet.times_s == (1.0, 4.0)
    assert sheet.frames.shape == (2, 24, 32, 3)
    assert not sheet.is_depth


def test_with_few_key_frames_it_decodes_those_between(tmp_path):
    path = gray_video(tmp_path / 'a.mp4', 60, g=250)
    assert numbers(contact_sheet(Episode(path), Fraction(6), 3, 32)) == [0, 30, 50]


def test_an_episode_in_a_joined_file_shows_no_frame_of_its_neighbours(tmp_path):
    path = gray_video(tmp_path / 'a.mp4', 60, g=20)
    # Its first frame is no key frame, so the first picture is decoded from the one before it.
    sheet = contact_sheet(Episode(path, Fraction(25, FPS)), Fraction(2), 2, 32)
    assert numbers(sheet) == [30, 40]
    assert sheet.times_s == (0.5, 1.5)


def test_depth_is_shown_in_shades_of_gray(tmp_path):
    path = tmp_path / 'depth.mp4'
    encoder = Mp4Encoder(path, DEPTH_ENCODER, VideoSpec(64, 48, FPS))
    quantiser = DepthQuantiser(DepthConfig(), MILLIMETRES)
    depth = np.linspace(0, 4000, 64 * 48).reshape(48, 64).astype(np.uint16)
    for _ in range(5):
        codes = quantiser.codes(DepthFrame(depth, MILLIMETRES))
        encoder.encode(Frame(codes, DEPTH_PIX_FMT))
    encoder.finish()
    sheet = contact_sheet(Episode(path), Fraction(5, FPS), 1, 32)
    assert sheet.is_depth
    gray = sheet.frames[0, :, :, 0]
    assert (gray[0, 0], gray[-1, -1] > 240, gray[12, 16] < gray[20, 16]) == (0, True, True)


def test_a_damaged_video_is_an_error(tmp_path):
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'no video' * 99)
    with pytest.raises(VideoError, match='cannot be read as a video'):
        contact_sheet(Episode(path), Fraction(1), 2, 32)


def test_a_jpeg_has_the_colours_of_its_pixels():
    pixels = np.zeros((48, 96, 3), np.uint8)
    for place, colour in enumerate(((220, 30, 30), (30, 200, 30), (250, 250, 250))):
        pixels[:, 32 * place : 32 * (place + 1)] = colour
    sheet = ContactSheet((0.0, 0.5), np.stack([pixels[:, :48], pixels[:, 48:]]), is_depth=False)
    read = np.asarray(Image.open(io.BytesIO(sheet.jpeg())).convert('RGB'))
    assert read.shape == pixels.shape
    for column in (16, 48, 80):
        assert np.abs(read[24, column].astype(int) - pixels[24, column]).max() <= 6
