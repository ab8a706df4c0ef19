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
"""A saved take, and the draft of an episode, both made from a take's files on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import json
import logging
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.features import camera_feature, FeatureSpec, VIDEO_CODEC
from lerobot_streamrec.dataset.format.info_rules import json_bytes
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.dataset.format.take_record import TakenCamera, TakeRecord
from lerobot_streamrec.dataset.takes.journal import read_journal
from lerobot_streamrec.errors import CommitError
from lerobot_streamrec.video.codecs.config import parse_config_record
import numpy as np
import numpy.typing as npt

_log = logging.getLogger(__name__)

SAVED = 'saved.json'
"""The name of the file that marks a take as saved: it will become an episode after any crash."""
SAVED_STAMPS = 'row_stamps.parquet'
"""The name of the file with the stamps of the rows, if they are kept."""


@dataclass(frozen=True, slots=True)
class SavedTake:
    """
    The description of a saved take.

    :param order: position among the saved takes, which become episodes in this order
    :param num_rows: number of rows, and of frames in every video
    :param record: the recorder's own record of the episode, as JSON
    """

    order: int
    num_rows: int
    record: Mapping[str, Any]

    @property
    def task(self) -> str:
        """The task of the episode."""
        return str(self.record['task'])

    @property
    def seconds(self) -> float:
        """The duration of the take."""
        return self.num_rows / float(self.record['fps'])

    def as_bytes(self) -> bytes:
        """Return the content of saved.json."""
        return json_bytes(asdict(self), indent=2)


def read_saved_take(folder: Path) -> SavedTake | None:
    """
    Read the description of a saved take; None if the take is not saved, or it is unreadable.

    :param folder: the take's folder
    """
    path = folder / SAVED
    try:
        raw = json.loads(path.read_bytes())
        saved = SavedTake(int(raw['order']), int(raw['num_rows']), dict(raw['record']))
        str(saved.record['take_id'])
        if saved.num_rows < 1 or saved.seconds <= 0 or not saved.task:
            raise ValueError('it has no row, no rate or no task')
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.warning('%s', error)
        return None
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        _log.warning('%s cannot be read: %r', path, error)
        return None
    return saved


def feature_of(camera: TakenCamera) -> FeatureSpec:
    """
    Return the feature of a camera, with its size and codec.

    :param camera: camera of a take
    """
    info = dict(camera.encoder_info)
    if camera.encoder is not None:
        info[VIDEO_CODEC] = parse_config_record(camera.encoder).codec
    return camera_feature(camera.height, camera.width, info)


def draft_of(
    folder: Path,
    take: TakeRecord,
    num_rows: int,
    videos: Mapping[str, VideoDraft],
    record: Mapping[str, object],
    row_stamps: Mapping[str, npt.NDArray[np.int64]] | None = None,
    first_row: int = 0,
) -> EpisodeDraft:
    """
    Make the draft of an episode.

    :param folder: the take's folder, with the journal of its rows
    :param take: description of the take
    :param num_rows: number of rows of the episode
    :param videos: videos per video key, with at least ``num_rows`` frames each
    :param record: the recorder's own record of the episode, as JSON
    :param row_stamps: stamps of the take's rows by column, in nanoseconds
    :param first_row: row of the take with which the episode begins
    :raise CommitError: if the take has fewer rows or frames
    """
    num_written, vectors = read_journal(folder, take)
    counts = {key: one.num_frames for key, one in videos.items()}
    counts['rows'] = num_written - first_row
    short = {key: count for key, count in counts.items() if count < num_rows}
    if short:
        raise CommitError(f'{folder} has fewer than {num_rows} rows or frames: {short}')
    rows_taken = slice(first_row, first_row + num_rows)
    return EpisodeDraft(
        num_rows=num_rows,
        task=take.task,
        vectors={key: rows[rows_taken] for key, rows in vectors.items()},
        videos=videos,
        record=record,
        row_stamps={key: one[rows_taken] for key, one in (row_stamps or {}).items()},
    )
