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
"""What is said of episodes is written anew from their rows and pictures, if it can be told."""

from __future__ import annotations

import json
import shutil

from annotations import annotate, annotations, foreign_content
from breakages import alike, meta, put, swapped, table
from lerobot_streamrec.dataset.repair.repair import repair_dataset
from lerobot_streamrec.errors import RepairError
import pyarrow as pa
import pytest

FRONT = 'observation.images.front'
STATE = 'observation.state'
ALL = {0: 5, 1: 1, 2: 8}
TASKS, STATS = 'meta/tasks.parquet', 'meta/stats.json'


def data(number):
    return f'data/chunk-000/file-{number:03d}.parquet'


def without_footer(relative):
    def change(dataset):
        path = dataset.path(relative)
        path.write_bytes(path.read_bytes()[:-9])

    return change


def column(relative, name, *values):
    return lambda dataset: dataset.column(relative, name, lambda _: list(values))


def info(**values):
    return lambda dataset: dataset.info(lambda content: content.update(values))


def in_info(*place, value):
    return lambda dataset: dataset.info(put(*place, value=value))


def in_stats(*place, value):
    return lambda dataset: dataset.json(STATS, put(*place, value=value))


def no(name):
    return lambda dataset: dataset.info(lambda content: content.pop(name))


@pytest.mark.parametrize(
    'change',
    [
        # Files
        alike(without_footer(meta(0))),
        without_footer(meta(1)),
        alike(without_footer(meta(2))),
        lambda dataset: shutil.rmtree(dataset.path('meta/episodes')),
        lambda dataset: dataset.path(meta(1)).unlink(),
        without_footer(TASKS),
        alike(lambda dataset: dataset.path(TASKS).unlink()),
        alike(without_footer(STATS)),
        lambda dataset: dataset.path(STATS).unlink(),
        # info.json
        info(total_frames=15),
        alike(info(total_episodes=4)),
        info(total_episodes=2),
        alike(info(total_tasks=3)),
        alike(info(total_tasks=None, total_frames=-1)),
        no('total_episodes'),
        info(splits={'train': '0:2'}),
        info(data_path='data/{chunk_index.real}.parquet'),
        in_info('features', 'index', 'dtype', value='float32'),
        in_info('features', FRONT, 'info', 'video.codec', value='av1'),
        alike(in_info('features', FRONT, 'info', 'video.fps', value=30)),
        # tasks.parquet
        table(TASKS, lambda rows: rows.take([1, 0])),
        table(TASKS, lambda rows: rows.replace_schema_metadata(None)),
        # meta/episodes
        column(meta(2), 'dataset_from_index', 7),
        alike(column(meta(2), 'dataset_to_index', 13)),
        column(meta(2), 'tasks', ['another']),
        column(meta(2), 'meta/episodes/file_index', 7),
        column(meta(2), 'length', 7),
        alike(column(meta(2), 'length', 9)),
        alike(column(meta(2), 'data/file_index', 1)),
        alike(table(meta(1), lambda rows: rows.drop_columns(['length']))),
        table(meta(1), lambda rows: rows.drop_columns([f'videos/{FRONT}/from_timestamp'])),
        table(meta(2), lambda rows: pa.concat_tables([rows, rows])),
        alike(swapped),
        # Statistics
        in_stats(STATE, 'mean', value=[9.0, 9.0, 9.0]),
        in_stats(FRONT, 'mean', value=[[[0.9]], [[0.9]], [[0.9]]]),
        alike(in_stats('action', 'q50', value=[99.0, 99.0, 99.0])),
        alike(in_stats('action', value={})),
        alike(column(meta(2), f'stats/{STATE}/std', [7.0, 7.0, 7.0])),
        column(meta(2), f'stats/{FRONT}/mean', [[[0.9]], [[0.9]], [[0.9]]]),
        table(meta(1), lambda rows: rows.drop_columns([f'stats/{FRONT}/mean'])),
    ],
)
def test_all_episodes_stay_and_what_is_said_of_them_is_right(dataset, whole, change):
    change(dataset)
    _, aside = whole.repair(ALL)
    # Pictures are not written again for it.
    assert not any(one.startswith('videos/') for one in aside)


def test_rows_whose_footer_is_missing_are_lost(dataset, whole):
    without_footer(data(1))(dataset)
    done, aside = whole.repair({0: 5, 2: 8})
    (lost,) = done.plan.set_aside
    assert lost.reasons[0].startswith(f'{data(1)} cannot be read, so its rows are lost: ')
    assert {data(1), data(2), meta(1), 'meta/info.json'} <= set(aside)


