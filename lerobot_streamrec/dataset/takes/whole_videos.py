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
"""Complete videos of a take, made from its video files and from the frames in its spools."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
import logging
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.histograms import DecodedCamera
from lerobot_streamrec.dataset.format.state import VideoDraft
from lerobot_streamrec.dataset.format.take_record import (
    REST_SUFFIX,
    SPOOL_SUFFIX,
    TakenCamera,
    TakeRecord,
    video_name,
)
from lerobot_streamrec.dataset.takes.counting import meter_of
from lerobot_streamrec.errors import (
    EncoderError,
    StreamrecError,
    UndecodableError,
    VideoError,
)
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
from lerobot_streamrec.stats.histograms import lattice_stride
from lerobot_streamrec.video.codecs.config import EncoderConfig, parse_config_record, VideoSpec
from lerobot_streamrec.video.codecs.depth_config import stored_depth
from lerobot_streamrec.video.codecs.scheduling import usable_cores
from lerobot_streamrec.video.encode.decoders import decoded, Decoders, is_coded
from lerobot_streamrec.video.encode.fallback_encoder import open_with_fallback
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo, EncoderAccount
from lerobot_streamrec.video.encode.picture_encoder import PictureEncoder
from lerobot_streamrec.video.encode.spool import count_spooled, read_spool
from lerobot_streamrec.video.mp4.concat import concatenate, Segment
from lerobot_streamrec.video.mp4.frame_decoder import decode_codes, decode_frames, decode_rgb
from lerobot_streamrec.video.mp4.packet_index import compatibility, survey_video, VideoSurvey

Tell = Callable[[int], None]
"""A callback that receives the number of frames done; an exception in it ends the work."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FrameSource:
    """
    The frames of one camera in a take: an encoded file, and spools that continue it.

    :param path: path of the video file, which may be missing
    :param camera: camera that took the frames
    :param fps: frames per second
    :param survey: survey of the file; None if it holds no frame
    :param num_encoded: number of frames in the file
    :param num_spooled: number of frames in the spools, which follow those in the file
    """

    path: Path
    camera: TakenCamera
    fps: int
    survey: VideoSurvey | None
    num_encoded: int
    num_spooled: int

    @property
    def num_frames(self) -> int:
        """The total number of frames."""
        return self.num_encoded + self.num_spooled

    def rest(self) -> Iterator[tuple[int, Picture | None]]:
        """Yield the spooled frames: the frame number, and the image or None for a repeat."""
        number = self.num_encoded
        for path in _spools(self.path):
            for at, picture in read_spool(path, number):
                if at > number:
                    break
                if at == number:
                    yield at, picture
                    number += 1


def _spools(path: Path) -> tuple[Path, Path]:
    """Return the paths of both possible spools, in the order of their frames."""
    return path.with_suffix(REST_SUFFIX), path.with_suffix(SPOOL_SUFFIX)


