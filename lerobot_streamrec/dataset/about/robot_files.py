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
"""
Files about the robot in ``meta/robot``: calibrations, transforms, description, parameters.

A file is named after its kind, its subject and a hash of its content, so equal content is one
file and no file ever changes. The column ``robot_files`` of meta/episodes holds the names of those
that held during the episode, separated by blanks. All tools keep columns and foreign files, so
an episode finds its files whatever becomes of its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
import hashlib
import logging
from pathlib import Path, PurePosixPath
import re
from typing import NamedTuple

from lerobot_streamrec.dataset.format.episode_table import ROBOT_FILES, texts_of_column
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.parquet import read_parquet, read_schema
from lerobot_streamrec.errors import DatasetError

FOLDER = PurePosixPath('meta/robot')

CALIBRATION, PARAMETERS = 'calibration', 'parameters'
ROBOT_DESCRIPTION, TF_STATIC = 'robot_description', 'tf_static'
_SUFFIXES = {CALIBRATION: 'yaml', PARAMETERS: 'yaml', ROBOT_DESCRIPTION: 'urdf', TF_STATIC: 'yaml'}

_KIND = '|'.join(_SUFFIXES)
_NAME = re.compile(rf'({_KIND})(?:-([\w.-]+))?-([0-9a-f]{{12}})\.(?:yaml|urdf)', re.ASCII)
_ODD = re.compile(r'[^\w.-]', re.ASCII)
# File systems allow names of 255 bytes.
_MAX_SUBJECT = 200
# A dataset may have thousands of episodes files, and a recorder has to start soon.
_FILES_READ = 16

_log = logging.getLogger(__name__)


class Slot(NamedTuple):
    """
    What a file is about; at any moment one file holds.

    :param kind: ``CALIBRATION``, ``PARAMETERS``, ``ROBOT_DESCRIPTION`` or ``TF_STATIC``
    :param subject: name of the camera, or number of the parameter file; empty for the others
    """

    kind: str
    subject: str

    def __str__(self) -> str:
        return f'camera {self.subject}: {self.kind}' if self.kind == CALIBRATION else self.kind


def file_name(kind: str, subject: str, content: bytes) -> str:
    """Return the name of a file below ``FOLDER``; the parameters are those of ``Slot``."""
    parts = [kind, _ODD.sub('_', subject)[:_MAX_SUBJECT], _hash(content)]
    return f'{"-".join(filter(None, parts))}.{_SUFFIXES[kind]}'


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def slot_of(name: str) -> Slot:
    """Return what a file is about, by its name from ``names_in``."""
    found = _NAME.fullmatch(name)
    assert found is not None
    return Slot(found[1], found[2] or '')


def is_intact(name: str, content: bytes) -> bool:
    """Return whether a file still has the content by which it was named."""
    found = _NAME.fullmatch(name)
    return found is not None and found[3] == _hash(content)


def names_in(text: str) -> list[str]:
    """Return the names of files in a text of the column; other words are left out."""
    return [one for one in text.split() if _NAME.fullmatch(one)]


def keep_robot_files(files: Files, contents: Mapping[str, bytes]) -> None:
    """
    Write the files that the dataset does not have yet; a refusal of the disk is only logged.

    :param files: the access to the disk; the thread that commits calls this
    :param contents: content of each file by its ``file_name``
    """
    for name, content in contents.items():
        if files.path(FOLDER / name).is_file():
            continue
        try:
            files.replace(FOLDER / name, content)
        except DatasetError as error:
            _log.warning('the next episode will not refer to %s: %s', FOLDER / name, error)


def kept_names(root: Path, text: str) -> str:
    """Return a text of the column without the files that do not exist below the root."""
    return ' '.join(one for one in names_in(text) if (root / FOLDER / one).is_file())


def last_files(root: Path) -> dict[Slot, tuple[str, int]]:
    """
    Return the last file of each slot, and its last episode, as the last episodes files say.

    A file that cannot be read is left out: nobody would be told of a change, and that is all.

    :param root: the dataset's folder, without files of interrupted commits
    """
    found: dict[Slot, tuple[str, int]] = {}
    for path in sorted((root / 'meta/episodes').glob('*/*.parquet'))[-_FILES_READ:]:
        try:
            if ROBOT_FILES not in read_schema(path).names:
                continue
            table = read_parquet(path, ['episode_index', ROBOT_FILES])
        except DatasetError as error:
            _log.warning('changes of the robot may not be told: %s', error)
            continue
        indices = table.column('episode_index').to_pylist()
        for index, text in zip(indices, texts_of_column(table, ROBOT_FILES), strict=True):
            found.update({slot_of(name): (name, index) for name in names_in(text)})
    return found


def episodes_by_file(texts: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    """
    Return the episodes during which each file held, by its name; files in the order of use.

    :param texts: index and text of each episode
    """
    found: dict[str, list[int]] = {}
    for index, text in texts:
        for name in names_in(text):
            found.setdefault(name, []).append(index)
    return found
