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
"""Encoding a file again: the same frames at the same instants, in another codec."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
import threading

import av
from lerobot_streamrec.errors import (
    CodecError,
    ConfigError,
    InterruptedWorkError,
    VideoError,
)
from lerobot_streamrec.video.codecs import scheduling
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.depth_config import DEPTH_ENCODER
from lerobot_streamrec.video.mp4.packet_index import survey_video
from lerobot_streamrec.video.mp4.video_info import probe_file
from lerobot_streamrec.video.tools.encoding_jobs import run_encoding_jobs, with_shared_cores
from lerobot_streamrec.video.tools.reencode import reencode_video
import numpy as np
import pytest

H264 = EncoderConfig(vcodec='h264', preset='ultrafast', crf=1, g=5)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def smooth_video(tmp_path, open_encoder, picture):
    """Make a video of plain pictures, each of its own colour, which survive another codec."""

    def make(num_frames=30, name='smooth.mp4'):
        encoder = open_encoder('h264', name=name)
        for index in range(num_frames):
            encoder.encode(picture((8 * index % 250, 200 - 5 * index, 90)))
        return encoder.finish().path

    return make


@pytest.mark.parametrize(
    ('config', 'codec'),
    [
        (H264, 'h264'),
        (EncoderConfig(vcodec='hevc', preset='ultrafast', crf=10), 'hevc'),
        (EncoderConfig('libsvtav1', crf=10), 'av1'),
    ],
)
def test_frames_stay_where_they_are_in_another_codec(
    config, codec, smooth_video, decode, tmp_path
):
    source, target = smooth_video(), tmp_path / 'again.mp4'
    told = []
    made = reencode_video(
        source, target, config, progress=lambda done, total: told.append((done, total))
    )
    assert (made.path, made.num_frames, made.size_bytes) == (target, 30, target.stat().st_size)
    frames = decode(target)
    assert [one.at for one in frames] == [Fraction(k, 30) for k in range(30)]
    assert {one.duration for one in frames} == {Fraction(1, 30)}
    for one, before in zip(frames, decode(source), strict=True):
        np.testing.assert_allclose(one.colour, before.colour, atol=4)
    assert probe_file(target).info['video.codec'] == codec
    assert told == [(done, 30) for done in range(1, 31)]
    assert left_in(tmp_path) == ['again.mp4', 'smooth.mp4']
    keys = survey_video(target, 30)
    assert sorted(keys.order[place] for place in keys.key_packets) == list(range(0, 30, config.g))


@pytest.mark.parametrize(
    ('start_s', 'end_s', 'expected'),
    [
        (None, None, range(40)),
        (0.5, None, range(15, 40)),
        (None, 0.5, range(15)),
        (0.5, 1.0, range(15, 30)),
        (0.51, 0.99, range(16, 30)),
        (7 / 30, 8 / 30, [7]),
        (0, 100, range(40)),
    ],
)
@pytest.mark.parametrize('codec', ['h264', 'open'])
def test_a_span_begins_with_its_start_and_ends_before_its_end(
    codec, start_s, end_s, expected, moving_video, pixels_of, tmp_path
):
    source, target = moving_video(codec=codec), tmp_path / 'again.mp4'
    config = EncoderConfig(vcodec='h264', preset='ultrafast', crf=0)
    told = []
    reencode_video(
        source, target, config, start_s=start_s, end_s=end_s,
        progress=lambda done, total: told.append((done, total)),
    )
    frames, made = pixels_of(source), pixels_of(target)
    assert len(made) == len(expected)
    for index, pixels in zip(expected, made, strict=True):
        assert np.abs(pixels.astype(int) - frames[index]).mean() < 3
    assert told[-1] == (len(expected), len(expected))
    assert probe_file(target).duration_s == Fraction(len(expected), 30)


def test_colours_of_another_matrix_stay_the_colours_that_they_are(tmp_path, decode):
    source, target = tmp_path / 'hd.mp4', tmp_path / 'again.mp4'
    with av.open(str(source), 'w') as container:
        stream = container.add_stream('libx264', rate=30, options={'crf': '1'})
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        pixels = np.full((48, 64, 3), (200, 50, 30), np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format='rgb24')
        frame = frame.reformat(format='yuv420p', dst_colorspace=1, dst_color_range=1)
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    reencode_video(source, target, H264)
    np.testing.assert_allclose(decode(target)[0].colour, (200, 50, 30), atol=4)
    with av.open(str(target)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (6, 1)


def test_codes_of_depth_stay_or_are_refused(moving_video, pixels_of, tmp_path):
    source, target = tmp_path / 'source.mp4', tmp_path / 'again.mp4'
    reencode_video(moving_video(codec='depth'), source, DEPTH_ENCODER)
    assert len(survey_video(source, 30).key_packets) == 20
    # Nor do its key frames make others.
    reencode_video(source, target, replace(DEPTH_ENCODER, g=250))
    np.testing.assert_array_equal(pixels_of(target), pixels_of(source))
    assert survey_video(target, 30).key_packets == {0}
    for config in (H264, EncoderConfig(vcodec='hevc', pix_fmt='gray12le')):
        with pytest.raises(ConfigError, match=r'source\.mp4: its pixels are depth codes'):
            reencode_video(source, target, config, overwrite=True)
    with pytest.raises(ConfigError, match='it has colours, which this format cannot hold'):
        reencode_video(moving_video('colour.mp4'), target, DEPTH_ENCODER, overwrite=True)
    np.testing.assert_array_equal(pixels_of(target), pixels_of(source))


@pytest.mark.parametrize(
    ('start_s', 'end_s', 'said'),
    [
        (-1, None, 'start_s is -1'),
        (float('nan'), None, 'start_s is nan'),
        (None, -1, 'end_s is -1'),
        (1, 1, r'end_s is 1: it must be after the start \(1 s\)'),
    ],
)
def test_instants_that_make_no_sense_are_refused(start_s, end_s, said, moving_video, tmp_path):
    with pytest.raises(ConfigError, match=said):
        reencode_video(
            moving_video(num_frames=3), tmp_path / 'a.mp4', H264, start_s=start_s, end_s=end_s
        )


def test_a_failure_leaves_nothing_behind(moving_video, cut_video, with_sound, tmp_path):
    source, target = moving_video(), tmp_path / 'again.mp4'
    cut = cut_video(source)
    headless = tmp_path / 'headless.mp4'
    headless.write_bytes(source.read_bytes()[:-100])
    before = {*left_in(tmp_path), 'sound.m4a'}
    for path, span, kind, said in (
        (source, {'start_s': 50}, VideoError, r'no frame from 50 s on$'),
        (source, {'start_s': 0.51, 'end_s': 0.52}, VideoError, 'on and before 0.52 s'),
        (cut, {}, VideoError, r'cut\.mp4 was cut off: it lacks \d+ bytes'),
        (headless, {}, VideoError, r'headless\.mp4 cannot be read as a video'),
        (tmp_path / 'none.mp4', {}, VideoError, r'none\.mp4 cannot be read'),
        (with_sound('sound.m4a', has_video=False), {}, VideoError, 'no video in it'),
    ):
        with pytest.raises(kind, match=said):
            reencode_video(path, target, H264, **span)
    with pytest.raises(CodecError, match=r'encoder\.crf is 99'):
        reencode_video(source, target, EncoderConfig(vcodec='h264', crf=99))
    assert set(left_in(tmp_path)) == before


def test_frames_that_do_not_stand_evenly_are_refused(tmp_path):
    source = tmp_path / 'uneven.mp4'
    with av.open(str(source), 'w') as container:
        stream = container.add_stream('libx264', rate=30, options={'bf': '0'})
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for index in (0, 1, 2, 4, 5, 6, 7, 8):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format='rgb24')
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match=r'at 0\.133333 s where one at 0\.100000 s is due'):
        reencode_video(source, tmp_path / 'again.mp4', H264)


def test_it_can_be_given_up(moving_video, tmp_path):
    cancel = threading.Event()

    def watch(done, total):
        if done == 5:
            cancel.set()
        assert done <= 5

    said = r'moving\.mp4: encoding it again was cancelled'
    with pytest.raises(InterruptedWorkError, match=said):
        reencode_video(
            moving_video(), tmp_path / 'again.mp4', H264, progress=watch, cancel=cancel
        )
    assert left_in(tmp_path) == ['moving.mp4']


def test_sound_is_left_out_and_what_is_there_is_not_replaced(with_sound, tmp_path):
    target = tmp_path / 'again.mp4'
    reencode_video(with_sound(), target, H264)
    assert probe_file(target).info['has_audio'] is False
    assert probe_file(target).num_frames == 30
    with pytest.raises(VideoError, match='already exists'):
        reencode_video(with_sound(), target, H264)
    reencode_video(target, target, H264, overwrite=True)
    assert probe_file(target).num_frames == 30


def test_the_first_job_that_fails_ends_the_others():
    cancel = threading.Event()
    followed = []

    def waits():
        followed.append(cancel.wait(120))
        raise InterruptedWorkError('followed')

    def fails():
        raise VideoError('broken')

    with pytest.raises(VideoError, match='broken'):
        run_encoding_jobs([waits, fails, waits], cancel)
    assert followed[0] is True
    assert run_encoding_jobs([lambda: 1, lambda: 2], threading.Event()) == [1, 2]


def test_cores_are_shared_unless_threads_are_set(monkeypatch):
    monkeypatch.setattr(scheduling, 'usable_cores', lambda: 8)
    assert with_shared_cores(H264, 1).encoder_threads == 8
    assert with_shared_cores(H264, 3).encoder_threads == 2
    assert with_shared_cores(H264, 50).encoder_threads == 1
    assert with_shared_cores(H264.with_threads(3), 4).encoder_threads == 3
