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
"""Deleting episodes: the others keep their rows, pictures and statistics."""

from __future__ import annotations

from dataclasses import replace
import json

import av
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.dataset.repair.repair import repair_dataset
from lerobot_streamrec.errors import ConfigError, DatasetCorruptError, RebuildError
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.tools.reencode import reencode_video
import numpy as np
import pandas as pd
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
TASKS = ('pick', 'place', 'pick', 'push')
LENGTHS = (5, 4, 7, 3)
RENUMBERED = ['episode_index', 'index', 'task_index']


@pytest.fixture
def record(open_writer, make_draft):
    """Record episodes and close the dataset; returns its root."""

    def run(lengths=LENGTHS, tasks=TASKS, **settings):
        writer = open_writer()
        for length, task in zip(lengths, tasks, strict=True):
            draft = make_draft(length, task, **settings)
            writer.commit(draft)
            writer.remove(draft.videos[FRONT].path.parent)
        writer.close()
        return writer.root

    return run


class Episodes:
    """What is in the episodes of a dataset, read before it changes."""

    def __init__(self, dataset):
        self.of = []
        for index in dataset.episodes.index:
            rows = dataset.rows[dataset.rows['episode_index'] == index]
            tasks = dataset.tasks.index[rows['task_index']].tolist()
            rows = rows.drop(columns=RENUMBERED).reset_index(drop=True)
            pictures = {key: dataset.pictures(key, index) for key in dataset.cameras}
            statistics = {
                name: value
                for name, value in dataset.episodes.loc[index].items()
                if name.startswith('stats/') and name.split('/')[1] not in RENUMBERED
            }
            self.of.append((rows, tasks, pictures, statistics))


def assert_same_episodes(found, expected):
    assert len(found) == len(expected)
    for (rows, tasks, pictures, statistics), (rows2, tasks2, pictures2, statistics2) in zip(
        found, expected, strict=True
    ):
        pd.testing.assert_frame_equal(rows, rows2, check_exact=True)
        assert tasks == tasks2
        assert set(statistics) == set(statistics2)
        for name, value in statistics.items():
            assert repr(value) == repr(statistics2[name]), name
        for key, frames in pictures.items():
            assert len(frames) == len(pictures2[key])
            for one, other in zip(frames, pictures2[key], strict=True):
                np.testing.assert_array_equal(one, other)


def assert_own_numbers(dataset):
    """The statistics of the columns that were renumbered are those of the new numbers."""
    for index, row in dataset.episodes.iterrows():
        rows = dataset.rows[dataset.rows['episode_index'] == index]
        for key in RENUMBERED:
            for name in ('min', 'max', 'mean'):
                assert row[f'stats/{key}/{name}'].tolist() == [getattr(rows[key], name)()]


def numbers(root, pattern):
    return {path.relative_to(root).as_posix(): path.stat().st_ino for path in root.glob(pattern)}


@pytest.mark.parametrize('is_compact', [False, True], ids=['small files', 'compacted'])
@pytest.mark.parametrize('deleted', [[0], [1], [3], [0, 2], [1, 2, 3]])
def test_the_other_episodes_stay_as_they_were(
    deleted, is_compact, record, read_dataset, root
):
    record()
    if is_compact:
        compact_dataset(root)
    before = Episodes(read_dataset(root))
    change = delete_episodes(root, deleted)
    dataset = read_dataset(root)
    kept = [index for index in range(4) if index not in deleted]
    assert change.num_episodes == len(kept)
    assert_same_episodes(Episodes(dataset).of, [before.of[index] for index in kept])
    assert_own_numbers(dataset)
    # Those that are left, in the order that they had.
    left = {TASKS[index] for index in kept}
    assert dataset.tasks.index.tolist() == [task for task in dict.fromkeys(TASKS) if task in left]
    assert change.remarks == ()
    records = sorted((root / '.streamrec/episodes').iterdir())
    contents = [json.loads(path.read_text()) for path in records]
    assert [one['episode_index'] for one in contents] == list(range(len(kept)))
    assert [one['number'] for one in contents] == [index + 1 for index in kept]
    assert len(list((root / '.streamrec/statistics').iterdir())) == 1


