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
"""saved.json: a take that is saved, and of which something is still to be encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
import json
import logging
from pathlib import Path
from typing import Any

from lerobot_streamrec.errors import DatasetCorruptError

_log = logging.getLogger(__name__)

SAVED = 'saved.json'
"""Name of the file. Once it is there, the take is an episode to come, whatever happens."""
SAVED_STAMPS = 'row_stamps.parquet'
"""Name of the file with the instants of the rows, if they are kept."""


@dataclass(frozen=True, slots=True)
class SavedTake:
    """
    What is known of a take when it is saved.

    :param order: takes become episodes in this order
    :param num_rows: rows, and frames of every video
    :param record: the recorder's own record of the episode, as JSON
    """

    order: int
    num_rows: int
    record: Mapping[str, Any]

    @property
    def task(self) -> str:
        """What the robot was to do."""
        return str(self.record['task'])

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.num_rows / float(self.record['fps'])

    def with_metadata(self, metadata: Mapping[str, str]) -> SavedTake:
        """Return the same with more that is said of it; an empty text takes back what was said."""
        said = {**self.record.get('metadata', {}), **metadata}
        said = {name: text for name, text in said.items() if text}
        return replace(self, record={**self.record, 'metadata': said})

    def as_bytes(self) -> bytes:
        """Return the file's content."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + '\n').encode()


def parse_saved_take(content: bytes, where: object) -> SavedTake:
    """
    Read saved.json.

    :param content: bytes of the file
    :param where: its path, for messages
    :raise DatasetCorruptError: if it is not whole
    """
    try:
        raw = json.loads(content)
        saved = SavedTake(int(raw['order']), int(raw['num_rows']), dict(raw['record']))
        str(saved.record['take_id'])
        if saved.num_rows < 1 or saved.seconds <= 0 or not saved.task:
            raise ValueError('it has no row, no rate or no task')
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise DatasetCorruptError(f'{where} cannot be read: {error!r}') from error
    return saved


def read_saved_take(folder: Path) -> SavedTake | None:
    """
    Read what is known of a take since it was saved; None if it is not saved, or nobody can tell.

    :param folder: the take's folder
    """
    path = folder / SAVED
    try:
        return parse_saved_take(path.read_bytes(), path)
    except FileNotFoundError:
        return None
    except (OSError, DatasetCorruptError) as error:
        _log.warning('%s', error)
        return None
