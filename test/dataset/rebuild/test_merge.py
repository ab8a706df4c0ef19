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
"""Merging datasets: all their episodes, one after the other, and nothing else is different."""

from __future__ import annotations

import json

from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.files import DatasetLock
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.dataset.rebuild.merged_features import merged_info
from lerobot_streamrec.dataset.rebuild.reencode import reencode_dataset
from lerobot_streamrec.errors import (
    ConfigError,
    DatasetExistsError,
    DatasetLockedError,
    DatasetsDifferError,
)
from lerobot_streamrec.video.codecs.config import EncoderConfig
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'


@pytest.fixture
def record(open_writer, make_draft, tmp_path):
    """Record a dataset of its own."""

    def run(name, lengths, tasks, **settings):
        folder = tmp_path / name
        writer = open_writer(root=folder, **settings)
        for length, task in zip(lengths, tasks, strict=True):
            draft = make_draft(length, task)
            writer.commit(draft)
        writer.close()
        return folder

    return run


@pytest.fixture
def two(record):
    return [
        record('one', [5, 4], ['pick', 'place']),
        record('two', [3, 2, 6], ['push', 'place', 'wipe']),
    ]


def edit_info(root, change):
    path = root / 'meta/info.json'
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info, indent=4) + '\n')


def test_all_episodes_follow_each_other(two, read_dataset, keep_dataset, tmp_path):
    out = tmp_path / 'merged'
    change = merge_datasets(out, two)
    merged, sources = read_dataset(out), [read_dataset(root) for root in two]
    assert merged.episodes['length'].tolist() == [5, 4, 3, 2, 6]
    assert merged.tasks.index.tolist() == ['pick', 'place', 'push', 'wipe']
    assert change.num_episodes == 5
    assert change.before.num_files == 20
    assert change.after.num_files == 4
    renumbered = {'episode_index', 'index', 'task_index'}
    columns = [key for key in merged.columns if key not in renumbered]
    rows = pd.concat([one.rows for one in sources], ignore_index=True)
    pd.testing.assert_frame_equal(
        merged.rows[columns].reset_index(drop=True), rows[columns], check_exact=True
    )
    tasks = [task for one in sources for task in one.tasks.index[one.rows['task_index']]]
    assert merged.tasks.index[merged.rows['task_index']].tolist() == tasks
    index = 0
    for source in sources:
        for episode in source.episodes.index:
            for key in (FRONT, TOP):
                frames = source.pictures(key, episode)
                for one, other in zip(frames, merged.pictures(key, index), strict=True):
                    np.testing.assert_array_equal(one, other)
            index += 1
    keep_dataset(out)


def test_statistics_are_those_of_recording_all_into_one(
    two, read_dataset, tmp_path
):
    out = tmp_path / 'merged'
    merge_datasets(out, two)
    stats = read_dataset(out).stats
    sources = [read_dataset(root) for root in two]
    for key in (FRONT, TOP):
        weights = [one.stats[key]['count'][0] for one in sources]
        assert stats[key]['count'] == [sum(weights)]
        means = [np.array(one.stats[key]['mean']) for one in sources]
        np.testing.assert_allclose(
            stats[key]['mean'], np.average(means, axis=0, weights=weights), atol=1e-12
        )
    # Distributions are known, so that recording and merging can go on exactly.
    (sidecar,) = (out / '.streamrec/statistics').iterdir()
    known = set(pd.read_parquet(sidecar)['feature'])
    assert known == set(read_dataset(out).info['features'])
    q50 = np.quantile(read_dataset(out).rows['index'], 0.5, method='inverted_cdf')
    assert stats['index']['q50'] == [q50]


def test_records_of_the_episodes_are_carried_over(two, tmp_path):
    out = tmp_path / 'merged'
    merge_datasets(out, two)
    records = [
        json.loads((out / f'.streamrec/episodes/episode-{index:06d}.json').read_text())
        for index in range(5)
    ]
    assert [one['episode_index'] for one in records] == [0, 1, 2, 3, 4]
    assert [one['number'] for one in records] == [1, 2, 3, 4, 5]


