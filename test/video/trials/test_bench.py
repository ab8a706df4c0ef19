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
"""Samples, and how near videos are to them."""

from __future__ import annotations

from lerobot_streamrec.errors import ConfigError, VideoError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.video.trials.bench import (
    measure_encoder,
    measure_quality,
    synthetic_sample,
    video_sample,
)
from lerobot_streamrec.video.trials.trial_encoding import moving_pictures, stored_pictures
import numpy as np
import pytest

SIZE = {'width': 64, 'height': 48}


def encoded(path, pictures, num_frames=8, **settings):
    encoder = Mp4Encoder(path, EncoderConfig('h264', **settings), VideoSpec(**SIZE, fps=30))
    for index in range(num_frames):
        encoder.encode(Frame(pictures(index), 'rgb24'))
    return encoder.finish().path


def test_without_loss_nothing_is_lost(tmp_path):
    pictures = moving_pictures(**SIZE)
    path = encoded(tmp_path / 'a.mp4', pictures, crf=0)
    quality = measure_quality(path, pictures)
    assert (quality.psnr_db, quality.ssim) == (float('inf'), 1.0)


def test_less_quality_is_told_from_more(tmp_path):
    pictures = moving_pictures(**SIZE)
    fine, coarse = (
        measure_quality(encoded(tmp_path / f'{crf}.mp4', pictures, crf=crf), pictures)
        for crf in (15, 45)
    )
    assert fine.psnr_db > coarse.psnr_db + 10
    assert fine.ssim > coarse.ssim


def test_psnr_is_what_a_known_error_makes(tmp_path):
    # One grey against another that is 10 levels of luma brighter; both chromas are the same.
    given = np.full((48, 64, 3), 100, np.uint8)
    shown = np.full((48, 64, 3), 100 + round(10 * 255 / 219), np.uint8)
    path = encoded(tmp_path / 'a.mp4', lambda index: shown, crf=0)
    quality = measure_quality(path, lambda index: given)
    # Luma is two thirds of the samples of yuv420p.
    assert quality.psnr_db == pytest.approx(10 * np.log10(255**2 / (100 * 2 / 3)), abs=0.01)


def test_what_is_no_video_is_said(tmp_path):
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'nothing')
    with pytest.raises(VideoError, match=r'a\.mp4'):
        measure_quality(path, moving_pictures(**SIZE))


def test_a_sample_of_a_video_begins_where_it_is_told_to(tmp_path):
    pictures = moving_pictures(**SIZE)
    path = encoded(tmp_path / 'a.mp4', pictures, crf=1, num_frames=12)
    sample = video_sample(tmp_path, path, fps=30, seconds=0.2, from_s=0.1)
    assert (sample.num_frames, sample.spec.width, sample.spec.height) == (6, 64, 48)
    stored = stored_pictures(sample.path, 6, **SIZE)
    for index in range(6):
        apart = np.abs(stored(index).astype(int) - pictures(index + 3))
        assert apart.mean() < 8, index


def test_samples_that_are_too_short_or_too_large_are_refused(tmp_path):
    with pytest.raises(ConfigError, match='too few frames'):
        video_sample(tmp_path, tmp_path / 'missing.mp4', fps=30, seconds=1)
    with pytest.raises(ConfigError, match='4 GiB of raw images'):
        synthetic_sample(tmp_path, **SIZE, fps=1000, seconds=600)


def test_an_encoder_that_does_not_work_is_not_measured(tmp_path):
    sample = synthetic_sample(tmp_path, **SIZE, fps=30, seconds=0.1)
    measured = measure_encoder(EncoderConfig('h264', preset='nope'), sample)
    assert 'invalid preset' in measured.problem or 'preset' in measured.problem
    assert measured.quality is None
