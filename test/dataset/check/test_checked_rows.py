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
"""What is wrong with rows of the data files is found, and whose rows they are."""

from __future__ import annotations

import math

from breakages import column, DATA, replaced, row, rows, table
import pyarrow as pa
import pytest

STATE = 'observation.state'
ROWS = 8


@pytest.mark.parametrize(
    ('change', 'codes'),
    [
        (row(STATE, 3, [0.0, math.nan, 0.0]), {'not-finite'}),
        (row('action', 0, [math.inf, 0.0, 0.0]), {'not-finite'}),
        (row('observation.gripper', 7, -math.inf), {'not-finite'}),
        (row(STATE, 2, None), {'missing-value'}),
        (row('observation.gripper', 2, None), {'missing-value'}),
        (row('timestamp', 2, 0.104), {'timestamp-off-grid'}),
        (row('timestamp', 2, math.nan), {'timestamp-off-grid', 'not-finite'}),
        (row('task_index', 2, 2), {'task-index-out-of-range'}),
        (row('task_index', 2, -1), {'task-index-out-of-range'}),
        (row('task_index', 2, 1), {'wrong-episode-tasks'}),
        (row('index', 2, 5), {'wrong-index'}),
        (column('index', lambda values: [value + 1 for value in values]), {'wrong-index'}),
        (row('frame_index', 2, 1), {'duplicate-row', 'timestamp-off-grid'}),
        (row('frame_index', 7, 9), {'frame-index-gap', 'timestamp-off-grid'}),
        (rows(*range(7)), {'row-count'}),
        (rows(0, 1, 3, 4, 5, 6, 7), {'row-count', 'frame-index-gap'}),
        (rows(0, 1, 2, 2, 3, 4, 5, 6, 7), {'row-count', 'duplicate-row'}),
        (rows(0, 2, 1, 3, 4, 5, 6, 7), {'rows-out-of-order'}),
        (rows(), {'row-count'}),
    ],
)
def test_a_wrong_row_is_found(dataset, change, codes):
    change(dataset)
    report = dataset.check()
    found = {one.kind.code for one in report.findings}
    # Statistics of columns that number the rows go with these.
    assert found - {'wrong-numbering-statistics'} == codes
    assert {one.episode_index for one in report.findings if one.kind.code in codes} == {2}
    if report.errors:
        assert report.sound_episodes() == (0, 1)
    if codes <= {'wrong-index', 'wrong-episode-tasks', 'timestamp-off-grid'}:
        assert [one.can_be_kept for one in report.episodes] == [True] * 3


def test_the_report_tells_which_rows_are_there(dataset):
    rows(*range(7))(dataset)
    report = dataset.check()
    assert [one.rows_readable for one in report.episodes] == [True, True, False]
    assert all(all(one.frames_present.values()) for one in report.episodes)
    (finding,) = (one for one in report.findings if one.kind.code == 'row-count')
    assert (finding.found, finding.expected, finding.path) == ('7', '8', DATA)
    assert finding.message == (
        'The episode does not have the number of rows that meta/episodes states: found 7, '
        'expected 8. Remove the episode from the dataset.'
    )


def test_rows_of_another_episode_are_found(dataset):
    """The third episode's file holds the second's number."""
    dataset.column(DATA, 'episode_index', lambda values: [1] * len(values))
    codes = dataset.codes()
    assert codes >= {'rows-out-of-order', 'row-count'}
    assert codes <= {
        *('rows-out-of-order', 'row-count', 'wrong-statistics'),
        'wrong-numbering-statistics',
    }


def test_rows_that_no_episode_has_are_found(dataset):
    dataset.column(DATA, 'episode_index', lambda values: [*values[:6], 7, 7])
    codes = dataset.codes()
    assert codes - {'wrong-statistics', 'wrong-numbering-statistics'} == {
        *('unknown-rows', 'row-count'),
    }


def test_rows_in_files_of_another_order_are_found(dataset):
    """Readers take the files by name, so the second episode's rows come last."""
    first, last = (dataset.path(f'data/chunk-000/file-00{number}.parquet') for number in (1, 3))
    first.rename(last)
    dataset.column(
        'meta/episodes/chunk-000/file-001.parquet', 'data/file_index', lambda _: [3]
    )
    report = dataset.check()
    assert {one.kind.code for one in report.findings} == {'misplaced-rows'}
    assert {one.episode_index for one in report.findings} == {1, 2}


def test_a_data_file_that_readers_do_not_find_is_one(dataset):
    path = 'data/{chunk_index:d}-{file_index:03d}.parquet'
    dataset.info(lambda info: info.update(data_path=path))
    for number in range(3):
        dataset.path(f'data/chunk-000/file-00{number}.parquet').rename(
            dataset.path(f'data/0-{number:03d}.parquet')
        )
    assert dataset.codes() == {'misplaced-rows'}


@pytest.mark.parametrize(
    ('change', 'code'),
    [
        (table(DATA, lambda rows: rows.drop_columns([STATE])), 'missing-column'),
        (table(DATA, lambda rows: rows.drop_columns(['frame_index'])), 'missing-column'),
        (
            table(DATA, lambda rows: rows.append_column('more', pa.array(range(ROWS)))),
            'extra-column',
        ),
        (replaced(STATE, [[0.0] * 2] * ROWS, pa.list_(pa.float32(), 2)), 'wrong-shape'),
        (replaced(STATE, [[0.0] * 2] * ROWS, pa.list_(pa.float32())), 'wrong-shape'),
        (replaced(STATE, [[0.0]] + [[0.0] * 3] * 7, pa.list_(pa.float32())), 'wrong-shape'),
        (replaced(STATE, [0.0] * ROWS, pa.float32()), 'wrong-shape'),
        (replaced(STATE, [[0.0, None, 0.0]] * ROWS, pa.list_(pa.float32(), 3)), 'missing-value'),
        (replaced(STATE, [['a'] * 3] * ROWS, pa.list_(pa.string())), 'wrong-column-type'),
        (replaced('observation.gripper', ['a'] * ROWS, pa.string()), 'wrong-column-type'),
        (replaced('index', [0.5] * ROWS, pa.float64()), 'wrong-column-type'),
        (replaced('timestamp', ['a'] * ROWS, pa.string()), 'wrong-column-type'),
    ],
)
def test_a_wrong_column_is_found(dataset, change, code):
    change(dataset)
    report = dataset.check()
    found = {one.kind.code for one in report.errors}
    assert found <= {code, 'missing-column', 'wrong-statistics'}
    assert code in found
    if code != 'extra-column':
        assert report.sound_episodes() == (0, 1)


@pytest.mark.parametrize(
    ('name', 'kind'),
    [
        (STATE, pa.list_(pa.float64())),
        (STATE, pa.large_list(pa.float32())),
        ('observation.gripper', pa.float64()),
        ('index', pa.int32()),
    ],
)
def test_types_that_readers_take_as_well_are_no_finding(dataset, name, kind):
    dataset.table(
        DATA,
        lambda table: table.set_column(
            table.schema.get_field_index(name), name, table.column(name).cast(kind)
        ),
    )
    assert dataset.codes() == set()
