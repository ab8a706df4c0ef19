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
"""Frames at instants: the right ones, in the order asked for, or an error that says where."""

from __future__ import annotations

from fractions import Fraction
import gc
import os
from types import SimpleNamespace
import weakref

from lerobot_streamrec.errors import ConfigError, FrameTimestampError, VideoError
from lerobot_streamrec.video.mp4 import torchcodec_decoder
from lerobot_streamrec.video.mp4.decoder_cache import DecoderCache
from lerobot_streamrec.video.mp4.frame_decoder import PyavDecoder
from lerobot_streamrec.video.mp4.frames_at import frames_at
from lerobot_streamrec.video.mp4.torchcodec_decoder import torchcodec_problem
import numpy as np
import pytest

# test/integration/test_torchcodec.py runs these where there is a torchcodec.
BACKENDS = ['pyav'] if torchcodec_problem() else ['pyav', 'torchcodec']


@pytest.mark.parametrize('is_cached', [False, True], ids=['closed', 'cached'])
@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('codec', ['h264', 'hevc', 'open', 'av1', 'close'])
def test_frames_are_those_of_a_decoder_that_began_at_the_beginning(
    codec, backend, is_cached, moving_video, pixels_of
):
    path = moving_video(codec=codec)
    frames = pixels_of(path)
    chance = np.random.default_rng(5)
    with DecoderCache() as cache:
        for number in [*chance.integers(1, 7, 40), 0]:
            wanted = chance.integers(0, len(frames), number)
            found = frames_at(
                path, wanted / 30, backend=backend, cache=cache if is_cached else None
            )
            assert (found.shape, found.dtype) == ((number, 48, 64, 3), np.uint8)
            for index, pixels in zip(wanted, found, strict=True):
                np.testing.assert_array_equal(pixels, frames[index])


@pytest.mark.parametrize('backend', BACKENDS)
def test_codes_of_depth_are_not_turned_into_colours(backend, moving_video, pixels_of):
    path = moving_video(codec='depth')
    frames = pixels_of(path)
    found = frames_at(path, [0.5, 0.1], backend=backend)
    assert (found.shape, found.dtype) == ((2, 48, 64), np.uint16)
    np.testing.assert_array_equal(found, [frames[15], frames[3]])
    assert found.max() > 4000
    assert frames_at(path, [0.5], is_depth=False).shape == (1, 48, 64, 3)


@pytest.mark.parametrize('backend', BACKENDS)
def test_single_precision_and_small_errors_find_the_frame(backend, moving_video, pixels_of):
    path = moving_video()
    frames = pixels_of(path)
    wanted = np.arange(40)
    for times in ((wanted / 30).astype(np.float32), wanted / 30 - 9e-5, wanted / 30 + 9e-5):
        np.testing.assert_array_equal(frames_at(path, times, backend=backend), frames)


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize(
    ('time_s', 'nearest'),
    [
        (0.51, '0.500000'),
        (0.53, '0.533333'),
        (-1, '0.000000'),
        (-0.001, '0.000000'),
        (1.334, '1.300000'),
        (99, '1.300000'),
    ],
)
def test_an_instant_without_a_frame_is_named(time_s, nearest, backend, moving_video):
    path = moving_video()
    said = rf'moving\.mp4 has no frame at {time_s:.6f} s: the nearest is at {nearest} s, .*0\.0001'
    with pytest.raises(FrameTimestampError, match=said) as caught:
        frames_at(path, [0.1, time_s], backend=backend)
    assert isinstance(caught.value, ValueError)
    found = frames_at(path, [time_s], tolerance_s=100, backend=backend)
    np.testing.assert_array_equal(found, frames_at(path, [float(nearest)]))


@pytest.mark.parametrize('values', [[0.1, float('nan')], [0.1, float('inf')]])
def test_what_is_no_number_is_refused(values, moving_video):
    with pytest.raises(FrameTimestampError, match=r'timestamp 1 is (nan|inf)'):
        frames_at(moving_video(), values)
    with pytest.raises(FrameTimestampError, match=r'have the shape \(1, 2\)'):
        frames_at(moving_video(), [values])


def test_settings_that_cannot_be_used_are_named(moving_video):
    with pytest.raises(ConfigError, match="backend is 'video_reader': allowed are auto, pyav"):
        frames_at(moving_video(), [0], backend='video_reader')
    with pytest.raises(ConfigError, match='tolerance_s is -1'):
        frames_at(moving_video(), [0], tolerance_s=-1)


@pytest.mark.parametrize('backend', BACKENDS)
def test_files_that_are_no_video_are_named(backend, with_sound, tmp_path):
    broken = tmp_path / 'broken.mp4'
    broken.write_bytes(b'no video at all' * 100)
    for path in (broken, tmp_path / 'none.mp4', with_sound('sound.m4a', has_video=False)):
        with pytest.raises(VideoError, match=rf'{path.name} cannot be read as a video'):
            frames_at(path, [0], backend=backend)


@pytest.mark.parametrize('codec', ['h264', 'av1'])
def test_of_a_file_that_was_cut_the_frames_before_the_cut_are_found(
    codec, moving_video, cut_video
):
    whole = moving_video(codec=codec)
    cut = cut_video(whole)
    np.testing.assert_array_equal(frames_at(cut, [0.1]), frames_at(whole, [0.1]))
    words = r'cut\.mp4 (cannot be decoded|has no frame that decodes near 1\.2)'
    with pytest.raises(VideoError, match=words):
        frames_at(cut, [1.2])