def test_the_column_that_rows_lack_is_named(dataset, whole):
    table(data(1), lambda rows: rows.drop_columns(['frame_index']))(dataset)
    done, _ = whole.repair({0: 5, 2: 8})
    (lost,) = done.plan.set_aside
    assert lost.reasons[0].startswith(
        f'{data(1)} has no usable numbers of its rows: column frame_index: found no such column'
    )


def test_episodes_that_only_info_json_knows_of_are_told(dataset, whole):
    """LeRobot writes neither their rows nor what it says of them when it is killed."""
    without_footer(data(2))(dataset)
    without_footer(meta(2))(dataset)
    done, aside = whole.repair({0: 5, 1: 1})
    (lost,) = done.plan.set_aside
    assert lost.source.episode_index == 2
    assert lost.reasons[0].startswith(f'info.json counts it; {data(2)} cannot be read')
    assert f'videos/{FRONT}/chunk-000/file-002.mp4' in aside


def test_a_missing_data_file_takes_its_episode_along(dataset, whole):
    dataset.path(data(0)).unlink()
    done, _ = whole.repair({1: 1, 2: 8})
    assert done.plan.set_aside[0].reasons == [f'its rows are not in {data(0)}']


@pytest.mark.parametrize('lengths', [(4, 4, 6, 6), (2, 3, 5, 7, 4, 3, 2)])
def test_the_table_of_episodes_that_share_files_is_made_from_rows_and_frames(shared, lengths):
    dataset, whole = shared(lengths)
    without_footer(meta(0))(dataset)
    whole.repair(dict(enumerate(lengths)))


def test_frames_of_rows_that_are_lost_are_left_over(shared):
    """As when a recording is killed after one of its data files was full."""
    dataset, whole = shared((4, 4, 6, 6))
    without_footer(meta(0))(dataset)
    without_footer(data(1))(dataset)
    _, aside = whole.repair({0: 4, 1: 4, 2: 6})
    assert {data(1), meta(0), f'videos/{FRONT}/chunk-000/file-000.mp4'} <= set(aside)


def test_episodes_whose_frames_do_not_add_up_are_not_guessed(shared):
    dataset, _ = shared((4, 4, 6, 6))
    without_footer(meta(0))(dataset)
    dataset.table(data(1), lambda rows: rows.slice(0, 5))
    with pytest.raises(RepairError, match='nothing says which frames'):
        repair_dataset(dataset.root)


def test_an_interrupted_save_is_set_aside(dataset, whole):
    dataset.info(
        lambda content: content.update(
            total_episodes=2, total_frames=6, splits={'train': '0:2'}
        )
    )
    done, aside = whole.repair({0: 5, 1: 1})
    assert 'interrupted' in done.plan.set_aside[0].reasons[0]
    assert {data(2), meta(2)} <= set(aside)


def test_a_task_that_stands_there_twice_becomes_one(dataset, whole):
    dataset.table(TASKS, lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]))
    dataset.column(TASKS, 'task_index', lambda _: [0, 1, 2])
    dataset.column(data(2), 'task_index', lambda values: [2] * len(values))
    info(total_tasks=3)(dataset)
    whole.repair(ALL)
    assert json.loads(dataset.path('meta/info.json').read_text())['total_tasks'] == 2


def test_what_others_added_is_kept_with_the_episodes_that_are(dataset):
    annotate(dataset.root)
    before, foreign = annotations(dataset.root), foreign_content(dataset.root)
    dataset.info(lambda info: info.update(splits={'train': '0:1', 'test': '1:3'}, total_frames=1))
    # One episode has no video any more, and of the last one a row is not whole.
    dataset.path('videos/observation.images.front/chunk-000/file-001.mp4').unlink()
    dataset.column(
        'data/chunk-000/file-002.parquet',
        'observation.state',
        lambda values: [*values[:6], [float('nan')] * 3, *values[7:]],
    )
    done = repair_dataset(dataset.root, min_seconds=0.1)
    assert [one.source.episode_index for one in done.plan.kept] == [0, 2]
    assert done.report.findings == ()
    assert any(one.startswith('meta/modality.json: kept as they are') for one in done.remarks)
    names = ('subtasks', 'language', 'tasks')
    cut = {**before[2], **{name: before[2][name][:6] for name in names}}
    assert annotations(dataset.root) == [before[0], cut]
    assert foreign_content(dataset.root) == foreign
    info = json.loads(dataset.path('meta/info.json').read_text())
    assert info['splits'] == {'train': '0:1', 'test': '1:2'}
