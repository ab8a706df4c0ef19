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
"""What opening a root would say, without touching anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import os
from pathlib import Path

from lerobot_streamrec.dataset.format.features import FeatureSpec
from lerobot_streamrec.dataset.format.info import DatasetInfo, with_defaults
from lerobot_streamrec.dataset.format.layout import INFO, STAGING
from lerobot_streamrec.dataset.format.lock import lock_holder
from lerobot_streamrec.dataset.format.symlink_guard import refuse_links, refuse_special_files
from lerobot_streamrec.dataset.takes.open_dataset import resumable_info, unfinished_folders
from lerobot_streamrec.errors import ConfigError, DatasetLockedError


@dataclass(frozen=True, slots=True)
class RootOutlook:
    """
    What would become of a root.

    :param info: of the dataset there, or of the one to be made
    :param is_new: whether there is none yet
    :param num_takes: that a crash interrupted, and the next start deals with
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
    Say what opening a root would come to; the arguments are those of ``open_dataset``.

    Whether all files of a dataset are there is not looked at.

    :raise ConfigError: if the root cannot be written to
    :raise DatasetExistsError: if something else is there, or appending was not asked for
    :raise DatasetLockedError: if a recorder writes there
    :raise DatasetMismatchError: if the dataset there is of another kind
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
    if not present.is_dir() or not os.access(present, os.W_OK | os.X_OK):
        raise ConfigError(
            'root', str(root), f'{present} cannot be written to; choose another folder'
        )
