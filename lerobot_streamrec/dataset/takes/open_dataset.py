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
"""Opening of a root, for a new dataset or to append to one, and a preview without changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import os
from pathlib import Path
from tempfile import TemporaryFile

from lerobot_streamrec.dataset.about.robot_files import FOLDER as ROBOT
from lerobot_streamrec.dataset.commit.writer import DatasetWriter
from lerobot_streamrec.dataset.format.episode_index import EpisodeIndex
from lerobot_streamrec.dataset.format.features import (
    camera_feature,
    FeatureSpec,
    vector_feature,
    with_info,
)
from lerobot_streamrec.dataset.format.files import DatasetLock, Files, lock_holder
from lerobot_streamrec.dataset.format.info import DatasetInfo, read_info, with_defaults
from lerobot_streamrec.dataset.format.layout import (
    INFO,
    OWN,
    refuse_inside_dataset,
    refuse_links,
    refuse_special_files,
    STAGING,
)
from lerobot_streamrec.dataset.format.parquet import READ_ERRORS, warm_up
from lerobot_streamrec.dataset.format.state import DatasetState, refuse_another_kind, resumed_state
from lerobot_streamrec.dataset.format.table_rules import open_table
from lerobot_streamrec.dataset.format.take_record import (
    quarantine_all,
    read_take_record,
    RECORD,
    return_videos,
    TakeRecord,
)
from lerobot_streamrec.dataset.rebuild.exchange import finish_rebuild
from lerobot_streamrec.dataset.takes.salvage import salvage_takes, SAVE
from lerobot_streamrec.errors import (
    ConfigError,
    DatasetCorruptError,
    DatasetExistsError,
    DatasetLockedError,
)
from lerobot_streamrec.video.codecs.depth_config import stored_depth

# Folders that an interrupted first commit leaves without info.json, and an undo of all episodes.
_UNFINISHED = {'data', 'videos', 'meta'}


def open_dataset(
    root: Path,
    *,
    fps: int,
    robot_type: str | None,
    features: Mapping[str, FeatureSpec],
    resume: bool,
    recovery: str = SAVE,
) -> tuple[DatasetWriter, list[str]]:
    """
    Open and lock a root for recording, and recover the remains of a crash.

    Readers see nothing of a new dataset before its first episode is saved.

    :param root: the dataset's folder, created if it does not exist
    :param fps: rows per second
    :param robot_type: free text, or None
    :param features: features to record, without the default features
    :param resume: True if an existing dataset may be appended to
    :param recovery: treatment of takes that a crash interrupted, one of ``RECOVERIES``
    :return: the writer, and sentences on the remains of an interruption
    :raise ConfigError: if the root is not writable
    :raise DatasetExistsError: if the root holds other files, holds a dataset and ``resume`` is
        False, or lies in another dataset
    :raise DatasetLockedError: if another recorder or tool writes to the dataset
    :raise DatasetMismatchError: if the existing dataset is of another kind
    :raise DatasetCorruptError: if the existing dataset is not whole
    """
    warm_up()
    index: EpisodeIndex | None = None
    try:
        refuse_links(root)
        refuse_special_files(root)
        unfinished = unfinished_folders(root)
        if os.path.lexists(root / INFO):
            # This runs before the lock is taken, so that no file of a refused dataset changes.
            info = resumable_info(root, fps, robot_type, features, resume=resume)
            (index := EpisodeIndex(root, info)).rows(info)
        else:
            refuse_inside_dataset(root)
        (root / OWN).mkdir(parents=True, exist_ok=True)
        lock = DatasetLock(root)
    except OSError as error:
        raise ConfigError(
            'root', str(root), f'{error.strerror or error}; choose a folder that can be written to'
        ) from error
    files = Files(root)
    try:
        rebuilt = finish_rebuild(root)
        if unfinished:
            return_videos(files, 0, {})
            quarantine_all(files, unfinished)
        state, index = _state(files, fps, robot_type, features, resume, index)
        writer = DatasetWriter(files, state, lock, index)
        recovered = salvage_takes(writer, files, recovery)
    except BaseException:
        lock.release()
        raise
    return writer, [*([rebuilt] if rebuilt else []), *recovered]


def open_as_it_is(root: Path) -> tuple[DatasetWriter, list[str]]:
    """
    Open a root like ``open_dataset``, with the settings that its dataset or first take states.

    Waiting and interrupted takes can thus become episodes, whatever they contain.

    :param root: folder of a dataset, or of takes that will become its first episodes
    :raise DatasetCorruptError: if the root holds neither a dataset nor a take
    """
    if os.path.lexists(root / INFO):
        info = read_info(root)
        return open_dataset(
            root,
            fps=info.fps,
            robot_type=info.robot_type,
            features=info.features,
            resume=True,
        )
    takes = [path.parent for path in sorted((root / STAGING).glob(f'*/{RECORD}'))]
    if not takes:
        raise DatasetCorruptError(
            f'{root} holds neither a LeRobot dataset nor a take that could become an episode'
        )
    record = read_take_record(takes[0])
    return open_dataset(
        root,
        fps=record.fps,
        robot_type=record.robot_type,
        features=features_of(record),
        resume=False,
    )


def features_of(record: TakeRecord) -> dict[str, FeatureSpec]:
    """Return the features with which a take was recorded."""
    features = {
        **{key: _camera(one.encoder_info) for key, one in record.cameras.items()},
        **{key: vector_feature(one.names, one.dtype) for key, one in record.vectors.items()},
    }
    return {key: features[key] for key in (record.features or features) if key in features}


def _camera(info: Mapping[str, object]) -> FeatureSpec:
    stored = stored_depth(info)
    return camera_feature(info=stored.config.as_info() if stored else None)


def _state(
    files: Files,
    fps: int,
    robot_type: str | None,
    features: Mapping[str, FeatureSpec],
    resume: bool,
    index: EpisodeIndex | None,
) -> tuple[DatasetState, EpisodeIndex]:
    root = files.root
    if not files.path(INFO).is_file():
        # The facts about a camera's video are written with its first episode.
        bare = {key: with_info(spec, {}) for key, spec in features.items()}
        info = DatasetInfo(fps, robot_type, with_defaults(bare))
        return DatasetState(info), EpisodeIndex(root, info)
    info = resumable_info(root, fps, robot_type, features, resume=resume)
    index = index or EpisodeIndex(root, info)
    state = resumed_state(files, info, index)
    index.keep(files, info, least=1)
    return state, index


def resumable_info(
    root: Path,
    fps: int,
    robot_type: str | None,
    features: Mapping[str, FeatureSpec],
    *,
    resume: bool,
) -> DatasetInfo:
    """
    Read the info.json of a dataset to append to; the parameters are those of ``open_dataset``.

    :raise DatasetExistsError: if ``resume`` is False
    :raise DatasetMismatchError: if the dataset is of another kind
    :raise DatasetCorruptError: if its info.json cannot be used
    """
    info = read_info(root)
    if not resume:
        raise DatasetExistsError(
            f'{root} holds a dataset of {info.total_episodes} episodes, and resume is false; '
            'set resume to true to append to it, or choose another root'
        )
    refuse_another_kind(root, info, fps, robot_type, features)
    return info


def unfinished_folders(root: Path) -> list[Path]:
    """
    Return the files and folders of an interrupted first commit, without changing anything.

    An undo of the only episode may leave some, too. The files about the robot stay, because the
    take that will be recovered names them.

    :raise DatasetExistsError: if the root holds files that this recorder has not made
    :raise DatasetCorruptError: if the root holds several episodes, so that info.json was lost
    """
    if not root.exists() or os.path.lexists(root / INFO):
        return []
    names = sorted(one.name for one in root.iterdir() if one.name != OWN.name)
    present = [root / name for name in names if name in _UNFINISHED]
    # Beside a dataset of this recorder, others may have files, such as a README.md.
    is_own = (root / OWN).is_dir() and all(one.is_dir() for one in present)
    if names and not is_own:
        raise DatasetExistsError(
            f'{root} is not empty and holds no LeRobot dataset (there is '
            f'{", ".join(names[:5])}); choose another root'
        )
    num_episodes = sum(_num_rows(one) for one in root.glob('meta/episodes/*/*.parquet'))
    if num_episodes > 1:
        raise DatasetCorruptError(
            f'{root} holds {num_episodes} episodes and no {INFO}: a first save that was '
            'interrupted leaves one at most, so the file was lost. Restore it from a copy, or '
            'choose another root'
        )
    of_meta = (root / ROBOT).parent
    inside = sorted(of_meta.iterdir()) if of_meta in present else []
    return [one for one in (*present, *inside) if one not in (of_meta, root / ROBOT)]


def _num_rows(path: Path) -> int:
    try:
        with open_table(path) as file:
            return int(file.metadata.num_rows)
    except READ_ERRORS:
        return 1


@dataclass(frozen=True, slots=True)
class RootOutlook:
    """
    The expected result of opening a root.

    :param info: description of the existing dataset, or of the new one
    :param is_new: True if there is no dataset yet
    :param num_takes: number of waiting or interrupted takes, which the next start handles
    """

    info: DatasetInfo
    is_new: bool
    num_takes: int


def look_at_root(
    root: Path,
    *,
    fps: int,
    robot_type: str | None,
    features: Mapping[str, FeatureSpec],
    resume: bool,
) -> RootOutlook:
    """
    Preview the opening of a root; the parameters are those of ``open_dataset``.

    The preview does not check that all files of a dataset exist.

    :raise ConfigError: if the root is not writable
    :raise DatasetExistsError: if the root holds other files, or a dataset and ``resume`` is False
    :raise DatasetLockedError: if a recorder or tool writes to the dataset
    :raise DatasetMismatchError: if the existing dataset is of another kind
    :raise DatasetCorruptError: if its info.json cannot be read
    """
    try:
        refuse_links(root)
        refuse_special_files(root)
        holder = lock_holder(root)
        if holder is not None:
            raise DatasetLockedError(f'{root} is being written by {holder}')
        unfinished_folders(root)
        _refuse_unwritable(root)
        num_takes = sum(1 for _ in (root / STAGING).glob('*'))
        if not os.path.lexists(root / INFO):
            new = DatasetInfo(fps, robot_type, with_defaults(features))
            return RootOutlook(new, is_new=True, num_takes=num_takes)
    except OSError as error:
        raise ConfigError(
            'root', str(root), f'{error.strerror or error}; choose a folder that can be written to'
        ) from error
    info = resumable_info(root, fps, robot_type, features, resume=resume)
    return RootOutlook(info, is_new=False, num_takes=num_takes)


def _refuse_unwritable(root: Path) -> None:
    present = root
    while not present.exists() and present != present.parent:
        present = present.parent
    try:
        # Permissions alone do not tell about file systems on which nobody can make a file.
        with TemporaryFile(dir=present):
            pass
    except OSError as error:
        raise ConfigError(
            'root', str(root), f'{present} cannot be written to; choose another folder'
        ) from error
