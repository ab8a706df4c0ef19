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
"""Rows that are numbered wrong are mended; of others, the first whole ones stay."""

from __future__ import annotations

import math

from breakages import alike, column, DATA, replaced, row, rows, table
from lerobot_streamrec.dataset.repair.repair import repair_dataset
from lerobot_streamrec.errors import RepairError
import pyarrow as pa
import pytest

STATE = 'observation.state'
ROWS = 8
ALL = {0: 5, 1: 1, 2: 8}


@pytest.mark.parametrize(
    'change',
    [
        row('timestamp', 2, 0.104),
        alike(row('timestamp', 2, math.nan)),
        alike(row('index', 2, 5)),
        column('index', lambda values: [value + 1 for value in values]),
        alike(replaced('index', [0.5] * ROWS, pa.float64())),
        replaced('timestamp', ['a'] * ROWS, pa.string()),
        table(DATA, lambda rows: rows.drop_columns(['index'])),
        table(DATA, lambda rows: rows.append_column('more', pa.array(range(ROWS)))),
        # The rows, and everything but their number, say whose they are.
        column('episode_index', lambda values: [1] * len(values)),
    ],
)
def test_what_numbers_the_rows_is_written_anew(dataset, whole, change):
    change(dataset)
    _, aside = whole.repair(ALL)
    assert DATA in aside


@pytest.mark.parametrize(
    ('change', 'num_kept'),
    [
        (row(STATE, 3, [0.0, math.nan, 0.0]), 3),
        alike(row('action', 7, [math.inf, 0.0, 0.0]), 7),
        (row(STATE, 2, None), 2),
        (row('task_index', 4, 9), 4),
        alike(row('frame_index', 7, 9), 7),
        (row('frame_index', 3, 2), 3),
        (rows(*range(7)), 7),
        (rows(0, 1, 3, 4, 5, 6, 7), 2),
        alike(rows(0, 1, 2, 2, 3, 4, 5, 6, 7), 3),
    ],
)
def test_an_episode_is_cut_before_the_first_row_that_is_not_whole(
    dataset, whole, change, num_kept
):
    change(dataset)
    done, aside = whole.repair({0: 5, 1: 1, 2: num_kept})
    (cut,) = done.plan.cut
    assert (cut.source.episode_index, cut.num_rows, cut.num_kept) == (2, cut.num_rows, num_kept)
    assert cut.reasons
    # Its videos are cut as well; those of before stay with its rows.
    assert {DATA, *(f'videos/{key}/chunk-000/file-002.mp4' for key in whole._cameras)} < set(aside)


@pytest.mark.parametrize(
    'change',
    [
        row(STATE, 1, [math.nan] * 3),
        rows(),
        alike(rows(3, 4, 5, 6, 7)),
        alike(replaced(STATE, ['a'] * ROWS, pa.string())),
        table(DATA, lambda rows: rows.drop_columns([STATE])),
        table(DATA, lambda rows: rows.drop_columns(['frame_index'])),
    ],
)
def test_an_episode_of_which_too_little_is_whole_is_set_aside(dataset, whole, change):
    change(dataset)
    done, aside = whole.repair({0: 5, 1: 1})
    (lost,) = done.plan.set_aside
    assert lost.source.episode_index == 2
    assert DATA in aside


def test_what_is_shorter_than_a_second_is_not_kept_after_a_cut(dataset, whole):
    row(STATE, 6, [math.nan] * 3)(dataset)
    done, _ = whole.repair({0: 5, 1: 1}, min_seconds=1.0)
    (lost,) = done.plan.set_aside
    assert lost.reasons[-1] == 'too few rows are intact: 6 of the 20 required'


def test_rows_in_files_of_another_order_get_their_place(dataset, whole):
    first, last = (dataset.path(f'data/chunk-000/file-00{number}.parquet') for number in (1, 3))
    first.rename(last)
    dataset.column('meta/episodes/chunk-000/file-001.parquet', 'data/file_index', lambda _: [3])
    whole.repair(ALL)


def test_data_files_that_readers_do_not_find_get_their_place(dataset, whole):
    dataset.info(lambda info: info.update(data_path='data/{file_index:03d}.parquet'))
    for number in range(3):
        dataset.path(f'data/chunk-000/file-00{number}.parquet').rename(
            dataset.path(f'data/{number:03d}.parquet')
        )
    whole.repair(ALL)


def test_when_no_episode_is_left_nothing_is_touched(dataset, snapshot):
    for number in range(3):
        dataset.path(f'data/chunk-000/file-00{number}.parquet').write_bytes(b'PAR1')
    before = snapshot()
    with pytest.raises(RepairError, match=r'no episode of .* can be kept: episode 0: data/chunk'):
        repair_dataset(dataset.root)
    assert snapshot() == before


def test_episodes_that_share_files(shared):
    dataset, whole = shared((4, 4, 6, 6))
    path = 'data/chunk-000/file-000.parquet'

    def change(values):
        return [*values[:5], [math.nan] * 3, *values[6:]]

    dataset.column(path, STATE, change)
    _, aside = whole.repair({0: 4, 2: 6, 3: 6})
    assert path in aside
