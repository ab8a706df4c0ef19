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
"""The take that a recorder is writing, as a crash would leave it."""

from __future__ import annotations

import shutil

from lerobot_streamrec.dataset.format.take_record import parse_take_record
from lerobot_streamrec.dataset.takes.journal import read_journal
from lerobot_streamrec.errors import DatasetCorruptError
from waiting import wait_for

_WAIT_S = 120


def journal_rows(root, take='take-000001'):
    """Return the number of rows of a running take that are on the disk."""
    folder = root / '.streamrec/staging' / take
    try:
        record = parse_take_record((folder / 'take.json').read_bytes(), folder)
    except (FileNotFoundError, DatasetCorruptError):
        # Not there yet, or being written.
        return 0
    return read_journal(folder, record)[0]


def crash(recorder, root):
    """
    Leave the dataset's folder as a crash of the recorder would, once all rows are on the disk.

    :return: the number of rows of the running take
    """
    num_rows = recorder.status().num_rows
    wait_for(lambda: journal_rows(root) == num_rows)
    as_crashed = shutil.copytree(root, root.with_name(f'{root.name}-as-crashed'))
    recorder.discard().result(_WAIT_S)
    recorder.close(_WAIT_S)
    shutil.rmtree(root)
    shutil.move(as_crashed, root)
    return num_rows
