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
"""The draft of an episode, made from a take's files on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lerobot_streamrec.dataset.format.features import camera_feature, FeatureSpec, VIDEO_CODEC
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.dataset.format.take_record import TakenCamera, TakeRecord
from lerobot_streamrec.dataset.takes.journal import read_journal
from lerobot_streamrec.errors import CommitError
from lerobot_streamrec.video.codecs.config import parse_config_record
import numpy as np
import numpy.typing as npt


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