def frame_sources(folder: Path, record: TakeRecord) -> dict[str, FrameSource]:
    """
    Find the frames of all cameras of a take.

    :param folder: the take's folder
    :param record: description of the take
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
        # The last packets of an encoder that died may be damaged, so spooled frames replace them.
        number = begin = min(begin, sum(1 for _ in decode_frames(path)))
        for spool in spools:
            number += count_spooled(spool, number)
    return FrameSource(path, camera, record.fps, survey, begin, number - begin)


class LateChain:
    """
    A chain that encodes decoded frames of an old file, and then images as the camera sent them.

    It remembers the frame before the first image, because that image may be damaged or a repeat.
    Owned by one thread.

    :param name: name of the video, for the log
    :param camera: camera that took the images
    :param target: path of the new file
    :param config: encoder settings
    :param fps: frames per second
    """

    def __init__(
        self, name: str, camera: TakenCamera, target: Path, config: EncoderConfig, fps: int
    ) -> None:
        stored = stored_depth(camera.encoder_info)
        depth, unit = (stored.config, stored.unit) if stored else (None, '')
        spec = VideoSpec(camera.width, camera.height, fps)
        meter, self.counted = meter_of(depth, unit, spec)
        self.file = open_with_fallback(target, config, spec, EncoderAccount())
        self._pictures = PictureEncoder(self.file, name, meter, begin=self._begin)
        self._before: Callable[[], None] | None = None

    def show(self, frame: Any) -> None:
        """Encode a decoded frame of the old file."""
        self.file.encode(frame)
        self._before = self.file.repeat

    def skip(self, *, frame: Any = None, picture: Picture | None = None) -> None:
        """Remember a frame or image that the next one may repeat, without encoding it."""
        if frame is not None:
            self._before = partial(self.file.encode, frame)
        elif picture is not None:
            self._before = partial(self._encode_decoded, picture)

    def _encode_decoded(self, picture: Picture) -> None:
        self._pictures.put(decoded(picture))

    def _begin(self, _: PictureEncoder) -> None:
        if self._before is None:
            raise EncoderError('there is no picture that the first frame could repeat')
        self._before()

    def push(self, picture: Any) -> None:
        """Encode an image; None repeats the one before it."""
        if picture is None:
            self._pictures.repeat()
        else:
            self._pictures.encode(picture)

    def finish(self) -> EncodedVideo:
        """Close the file and return a description of its video."""
        return self._pictures.finish()


def first_whole_row(sources: Mapping[str, FrameSource], num_rows: int) -> int:
    """
    Return the first row for which every camera has an image that can be decoded.

    :param sources: frames of each camera, per video key
    :param num_rows: number of rows of the take
    :return: number of the row; ``num_rows`` if there is none
    """
    return max([0, *(_first_whole(one, num_rows) for one in sources.values())])


def _first_whole(source: FrameSource, num_rows: int) -> int:
    if source.num_encoded:
        return 0
    decoders = Decoders()
    for number, picture in islice(source.rest(), num_rows):
        if picture is not None and _decodes(decoders, picture):
            return number
    return num_rows


def _decodes(decoders: Decoders, picture: Picture) -> bool:
    try:
        if is_coded(picture):
            decoders.decode(picture)
    except UndecodableError:
        return False
    return True


def whole_videos(
    sources: Mapping[str, FrameSource],
    num_rows: int,
    tell: Tell = lambda _: None,
    first: int = 0,
) -> tuple[int, dict[str, VideoDraft]]:
    """
    Make one file per camera, with as many frames as every camera has.

    :param sources: frames of each camera, per video key
    :param num_rows: limit of the rows; frames of later rows are left out
    :param tell: receives the number of frames done over all cameras
    :param first: row with which the files begin; every camera must have a sound image for it
    :return: number of frames in each file, and the files; 0 if there is no whole frame
    :raise VideoError: if a file cannot be read or written
    :raise EncoderError: if spooled frames cannot be encoded
    """
    end = min([num_rows, *(one.num_frames for one in sources.values())])
    while end > first:
        made: dict[str, VideoDraft] = {}
        for key, source in sources.items():
            before = sum(one.num_frames for one in made.values())
            made[key] = _whole_video(source, range(first, end), _after(before, tell))
        num_whole = min([end - first, *(one.num_frames for one in made.values())])
        if num_whole == end - first:
            return num_whole, made
        # Some frames were lost: a packet may be cut short, and a record in a spool broken.
        end = first + num_whole
    return 0, {}


def _after(num_before: int, tell: Tell) -> Tell:
    return lambda num_done: tell(num_before + num_done)


def _whole_video(source: FrameSource, rows: range, tell: Tell) -> VideoDraft:
    target = source.path.with_name(f'whole-{source.path.name}')
    if source.survey is None or not source.num_encoded:
        return _encoded(source, rows, target, tell)
    if rows.start:
        # The video rarely has a key frame at that row, so it is encoded again.
        video = _encode_all(source, rows, target, tell)
    elif rows.stop <= source.num_encoded:
        concatenate([Segment(source.survey, 0, rows.stop)], target)
        return _counted(target, source.camera, tell)
    else:
        video = _append_rest(source, source.survey, rows, target, tell)
    counted = _counted(target, source.camera, tell)
    return replace(counted, num_undecodable=video.num_undecodable)


def _append_rest(
    source: FrameSource, survey: VideoSurvey, rows: range, target: Path, tell: Tell
) -> EncodedVideo:
    """Copy the packets of the file, and encode the spooled frames that follow."""
    rest = source.path.with_name(f'rest-{source.path.name}')
    video = _encode_rest(source, rows.stop, rest, tell)
    made = survey_video(rest, source.fps)
    if problem := compatibility(survey, made):
        _log.info('%s is encoded again with the frames that follow it: %s', source.path, problem)
        video = _encode_all(source, rows, target, tell)
    else:
        begin = Segment(survey, 0, source.num_encoded)
        concatenate([begin, Segment(made, 0, made.num_frames)], target)
    rest.unlink()
    return video


def _counted(path: Path, camera: TakenCamera, tell: Tell) -> VideoDraft:
    """Decode a file to count its frames and compute their statistics."""
    counted, num_frames = DecodedCamera(camera.encoder_info), 0
    histogram, stride = counted.histogram(), lattice_stride(camera.height, camera.width)
    for pixels in decode_codes(path) if counted.is_depth else decode_rgb(path):
        histogram.push(pixels[::stride, ::stride])
        num_frames += 1
        tell(num_frames)
    if not num_frames:
        raise VideoError(f'{path}: no frame can be decoded')
    return _draft(path, num_frames, camera, histogram.statistics())


def _draft(
    path: Path,
    num_frames: int,
    camera: TakenCamera,
    statistics: FeatureStatistics,
    num_undecodable: int = 0,
) -> VideoDraft:
    size = camera.height, camera.width
    info = camera.encoder_info
    return VideoDraft(path, num_frames, *size, info, statistics, num_undecodable)


def _encoded(source: FrameSource, rows: range, target: Path, tell: Tell) -> VideoDraft:
    """Encode the frames of a source that is only spooled, on all cores."""
    config = _config(source).with_threads(usable_cores())
    with _chain(source, target, config) as chain:
        _push_rest(chain, source.rest(), rows, tell)
        video = chain.finish()
    statistics = chain.counted.statistics()
    return _draft(target, video.num_frames, source.camera, statistics, video.num_undecodable)


def _encode_rest(source: FrameSource, end: int, target: Path, tell: Tell) -> EncodedVideo:
    """Encode the spooled frames into a file of their own, for joining with the first."""
    with _chain(source, target, _config(source)) as chain:
        # The first frame that follows may repeat the last frame of the file.
        (last,) = deque(decode_frames(source.path), maxlen=1)
        chain.skip(frame=last)
        _push_rest(chain, source.rest(), range(source.num_encoded, end), tell)
        return chain.finish()


def _encode_all(source: FrameSource, rows: range, target: Path, tell: Tell) -> EncodedVideo:
    """Encode the frames of the file again, together with the spooled frames."""
    with _chain(source, target, _config(source)) as chain:
        num_decoded = 0
        for frame in islice(decode_frames(source.path), rows.stop):
            if num_decoded in rows:
                chain.show(frame)
            else:
                chain.skip(frame=frame)
            num_decoded += 1
        if num_decoded != min(rows.stop, source.num_encoded):
            raise EncoderError(
                f'{source.path}: {num_decoded} of {source.num_encoded} frames can be decoded'
            )
        _push_rest(chain, source.rest(), rows, tell)
        return chain.finish()


def _push_rest(
    chain: LateChain, rest: Iterator[tuple[int, Picture | None]], rows: range, tell: Tell
) -> None:
    decoders = Decoders()
    for number, picture in rest:
        if number >= rows.stop:
            break
        if number in rows:
            chain.push(picture)
            tell(number - rows.start + 1)
        elif picture is not None and _decodes(decoders, picture):
            chain.skip(picture=picture)


@contextmanager
def _chain(source: FrameSource, target: Path, config: EncoderConfig) -> Iterator[LateChain]:
    """Open the encoder of a new file, which is closed as it is if an error is raised."""
    chain = LateChain(source.path.stem, source.camera, target, config, source.fps)
    try:
        yield chain
    except BaseException as error:
        chain.file.abort()
        if isinstance(error, StreamrecError) or not isinstance(error, Exception):
            raise
        # libav raises errors of many types.
        raise EncoderError(f'{source.path.stem} cannot be encoded: {error}') from error


def _config(source: FrameSource) -> EncoderConfig:
    """Return the take's encoder settings; raise an EncoderError if they cannot be used here."""
    try:
        assert source.camera.encoder is not None
        return parse_config_record(source.camera.encoder)
    except (KeyError, TypeError, ValueError) as error:
        raise EncoderError(
            f'{source.path.stem}: its encoder settings cannot be read: {error!r}'
        ) from error