@pytest.mark.parametrize('codec', ['close', 'h264'])
def test_few_packets_are_read_for_frames_that_are_far_apart(codec, moving_video, monkeypatch):
    path = moving_video(num_frames=200, codec=codec)
    packets = []
    note = PyavDecoder._note
    monkeypatch.setattr(
        PyavDecoder, '_note', lambda self, packet: (packets.append(packet), note(self, packet))
    )
    frames_at(path, [0, 2, 4, 6])
    # Three seeks, each at most a group of pictures and what a codec reorders.
    assert len(packets) < (60 if codec == 'h264' else 30)
    packets.clear()
    frames_at(path, np.arange(100, 105) / 30)
    assert len(packets) < 30
    with DecoderCache() as cache:
        frames_at(path, [0.5], cache=cache)
        packets.clear()
        frames_at(path, [16 / 30], cache=cache)
    assert len(packets) <= 4


def test_a_closed_decoder_is_freed_at_once_with_its_threads(moving_video):
    decoder = PyavDecoder(moving_video(codec='av1'))
    list(decoder.read([Fraction(1, 2)]))
    gone = weakref.ref(decoder)
    gc.disable()
    try:
        decoder.close()
        decoder.close()
        del decoder
        assert gone() is None
    finally:
        gc.enable()


@pytest.fixture
def fake_torchcodec(monkeypatch):
    """Stand in for torchcodec where it is not installed: PyAV with its methods."""

    class FakeDecoder:
        def __init__(self, path, dimension_order):
            assert dimension_order == 'NHWC'
            self._decoder = PyavDecoder(path)
            height, width, _ = self._decoder.shape
            self.metadata = SimpleNamespace(
                height=height,
                width=width,
                average_fps=30.0,
                begin_stream_seconds=0.0,
                end_stream_seconds=40 / 30,
            )

        def get_frames_played_at(self, seconds):
            shown = [Fraction(int(one * 30 + 1e-9), 30) for one in seconds]
            found = list(self._decoder.read(sorted(shown)))
            return SimpleNamespace(
                pts_seconds=np.array([float(at) for at, _ in found]),
                data=SimpleNamespace(numpy=lambda: np.stack([pixels for _, pixels in found])),
            )

    module = SimpleNamespace(VideoDecoder=FakeDecoder)
    monkeypatch.setattr(torchcodec_decoder, 'torchcodec_problem', lambda: '')
    monkeypatch.setattr(torchcodec_decoder, 'import_module', lambda _: module)


def test_torchcodec_is_asked_for_the_frame_shown_half_a_period_later(
    fake_torchcodec, moving_video, pixels_of
):
    path = moving_video()
    frames = pixels_of(path)
    found = frames_at(path, [0.5, 0.1, 39 / 30, 0.5, 0], backend='torchcodec')
    np.testing.assert_array_equal(found, [frames[index] for index in (15, 3, 39, 15, 0)])
    with pytest.raises(FrameTimestampError, match=r'0\.530000 s: the nearest is at 0\.533333 s'):
        frames_at(path, [0.53], backend='torchcodec')


def test_a_torchcodec_that_is_missing_is_told(moving_video, monkeypatch):
    monkeypatch.setattr(torchcodec_decoder, 'find_spec', lambda _: None)
    monkeypatch.setattr(torchcodec_decoder, 'torchcodec_problem', torchcodec_problem.__wrapped__)
    with pytest.raises(ConfigError, match=r"backend is 'torchcodec': it is not installed; use"):
        frames_at(moving_video(), [0], backend='torchcodec')


def test_a_torchcodec_that_stays_at_the_end_is_opened_again(
    fake_torchcodec, moving_video, pixels_of, monkeypatch
):
    path = moving_video()
    frames = pixels_of(path)
    opened = []

    class Stuck(torchcodec_decoder.import_module('').VideoDecoder):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            opened.append(self)
            self._is_at_end = False

        def get_frames_played_at(self, seconds):
            wanted = [39.5 / 30] * len(seconds) if self._is_at_end else seconds
            self._is_at_end = self._is_at_end or max(seconds) > 39 / 30
            return super().get_frames_played_at(wanted)

    module = SimpleNamespace(VideoDecoder=Stuck)
    monkeypatch.setattr(torchcodec_decoder, 'import_module', lambda _: module)
    with DecoderCache() as cache:
        for index in (39, 2, 39, 3):
            found = frames_at(path, [index / 30], backend='torchcodec', cache=cache)
            np.testing.assert_array_equal(found, [frames[index]])
    assert len(opened) == 3


def test_a_torchcodec_that_fails_to_load_without_a_word_is_told(monkeypatch):
    def refuse(name):
        raise RuntimeError

    monkeypatch.setattr(torchcodec_decoder, 'find_spec', lambda _: object())
    monkeypatch.setattr(torchcodec_decoder, 'import_module', refuse)
    assert torchcodec_problem.__wrapped__() == 'it cannot be loaded (RuntimeError)'


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(VideoError, match='cannot be read as a video'):
        frames_at(tmp_path, [0])


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_a_file_that_may_not_be_read_is_told(moving_video):
    path = moving_video()
    path.chmod(0)
    with pytest.raises(VideoError, match='cannot be read as a video'):
        frames_at(path, [0])