def test_sources_stay_as_they_are_and_recording_goes_on(
    two, record, read_dataset, tmp_path
):
    before = {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for root in two
        for path in root.rglob('*')
        if path.is_file() and path.name not in {'owner.json', 'lock'}
    }
    out = tmp_path / 'merged'
    merge_datasets(out, two)
    record('merged', [4], ['pick'])
    assert read_dataset(out).episodes['length'].tolist() == [5, 4, 3, 2, 6, 4]
    assert all(
        (path.read_bytes(), path.stat().st_mtime_ns) == known for path, known in before.items()
    )


def test_a_dataset_may_be_merged_alone_and_into_an_empty_folder(two, read_dataset, tmp_path):
    out = tmp_path / 'merged'
    out.mkdir()
    merge_datasets(out, two[1:])
    stats, expected = read_dataset(out).stats, read_dataset(two[1]).stats
    assert set(stats) == set(expected)
    for key, values in expected.items():
        for name, value in values.items():
            # Quantiles that were added up are exact but for the width of a bin.
            margin = 1e-3 if name.startswith('q') else 1e-12
            np.testing.assert_allclose(stats[key][name], value, rtol=1e-12, atol=margin)


def test_large_files_are_linked(two, tmp_path):
    for root in two:
        edit_info(root, lambda info: info.update(video_files_size_in_mb=1e-6))
    out = tmp_path / 'merged'
    merge_datasets(out, two)
    old = {path.stat().st_ino for root in two for path in root.glob('videos/*/*/*')}
    assert {path.stat().st_ino for path in out.glob('videos/*/*/*')} == old


def test_every_difference_is_named(record, tmp_path):
    one = record('one', [2], ['pick'])
    two = record('two', [2], ['pick'])
    three = record('three', [2], ['pick'])
    (path,) = two.glob('data/*/*')
    table = pq.read_table(path)
    pq.write_table(table.append_column('observation.extra', table['timestamp']), path)
    out = tmp_path / 'merged'

    def change(info):
        info['robot_type'] = 'so100'
        info['features']['action']['names'] = ['a', 'b', 'c']
        info['features']['observation.extra'] = {'dtype': 'float32', 'shape': [1], 'names': None}
        info['features'][FRONT]['info']['video.codec'] = 'av1'

    edit_info(two, change)
    edit_info(three, lambda info: info['features'].pop('observation.gripper'))
    with pytest.raises(DatasetsDifferError) as caught:
        merge_datasets(out, [one, two, three])
    assert caught.value.differences == [
        f"robot_type is 'so101' in {one} and 'so100' in {two}",
        f"{FRONT} has video.codec 'h264' in {one} and 'av1' in {two}",
        f"action has names ['shoulder', 'elbow', 'wrist'] in {one} and ['a', 'b', 'c'] in {two}",
        f'feature observation.extra is in {two} and not in {one}',
        f'feature observation.gripper is in {one} and not in {three}',
    ]
    assert not out.exists()
    assert not list(tmp_path.glob('.*'))


def test_how_it_was_encoded_may_differ_and_becomes_unknown(two, read_dataset, tmp_path):
    def change(info):
        changed = {'video.crf': 18, 'video.extra_options': {'a': 'b'}}
        info['features'][FRONT]['info'].update(changed)

    edit_info(two[1], change)
    out = tmp_path / 'merged'
    merge_datasets(out, two)
    info = read_dataset(out).info['features']
    assert info[FRONT]['info']['video.crf'] is None
    assert info[FRONT]['info']['video.extra_options'] == {}
    assert info[TOP]['info']['video.crf'] == 30


