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
"""A comparison of encoders on the same images, by speed, size, and FFmpeg's PSNR and SSIM."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
import math
from pathlib import Path
import re
import tempfile
import time

import av
from av.filter import Graph
from av.filter.context import FilterContext
from lerobot_streamrec.errors import ConfigError, VideoError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.video_frame import FrameScaler
from lerobot_streamrec.video.mp4.decoder_cache import DecoderCache
from lerobot_streamrec.video.mp4.frame_decoder import decode_rgb
from lerobot_streamrec.video.mp4.frames_at import frames_at
from lerobot_streamrec.video.trials.trial import TrialChild, TrialTask
from lerobot_streamrec.video.trials.trial_encoding import (
    Pictures,
    STORED_MARGIN_BYTES,
    stored_pictures,
    textured_pictures,
)
import numpy as np
import numpy.typing as npt

_PIX_FMT = 'yuv420p'
_TIME_BASE = Fraction(1, 30)
_MSE = re.compile(r'lavfi\.psnr\.mse_avg=(\S+)')
_SSIM = re.compile(r'lavfi\.ssim\.All=(\S+)')

DEADLINE_S = 300.0
"""Longest time that one encoder may take, in seconds."""

_MAX_BYTES = 4 << 30
_MIN_FRAMES = 2
_NUM_DECODED = 40
_SEED = 3


@dataclass(frozen=True, slots=True)
class Quality:
    """
    The quality of an encoded video.

    :param psnr_db: PSNR of all frames together, in decibels; infinite without any loss
    :param ssim: mean SSIM of all frames; 1 without any loss
    """

    psnr_db: float
    ssim: float


@dataclass(frozen=True, slots=True)
class Sample:
    """
    Raw images in a file.

    :param path: path of the file
    :param num_frames: number of images in the file
    :param spec: size of each image, and frames per second
    """

    path: Path
    num_frames: int
    spec: VideoSpec

    @property
    def seconds(self) -> float:
        """Length of the sample in seconds."""
        return self.num_frames / self.spec.fps


@dataclass(frozen=True, slots=True)
class Measured:
    """
    The measurement of an encoder on a sample.

    :param config: settings of the encoder
    :param frames_per_s: encoded frames per second
    :param cpu_ms: CPU time of one core per frame, including conversion, in milliseconds
    :param size_bytes: size of the video
    :param bits_per_s: bit rate of the video
    :param quality: quality of the video; None if there is a problem
    :param decode_ms: time to decode one frame anywhere in the video, in milliseconds, as training
        does for every sample
    :param problem: why the encoder could not be measured; empty if it was
    """

    config: EncoderConfig
    frames_per_s: float = 0.0
    cpu_ms: float = 0.0
    size_bytes: int = 0
    bits_per_s: float = 0.0
    quality: Quality | None = None
    problem: str = ''
    decode_ms: float = 0.0


def synthetic_sample(folder: Path, *, width: int, height: int, fps: int, seconds: float) -> Sample:
    """
    Return a generated sample of moving images with edges, texture and noise.

    :param folder: folder for the file
    :param width: width of the images, in pixels
    :param height: height of the images, in pixels
    :param fps: frames per second
    :param seconds: length of the sample
    :raise ConfigError: if the sample would exceed 4 GiB
    """
    pictures = textured_pictures(width, height)
    num_frames = _num_frames(seconds, fps)
    return _stored(folder, (pictures(index) for index in range(num_frames)), num_frames, fps)


def video_sample(
    folder: Path, video: Path, *, fps: int, seconds: float, from_s: float = 0.0
) -> Sample:
    """
    Return a sample of frames from a video.

    :param folder: folder for the file
    :param video: path of an MP4
    :param fps: frames per second of the video
    :param seconds: length of the sample
    :param from_s: beginning of the sample in the video, in seconds
    :raise ConfigError: if too few frames can be decoded, or the sample would exceed 4 GiB
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
                allowed = f'{_MAX_BYTES >> 30} GiB of raw images are allowed; use fewer seconds'
                raise ConfigError('--seconds', f'{num_wanted / fps:g}', allowed)
            height, width = picture.shape[:2]
            file.write(np.ascontiguousarray(picture).data)
            num_frames += 1
        file.write(bytes(STORED_MARGIN_BYTES))
    if num_frames < _MIN_FRAMES:
        raise ConfigError('--source', num_frames, 'too few frames can be decoded; two are needed')
    return Sample(path, num_frames, VideoSpec(width, height, fps))


