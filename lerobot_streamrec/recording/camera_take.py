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
"""One camera's part of a take: what its pictures go through until they stand in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lerobot_streamrec.dataset.takes.take_record import video_name
from lerobot_streamrec.depth_frame import depth_unit, METRES
from lerobot_streamrec.frame import EncodedPacket, Picture
from lerobot_streamrec.recording.config import RecorderConfig, StreamConfig
from lerobot_streamrec.stats.depth_histogram import DepthHistogram, DepthMoments
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
from lerobot_streamrec.stats.image_histogram import ImageHistogram, lattice_stride
from lerobot_streamrec.video.config import EncoderConfig
from lerobot_streamrec.video.copying_encoder import CopyingEncoder
from lerobot_streamrec.video.counting_encoder import CountingEncoder
from lerobot_streamrec.video.decoding_encoder import DecodingEncoder
from lerobot_streamrec.video.depth_config import DEPTH_UNIT, DepthConfig
from lerobot_streamrec.video.depth_encoder import DepthEncoder
from lerobot_streamrec.video.depth_quantisation import DepthQuantiser
from lerobot_streamrec.video.encoder_account import EncoderAccount
from lerobot_streamrec.video.encoder_thread import EncoderThread, VideoEncoder
from lerobot_streamrec.video.fallback_encoder import EncoderChoice, FallbackEncoder
from lerobot_streamrec.video.opening import FileEncoder, open_file_encoder
from lerobot_streamrec.video.spool import Spool

SPOOL_SUFFIX = '.spool'


class PictureStatistics(Protocol):
    """What has counted a camera's pictures."""

    def statistics(self) -> FeatureStatistics:
        """
        Return the statistics of what was counted.

        :raise ValueError: if nothing was counted
        """


@dataclass(frozen=True, slots=True)
class CameraTake:
    """
    A camera's part of a take.

    :param thread: encodes its frames
    :param counted: belongs to the thread until that has finished
    :param height: of every frame
    :param width: of every frame
    :param depth_unit: of every depth picture; empty: colours
    :param encoder_info: the encoder's settings, as LeRobot stores them
    :param account: what the encoder tells while it is at work
    """

    thread: EncoderThread
    counted: PictureStatistics
    height: int
    width: int
    depth_unit: str
    encoder_info: Mapping[str, object]
    account: EncoderAccount

    @property
    def num_queued(self) -> int:
        """Frames that wait for the encoder; any thread."""
        return self.thread.statistics().num_queued

    @property
    def num_left(self) -> int:
        """Frames that wait, less those encoded once more: falls while the encoder is at work."""
        return self.num_queued - self.account.num_again


def open_camera(
    stream: StreamConfig, picture: Picture, config: RecorderConfig, folder: Path
) -> CameraTake:
    """
    Start a camera's encoder thread.

    :param stream: which camera
    :param picture: one of its pictures: all others have to be of that kind and size
    :param config: settings
    :param folder: of the take, in staging; made if it is not there
    """
    height, width, unit = picture.height, picture.width, depth_unit(picture)
    encoder = config.encoder_in_use(stream.depth)
    if isinstance(picture, EncodedPacket):
        # What is not copied has to be of the camera's codec: a feature has one.
        encoder = encoder.for_codec(picture.codec)
    path = folder / video_name(stream.key)
    counting = _counting(stream.depth, unit, lattice_stride(height, width))
    account = EncoderAccount()

    def choice(settings: EncoderConfig) -> EncoderChoice:
        size = {'fps': config.fps, 'width': width, 'height': height}
        return EncoderChoice(settings, lambda target: open_file_encoder(target, settings, **size))

    def open_mp4(target: Path) -> FileEncoder:
        first, second = choice(encoder), choice(encoder.in_software())
        # A codec in this process fails of a full memory or disk, and would fail of it again: it
        # has no second one, and keeps no frames for that.
        if first.config == second.config:
            return first.open(target)
        return FallbackEncoder(target, first, second, fps=config.fps, account=account)

    def open_encoder() -> VideoEncoder:
        path.parent.mkdir(parents=True, exist_ok=True)
        video: VideoEncoder = (
            CopyingEncoder(path, open_mp4, fps=config.fps)
            if isinstance(picture, EncodedPacket)
            else open_mp4(path)
        )
        return DecodingEncoder(counting.before(video), stream.key)

    # Packets lean on each other in memory, and are small.
    is_spilling = config.spill_mib > 0 and not isinstance(picture, EncodedPacket)
    thread = EncoderThread(
        stream.key,
        open_encoder,
        max_queue_bytes=config.queue_bytes_per_camera,
        spool=Spool(folder / f'{stream.key}{SPOOL_SUFFIX}') if is_spilling else None,
        max_spool_bytes=config.spool_bytes_per_camera,
    )
    info = {**encoder.as_info(), **picture_info(stream, picture)}
    return CameraTake(thread, counting.counted, height, width, unit, info, account)


def picture_info(stream: StreamConfig, picture: Picture) -> dict[str, object]:
    """Return what LeRobot stores of a camera's pictures, encoder settings apart."""
    if stream.depth is None:
        return {}
    return {**stream.depth.as_info(), DEPTH_UNIT: depth_unit(picture)}


@dataclass(frozen=True, slots=True)
class _Counting:
    """What counts pictures, and how it is put before an encoder."""

    counted: PictureStatistics
    before: Callable[[VideoEncoder], VideoEncoder]


def _counting(depth: DepthConfig | None, unit: str, stride: int) -> _Counting:
    if depth is None:
        histogram = ImageHistogram()
        return _Counting(histogram, lambda video: CountingEncoder(video, histogram, stride))
    quantiser = DepthQuantiser(depth, unit)
    counter = DepthMoments(depth.depth_max) if unit == METRES else DepthHistogram()
    return _Counting(counter, lambda video: DepthEncoder(video, quantiser, counter, stride))
