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
"""A video that has not exactly one frame for each row, at its time, is found."""

from __future__ import annotations

import shutil

from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
import numpy as np
import pytest

FRONT = 'observation.images.front'
VIDEO = f'videos/{FRONT}/chunk-000/file-002.mp4'
ENCODER = EncoderConfig(vcodec='h264', preset='ultrafast')


def encode(path, num_frames, *, fps=20, size=(48, 64), level=30, config=ENCODER):
    """Write a video with another number, size or rate of frames in a file's place."""
    height, width = size
    path.unlink(missing_ok=True)
    encoder = Mp4Encoder(path, config, VideoSpec(width, height, fps))
    for index in range(num_frames):
        pixels = np.full((height, width, 3), level + 5 * index, np.uint8)
        encoder.encode(Frame(pixels, 'rgb24'))
    encoder.finish()


@pytest.mark.parametrize('decode', [True, False], ids=['decoded', 'fast'])
@pytest.mark.parametrize(
    ('num_frames', 'options', 'codes'),
    [
        (7, {}, {'frame-count'}),
        (8, {'size': (64, 64)}, {'wrong-picture-size', 'wrong-video-info'}),
        (8, {'config': EncoderConfig(vcodec='hevc', preset='ultrafast')}, {'wrong-video-info'}),
        (8, {'fps': 10}, {'frame-count', 'wrong-frame-rate', 'wrong-video-info'}),
        (16, {'fps': 40}, {'frame-count', 'wrong-frame-rate', 'wrong-video-info'}),
    ],
)
def test_a_video_that_does_not_fit_the_rows_is_found(dataset, num_frames, options, codes, decode):
    encode(dataset.path(VIDEO), num_frames, **options)
    report = dataset.check(decode=decode)
    assert {one.kind.code for one in report.findings} == codes
    for finding in report.findings:
        assert finding.feature == FRONT
        if finding.kind.code != 'wrong-video-info':
            assert finding.path == VIDEO
    lacking = 'frame-count' in codes
    assert report.episodes[2].frames_present == {
        FRONT: not lacking,
        'observation.images.top': True,
    }
    if codes != {'wrong-video-info'}:
        assert report.sound_episodes() == (0, 1)


@pytest.mark.parametrize('decode', [True, False], ids=['decoded', 'fast'])
@pytest.mark.parametrize(
    ('end_s', 'codes'), [(0.4, set()), (0.45, {'surplus-frames', 'wrong-timestamps'})]
)
def test_a_frame_without_a_row_is_found_in_the_span_of_an_episode(dataset, end_s, codes, decode):
    """Behind it, no reader shows the frame: tools leave it there if they cannot cut it off."""
    encode(dataset.path(VIDEO), 9)
    meta = 'meta/episodes/chunk-000/file-002.parquet'
    dataset.column(meta, f'videos/{FRONT}/to_timestamp', lambda _: [end_s])
    report = dataset.check(decode=decode)
    assert {one.kind.code for one in report.findings} == codes
    assert {one.episode_index for one in report.findings} == ({2} if codes else set())


@pytest.mark.parametrize('decode', [True, False], ids=['decoded', 'fast'])
def test_garbage_in_place_of_a_video_is_found(dataset, decode):
    dataset.path(VIDEO).write_bytes(b'no video at all' * 100)
    report = dataset.check(decode=decode)
    (finding,) = report.findings
    assert finding.kind.code == 'unreadable-video'
    assert finding.path == VIDEO
    assert report.sound_episodes() == (0, 1)


@pytest.mark.parametrize('decode', [True, False], ids=['decoded', 'fast'])
def test_a_video_that_lacks_its_last_bytes_is_found(dataset, decode):
    """Whatever was there; here all frames are."""
    path = dataset.path(VIDEO)
    path.write_bytes(path.read_bytes()[:-5])
    report = dataset.check(decode=decode)
    (finding,) = report.findings
    assert (finding.kind.code, finding.found) == ('truncated-video', '5 bytes missing')
    assert all(one.is_complete for one in report.episodes)


def test_a_frame_that_cannot_be_decoded_is_found_by_decoding(dataset):
    """Half of the pictures' data are overwritten; all that says how many there are stays."""
    path = dataset.path(VIDEO)
    content = bytearray(path.read_bytes())
    begin = content.index(b'mdat')
    middle = slice(begin + 900, begin + 1500)
    content[middle] = bytes(len(content[middle]))
    path.write_bytes(content)
    report = dataset.check()
    codes = {one.kind.code for one in report.findings}
    assert 'broken-frames' in codes
    assert codes <= {'broken-frames', 'frame-count'}
    assert report.sound_episodes() == (0, 1)


def test_pictures_of_another_episode_are_found_by_their_statistics(dataset):
    encode(dataset.path(VIDEO), 8, level=200)
    report = dataset.check()
    codes = {(one.kind.code, one.path, one.episode_index) for one in report.findings}
    assert codes == {
        (
            'wrong-camera-statistics',
            'meta/episodes/chunk-000/file-002.parquet',
            2,
        ),
        ('wrong-camera-statistics', 'meta/stats.json', None),
    }
    assert dataset.codes(decode=False) == set()


def test_a_long_video_is_worth_a_warning(dataset, monkeypatch):
    monkeypatch.setattr('lerobot_streamrec.dataset.check.videos._MAX_DURATION_S', 0.3)
    report = dataset.check()
    assert {(one.kind.code, one.path) for one in report.findings} == {
        ('video-too-long', VIDEO),
        ('video-too-long', VIDEO.replace('front', 'top')),
    }
    assert report.is_whole


def test_the_other_camera_s_video_of_another_length_is_found(dataset):
    """A short one in a long one's place, as when two files were mixed up."""
    shutil.copy(dataset.path(VIDEO.replace('002', '000')), dataset.path(VIDEO))
    assert dataset.codes(decode=False) == {'frame-count'}
