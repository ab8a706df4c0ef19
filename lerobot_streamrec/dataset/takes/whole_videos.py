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
"""Whole videos of a take: what stands in its files, and what waits in its spools to be encoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
import logging
import os
from pathlib import Path

from lerobot_streamrec.dataset.decoded_camera import DecodedCamera
from lerobot_streamrec.dataset.takes.counting import counting_of, PictureStatistics
from lerobot_streamrec.dataset.takes.take_record import (
    REST_SUFFIX,
    SPOOL_SUFFIX,
    TakenCamera,
    TakeRecord,
    video_name,
)
from lerobot_streamrec.errors import EncoderError, StreamrecError, VideoError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
from lerobot_streamrec.stats.image_histogram import lattice_stride
from lerobot_streamrec.video.concat import concatenate, Segment
from lerobot_streamrec.video.config import EncoderConfig
from lerobot_streamrec.video.config_record import parse_config_record
from lerobot_streamrec.video.decode import decode_codes, decode_frames, decode_rgb
from lerobot_streamrec.video.decoding_encoder import DecodingEncoder
from lerobot_streamrec.video.depth_config import stored_depth
from lerobot_streamrec.video.encoder_account import EncoderAccount
from lerobot_streamrec.video.encoder_thread import VideoEncoder
from lerobot_streamrec.video.fallback_encoder import open_with_fallback
from lerobot_streamrec.video.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.spool import count_spooled, read_spool
from lerobot_streamrec.video.survey import compatibility, survey_video, VideoSurvey

Tell = Callable[[int], None]
"""Is told how many frames are done, now and then; what it raises ends the work."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WholeVideo:
    """
    All frames of a camera, in one file.

    :param path: the file, in the take's folder
    :param num_frames: in it
    :param statistics: of its pictures
    :param num_undecodable: of the frames, repeat the one before because what the camera sent could
        not be decoded
    """

    path: Path
    num_frames: int
    statistics: FeatureStatistics
    num_undecodable: int = 0


@dataclass(frozen=True, slots=True)
class FrameSource:
    """
    Where the frames of a camera's take are.

    :param path: of its file, which may be missing
    :param camera: which camera
    :param fps: frames per second
    :param survey: of the file; None: it holds no frame
    :param num_encoded: frames in the file
    :param num_spooled: frames that follow these, on the disk and not encoded
    """

    path: Path
    camera: TakenCamera
    fps: int
    survey: VideoSurvey | None
    num_encoded: int
    num_spooled: int

    @property
    def num_frames(self) -> int:
        """Frames in all."""
        return self.num_encoded + self.num_spooled

    def rest(self) -> Iterator[tuple[int, Picture | None]]:
        """Read what follows the frames of the file: number and picture; None: a repeat."""
        number = self.num_encoded
        for path in _spools(self.path):
            for at, picture in read_spool(path, number):
                if at > number:
                    break
                if at == number:
                    yield at, picture
                    number += 1


def _spools(path: Path) -> tuple[Path, Path]:
    """Return where frames may wait; those of the first, if there is one, come first."""
    return path.with_suffix(REST_SUFFIX), path.with_suffix(SPOOL_SUFFIX)


def frame_sources(folder: Path, record: TakeRecord) -> dict[str, FrameSource]:
    """
    Find the frames of all cameras of a take.

    :param folder: of the take
    :param record: what the take is
    """
    return {key: _source(folder / video_name(key), record, key) for key in record.cameras}


def _source(path: Path, record: TakeRecord, key: str) -> FrameSource:
    survey: VideoSurvey | None = None
    try:
        survey = survey_video(path, record.fps, to_first_error=True)
    except VideoError as error:
        if path.exists():
            _log.warning('%s', error)
    if survey is not None and not survey.num_frames:
        survey = None
    camera, spools = record.cameras[key], [one for one in _spools(path) if one.is_file()]
    number = begin = survey.num_frames if survey else 0
    if spools and camera.encoder is not None:
        # The last packets of an encoder that died need not be whole, and may be replaced.
        number = begin = min(begin, sum(1 for _ in decode_frames(path)))
        for spool in spools:
            number += count_spooled(spool, number)
    return FrameSource(path, camera, record.fps, survey, begin, number - begin)


def whole_videos(
    sources: Mapping[str, FrameSource], num_rows: int, tell: Tell = lambda _: None
) -> tuple[int, dict[str, WholeVideo]]:
    """
    Make a file of each camera's frames, as many as all cameras have.

    :param sources: per video key
    :param num_rows: no more frames than these
    :param tell: is told how many frames are done, those of all cameras together
    :return: how many frames each has, and the files; 0: there is no whole frame
    :raise VideoError: if a file cannot be read or written
    :raise EncoderError: if what waits cannot be encoded
    """
    num_rows = min([num_rows, *(one.num_frames for one in sources.values())])
    while num_rows:
        made: dict[str, WholeVideo] = {}
        for key, source in sources.items():
            before = sum(one.num_frames for one in made.values())
            made[key] = _whole_video(source, num_rows, _after(before, tell))
        num_whole = min([num_rows, *(one.num_frames for one in made.values())])
        if num_whole == num_rows:
            return num_rows, made
        # A packet that was cut short decodes to nothing, and a record can be broken.
        num_rows = num_whole
    return 0, {}


def _after(num_before: int, tell: Tell) -> Tell:
    return lambda num_done: tell(num_before + num_done)


