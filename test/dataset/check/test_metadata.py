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
"""What info.json, tasks.parquet and the rows of meta/episodes say wrongly is found."""

from __future__ import annotations

from annotations import annotate
from breakages import meta, put, swapped
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.repair.repair import repair_dataset
from lerobot_streamrec.errors import UnusableDatasetError
import pandas as pd
import pyarrow as pa
import pytest

FRONT = 'observation.images.front'
INFO, TASKS = 'meta/info.json', 'meta/tasks.parquet'


@pytest.mark.parametrize(
    ('change', 'code'),
    [
        (put('codebase_version', value='v2.1'), 'wrong-version'),
        (put('codebase_version', value=3), 'wrong-version'),
        (put('fps', value=0), 'wrong-info'),
        (put('fps', value='20'), 'wrong-info'),
        (put('fps', value=float('nan')), 'wrong-info'),
        (put('features', value=[]), 'wrong-info'),
        (put('total_frames', value=-1), 'wrong-info'),
        (put('total_tasks', value=None), 'wrong-info'),
        (put('data_path', value='data/{chunk_index.real}.parquet'), 'wrong-info'),
        (put('video_path', value='../{video_key}/{file_index}.mp4'), 'wrong-info'),
        (put('total_frames', value=15), 'wrong-total'),
        (put('total_frames', value=10**12), 'wrong-total'),
        (put('total_tasks', value=3), 'wrong-total'),
        (put('splits', value={'train': '0:2'}), 'wrong-splits'),
        (put('features', 'index', 'dtype', value='float32'), 'wrong-feature'),
        (put('features', 'other', value={'dtype': 'nonsense', 'shape': [1]}), 'wrong-feature'),
        (put('features', '../other', value={'dtype': 'video'}), 'wrong-feature'),
        (put('features', 'other', value=7), 'wrong-feature'),
        (put('features', FRONT, 'info', 'video.codec', value='av1'), 'wrong-video-info'),
        (put('features', FRONT, 'info', 'video.fps', value=30), 'wrong-video-info'),
        (put('total_tasks', value=1), 'uncommitted-task'),
    ],
)
def test_what_info_says_wrongly_is_found(dataset, change, code):
    dataset.info(change)
    report = dataset.check()
    (finding,) = report.findings
    assert finding.kind.code == code
    assert finding.path == (TASKS if code == 'uncommitted-task' else INFO)
    if finding.kind.code not in ('wrong-version', 'wrong-info'):
        assert [one.is_sound for one in report.episodes] == [True] * 3


def test_a_wrong_number_of_episodes_is_found(dataset):
    dataset.info(put('total_episodes', value=4))
    assert dataset.codes() == {'wrong-total', 'wrong-splits'}
    # Too small alone is no interrupted save: those leave both totals as they were.
    dataset.info(put('total_episodes', value=2))
    assert dataset.codes() == {'wrong-total', 'wrong-splits'}


def test_an_interrupted_save_is_told_from_a_wrong_total(dataset):
    dataset.info(
        lambda info: info.update(total_episodes=2, total_frames=6, splits={'train': '0:2'})
    )
    report = dataset.check()
    assert [(one.kind.code, one.episode_index) for one in report.findings] == [
        ('uncommitted-episode', 2)
    ]
    assert report.is_whole
    assert report.sound_episodes() == (0, 1)
    assert report.num_rows == 6


@pytest.mark.parametrize(
    ('change', 'code'),
    [
        (lambda table: table.take([1, 0]), 'tasks-out-of-order'),
        (lambda table: table.replace_schema_metadata(None), 'tasks-without-index'),
        (lambda table: table.replace_schema_metadata({'pandas': '{'}), 'tasks-without-index'),
        (lambda table: table.drop_columns(['task']), 'missing-column'),
        (lambda table: table.set_column(1, 'task', pa.array([None, 'a'])), 'wrong-task'),
    ],
)
def test_wrong_tasks_are_found(dataset, change, code):
    dataset.table(TASKS, change)
    # Episodes name their tasks as well, which then differ from those of their rows.
    assert dataset.codes() - {'wrong-episode-tasks'} == {code}


def test_a_task_that_stands_there_twice_is_found(dataset):
    dataset.table(TASKS, lambda table: pa.concat_tables([table, table.slice(0, 1)]))
    dataset.column(TASKS, 'task_index', lambda _: [0, 1, 2])
    dataset.info(put('total_tasks', value=3))
    assert dataset.codes() == {'duplicate-task'}


def test_a_table_that_rows_refer_to_is_checked(dataset):
    annotate(dataset.root, ['reach', 'grasp'])
    assert dataset.codes() == set()
    path = 'meta/subtasks.parquet'
    dataset.column(path, 'subtask_index', lambda _: [1, 0])
    assert dataset.codes() == {'wrong-index-table'}
    dataset.path(path).write_bytes(b'no parquet')
    assert dataset.codes() == {'wrong-index-table'}
    assert repair_dataset(dataset.root).plan is None
    pd.DataFrame({'subtask_index': [0]}, pd.Index(['reach'], name='subtask')).to_parquet(
        dataset.path(path)
    )
    (finding,) = dataset.check().findings
    assert (finding.kind.code, finding.found) == ('index-out-of-table', '1')
    assert (finding.path, finding.feature) == (path, 'subtask_index')


@pytest.mark.parametrize(('value', 'codes'), [('lance', {'wrong-storage'}), ('lerobot', set())])
def test_files_of_another_kind_are_found(dataset, value, codes):
    dataset.info(put('storage_format', value=value))
    assert dataset.codes() == codes


