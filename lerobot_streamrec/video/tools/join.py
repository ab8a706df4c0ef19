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
"""Joining of video files of the same kind into one, by copying packets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lerobot_streamrec.durable import written_beside
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.mp4.concat import concatenate, Segment
from lerobot_streamrec.video.mp4.packet_index import (
    compatibility,
    opened_video,
    survey_video,
    VideoSurvey,
)
from lerobot_streamrec.video.tools.encoding_jobs import Progress, WorkCounter


def whole_fps(path: Path) -> int:
    """
    Return the frame rate of a video, which has to be a whole number.

    :raise VideoError: if the video cannot be read, or its rate is not a whole number
    """
    with opened_video(path) as (_, stream):
        rate = stream.base_rate
    if rate is None or rate.denominator != 1 or rate.numerator < 1:
        raise VideoError(
            f'{path} has {rate} frames per second; a whole number is needed, as in every dataset'
        )
    return rate.numerator


def join_videos(
    paths: Sequence[Path],
    target: Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> EncodedVideo:
    """
    Join videos one after the other into one file, without encoding them again.

    All videos are examined before anything is written. Frame k of the new file is at ``k / fps``.

    :param paths: at least one video, in the order in which they are shown
    :param target: file to make, which appears as a whole or not at all
    :param overwrite: True to replace an existing file
    :param progress: called with the number of bytes done and in all
    :raise VideoError: if a file cannot be read, holds sound, or cannot be joined to the first one
    """
    if not paths:
        raise VideoError(f'there is nothing to join to {target}: name at least one video')
    with written_beside(target, overwrite=overwrite) as part:
        fps = whole_fps(paths[0])
        surveys = [_surveyed(path, fps) for path in paths]
        for one in surveys[1:]:
            if problem := compatibility(surveys[0], one):
                raise VideoError(
                    f'{surveys[0].path} and {one.path} cannot be joined: {problem}. '
                    'Encode one of them again with the settings of the other.'
                )
        counter = WorkCounter(sum(path.stat().st_size for path in paths), progress)
        segments = [Segment(one, 0, one.num_frames) for one in surveys]
        num_frames = concatenate(segments, part, counter.add)
        size_bytes = part.stat().st_size
    return EncodedVideo(target, num_frames, size_bytes)


def _surveyed(path: Path, fps: int) -> VideoSurvey:
    found = survey_video(path, fps)
    if found.traits['number of streams'] != 1:
        raise VideoError(
            f'{path} holds {found.traits["number of streams"]} streams; only its video would be '
            'copied, and sound would be lost'
        )
    if not found.num_frames:
        raise VideoError(f'{path} has no frame')
    return found