def test_statistics_are_those_of_recording_only_the_others(
    record, read_dataset, root, keep_dataset
):
    record()
    delete_episodes(root, [1])
    dataset = read_dataset(root)
    keep_dataset(root)
    # The pictures that conftest draws for an episode of this number.
    for key, place in ((FRONT, 0), (TOP, 1)):
        histogram = ImageHistogram()
        for number in (1, 3, 4):
            for index in range(LENGTHS[number - 1]):
                level = (10 * (number + place) + 5 * index) % 256
                histogram.push(np.full((48, 64, 3), level, np.uint8))
        expected = histogram.statistics().as_lists()
        assert dataset.stats[key]['count'] == expected['count']
        for name in ('min', 'max', 'mean', 'std', 'q01', 'q10', 'q50', 'q90', 'q99'):
            np.testing.assert_allclose(dataset.stats[key][name], expected[name], atol=1e-12)
    for key in ('action', 'observation.gripper', 'index'):
        values = np.stack([np.atleast_1d(value) for value in dataset.rows[key]])
        width = (values.max() - values.min()) / 4096
        for name, fraction in (('q01', 0.01), ('q50', 0.5), ('q99', 0.99)):
            expected = np.quantile(values, fraction, axis=0, method='inverted_cdf')
            np.testing.assert_allclose(dataset.stats[key][name], expected, atol=width)
    seconds = dataset.rows['frame_index'].to_numpy() / 20
    assert dataset.stats['timestamp']['max'] == [seconds.max()]


def test_without_histograms_the_moments_are_exact_still(record, read_dataset, root):
    record()
    exact = read_dataset(root)
    for path in (root / '.streamrec/episodes').iterdir():
        path.unlink()
    delete_episodes(root, [3])
    stats = read_dataset(root).stats[FRONT]
    rows = exact.episodes.iloc[:3]
    weights = rows[f'stats/{FRONT}/count'].map(lambda one: one[0])
    means = rows[f'stats/{FRONT}/mean'].map(lambda one: one[0][0][0])
    assert stats['count'] == [int(weights.sum())]
    np.testing.assert_allclose(stats['mean'][0], np.average(means, weights=weights), atol=1e-12)


def test_the_instants_of_rows_go_with_their_episodes(open_writer, make_draft, root):
    writer = open_writer()
    for length in LENGTHS:
        stamps = {'row': np.arange(length) + 1000 * length}
        draft = replace(make_draft(length), row_stamps=stamps)
        writer.commit(draft)
        writer.remove(draft.videos[FRONT].path.parent)
    # Of another number of rows than its episode: nobody knows which they are.
    torn = root / '.streamrec/row_stamps/episode-000003.parquet'
    pd.DataFrame({'row': [1]}).to_parquet(torn)
    writer.close()
    delete_episodes(root, [1])
    files = sorted(root.glob('.streamrec/row_stamps/*'))
    assert [path.name for path in files] == ['episode-000000.parquet', 'episode-000001.parquet']
    assert [pd.read_parquet(path)['row'].iloc[0] for path in files] == [5000, 7000]


def test_files_before_the_deleted_episode_are_not_written_again(record, root):
    record()
    before = numbers(root, 'data/*/*') | numbers(root, 'videos/*/*/*')
    delete_episodes(root, [3])
    after = numbers(root, 'data/*/*') | numbers(root, 'videos/*/*/*')
    assert all(before[name] == inode for name, inode in after.items())
    assert len(after) == 9


def test_a_video_that_cannot_be_cut_is_kept_whole_and_told(record, root):
    record([6, 6], ['pick', 'pick'])
    compact_dataset(root)
    shift_by_one(root)
    change = delete_episodes(root, [0])
    assert len(change.remarks) == 2
    assert 'no key frame; the file is kept whole' in change.remarks[0]
    place = place_of_the_only_episode(root)
    assert place == pytest.approx(
        {'from_timestamp': 5 / 20, 'to_timestamp': 11 / 20, 'file_index': 0}
    )
    with av.open(str(root / f'videos/{FRONT}/chunk-000/file-000.mp4')) as container:
        assert container.streams.video[0].frames == 12
    compact_dataset(root)
    assert place_of_the_only_episode(root) == place