def column(name, *values):
    return lambda dataset: dataset.column(meta(2), name, lambda _: list(values))


@pytest.mark.parametrize(
    ('change', 'codes'),
    [
        (column('dataset_from_index', 7), {'wrong-row-range'}),
        (column('dataset_to_index', 13), {'wrong-row-range'}),
        (column('tasks', ['another']), {'wrong-episode-tasks'}),
        (column('meta/episodes/file_index', 7), {'wrong-meta-file'}),
        (column(f'videos/{FRONT}/from_timestamp', -1.0), {'wrong-timestamps', 'frame-count'}),
        (column(f'videos/{FRONT}/from_timestamp', float('nan')), {'wrong-timestamps'}),
        (column(f'videos/{FRONT}/to_timestamp', 0.35), {'wrong-timestamps'}),
        (column(f'videos/{FRONT}/to_timestamp', 0.41), {'wrong-timestamps'}),
        (column('length', 7), {'wrong-row-range', 'row-count', 'wrong-total'}),
    ],
)
def test_a_wrong_row_of_an_episode_is_found(dataset, change, codes):
    change(dataset)
    report = dataset.check()
    found = {one.kind.code for one in report.findings}
    # What hangs on the length: statistics count rows, cameras have a frame for each.
    extra = {'wrong-timestamps', 'surplus-frames'} if 'row-count' in codes else set()
    assert found - extra == codes
    assert {one.episode_index for one in report.findings} - {None} == {2}
    errors = any(one.is_error for one in report.findings)
    assert report.sound_episodes() == ((0, 1) if errors else (0, 1, 2))


def test_a_span_that_is_not_on_a_frame_is_found(dataset):
    dataset.column(meta(2), f'videos/{FRONT}/from_timestamp', lambda _: [0.01])
    dataset.column(meta(2), f'videos/{FRONT}/to_timestamp', lambda _: [0.41])
    assert dataset.codes() == {'frames-off-grid'}
    assert dataset.codes(decode=False) == {'frames-off-grid'}


def test_an_episode_without_rows_is_found(dataset):
    dataset.column(meta(2), 'length', lambda _: [0])
    codes = dataset.codes()
    assert 'empty-episode' in codes
    assert codes <= {
        *('empty-episode', 'wrong-row-range', 'wrong-total', 'row-count'),
        *('wrong-timestamps', 'surplus-frames'),
    }


def test_an_episode_that_is_left_out_is_found(dataset):
    dataset.path(meta(1)).unlink()
    report = dataset.check()
    codes = {one.kind.code for one in report.findings}
    # Its rows and statistics are still there, and nobody's.
    assert codes == {
        *('missing-episode', 'wrong-row-range', 'wrong-total', 'orphan-rows', 'orphan-file'),
        *('wrong-statistics', 'wrong-numbering-statistics'),
    }
    (missing,) = (one for one in report.findings if one.kind.code == 'missing-episode')
    assert missing.found == 'no episode 1'


def test_episodes_at_the_wrong_place_are_found(dataset):
    swapped(dataset)
    report = dataset.check()
    codes = {one.kind.code for one in report.findings}
    assert codes == {'misplaced-episode', 'wrong-row-range', 'wrong-meta-file'}
    misplaced = [one for one in report.findings if one.kind.code == 'misplaced-episode']
    assert [(one.found, one.expected) for one in misplaced] == [('1', '0'), ('0', '1')]


def test_an_episode_that_stands_there_twice_is_found(dataset):
    dataset.table(meta(2), lambda table: pa.concat_tables([table, table]))
    codes = dataset.codes()
    assert 'duplicate-episode' in codes
    assert codes <= {
        *('duplicate-episode', 'wrong-total', 'wrong-row-range', 'wrong-timestamps'),
        *('row-count', 'frame-count', 'surplus-frames', 'misplaced-rows'),
    }


@pytest.mark.parametrize('name', ['length', 'data/file_index', f'videos/{FRONT}/file_index'])
def test_a_column_that_episodes_lack_is_found(dataset, name):
    dataset.table(meta(1), lambda table: table.drop_columns([name]))
    report = dataset.check()
    (finding,) = report.errors
    assert (finding.kind.code, finding.found) == ('missing-column', name)
    assert 1 not in report.sound_episodes()


@pytest.mark.parametrize('tasks', [None, [None], [1]])
def test_tasks_of_an_episode_that_no_tool_takes_are_found_and_mended(dataset, tasks):
    kind = pa.list_(pa.int64() if tasks == [1] else pa.string())
    dataset.table(
        meta(1),
        lambda table: table.set_column(
            table.schema.get_field_index('tasks'), 'tasks', pa.array([tasks], kind)
        ),
    )
    with pytest.raises(UnusableDatasetError, match='column tasks: '):
        read_catalog(dataset.root)
    assert {one.kind.code for one in dataset.check().errors} == {'wrong-task'}
    report = repair_dataset(dataset.root).report
    assert (report.findings, report.num_rows) == ((), 14)
    assert all(one.tasks for one in read_catalog(dataset.root).episodes)


def test_columns_that_the_first_file_lacks_are_found(dataset):
    dataset.table(meta(0), lambda table: table.drop_columns([f'stats/{FRONT}/q50']))
    assert dataset.codes() == {'uneven-columns'}


def test_a_column_of_another_type_is_found(dataset):
    dataset.table(
        meta(1),
        lambda table: table.set_column(
            table.schema.get_field_index('length'), 'length', pa.array(['1'])
        ),
    )
    assert 'wrong-column-type' in dataset.codes()
