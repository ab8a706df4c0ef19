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
"""One camera's part of a take: the chain of encoders from its pictures to a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lerobot_streamrec.dataset.format.take_record import (
    REST_SUFFIX,
    SPOOL_SUFFIX,
    TakenCamera,
    video_name,
)
from lerobot_streamrec.dataset.takes.counting import meter_of, PictureStatistics
from lerobot_streamrec.errors import FrameShapeError
from lerobot_streamrec.frame import depth_unit, EncodedPacket, Picture
from lerobot_streamrec.recording.config import DEFERRED, PNG, RecorderConfig
from lerobot_streamrec.recording.episode.row_counters import RowAccount
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.recording.streams.sampling import Shown
from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.video.codecs.config import config_record, EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.depth_config import DEPTH_UNIT
from lerobot_streamrec.video.encode.copying_encoder import CopyingEncoder
from lerobot_streamrec.video.encode.decoders import decoded, is_coded
from lerobot_streamrec.video.encode.encoder_thread import EncoderThread
from lerobot_streamrec.video.encode.fallback_encoder import open_with_fallback
from lerobot_streamrec.video.encode.mp4_encoder import EncoderAccount, FileEncoder, VideoEncoder
from lerobot_streamrec.video.encode.picture_encoder import PictureEncoder
from lerobot_streamrec.video.encode.spool import Spool, SpoolingEncoder

# A damaged header may give any size. So many headers in a row with another size are believed.
_NUM_BELIEVED = 4


@dataclass(slots=True)
class CameraTake:
    """
    A camera's part of a take. Owned by the recorder's thread.

    :param thread: thread that encodes its frames
    :param counted: statistics of its pictures; they belong to the thread until it has finished
    :param taken: description of the camera in the take's record
    :param depth_unit: unit of every depth picture; empty: the camera sends colours
    :param account: reports of the encoder while it is at work
    :param num_other_size: pictures in a row whose headers gave another size
    """

    thread: EncoderThread
    counted: PictureStatistics
    taken: TakenCamera
    depth_unit: str
    account: EncoderAccount
    num_other_size: int = 0

    @property
    def num_queued(self) -> int:
        """The number of frames that wait for the encoder; any thread."""
        return self.thread.statistics().num_queued

    @property
    def num_left(self) -> int:
        """
        The waiting frames less those that a replacement encoder has encoded again.

        It falls as long as the encoder makes progress.
        """
        return self.num_queued - self.account.num_again

    def misfit(self, picture: Picture, num_rows: int) -> str:
        """
        Return the reason why a picture does not fit the camera's video; empty if it does.

        :param picture: one picture of the camera
        :param num_rows: number of rows so far
        """
        taken = self.taken
        if (picture.height, picture.width) != (taken.height, taken.width):
            change = f'{taken.width}x{taken.height} to {picture.width}x{picture.height} pixels'
            kind = 'size'
        elif depth_unit(picture) != self.depth_unit:
            change = f'depth in {self.depth_unit!r} to {depth_unit(picture)!r}'
            kind = 'unit'
        else:
            return ''
        return (
            f'{self.thread.video_key} changed from {change} after {num_rows} rows; a video has '
            f'only one {kind}, so the change needs a new episode'
        )


    def refuse_damaged_header(self, picture: Picture) -> None:
        """
        Refuse a compressed picture of another size, up to the fourth one in a row.

        :raise FrameShapeError: if only the picture's header, which may be damaged, gives that size
        """
        taken = self.taken
        if (picture.height, picture.width) == (taken.height, taken.width):
            self.num_other_size = 0
            return
        self.num_other_size += 1
        if is_coded(picture) and self.num_other_size < _NUM_BELIEVED:
            raise FrameShapeError(
                f'its header says {picture.width}x{picture.height} pixels, but earlier pictures '
                f'had {taken.width}x{taken.height}: it is damaged, or the camera changed its size'
            )

    def show(self, stream: Stream, stamp_ns: int, shown: Shown, rows: RowAccount) -> None:
        """
        Pass the picture of a row to the encoder, or a repeat if the row before had it.

        :param stream: stream of the camera
        :param stamp_ns: instant of the row
        :param shown: the picture
        :param rows: record of the rows
        """
        if shown.stamp_ns == rows.last_stamp_ns:
            rows.repeat(stamp_ns, shown, stream.rate_hz)
            self.thread.push_repeat()
        elif not self.thread.push(shown.value, num_held_up=stream.num_held_up(stamp_ns)):
            rows.overloaded += 1


def open_camera(
    stream: StreamConfig,
    picture: Picture,
    config: RecorderConfig,
    encoder: EncoderConfig,
    folder: Path,
) -> CameraTake:
    """
    Start a camera's encoder thread.

    :param stream: settings of the camera
    :param picture: a picture from before row 0 that decodes; all others must be of its kind and
        size, and row 0 shows it if the picture of row 0 is damaged
    :param config: settings of the recorder
    :param encoder: encoder settings of this camera, never ``auto``
    :param folder: the take's folder in staging; the thread makes it if it does not exist
    """
    spec, unit = VideoSpec(picture.width, picture.height, config.fps), depth_unit(picture)
    encoder = encoder_for(encoder, picture)
    path = folder / video_name(stream.key)
    spool_path = path.with_suffix(SPOOL_SUFFIX)
    # Packets are always written as they arrive: they are small, depend on each other, and cost
    # almost nothing to copy.
    is_packet = isinstance(picture, EncodedPacket)
    is_deferred = config.encode == DEFERRED and not is_packet
    meter, counter = meter_of(stream.depth, unit, spec)
    account = EncoderAccount()

    def open_mp4(target: Path) -> FileEncoder:
        return open_with_fallback(target, encoder, spec, account)

    def open_encoder() -> VideoEncoder:
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_deferred:
            is_packed = config.deferred_format == PNG
            sink: VideoEncoder = SpoolingEncoder(spool_path, packs=is_packed)
        else:
            sink = CopyingEncoder(path, open_mp4, fps=config.fps) if is_packet else open_mp4(path)
        return PictureEncoder(
            sink,
            stream.key,
            None if is_deferred else meter,
            account,
            lambda encoder: encoder.put(picture if is_deferred else decoded(picture)),
            check_every=config.fps if is_deferred else 0,
        )

    thread = EncoderThread(
        stream.key,
        open_encoder,
        max_queue_bytes=config.bytes_per_camera(config.queue_mib),
        # Deferred pictures and packets are written as they arrive, so they need no spool.
        spool=None if is_deferred or is_packet else Spool(spool_path),
        max_spool_bytes=config.bytes_per_camera(config.spill_mib),
        rest_path=None if is_deferred or is_packet else path.with_suffix(REST_SUFFIX),
    )
    info = {**encoder.as_info(), **picture_info(stream, picture)}
    taken = TakenCamera(spec.height, spec.width, info, config_record(encoder))
    return CameraTake(thread, counter, taken, unit, account)


def encoder_for(encoder: EncoderConfig, picture: Picture) -> EncoderConfig:
    """Return the encoder settings for a camera whose pictures may be packets of a codec."""
    if not isinstance(picture, EncodedPacket):
        return encoder
    # Frames that cannot be copied are encoded with the camera's codec: a feature has only one.
    return encoder.for_codec(picture.codec)


def picture_info(stream: StreamConfig, picture: Picture) -> dict[str, object]:
    """Return the info that LeRobot stores about a camera's pictures, less encoder settings."""
    if stream.depth is None:
        return {}
    return {**stream.depth.as_info(), DEPTH_UNIT: depth_unit(picture)}
