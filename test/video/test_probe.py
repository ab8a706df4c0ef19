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
"""info.json says of a camera's video what the video says itself, in LeRobot's words."""

from __future__ import annotations

from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.video.probe import probe_video
import pytest


@pytest.mark.parametrize(
    ('vcodec', 'codec'), [('libsvtav1', 'av1'), ('h264', 'h264'), ('hevc', 'hevc')]
)
def test_a_video_is_described_as_lerobot_does(vcodec, codec, open_encoder, picture):
    encoder = open_encoder(vcodec, fps=24, height=72, width=96)
    encoder.encode(picture((1, 2, 3), height=72, width=96))
    assert probe_video(encoder.finish().path) == {
        'video.height': 72,
        'video.width': 96,
        'video.codec': codec,
        'video.pix_fmt': 'yuv420p',
        'video.fps': 24,
        'video.channels': 3,
        'is_depth_map': False,
        'has_audio': False,
    }


@pytest.mark.parametrize('content', [b'', b'no video at all' * 100])
def test_what_is_no_video_is_named(content, tmp_path):
    path = tmp_path / 'broken.mp4'
    path.write_bytes(content)
    with pytest.raises(DatasetCorruptError, match=r'broken\.mp4'):
        probe_video(path)
    with pytest.raises(DatasetCorruptError, match=r'missing\.mp4'):
        probe_video(tmp_path / 'missing.mp4')