@pytest.mark.parametrize('deleted', [[0], [1], [2], [0, 2]])
def test_a_video_that_was_kept_whole_is_right_for_every_tool(
    record, root, deleted, tmp_path, read_dataset
):
    """All of a camera's frames lean on one key frame, as those of others may."""
    record([5, 6, 7], ['pick', 'place', 'push'])
    compact_dataset(root)
    for path in root.glob('videos/*/*/*'):
        whole = path.with_name('whole.mp4')
        reencode_video(path, whole, EncoderConfig(vcodec='h264', preset='ultrafast', g=100))
        whole.replace(path)
    lengths = [length for index, length in enumerate((5, 6, 7)) if index not in deleted]
    expected = read_dataset(root).pictures(FRONT, next(iter({0, 1, 2} - set(deleted))))
    delete_episodes(root, deleted)
    merge_datasets(tmp_path / 'merged', [root])
    compact_dataset(root)
    for one in (root, tmp_path / 'merged'):
        assert check_dataset(one).findings == ()
        assert repair_dataset(one).plan is None
        dataset = read_dataset(one, has_unseen_frames=True, is_kept=False)
        assert dataset.episodes['length'].tolist() == lengths
        np.testing.assert_array_equal(dataset.pictures(FRONT, 0), expected)


def test_files_of_others_stay_and_those_that_may_number_episodes_are_named(record, root):
    record()
    retired = f'videos/{FRONT}.retired/chunk-000/file-000.mp4'
    kept = {
        name: name.encode()
        for name in ('README.md', 'images/setup.jpg', 'meta/grades.parquet', retired)
    }
    for name, content in kept.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / 'notes/to come').mkdir(parents=True)
    change = delete_episodes(root, [1])
    assert (root / 'notes/to come').is_dir()
    assert not list(root.glob(f'videos/{FRONT}/*/file-003.mp4'))
    assert change.remarks == (
        'meta/grades.parquet: kept as they are; any episode numbers in them are the old ones',
    )
    compact_dataset(root)
    assert {name: (root / name).read_bytes() for name in kept} == kept


def shift_by_one(root):
    """Say that the second episode begins one frame earlier, where no key frame is."""
    for path in root.glob('meta/episodes/*/*'):
        table = pd.read_parquet(path)
        for key in (FRONT, TOP):
            table.loc[1, f'videos/{key}/from_timestamp'] -= 1 / 20
            table.loc[1, f'videos/{key}/to_timestamp'] -= 1 / 20
        table.to_parquet(path, index=False)


def place_of_the_only_episode(root):
    (path,) = root.glob('meta/episodes/*/*')
    row = pd.read_parquet(path).iloc[0]
    names = ('from_timestamp', 'to_timestamp', 'file_index')
    return {name: row[f'videos/{FRONT}/{name}'] for name in names}


def test_recording_goes_on_after_it(record, read_dataset, root):
    record()
    delete_episodes(root, [1])
    record([3], ['wipe'])
    dataset = read_dataset(root)
    assert dataset.episodes['length'].tolist() == [5, 7, 3, 3]
    assert dataset.tasks.index.tolist() == ['pick', 'push', 'wipe']


@pytest.mark.parametrize(
    ('indices', 'complaint'),
    [
        ([4], "episodes is '4': .* has the episodes 0 to 3"),
        ([1, 7, 9], "episodes is '7,9'"),
        ([], 'name those to delete'),
        (range(4), 'these are all episodes of .*; delete the folder instead'),
    ],
)
def test_what_cannot_be_deleted_is_named_and_nothing_changes(
    indices, complaint, record, snapshot, root
):
    record()
    before = snapshot()
    with pytest.raises(ConfigError, match=complaint):
        delete_episodes(root, indices)
    assert snapshot() == before


def test_episodes_that_became_others_are_not_deleted(record, snapshot, root):
    record()
    seen = read_catalog(root)
    delete_episodes(root, [0], seen=seen)
    before = snapshot()
    with pytest.raises(RebuildError, match='has changed since the episodes were chosen'):
        delete_episodes(root, [1], seen=seen)
    assert snapshot() == before


def test_rows_that_are_missing_are_found_and_nothing_changes(record, snapshot, root):
    record()
    path = root / 'data/chunk-000/file-002.parquet'
    pd.read_parquet(path).iloc[1:].to_parquet(path, index=False)
    before = snapshot()
    found = r'file-002\.parquet: episode 2: found 6 rows, expected 7'
    with pytest.raises(DatasetCorruptError, match=found):
        delete_episodes(root, [0])
    assert snapshot() == before


def test_a_folder_without_a_dataset_is_left_alone(tmp_path):
    with pytest.raises(DatasetCorruptError, match='holds no LeRobot dataset'):
        delete_episodes(tmp_path, [0])
    assert list(tmp_path.iterdir()) == []
