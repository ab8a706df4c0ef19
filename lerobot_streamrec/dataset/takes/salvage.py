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
"""Recovery of takes that a crash interrupted: their whole rows become episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
import logging
from pathlib import Path

from lerobot_streamrec.dataset.commit.writer import DatasetWriter
from lerobot_streamrec.dataset.format.episode_table import RECORDED_AT
from lerobot_streamrec.dataset.format.features import differences
from lerobot_streamrec.dataset.format.files import ASIDE, Files
from lerobot_streamrec.dataset.format.layout import STAGING
from lerobot_streamrec.dataset.format.state import EpisodeDraft
from lerobot_streamrec.dataset.format.take_record import (
    cuts_within,
    DISCARDED,
    read_take_record,
    saved_take_ids,
    subtasks_within,
    TakeRecord,
)
from lerobot_streamrec.dataset.takes.deferred import DeferredTakes
from lerobot_streamrec.dataset.takes.journal import read_journal
from lerobot_streamrec.dataset.takes.saved_take import draft_of, read_saved_take
from lerobot_streamrec.dataset.takes.whole_videos import (
    frame_sources,
    FrameSource,
    whole_videos,
)
from lerobot_streamrec.errors import (
    DatasetCorruptError,
    DatasetError,
    DatasetMismatchError,
    VideoError,
)

SAVE = 'save'
QUARANTINE_IT = 'quarantine'
DISCARD = 'discard'
RECOVERIES = (SAVE, QUARANTINE_IT, DISCARD)
"""The possible treatments of a take that a crash interrupted."""

_log = logging.getLogger(__name__)


def salvage_takes(writer: DatasetWriter, files: Files, recovery: str) -> list[str]:
    """
    Handle everything in the staging folder, before anything else writes there.

    :param writer: writer of the dataset, just opened
    :param files: files of the dataset
    :param recovery: one of ``RECOVERIES``
    :return: a sentence for each interrupted take
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
        # A commit was writing this file when the process ended, so it is incomplete.
        folder.unlink()
        return ''
    for path in (folder, *folder.glob('*')):
        if path.is_symlink():
            raise DatasetCorruptError(f'{path} is a symbolic link, which no recorder makes')
    if (folder / DISCARDED).is_file():
        # The operator discarded this take, and its deletion was interrupted.
        files.remove_tree(folder)
        return ''
    record = read_take_record(folder)
    if record.take_id in saved_take_ids(files, writer.info.total_episodes):
        # The take was committed, but the crash came before its folder was removed.
        files.remove_tree(folder)
        return ''
    if read_saved_take(folder) is not None:
        # This is a deferred take, which is encoded later.
        return ''
    if recovery == DISCARD:
        files.remove_tree(folder)
        return (
            f'an interrupted take of {record.task!r} was discarded, as recovery is set to discard'
        )
    if recovery == QUARANTINE_IT:
        return f'set aside an interrupted take of {record.task!r}{_set_aside(files, folder)}'
    return _save_interrupted(writer, files, folder, record)


def _save_interrupted(
    writer: DatasetWriter, files: Files, folder: Path, record: TakeRecord
) -> str:
    _refuse_another_kind(writer, record)
    sources = frame_sources(folder, record)
    num_rows, _ = read_journal(folder, record)
    num_rows = min([num_rows, *(one.num_frames for one in sources.values())])
    deferred = DeferredTakes(writer)
    if num_rows and (deferred.takes or any(one.num_spooled for one in sources.values())):
        # Waiting frames take time to encode, and earlier takes must become episodes first.
        deferred.defer(folder, num_rows, _record_of(record, num_rows))
        return (
            f'an interrupted take of {record.task!r} is saved: {num_rows} rows, '
            f'{num_rows / record.fps:.1f} s; the rest of its videos is being encoded'
        )
    draft = _draft(folder, record, sources, num_rows)
    if draft is None:
        kept = _set_aside(files, folder)
        return f'an interrupted take of {record.task!r} has no whole row{kept}'
    saved = writer.commit(draft)
    files.remove_tree(folder)
    return (
        f'recovered episode {saved.episode_index} after a crash: {saved.num_rows} rows, '
        f'{saved.num_rows / record.fps:.1f} s of {record.task!r}'
    )


def _draft(
    folder: Path, record: TakeRecord, sources: Mapping[str, FrameSource], num_rows: int
) -> EpisodeDraft | None:
    """Draft an episode of the leading rows that are whole; return None if there are none."""
    if num_rows and record.cameras:
        _log.warning(
            'recovering an interrupted take of %r: reading the videos of %d cameras, each %.0f s '
            'long, to their ends',
            record.task,
            len(record.cameras),
            num_rows / record.fps,
        )
    num_rows, videos = whole_videos(sources, num_rows)
    if not num_rows:
        return None
    return draft_of(folder, record, num_rows, videos, _record_of(record, num_rows))


def _record_of(record: TakeRecord, num_rows: int) -> dict[str, object]:
    return {
        'fps': record.fps,
        'start_stamp_ns': record.start_stamp_ns,
        'task': record.task,
        'take_id': record.take_id,
        'metadata': dict(record.metadata),
        RECORDED_AT: record.recorded_at,
        'cuts': [asdict(one) for one in cuts_within(record.cuts, num_rows)],
        'subtasks': [asdict(one) for one in subtasks_within(record.subtasks, num_rows)],
        'recovered': True,
    }


def _refuse_another_kind(writer: DatasetWriter, record: TakeRecord) -> None:
    info, found = writer.info, []
    if record.fps != info.fps:
        found.append(f'fps is {info.fps} in the dataset, {record.fps} in the interrupted take')
    for key, vector in record.vectors.items():
        theirs = info.features.get(key)
        if theirs is None or differences({key: vector.feature}, {key: theirs}):
            found.append(
                f'{key} is {theirs and theirs.as_json()} in the dataset, {vector.dtype} of '
                f'{vector.names} in the take'
            )
    if found:
        raise DatasetMismatchError(writer.root, found)


def _set_aside(files: Files, path: Path) -> str:
    try:
        return f'; its files were moved to {files.quarantine(path, "interrupted")}'
    except (DatasetError, OSError) as error:
        return f'; it stays in {path}: {error}'
