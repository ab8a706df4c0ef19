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
"""The quality of a video against its original images, by FFmpeg's PSNR and SSIM."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
import math
from pathlib import Path
import re
import tempfile

import av
from av.filter import Graph
from av.filter.context import FilterContext
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.video_frame import FrameScaler
from lerobot_streamrec.video.trials.trial_encoding import Pictures

_PIX_FMT = 'yuv420p'
_TIME_BASE = Fraction(1, 30)
_MSE = re.compile(r'lavfi\.psnr\.mse_avg=(\S+)')
_SSIM = re.compile(r'lavfi\.ssim\.All=(\S+)')


@dataclass(frozen=True, slots=True)
class Quality:
    """
    The quality of an encoded video.

    :param psnr_db: PSNR of all frames together, in decibels; infinite without any loss
    :param ssim: mean SSIM of all frames; 1 without any loss
    """

    psnr_db: float
    ssim: float


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
