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
What commits write is LeRobot v3.0: every file, column, type and name of the format.

Guards the reader's side of each promise. The expectations stand here in the format's own words,
not in those of the package.
"""

from __future__ import annotations

import json
import os

from lerobot_streamrec.dataset.format.episode_table import TEXT_COLUMNS
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
VECTORS = ('observation.state', 'action', 'observation.gripper')
DEFAULTS = ('timestamp', 'frame_index', 'episode_index', 'index', 'task_index')
LENGTHS = (5, 1, 8)
TASKS = ('pick the cube', 'öffne die Schublade', 'pick the cube')
STATISTICS = ('min', 'max', 'mean', 'std', 'count', 'q01', 'q10', 'q50', 'q90', 'q99')


@pytest.fixture
def drafts():
    return []


@pytest.fixture
def dataset(open_writer, make_draft, drafts, read_dataset):
    """Three episodes, the last one after the recorder was started again."""
    writer = open_writer(resume=False)
    saved = []
    for num_rows, task in zip(LENGTHS, TASKS, strict=True):
        if len(saved) == 2:
            writer.close()
            writer = open_writer()
        drafts.append(make_draft(num_rows, task))
        saved.append(writer.commit(drafts[-1]))
        writer.remove(drafts[-1].videos[FRONT].path.parent)
    assert [one.episode_index for one in saved] == [0, 1, 2]
    assert [one.num_rows for one in saved] == list(LENGTHS)
    assert [one.num_videos for one in saved] == [2, 2, 2]
    return read_dataset(writer.root)


def test_info_says_what_there_is(dataset):
    info = dict(dataset.info)
    features = info.pop('features')
    assert info == {
        'codebase_version': 'v3.0',
        'fps': 20,
        'total_episodes': 3,
        'total_frames': 14,
        'total_tasks': 2,
        'chunks_size': 1000,
        'data_files_size_in_mb': 100,
        'video_files_size_in_mb': 200,
        'data_path': 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet',
        'video_path': 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4',
        'robot_type': 'so101',
        'splits': {'train': '0:3'},
    }
    assert list(features) == [
        *(FRONT, 'observation.state', TOP, 'action', 'observation.gripper'),
        *DEFAULTS,
    ]
    names = ['shoulder', 'elbow', 'wrist']
    assert features['action'] == {'dtype': 'float32', 'shape': [3], 'names': names}
    gripper = {'dtype': 'float32', 'shape': [1], 'names': ['gripper']}
    assert features['observation.gripper'] == gripper
    for key in DEFAULTS:
        dtype = 'float32' if key == 'timestamp' else 'int64'
        assert features[key] == {'dtype': dtype, 'shape': [1], 'names': None}


@pytest.mark.parametrize('key', [FRONT, TOP])
def test_info_describes_a_camera_and_its_encoder(dataset, key):
    assert dataset.info['features'][key] == {
        'dtype': 'video',
        'shape': [48, 64, 3],
        'names': ['height', 'width', 'channels'],
        'info': {
            'video.height': 48,
            'video.width': 64,
            'video.codec': 'h264',
            'video.pix_fmt': 'yuv420p',
            'video.fps': 20,
            'video.channels': 3,
            'is_depth_map': False,
            'has_audio': False,
            'video.g': 2,
            'video.crf': 30,
            'video.preset': 'ultrafast',
            'video.fast_decode': 0,
            'video.video_backend': 'pyav',
            'video.extra_options': {},
        },
    }


def test_tasks_are_the_index_in_the_order_of_their_first_use(dataset):
    assert dataset.tasks.index.name == 'task'
    assert dataset.tasks.index.tolist() == ['pick the cube', 'öffne die Schublade']
    assert dataset.tasks['task_index'].tolist() == [0, 1]
    assert dataset.tasks['task_index'].dtype == np.int64
    assert dataset.rows['task_index'].tolist() == [0] * 5 + [1] + [0] * 8


def test_rows_are_the_numbers_that_were_recorded(dataset, drafts):
    for index, draft in enumerate(drafts):
        for key in VECTORS:
            np.testing.assert_array_equal(dataset.vectors(key, index), draft.vectors[key])


def test_timestamps_are_the_nearest_float32_to_k_periods(dataset):
    expected = [np.float32(k / 20) for length in LENGTHS for k in range(length)]
    assert dataset.rows['timestamp'].tolist() == [float(one) for one in expected]


def test_columns_have_the_formats_types(dataset):
    schema = pq.read_schema(dataset.root / 'data/chunk-000/file-000.parquet')
    floats = pa.list_(pa.float32(), 3)
    assert dict(zip(schema.names, schema.types, strict=True)) == {
        'observation.state': floats,
        'action': floats,
        'observation.gripper': pa.float32(),
        'timestamp': pa.float32(),
        'frame_index': pa.int64(),
        'episode_index': pa.int64(),
        'index': pa.int64(),
        'task_index': pa.int64(),
    }
    described = json.loads(schema.metadata[b'huggingface'])['info']['features']
    assert list(described) == schema.names
    value = {'dtype': 'float32', '_type': 'Value'}
    assert described['action'] == {'feature': value, 'length': 3, '_type': 'List'}
    assert described['observation.gripper'] == value
    assert described['index'] == {'dtype': 'int64', '_type': 'Value'}


def test_episodes_have_every_column_of_the_format(dataset):
    schema = pq.read_schema(dataset.root / 'meta/episodes/chunk-000/file-000.parquet')
    numbers = ('chunk_index', 'file_index')
    expected = {'episode_index': pa.int64(), 'tasks': pa.list_(pa.string())}
    expected.update(dict.fromkeys(TEXT_COLUMNS, pa.string()))
    for name in ('length', 'dataset_from_index', 'dataset_to_index'):
        expected[name] = pa.int64()
    for prefix in ('data', 'meta/episodes', f'videos/{FRONT}', f'videos/{TOP}'):
        expected.update({f'{prefix}/{number}': pa.int64() for number in numbers})
    for key in (FRONT, TOP):
        for name in ('from_timestamp', 'to_timestamp'):
            expected[f'videos/{key}/{name}'] = pa.float64()
    vector = pa.list_(pa.float64())
    camera = pa.list_(pa.list_(vector))
    for key in (FRONT, TOP, *VECTORS, *DEFAULTS):
        kind = camera if key in (FRONT, TOP) else vector
        for name in STATISTICS:
            count = name == 'count'
            expected[f'stats/{key}/{name}'] = pa.list_(pa.int64()) if count else kind
    assert dict(zip(schema.names, schema.types, strict=True)) == expected


def test_an_episode_carries_the_statistics_of_its_own_rows(dataset, drafts):
    for index, draft in enumerate(drafts):
        row = dataset.episodes.loc[index]
        values = draft.vectors['action'].astype(np.float64)
        for name in ('min', 'max', 'mean', 'std'):
            np.testing.assert_array_equal(
                row[f'stats/action/{name}'], getattr(values, name)(axis=0)
            )
        assert row['stats/action/count'].tolist() == [len(values)]
        assert row[f'stats/{FRONT}/count'].tolist() == [len(values)]
        for channel in row[f'stats/{FRONT}/mean']:
            assert [len(line) for line in channel] == [1]


def test_statistics_are_those_of_all_episodes(dataset):
    assert dataset.stats['index']['q50'] == [6.0]
    assert dataset.stats['episode_index']['max'] == [2.0]
    # Statistics of timestamps are taken before they are rounded to float32.
    assert dataset.stats['timestamp']['max'] == [7 / 20]
    assert dataset.stats[FRONT]['count'] == [14]
    brightest = zip((10, 20, 30), LENGTHS, strict=True)
    levels = [first + 5 * k for first, length in brightest for k in range(length)]
    for name in ('min', 'max', 'mean', 'std'):
        expected = getattr(np.array(levels) / 255, name)()
        assert np.ravel(dataset.stats[FRONT][name]) == pytest.approx([expected] * 3, abs=1e-12)


def test_an_episode_of_one_frame_is_an_episode(dataset):
    row = dataset.episodes.loc[1]
    assert row['length'] == 1
    assert row['stats/action/std'].tolist() == [0.0, 0.0, 0.0]
    assert row['stats/action/q01'].tolist() == row['stats/action/max'].tolist()
    assert row[f'videos/{TOP}/to_timestamp'] == 1 / 20


def test_every_episode_has_files_of_its_own_and_nothing_else_is_there(dataset):
    ours = {
        path.relative_to(dataset.root).as_posix()
        for path in dataset.root.rglob('*')
        if path.is_file() and '.streamrec' not in path.parts
    }
    numbered = ('data', 'meta/episodes', f'videos/{FRONT}', f'videos/{TOP}')
    assert ours == {
        *('meta/info.json', 'meta/stats.json', 'meta/tasks.parquet'),
        *(
            f'{kind}/chunk-000/file-{number:03d}.{"mp4" if "videos" in kind else "parquet"}'
            for kind in numbered
            for number in range(3)
        ),
    }


def test_files_can_be_read_by_others_whatever_the_recorder_is_used_to(
    open_writer, make_draft, private_umask
):
    writer = open_writer()
    writer.commit(make_draft())
    modes = {
        path.stat().st_mode & 0o777
        for path in writer.root.rglob('*')
        if path.is_file() and '.streamrec' not in path.parts
    }
    assert modes == {0o644}


@pytest.fixture
def private_umask():
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_what_only_the_recorder_wants_is_kept_out_of_the_way(dataset):
    own = dataset.root / '.streamrec'
    record = json.loads((own / 'episodes/episode-000002.json').read_text())
    assert set(record.pop('histograms')) == set(dataset.cameras)
    totals = {'total_tasks': 2, 'total_tasks_before': 2}
    assert record == {'episode_index': 2, 'length': 8, **totals, 'number': 3}
    assert sorted(path.name for path in (own / 'statistics').iterdir()) == [
        f'after-{total:06d}.parquet' for total in (1, 2, 3)
    ]
    assert not (own / 'quarantine').exists()


def test_quantiles_stay_those_of_all_rows_after_a_restart(dataset, drafts):
    values = np.concatenate([draft.vectors['action'] for draft in drafts]).astype(np.float64)
    width = 4 * (values.max() - values.min()) / 8192
    for name, fraction in (('q01', 0.01), ('q50', 0.5), ('q99', 0.99)):
        expected = np.quantile(values, fraction, axis=0, method='inverted_cdf')
        np.testing.assert_allclose(dataset.stats['action'][name], expected, atol=width)


def test_a_dataset_without_cameras_is_one_as_well(open_writer, make_draft, features, read_dataset):
    writer = open_writer(features={key: features[key] for key in VECTORS})
    draft = make_draft()
    for number in range(2):
        vectors_alone = type(draft)(draft.num_rows, f'task {number}', draft.vectors, {})
        writer.commit(vectors_alone)
    dataset = read_dataset(writer.root)
    assert dataset.info['video_path'] is None
    assert dataset.info['total_tasks'] == 2
    assert not (writer.root / 'videos').exists()
