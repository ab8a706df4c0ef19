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
"""The recorder's own record of a saved episode, and what people say about the episode later."""

from __future__ import annotations

from collections.abc import Mapping
import json
from typing import Any

from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.info_rules import json_bytes
from lerobot_streamrec.dataset.format.layout import record_path
from lerobot_streamrec.errors import DatasetCorruptError


def annotate_record(files: Files, index: int, metadata: Mapping[str, str]) -> None:
    """
    Add metadata to the record of a saved episode, which another writer may have saved without one.

    :param files: the access to the disk
    :param index: the episode's index
    :param metadata: texts by name; an empty text removes the entry
    :raise DatasetError: if the record cannot be read or written
    """
    relative = record_path(index)
    try:
        record = dict(json.loads(files.content(relative) or b'{}'))
    except (ValueError, TypeError) as error:
        raise DatasetCorruptError(f'{files.path(relative)} cannot be read: {error}') from error
    files.replace(relative, json_bytes(with_metadata(record, metadata), indent=2))


def no_episode(index: int, total: int) -> str:
    """Return a sentence which says that there is no saved episode of this index."""
    there = f'the saved ones are 0 to {total - 1}' if total else 'none is saved yet'
    return f'there is no saved episode {index}: {there}'


def with_metadata(record: Mapping[str, Any], metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return an episode's record with more metadata; an empty text removes the entry."""
    said = {**record.get('metadata', {}), **metadata}
    return {**record, 'metadata': {name: text for name, text in said.items() if text}}
