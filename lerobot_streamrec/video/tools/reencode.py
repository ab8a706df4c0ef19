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
"""Encoding of an existing video again, frame by frame, with other settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from functools import partial
import math
from pathlib import Path
import threading

import av
from av.video.frame import PictureType, VideoFrame
from lerobot_streamrec.durable import written_beside
from lerobot_streamrec.errors import (
    ConfigError,
    DatasetCorruptError,
    InterruptedWorkError,
    VideoError,
)
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT, keeps_codes
from lerobot_streamrec.video.codecs.settings_check import COLOUR_CHANNELS, DEPTH_CHANNELS
from lerobot_streamrec.video.encode.ffmpeg_encoder import open_file_encoder
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.mp4.frame_decoder import PyavDecoder
from lerobot_streamrec.video.mp4.packet_index import TOLERANCE_S
from lerobot_streamrec.video.mp4.video_info import probe_file, VideoProbe
from lerobot_streamrec.video.tools.encoding_jobs import (
    Progress,
    run_encoding_jobs,
    with_shared_cores,
    WorkCounter,
)
from lerobot_streamrec.video.tools.extract import Choice, no_frame
from lerobot_streamrec.video.tools.join import whole_fps
from lerobot_streamrec.video.trials.auto_select import check_at_size
from lerobot_streamrec.video.trials.software_probe import check_picture_size


def reencode_video(
    source: Path,
    target: Path,
    config: EncoderConfig,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> EncodedVideo:
    """
    Encode a video again, with its frames in order, frame k at ``k / fps``, and no sound.

    This call blocks while another thread encodes. Colours become BT.601 in limited range, and are
    tagged so. Depth codes stay the same, since only a lossless encoder is allowed for them.

    :param source: a video with evenly spaced frames, a whole number of them per second
    :param target: MP4 to make, which appears as a whole or not at all
    :param config: encoder settings
    :param start_s: first instant to encode, in seconds into the source; None for its beginning
    :param end_s: instant before which all encoded frames are, in seconds; None for the end
    :param overwrite: True to replace an existing file
    :param progress: called with the number of frames done and in all
    :param cancel: event that another thread sets to cancel
    :raise ConfigError: if a setting or an instant is not allowed
    :raise InterruptedWorkError: if the work was cancelled
    :raise VideoError: if a file cannot be read or written
    :raise EncoderError: if the codec fails
    """
    cancel = cancel or threading.Event()
    span = Choice(start_s=start_s, end_s=end_s)
    start, end = Fraction(span.start_s or 0), None if end_s is None else Fraction(end_s)
    with written_beside(target, overwrite=overwrite) as part:
        fps = whole_fps(source)
        found = _probed(source)
        _check(source, config, found, fps)
        last = found.duration_s if end is None else min(end, found.duration_s)
        total = _first_frame(last, fps) - _first_frame(start, fps)
        counter = WorkCounter(max(1, total), progress)
        job = partial(
            encode_span,
            source,
            part,
            with_shared_cores(config, 1),
            fps=fps,
            start_s=start,
            end_s=end,
            on_frame=counter.add,
            cancel=cancel,
        )
        (made,) = run_encoding_jobs([job], cancel)
    return EncodedVideo(target, made.num_frames, made.size_bytes)


def unsuitable(config: EncoderConfig, *, is_depth: bool) -> str:
    """Return why images of a kind must not go through an encoder; empty if they may."""
    if is_depth and not keeps_codes(config):
        return (
            'its pixels are depth codes, which any loss makes wrong; only hevc with '
            f'pix_fmt {DEPTH_PIX_FMT} and x265-params lossless=1 keeps them'
        )
    if not is_depth and config.pix_fmt == DEPTH_PIX_FMT:
        return 'it has colours, which this format cannot hold; use yuv420p'
    return ''


def encode_span(
    source: Path,
    target: Path,
    config: EncoderConfig,
    *,
    fps: int,
    start_s: Fraction,
    end_s: Fraction | None,
    on_frame: Callable[[], None],
    cancel: threading.Event,
) -> EncodedVideo:
    """
    Encode the frames of a video from one instant until before another; any thread.

    :param source: a video with ``fps`` frames per second
    :param target: file to make in an existing folder; the caller removes it after a failure
    :param config: encoder settings that passed ``check_encoder``
    :param start_s: first instant to encode, in seconds
    :param end_s: instant before which all encoded frames are, in seconds; None for the end
    :param on_frame: function that is called after each frame
    :param cancel: event that cancels; checked before each frame
    :raise InterruptedWorkError: if the work was cancelled
    :raise VideoError: if frames are not evenly spaced, or cannot be read
    :raise EncoderError: if the codec fails
    """
    with closing(PyavDecoder(source)) as decoder:
        height, width = decoder.shape[:2]
        encoder = open_file_encoder(target, config, VideoSpec(width, height, fps))
        try:
            for frame in _even_frames(decoder, source, fps, start_s, end_s):
                if cancel.is_set():
                    raise InterruptedWorkError(f'{source}: encoding it again was cancelled')
                # The codec would take a decoded frame's picture type as an order for a key frame.
                frame.pict_type = PictureType.NONE
                encoder.encode(frame)
                on_frame()
            if not encoder.num_frames:
                raise no_frame(source, start_s, end_s)
            return encoder.finish()
        except (av.FFmpegError, OSError, ValueError) as error:
            encoder.abort()
            raise VideoError(f'{source} cannot be encoded again: {error}') from error
        except BaseException:
            encoder.abort()
            raise


def _even_frames(
    decoder: PyavDecoder, source: Path, fps: int, start_s: Fraction, end_s: Fraction | None
) -> Iterator[VideoFrame]:
    """Yield the frames of a span, and raise an error if they are not one period apart."""
    first_s: Fraction | None = None
    for number, (at_s, frame) in enumerate(decoder.frames_between(start_s, end_s)):
        first_s = at_s if first_s is None else first_s
        expected_s = first_s + Fraction(number, fps)
        if abs(at_s - expected_s) > TOLERANCE_S:
            raise VideoError(
                f'{source} has a frame at {float(at_s):.6f} s where one at '
                f'{float(expected_s):.6f} s is due; only evenly spaced frames can be '
                'encoded again'
            )
        yield frame


def _check(source: Path, config: EncoderConfig, found: VideoProbe, fps: int) -> None:
    info = found.info
    if problem := unsuitable(config, is_depth=info['video.pix_fmt'] == DEPTH_PIX_FMT):
        raise ConfigError('encoder.pix_fmt', config.pix_fmt, f'{source}: {problem}')
    height, width = int(str(info['video.height'])), int(str(info['video.width']))
    check_picture_size(str(source), config, height=height, width=width)
    channels = DEPTH_CHANNELS if config.pix_fmt == DEPTH_PIX_FMT else COLOUR_CHANNELS
    check_at_size(config, VideoSpec(width, height, fps), channels=channels)


def _first_frame(time_s: Fraction, fps: int) -> int:
    """Return the number of the first frame that is not before an instant."""
    return math.ceil((time_s - TOLERANCE_S) * fps)


def _probed(source: Path) -> VideoProbe:
    try:
        found = probe_file(source)
    except DatasetCorruptError as error:
        raise VideoError(str(error)) from error
    if found.missing_bytes:
        raise VideoError(f'{source} was cut off: it lacks {found.missing_bytes} bytes at its end')
    return found
