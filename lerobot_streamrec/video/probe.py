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
"""What a video file says of itself, in LeRobot's words."""

from __future__ import annotations

from pathlib import Path

import av
from lerobot_streamrec.errors import DatasetCorruptError


def probe_video(path: Path) -> dict[str, object]:
    """
    Read what LeRobot stores of a video in ``features[key]['info']``, encoder settings apart.

    :param path: an MP4 file
    :raise DatasetCorruptError: if it cannot be read as a video
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            rate = stream.base_rate
            assert rate is not None
            return {
                'video.height': stream.height,
                'video.width': stream.width,
                'video.codec': stream.codec_context.codec.canonical_name,
                'video.pix_fmt': stream.format.name,
                'video.fps': rate.numerator // rate.denominator,
                'video.channels': len(stream.format.components),
                'is_depth_map': False,
                'has_audio': bool(container.streams.audio),
            }
    except (av.FFmpegError, IndexError) as error:
        raise DatasetCorruptError(f'{path} cannot be read as a video: {error}') from error
