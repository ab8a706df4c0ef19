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
"""What each encoder makes of the same pictures: how fast, how large, how near to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
import math
from pathlib import Path
import tempfile

from lerobot_streamrec.errors import ConfigError, VideoError
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.mp4.decode_prefix import decode_rgb
from lerobot_streamrec.video.trials.quality import measure_quality, Quality
from lerobot_streamrec.video.trials.trial import run_child, TrialTask
from lerobot_streamrec.video.trials.trial_encoding import (
    STORED_MARGIN_BYTES,
    stored_pictures,
    textured_pictures,
)
import numpy as np
import numpy.typing as npt

DEADLINE_S = 300.0
"""How long one encoder may take."""

_MAX_BYTES = 4 << 30
_MIN_FRAMES = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """
    Raw pictures on the disk.

    :param path: path of the file
    :param num_frames: in it
    :param width: width of each, in pixels
    :param height: height of each, in pixels
    :param fps: frames per second
    """

    path: Path
    num_frames: int
    width: int
    height: int
    fps: int

    @property
    def seconds(self) -> float:
        """How long they last."""
        return self.num_frames / self.fps


@dataclass(frozen=True, slots=True)
class Measured:
    """
    What an encoder has made of a sample.

    :param config: its settings
    :param frames_per_s: encoded
    :param cpu_ms: time on one core for each frame, its conversion included, milliseconds
    :param size_bytes: size of the video
    :param bits_per_s: bit rate of the video
    :param quality: None: it was not measured
    :param problem: why there is no video; empty: there is one
    """

    config: EncoderConfig
    frames_per_s: float = 0.0
    cpu_ms: float = 0.0
    size_bytes: int = 0
    bits_per_s: float = 0.0
    quality: Quality | None = None
    problem: str = ''


def synthetic_sample(folder: Path, *, width: int, height: int, fps: int, seconds: float) -> Sample:
    """
    Make a moving picture with edges, texture and noise.

    :param folder: for the file
    :param width: in pixels
    :param height: in pixels
    :param fps: frames per second
    :param seconds: how long it lasts
    :raise ConfigError: if it would be too short, or too large for a disk
    """
    pictures = textured_pictures(width, height)
    num_frames = _num_frames(seconds, fps)
    return _stored(folder, (pictures(index) for index in range(num_frames)), num_frames, fps)


def video_sample(
    folder: Path, video: Path, *, fps: int, seconds: float, from_s: float = 0.0
) -> Sample:
    """
    Take pictures of a video.

    :param folder: for the file
    :param video: an MP4
    :param fps: frames per second of it
    :param seconds: how much of it
    :param from_s: where to begin
    :raise ConfigError: if there are too few pictures, or too many for a disk
    """
    num_frames, first = _num_frames(seconds, fps), round(from_s * fps)
    pictures = islice(decode_rgb(video), first, first + num_frames)
    return _stored(folder, pictures, num_frames, fps)


def _num_frames(seconds: float, fps: int) -> int:
    return max(_MIN_FRAMES, math.ceil(seconds * fps))


def _stored(
    folder: Path, pictures: Iterable[npt.NDArray[np.uint8]], num_wanted: int, fps: int
) -> Sample:
    path = folder / 'sample.rgb'
    num_frames, height, width = 0, 0, 0
    with path.open('wb') as file:
        for picture in pictures:
            if picture.nbytes * num_wanted > _MAX_BYTES:
                allowed = f'{_MAX_BYTES >> 30} GiB of raw pictures at the most; take fewer seconds'
                raise ConfigError('--seconds', f'{num_wanted / fps:g}', allowed)
            height, width = picture.shape[:2]
            file.write(np.ascontiguousarray(picture).data)
            num_frames += 1
        file.write(bytes(STORED_MARGIN_BYTES))
    if num_frames < _MIN_FRAMES:
        raise ConfigError('--source', num_frames, 'it has too few pictures that can be decoded')
    return Sample(path, num_frames, width, height, fps)


def measure_encoder(
    config: EncoderConfig, sample: Sample, deadline_s: float = DEADLINE_S
) -> Measured:
    """
    Encode a sample in a child process, and compare what was made with it.

    :param config: settings, not of ``auto``
    :param sample: pictures to encode, and how
    :param deadline_s: after that the child counts as hanging
    """
    with tempfile.TemporaryDirectory(prefix='streamrec-bench-') as folder:
        task = TrialTask(
            config,
            sample.width,
            sample.height,
            sample.fps,
            num_streams=1,
            num_frames=sample.num_frames,
            sample=sample.path.absolute(),
            folder=Path(folder),
        )
        report = run_child(task, deadline_s)
        if report.problem:
            return Measured(config, problem=report.problem)
        pictures = stored_pictures(sample.path, sample.num_frames, sample.width, sample.height)
        try:
            quality = measure_quality(task.video(0), pictures)
        except VideoError as error:
            return Measured(config, problem=str(error))
    return Measured(
        config,
        report.frames_per_s,
        report.cpu_ms,
        report.size_bytes,
        8 * report.size_bytes / sample.seconds,
        quality,
    )
