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
"""What a crash left of running takes, made into episodes as far as it is whole."""

from __future__ import annotations

from dataclasses import dataclass
import logging
from pathlib import Path

from lerobot_streamrec.dataset.decoded_camera import DecodedCamera, Histogram
from lerobot_streamrec.dataset.draft import EpisodeDraft, VideoDraft
from lerobot_streamrec.dataset.files import ASIDE, Files
from lerobot_streamrec.dataset.layout import STAGING
from lerobot_streamrec.dataset.takes.journal import read_journal
from lerobot_streamrec.dataset.takes.leftovers import saved_take_ids
from lerobot_streamrec.dataset.takes.take_record import (
    DISCARDED,
    parse_take_record,
    RECORD,
    TakenCamera,
    TakeRecord,
    video_name,
)
from lerobot_streamrec.dataset.writer import DatasetWriter
from lerobot_streamrec.errors import (
    DatasetCorruptError,
    DatasetError,
    DatasetMismatchError,
    VideoError,
)
from lerobot_streamrec.stats.image_histogram import lattice_stride
from lerobot_streamrec.video.concat import concatenate, Segment
from lerobot_streamrec.video.decode import decode_codes, decode_rgb
from lerobot_streamrec.video.survey import survey_video, VideoSurvey

SAVE = 'save'
QUARANTINE_IT = 'quarantine'
DISCARD = 'discard'
RECOVERIES = (SAVE, QUARANTINE_IT, DISCARD)
"""What may become of a take that a crash interrupted."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Salvaged:
    """A camera's frames of an interrupted take, and their statistics."""

    path: Path
    num_frames: int
    histogram: Histogram


def salvage_takes(writer: DatasetWriter, files: Files, recovery: str) -> list[str]:
    """
    Deal with everything in the staging folder: nothing else writes there yet.

    :param writer: of the dataset, just opened
    :param files: the way to the disk
    :param recovery: one of ``RECOVERIES``
    :return: what was done, a sentence for each take
    """
    said = []
    for entry in sorted(files.path(STAGING).glob('*')):
        try:
            sentence = _salvage_take(writer, files, entry, recovery)
        except (DatasetError, VideoError, OSError) as error:
            sentence = f'an interrupted take could not be recovered: {error}'
            sentence += _set_aside(files, entry)
        if sentence:
            _log.warning('%s', sentence)
            said.append(sentence)
    return said


def _salvage_take(writer: DatasetWriter, files: Files, folder: Path, recovery: str) -> str:
    if folder.suffix == ASIDE and folder.is_file():
        # A file of a commit that was being written when the process ended: not whole.
        folder.unlink()
        return ''
    for path in (folder, *folder.glob('*')):
        if path.is_symlink():
            raise DatasetCorruptError(f'{path} is a symbolic link, which no recorder makes')
    if (folder / DISCARDED).is_file():
        # The operator was told so before everything was deleted.
        files.remove_tree(folder)
        return ''
    record = _read_record(folder)
    if record.take_id in saved_take_ids(files, writer.info.total_episodes):
        # The crash came between the commit and the removal of this folder.
        files.remove_tree(folder)
        return ''
    if recovery == DISCARD:
        files.remove_tree(folder)
        return f'an interrupted take of {record.task!r} was discarded, as the settings say'
    if recovery == QUARANTINE_IT:
        return f'an interrupted take of {record.task!r}{_set_aside(files, folder)}'
    draft = _draft(writer, folder, record)
    if draft is None:
        kept = _set_aside(files, folder)
        return f'an interrupted take of {record.task!r} has no whole row{kept}'
    saved = writer.commit(draft)
    files.remove_tree(folder)
    return (
        f'recovered episode {saved.episode_index} after a crash: {saved.num_rows} rows, '
        f'{saved.num_rows / record.fps:.1f} s of {record.task!r}'
    )


def _read_record(folder: Path) -> TakeRecord:
    path = folder / RECORD
    try:
        return parse_take_record(path.read_bytes(), path)
    except OSError as error:
        raise DatasetCorruptError(f'{path} cannot be read: {error.strerror or error}') from error


def _draft(writer: DatasetWriter, folder: Path, record: TakeRecord) -> EpisodeDraft | None:
    """Cut everything to the last instant of which all is whole; None if there is none."""
    _refuse_another_kind(writer, record)
    num_rows, vectors = read_journal(folder, record)
    surveys = {}
    for key in record.cameras:
        path = folder / video_name(key)
        try:
            surveys[key] = survey_video(path, record.fps, to_first_error=True)
        except VideoError as error:
            _log.warning('%s', error)
            return None
        num_rows = min(num_rows, surveys[key].num_frames)
    if num_rows and record.cameras:
        _log.warning(
            'recovering an interrupted take of %r: the videos of %d cameras, %.0f s long, are '
            'read to their ends',
            record.task,
            len(record.cameras),
            num_rows / record.fps,
        )
    cut: dict[str, _Salvaged] = {}
    while num_rows:
        cut = {key: _cut(video, num_rows, record.cameras[key]) for key, video in surveys.items()}
        num_whole = min([num_rows, *(one.num_frames for one in cut.values())])
        if num_whole == num_rows:
            break
        # A packet that was cut short decodes to nothing.
        num_rows = num_whole
    if not num_rows:
        return None
    videos = {
        key: VideoDraft(
            path=cut[key].path,
            num_frames=num_rows,
            height=camera.height,
            width=camera.width,
            encoder_info=camera.encoder_info,
            statistics=cut[key].histogram.statistics(),
        )
        for key, camera in record.cameras.items()
    }
    return EpisodeDraft(
        num_rows=num_rows,
        task=record.task,
        vectors={key: rows[:num_rows] for key, rows in vectors.items()},
        videos=videos,
        record={
            'fps': record.fps,
            'start_stamp_ns': record.start_stamp_ns,
            'task': record.task,
            'take_id': record.take_id,
            'metadata': dict(record.metadata),
            'recovered': True,
        },
    )


def _refuse_another_kind(writer: DatasetWriter, record: TakeRecord) -> None:
    info, found = writer.info, []
    if record.fps != info.fps:
        found.append(f'fps is {info.fps} in the dataset, {record.fps} in the interrupted take')
    for key, vector in record.vectors.items():
        theirs = info.features.get(key)
        if theirs is None or (theirs.names, theirs.dtype) != (vector.names, vector.dtype):
            found.append(
                f'{key} is {theirs and theirs.as_json()} in the dataset, {vector.dtype} of '
                f'{vector.names} in the take'
            )
    if found:
        raise DatasetMismatchError(writer.root, found)


def _cut(video: VideoSurvey, num_rows: int, camera: TakenCamera) -> _Salvaged:
    """Copy the whole frames to a file of their own, and count what it shows."""
    target = video.path.with_name(f'recovered-{video.path.name}')
    concatenate([Segment(video, 0, num_rows)], target)
    decoded, num_frames = DecodedCamera(camera.encoder_info), 0
    histogram, stride = decoded.histogram(), lattice_stride(camera.height, camera.width)
    for pixels in decode_codes(target) if decoded.is_depth else decode_rgb(target):
        histogram.push(pixels[::stride, ::stride])
        num_frames += 1
    return _Salvaged(target, num_frames, histogram)


def _set_aside(files: Files, path: Path) -> str:
    try:
        return f'; what there is of it lies in {files.quarantine(path, "interrupted")}'
    except (DatasetError, OSError) as error:
        return f'; it stays in {path}: {error}'