def _whole_video(source: FrameSource, num_frames: int, tell: Tell) -> WholeVideo:
    target = source.path.with_name(f'whole-{source.path.name}')
    if num_frames <= source.num_encoded:
        assert source.survey is not None
        concatenate([Segment(source.survey, 0, num_frames)], target)
        return _counted(target, source.camera, tell)
    if source.survey is None or not source.num_encoded:
        return _encoded(source, num_frames, target, tell)
    rest = source.path.with_name(f'rest-{source.path.name}')
    video = _encode_rest(source, num_frames, rest, tell)
    made = survey_video(rest, source.fps)
    if problem := compatibility(source.survey, made):
        _log.info('%s is encoded once more with what follows it: %s', source.path, problem)
        video = _encode_all(source, num_frames, target, tell)
    else:
        begin = Segment(source.survey, 0, source.num_encoded)
        concatenate([begin, Segment(made, 0, made.num_frames)], target)
    rest.unlink()
    counted = _counted(target, source.camera, tell)
    return WholeVideo(
        counted.path, counted.num_frames, counted.statistics, video.num_undecodable
    )


def _counted(path: Path, camera: TakenCamera, tell: Tell) -> WholeVideo:
    """Count what a file shows."""
    decoded, num_frames = DecodedCamera(camera.encoder_info), 0
    histogram, stride = decoded.histogram(), lattice_stride(camera.height, camera.width)
    for pixels in decode_codes(path) if decoded.is_depth else decode_rgb(path):
        histogram.push(pixels[::stride, ::stride])
        num_frames += 1
        tell(num_frames)
    if not num_frames:
        raise VideoError(f'{path}: no frame can be decoded')
    return WholeVideo(path, num_frames, histogram.statistics())


@dataclass(frozen=True, slots=True)
class _Chain:
    """The end of a chain, which takes frames as they are, and its beginning."""

    file: VideoEncoder
    first: VideoEncoder
    counted: PictureStatistics


def _open_chain(source: FrameSource, target: Path, config: EncoderConfig) -> _Chain:
    camera = source.camera
    stored = stored_depth(camera.encoder_info)
    depth, unit = (stored.config, stored.unit) if stored else (None, '')
    sizes = {'height': camera.height, 'width': camera.width}
    counting = counting_of(depth, unit, **sizes)
    file = open_with_fallback(target, config, EncoderAccount(), fps=source.fps, **sizes)
    name = source.path.stem
    return _Chain(file, DecodingEncoder(counting.before(file), name), counting.counted)


def _encoded(source: FrameSource, num_frames: int, target: Path, tell: Tell) -> WholeVideo:
    """Encode everything, which waits in spools, with all cores."""
    config = _config(source).with_threads(os.cpu_count() or 1)
    chain = _open_chain(source, target, config)
    with _aborting(source, chain.file):
        _feed(chain, source.rest(), num_frames, tell)
        video = chain.first.finish()
    statistics = chain.counted.statistics()
    return WholeVideo(target, video.num_frames, statistics, video.num_undecodable)


def _encode_rest(
    source: FrameSource, num_frames: int, target: Path, tell: Tell
) -> EncodedVideo:
    """Encode what follows the file, to be joined with it."""
    chain = _open_chain(source, target, _config(source))
    with _aborting(source, chain.file):
        rest = source.rest()
        number, picture = next(rest, (0, None))
        if picture is None:
            # It repeats the last one of the file.
            (last,) = deque(decode_frames(source.path), maxlen=1)
            chain.file.encode(last)
        else:
            chain.first.encode(picture)
        _feed(chain, rest, num_frames - number - 1, tell)
        return chain.first.finish()


def _encode_all(
    source: FrameSource, num_frames: int, target: Path, tell: Tell
) -> EncodedVideo:
    """Encode once more what the file shows, and what follows it."""
    chain = _open_chain(source, target, _config(source))
    with _aborting(source, chain.file):
        num_decoded = 0
        for frame in decode_frames(source.path):
            chain.file.encode(frame)
            num_decoded += 1
        if num_decoded != source.num_encoded:
            raise EncoderError(
                f'{source.path}: {num_decoded} of {source.num_encoded} frames can be decoded'
            )
        _feed(chain, source.rest(), num_frames - num_decoded, tell)
        return chain.first.finish()


def _feed(
    chain: _Chain, rest: Iterator[tuple[int, Picture | None]], num_frames: int, tell: Tell
) -> None:
    for num_done, (_, picture) in enumerate(islice(rest, num_frames), 1):
        if picture is None:
            chain.first.repeat()
        else:
            chain.first.encode(picture)
        tell(num_done)


@contextmanager
def _aborting(source: FrameSource, encoder: VideoEncoder) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        encoder.abort()
        if isinstance(error, StreamrecError) or not isinstance(error, Exception):
            raise
        # libav's errors have many types.
        raise EncoderError(f'{source.path.stem} cannot be encoded: {error}') from error


def _config(source: FrameSource) -> EncoderConfig:
    """
    Return the settings that the take was recorded with.

    :raise EncoderError: if they are not those of an encoder of ours
    """
    try:
        assert source.camera.encoder is not None
        return parse_config_record(source.camera.encoder)
    except (KeyError, TypeError, ValueError) as error:
        raise EncoderError(f'{source.path.stem}: its encoder settings: {error!r}') from error