def measure_encoder(config: EncoderConfig, sample: Sample) -> Measured:
    """
    Encode a sample in a child process, and compare the video with the sample.

    :param config: settings of the encoder, not ``auto``
    :param sample: images to encode
    """
    with tempfile.TemporaryDirectory(prefix='streamrec-bench-') as folder:
        task = TrialTask(
            config,
            sample.spec,
            num_streams=1,
            num_frames=sample.num_frames,
            sample=sample.path.absolute(),
            folder=Path(folder),
        )
        with TrialChild() as child:
            report = child.carry_out(task, DEADLINE_S)
        if report.problem:
            return Measured(config, problem=report.problem)
        size = sample.spec.width, sample.spec.height
        pictures = stored_pictures(sample.path, sample.num_frames, *size)
        try:
            quality = measure_quality(task.video(0), pictures)
            decode_ms = _decode_ms(task.video(0), sample)
        except VideoError as error:
            return Measured(config, problem=str(error))
    return Measured(
        config,
        report.frames_per_s,
        report.cpu_ms,
        report.size_bytes,
        8 * report.size_bytes / sample.seconds,
        quality,
        decode_ms=decode_ms,
    )


def _decode_ms(path: Path, sample: Sample) -> float:
    """Return the median time to decode a frame at a random instant of an open video."""
    random = np.random.default_rng(_SEED)
    places = random.integers(0, sample.num_frames, _NUM_DECODED)
    times_ms = []
    with DecoderCache(1) as cache:
        for place in places.tolist():
            begin_s = time.perf_counter()
            frames_at(path, [place / sample.spec.fps], cache=cache)
            times_ms.append(1000 * (time.perf_counter() - begin_s))
    return float(np.median(times_ms))


def measure_quality(path: Path, pictures: Pictures) -> Quality:
    """
    Compare a video with its original images, after the conversion that every codec needs.

    :param path: path of the video
    :param pictures: function that returns the original image of a frame
    :raise VideoError: if the video cannot be compared
    """
    with tempfile.TemporaryDirectory(prefix='streamrec-quality-') as folder:
        told = Path(folder) / 'measures'
        try:
            _compare(path, pictures, told)
            text = told.read_text(encoding='utf-8')
        except (av.FFmpegError, OSError, IndexError) as error:
            raise VideoError(f'{path} cannot be compared with its pictures: {error}') from error
    squares = [float(one) for one in _MSE.findall(text)]
    likenesses = [float(one) for one in _SSIM.findall(text)]
    if not squares or not likenesses:
        raise VideoError(f'{path} has no frames to compare')
    mean = sum(squares) / len(squares)
    psnr_db = 10 * math.log10(255**2 / mean) if mean else math.inf
    return Quality(psnr_db, sum(likenesses) / len(likenesses))


def _compare(path: Path, pictures: Pictures, told: Path) -> None:
    shown, given = FrameScaler(_PIX_FMT), FrameScaler(_PIX_FMT)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        # Older PyAV frees the filters with the graph, so this function keeps the graph.
        graph = Graph()
        sources, sink = _filters(graph, stream.width, stream.height, told)
        for index, decoded in enumerate(container.decode(stream)):
            reference = given.scale(Frame(pictures(index), 'rgb24'))
            for source, frame in zip(
                sources, (shown.scale(decoded), reference, reference), strict=True
            ):
                frame.pts, frame.time_base = index, _TIME_BASE
                source.push(frame)
            _drain(sink)
    for source in sources:
        source.push(None)
    _drain(sink)


def _filters(
    graph: Graph, width: int, height: int, told: Path
) -> tuple[list[FilterContext], FilterContext]:
    """Return the inputs (the decoded frames, and twice the originals) and the output."""
    sources = [
        graph.add_buffer(width=width, height=height, format=_PIX_FMT, time_base=_TIME_BASE)
        for _ in range(3)
    ]
    psnr, ssim = graph.add('psnr'), graph.add('ssim')
    # Older PyAV does not give access to the metadata that filters add to frames.
    writer = graph.add('metadata', mode='print', file=str(told), direct='1')
    sink = graph.add('buffersink')
    shown, first, second = sources
    shown.link_to(psnr, 0, 0)
    first.link_to(psnr, 0, 1)
    psnr.link_to(ssim, 0, 0)
    second.link_to(ssim, 0, 1)
    ssim.link_to(writer)
    writer.link_to(sink)
    graph.configure()
    return sources, sink


def _drain(sink: FilterContext) -> None:
    with suppress(av.BlockingIOError, av.EOFError):
        while True:
            sink.pull()
