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
"""Rows that were appended are there again, however the file ends."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from lerobot_streamrec.dataset.format.take_record import (
    parse_take_record,
    TakenCamera,
    TakenVector,
    TakeRecord,
)
from lerobot_streamrec.dataset.takes.journal import Journal, read_journal
from lerobot_streamrec.errors import DatasetCorruptError, DatasetError
import numpy as np
import pytest

FRONT = 'observation.images.front'
RECORD = TakeRecord(
    task='pick “it”',
    fps=30,
    start_stamp_ns=1_800_000_000_123_456_789,
    cameras={FRONT: TakenCamera(480, 640, {'video.g': 2, 'video.preset': None})},
    vectors={
        'action': TakenVector(('a', 'b')),
        'observation.gripper': TakenVector(('g',), 'float64'),
        'next.done': TakenVector(('done',), 'bool'),
    },
)


def row(number):
    return {
        'action': np.array([number, -number / 3]),
        'observation.gripper': np.array([0.1]),
        'next.done': np.array([float(number == 2)]),
    }


def write(folder, num_rows, record=RECORD):
    journal = Journal(folder, record)
    for number in range(num_rows):
        journal.append([row(number)])
    journal.sync()
    journal.close()
    return folder / 'rows.arrows'


def test_rows_videos_and_what_waits_reach_the_disk(tmp_path, monkeypatch):
    """A power loss takes what was not synced."""
    journal = Journal(tmp_path, RECORD)
    for name in (f'{FRONT}.mp4', f'{FRONT}.spool'):
        (tmp_path / name).write_bytes(b'x')
    synced, fsync = [], os.fsync

    def note(descriptor):
        synced.append(Path(f'/proc/self/fd/{descriptor}').readlink().name)
        fsync(descriptor)

    monkeypatch.setattr('os.fsync', note)
    journal.append([row(0)])
    journal.sync()
    journal.close()
    assert set(synced) == {'rows.arrows', f'{FRONT}.mp4', f'{FRONT}.spool', tmp_path.name}


def test_rows_come_back_as_they_were(tmp_path):
    journal = Journal(tmp_path / 'take', RECORD)
    journal.append([row(0)])
    journal.append([row(1), row(2)])
    # Nothing was closed: a process that is killed closes nothing.
    num_rows, vectors = read_journal(tmp_path / 'take', RECORD)
    journal.close()
    assert num_rows == 3
    expected = np.array([[0, 0], [1, -1 / 3], [2, -2 / 3]], np.float32)
    np.testing.assert_array_equal(vectors['action'], expected)
    np.testing.assert_array_equal(vectors['observation.gripper'], np.full((3, 1), 0.1))
    assert vectors['next.done'].tolist() == [[False], [False], [True]]


def test_a_take_without_vectors_counts_its_rows(tmp_path):
    record = TakeRecord('t', 30, 0, {FRONT: TakenCamera(4, 4, {})}, {})
    journal = Journal(tmp_path, record)
    journal.append([{}, {}])
    journal.append([{}])
    journal.close()
    assert read_journal(tmp_path, record) == (3, {})


def test_a_file_cut_anywhere_holds_the_rows_before_the_cut(tmp_path):
    content = write(tmp_path, 4).read_bytes()
    counts = []
    for size in range(len(content) + 1):
        (tmp_path / 'rows.arrows').write_bytes(content[:size])
        num_rows, vectors = read_journal(tmp_path, RECORD)
        np.testing.assert_array_equal(vectors['action'][:, 0], np.arange(num_rows))
        counts.append(num_rows)
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3, 4}


def test_a_journal_of_another_kind_holds_no_row(tmp_path):
    write(tmp_path, 2)
    other = TakeRecord('t', 30, 0, RECORD.cameras, {'action': TakenVector(('a',))})
    assert read_journal(tmp_path, other)[0] == 0


def test_no_journal_holds_no_row(tmp_path):
    num_rows, vectors = read_journal(tmp_path, RECORD)
    assert num_rows == 0
    assert vectors['action'].shape == (0, 2)


def test_the_record_comes_back_as_it_was(tmp_path):
    write(tmp_path, 0)
    assert parse_take_record((tmp_path / 'take.json').read_bytes(), 'x') == RECORD


@pytest.mark.parametrize(
    'content',
    [b'', b'\xff', b'[]', b'{}', b'null', RECORD.as_bytes()[:-9], b'{"cameras": 1, "vectors": 2}'],
)
def test_a_record_that_is_not_whole_is_refused(content):
    with pytest.raises(DatasetCorruptError, match=r'^here cannot be read'):
        parse_take_record(content, 'here')


def test_a_row_that_the_disk_took_half_of_is_taken_back(tmp_path):
    class FullFile:
        """Takes 100 bytes of a message, and then is full."""

        def __init__(self, file):
            self._file = file
            self._room = 100

        def write(self, data):
            if not self._room:
                raise OSError(errno.ENOSPC, 'No space left on device')
            written = self._file.write(data[: self._room])
            self._room -= written
            return written

        def __getattr__(self, name):
            return getattr(self._file, name)

    journal = Journal(tmp_path, RECORD)
    journal.append([row(0)])
    file = journal._file
    journal._file = FullFile(file)
    with pytest.raises(DatasetError, match='No space left'):
        journal.append([row(1)])
    journal._file = file
    assert read_journal(tmp_path, RECORD)[0] == 1
    journal.append([row(1), row(2)])
    journal.close()
    _, vectors = read_journal(tmp_path, RECORD)
    assert vectors['action'][:, 0].tolist() == [0, 1, 2]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'take').write_text('a file')
    with pytest.raises(DatasetError, match=r'cannot write the journal in .*take'):
        Journal(tmp_path / 'take', RECORD)