def test_wording_in_info_json_is_no_difference(two, record, read_dataset, tmp_path):
    """Older markers and names, keys of other tools, a number that is written with a point."""
    edit_info(two[0], lambda info: info.update(fps=20.0, made_by='one'))
    three = record('three', [2], ['pick'])

    def change(info):
        features = info['features']
        for key in ('action', 'observation.gripper'):
            features[key]['fps'] = 20
        features['action']['names'] = {'motors': features['action']['names']}
        features['observation.gripper']['names'] = None
        features[FRONT]['video_info'] = {'video.is_depth_map': False, 'video.codec': 'h264'}
        features[TOP]['video_info'] = features[TOP].pop('info')
        features[FRONT]['info'] = {'video.is_depth_map': False, 'camera': 'D405'}
        info['made_by'] = 'two'
        info['notes'] = ['night']
        info['tools'] = [{'name': 'grip'}]

    edit_info(two[1], change)
    edit_info(three, lambda info: info.update(tools=[{'name': 'grip'}, {'name': 'look'}]))
    out = tmp_path / 'merged'
    done = merge_datasets(out, [*two, three])
    assert done.remarks == (
        f"made_by is 'one' in {two[0]} and 'two' in {two[1]}; the former is kept",
    )
    info = read_dataset(out).info
    assert (info['made_by'], info['notes']) == ('one', ['night'])
    assert info['tools'] == [{'name': 'grip'}, {'name': 'look'}]
    assert info['features']['action']['fps'] == 20
    assert info['features']['action']['names'] == ['shoulder', 'elbow', 'wrist']
    assert info['features'][FRONT]['info']['camera'] == 'D405'
    assert info['features'][FRONT]['info']['video.codec'] == 'h264'
    assert check_dataset(out).findings == ()


def test_what_a_file_is_counts_where_info_json_does_not_say_it(record, tmp_path):
    one, two = record('one', [2], ['pick']), tmp_path / 'two'
    merge_datasets(two, [one])
    reencode_dataset(two, EncoderConfig(vcodec='hevc', preset='ultrafast'))
    edit_info(two, lambda info: info['features'][FRONT].pop('info'))
    with pytest.raises(DatasetsDifferError) as caught:
        merge_datasets(tmp_path / 'merged', [one, two])
    assert f"{FRONT} has video.codec 'h264' in {one} and 'hevc' in {two}" in str(caught.value)


def test_an_older_marker_of_depth_is_as_good_as_a_new_one(record, tmp_path):
    one, two = record('one', [2], ['pick']), record('two', [2], ['pick'])
    info = {'is_depth_map': True, 'video.depth_max': 4.0, 'depth_unit': 'mm'}
    edit_info(one, lambda content: content['features'][FRONT]['info'].update(info))
    edit_info(
        two,
        lambda content: content['features'][FRONT].update(
            video_info={'video.is_depth_map': True, 'video.depth_max': 4.0}
        ),
    )
    merged_info([read_catalog(root) for root in (one, two)])
    edit_info(two, lambda content: content['features'][FRONT].pop('video_info'))
    with pytest.raises(DatasetsDifferError, match=f'{FRONT} has is_depth_map True in'):
        merged_info([read_catalog(root) for root in (one, two)])


def test_wrong_roots_are_named(two, tmp_path):
    with pytest.raises(ConfigError, match='it is named twice'):
        merge_datasets(tmp_path / 'merged', [two[0], two[0]])
    with pytest.raises(ConfigError, match='it must not be in the dataset'):
        merge_datasets(two[0] / 'merged', two)
    with pytest.raises(DatasetExistsError, match='is there already'):
        merge_datasets(two[0].parent, two)


def test_a_source_that_is_being_written_refuses_it(two, tmp_path):
    lock = DatasetLock(two[1])
    with pytest.raises(DatasetLockedError):
        merge_datasets(tmp_path / 'merged', two)
    lock.release()
    merge_datasets(tmp_path / 'merged', two)
