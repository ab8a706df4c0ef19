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
A dataset goes on where it ended, whoever began it and whatever a crash left in it.

Guards against names that are used twice, against files that readers would take for episodes,
and against deleting anything that might be somebody's data.
"""

from __future__ import annotations

import itertools
import json
import shutil

from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.layout import FileIndex
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes
from lerobot_streamrec.errors import DatasetUnsupportedError, UnusableDatasetError
import pandas as pd
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'


@pytest.fixture
def record(open_writer, make_draft):
    """Commit episodes after opening the dataset anew."""

    def commit(num_episodes=1, tasks=('pick the cube',)):
        writer = open_writer()
        for task in itertools.islice(itertools.cycle(tasks), num_episodes):
            draft = make_draft(task=task)
            writer.commit(draft)
            writer.remove(draft.videos[FRONT].path.parent)
        writer.close()
        return writer.root

    return commit


def edit_info(root, **changes):
    path = root / 'meta/info.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_file_numbers_go_on_in_the_next_chunk_when_one_is_full(record, read_dataset):
    edit_info(record(), chunks_size=2)
    record()
    dataset = read_dataset(record(3))
    names = ['chunk-000/file-000', 'chunk-000/file-001', 'chunk-001/file-000']
    names += ['chunk-001/file-001', 'chunk-002/file-000']
    for folder, suffix in [
        ('data', 'parquet'),
        ('meta/episodes', 'parquet'),
        (f'videos/{FRONT}', 'mp4'),
        (f'videos/{TOP}', 'mp4'),
    ]:
        found = sorted((dataset.root / folder).glob('*/*'))
        expected = [dataset.root / folder / f'{name}.{suffix}' for name in names]
        assert found == expected
    assert dataset.info['chunks_size'] == 2


def test_a_chunk_holds_a_thousand_files():
    assert FileIndex(0, 998).following() == FileIndex(0, 999)
    assert FileIndex(0, 999).following() == FileIndex(1, 0)
    template = 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4'
    path = FileIndex(1, 2).path(template, FRONT)
    assert path.as_posix() == f'videos/{FRONT}/chunk-001/file-002.mp4'


def test_known_tasks_keep_their_numbers_over_restarts(record, read_dataset):
    record(3, ['a', 'b'])
    dataset = read_dataset(record(3, ['c', 'b', 'a']))
    assert dataset.tasks.index.tolist() == ['a', 'b', 'c']
    assert dataset.episodes['tasks'].str.join('').tolist() == ['a', 'b', 'a', 'c', 'b', 'a']


def test_the_description_of_a_camera_is_written_once(record, read_dataset):
    before = read_dataset(record()).info['features']
    assert read_dataset(record()).info['features'] == before


def test_keys_of_others_in_info_json_stay(record, read_dataset):
    edit_info(record(), data_files_size_in_mb=7, tools=[{'type': 'function'}])
    info = read_dataset(record()).info
    assert info['data_files_size_in_mb'] == 7
    assert info['tools'] == [{'type': 'function'}]
    assert info['total_episodes'] == 2


def describe(info, key, **changes):
    info['features'][key] = {**info['features'][key], **changes}


def as_others_wrote_it(root):
    """Take away what is ours, and describe features in words that we do not use."""
    shutil.rmtree(root / '.streamrec')
    info = json.loads((root / 'meta/info.json').read_text())
    names = info['features']['action']['names']
    describe(info, 'action', names={'motors': names}, fps=20)
    depth = {'video.is_depth_map': False, 'video.codec': 'h264', 'somebody': 'else'}
    describe(info, FRONT, video_info=depth)
    describe(info, TOP, fps=20.0)
    info['splits'] = {'train': '0:1', 'val': '1:2'}
    info['tools'] = [{'type': 'function'}]
    (root / 'meta/info.json').write_text(json.dumps(info))
    stats = json.loads((root / 'meta/stats.json').read_text())
    stats['action']['somebody'] = [1, 2, 3]
    stats['relative action'] = stats['action']
    stats['made by'] = {'tool': 'somebody'}
    (root / 'meta/stats.json').write_text(json.dumps(stats))
    return info


def test_descriptions_of_features_stay_as_others_wrote_them(record):
    root = record(2)
    before = as_others_wrote_it(root)
    record()
    info = json.loads((root / 'meta/info.json').read_text())
    expected = {**before, 'total_episodes': 3, 'total_frames': 15}
    assert info == expected


def test_the_first_episode_after_those_of_others_can_be_undone(record, open_writer):
    root = record(2, ['a', 'b'])
    before = as_others_wrote_it(root)
    stats = (root / 'meta/stats.json').read_bytes()
    table = root / 'meta/tasks.parquet'
    pd.read_parquet(table).assign(colour=['red', 'blue']).to_parquet(table)
    tasks = pd.read_parquet(table)
    record(1, ['c'])
    now = json.loads((root / 'meta/stats.json').read_text())
    assert now['action'] != now['relative action']
    assert now['relative action']['mean'] == json.loads(stats)['relative action']['mean']
    with_new = pd.read_parquet(table)
    assert with_new.index.tolist() == ['a', 'b', 'c']
    assert with_new['colour'].fillna('').tolist() == ['red', 'blue', '']
    writer = open_writer()
    assert writer.undo().episode_index == 2
    writer.close()
    for _ in range(2):
        assert json.loads((root / 'meta/info.json').read_text()) == before
        assert (root / 'meta/stats.json').read_bytes() == stats
        pd.testing.assert_frame_equal(pd.read_parquet(root / 'meta/tasks.parquet'), tasks)
        assert len([*root.glob('meta/episodes/*/*'), *root.glob('data/*/*')]) == 4
        # Opening the dataset again changes nothing of that.
        open_writer().close()


@pytest.mark.parametrize(
    ('changes', 'complaint'),
    [
        ({'fps': 29.97}, r'fps is 29\.97; only whole numbers above 0 are allowed'),
        ({'storage_format': 'lance'}, r"storage_format is 'lance'; only 'lerobot'"),
    ],
)
def test_a_dataset_of_another_kind_is_refused(record, changes, complaint, snapshot):
    root = record()
    edit_info(root, **changes)
    before = snapshot()
    with pytest.raises(DatasetUnsupportedError, match=complaint):
        record()
    assert snapshot() == before


@pytest.mark.parametrize('changes', [{'fps': 20.0}, {'storage_format': 'lerobot'}])
def test_another_word_for_the_same_kind_is_not_refused(record, changes, read_dataset):
    root = record()
    edit_info(root, **changes)
    assert read_dataset(record()).info['total_episodes'] == 2


def test_a_dataset_that_others_began_goes_on(record, read_dataset):
    root = record(2, ['a', 'b'])
    # Nothing of ours is there, and pandas has written the tasks.
    shutil.rmtree(root / '.streamrec')
    tasks = root / 'meta/tasks.parquet'
    pd.read_parquet(tasks).rename_axis(None).to_parquet(tasks)
    assert read_dataset(root).stats['index']['q50'] == [4.0]
    dataset = read_dataset(record(1, ['b']))
    assert dataset.info['total_episodes'] == 3
    assert dataset.tasks.index.tolist() == ['a', 'b']
    # LeRobot 0.6.1's mean of quantiles is all that can be had, of 10 rows and of 5.
    assert dataset.stats['index']['q50'] == pytest.approx([(4.0 * 10 + 12.0 * 5) / 15])
    assert dataset.stats['index']['max'] == [14.0]


def test_episodes_that_share_files_are_left_as_they_are(record, read_dataset):
    root = record(2)
    merge_files(root)
    dataset = read_dataset(record())
    assert sorted(path.name for path in root.glob('data/*/*')) == [
        'file-000.parquet',
        'file-001.parquet',
    ]
    assert dataset.episodes['data/file_index'].tolist() == [0, 0, 1]


def merge_files(root):
    """Put two episodes into one data file and one episodes file, as LeRobot does."""
    episodes = sorted(root.glob('meta/episodes/*/*'))
    merged = pd.concat(map(pd.read_parquet, episodes))
    merged[['data/file_index', 'meta/episodes/file_index']] = 0
    data = sorted(root.glob('data/*/*'))
    rows = pd.concat(map(pd.read_parquet, data))
    for table, (first, second) in ((merged, episodes), (rows, data)):
        table.to_parquet(first, index=False)
        second.unlink()


def test_files_beyond_the_last_episode_are_moved_out_of_sight(
    record, open_writer, quarantined, snapshot, read_dataset
):
    root = record()
    before = snapshot()
    for path in [root / name for name in before if 'file-000' in name]:
        shutil.copy(path, path.with_name(path.name.replace('file-000', 'file-001')))
    open_writer().close()
    assert snapshot() == before
    assert quarantined() == [
        'uncommitted-data-chunk-000-file-001.parquet',
        'uncommitted-episodes-chunk-000-file-001.parquet',
        f'uncommitted-{FRONT}-chunk-000-file-001.mp4',
        f'uncommitted-{TOP}-chunk-000-file-001.mp4',
    ]
    dataset = read_dataset(record())
    assert dataset.video_path(FRONT, 1).name == 'file-001.mp4'


def test_what_is_quarantined_twice_under_one_name_is_kept_twice(record, open_writer, quarantined):
    data = record() / 'data/chunk-000'
    for content in (b'first', b'second'):
        (data / 'file-001.parquet').write_bytes(content)
        open_writer().close()
    assert quarantined() == [
        'uncommitted-data-chunk-000-file-001.parquet',
        'uncommitted-data-chunk-000-file-001.parquet.2',
    ]


def test_takes_that_a_crash_left_are_kept_for_who_wants_them(
    record, open_writer, make_draft, quarantined, snapshot
):
    record()
    before = snapshot()
    open_writer().close()
    make_draft()
    open_writer().close()
    assert quarantined() == [
        f'interrupted-take-000002/{FRONT}.mp4',
        f'interrupted-take-000002/{TOP}.mp4',
    ]
    assert snapshot() == before


def test_an_interrupted_first_commit_is_moved_out_of_sight(
    record, open_writer, root, quarantined, snapshot, read_dataset
):
    record()
    (root / 'meta/info.json').unlink()
    open_writer(resume=False).close()
    assert snapshot() == {}
    assert len(quarantined()) == 6
    assert read_dataset(record()).info['total_episodes'] == 1


def test_statistics_ahead_of_the_last_episode_are_put_right(record, open_writer, root):
    record()
    path = root / 'meta/stats.json'
    before = path.read_bytes()
    path.write_bytes(before.replace(b'5', b'6'))
    open_writer().close()
    assert path.read_bytes() == before


def change_stats(root, key, entry):
    path = root / 'meta/stats.json'
    stats = json.loads(path.read_text())
    stats[key] = entry(stats.get(key)) if callable(entry) else entry
    path.write_text(json.dumps(stats))


def test_entries_of_stats_json_that_are_no_statistics_stay(record, root):
    record()
    shutil.rmtree(root / '.streamrec')
    change_stats(root, 'reward', {'mean': [1]})
    change_stats(root, 'version', 3)
    record()
    # Now from our own files.
    record()
    delete_episodes(root, [1])
    stats = json.loads((root / 'meta/stats.json').read_text())
    assert (stats['reward'], stats['version']) == ({'mean': [1]}, 3)


@pytest.mark.parametrize(
    ('entry', 'problem'),
    [
        (lambda stats: {**stats, 'count': None}, 'count is not one number above 0'),
        (lambda stats: {**stats, 'count': [0]}, 'count is not one number above 0'),
        (lambda stats: {**stats, 'mean': 'text'}, 'not all of them are numbers'),
        (lambda stats: {**stats, 'mean': [0.5]}, 'they have different shapes'),
        (lambda stats: {'mean': stats['mean'], 'min': stats['min']}, 'max is missing'),
        ([1], 'they are not an object'),
    ],
    ids=range(6),
)
def test_statistics_that_cannot_be_used_are_refused_in_words(record, entry, problem, root):
    record()
    shutil.rmtree(root / '.streamrec')
    change_stats(root, FRONT, entry)
    start = f'{root}/meta/stats.json: the statistics of {FRONT} cannot be used ({problem}); `'
    for tool in (record, lambda: delete_episodes(root, [0])):
        with pytest.raises(UnusableDatasetError) as caught:
            tool()
        assert str(caught.value).startswith(start)


def test_distributions_that_cannot_be_read_are_done_without(record, root, caplog, read_dataset):
    record()
    path = root / '.streamrec/statistics/after-000001.parquet'
    path.write_bytes(b'no table')
    record()
    # Nor is what was kept of other rows taken for that of these.
    record()
    path = root / '.streamrec/statistics/after-000003.parquet'
    path.write_bytes(path.with_name('after-000002.parquet').read_bytes())
    record()
    assert f'{path} cannot be used: it covers 10 rows, the dataset has 15' in caplog.text
    assert f'{path} cannot be used' in caplog.text
    assert check_dataset(root).findings == ()
    read_dataset(root)
