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
"""Compaction: fewer files, and nothing else is different; done twice it does nothing."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
import json

from lerobot_streamrec.dataset.format import catalog, table_rules
from lerobot_streamrec.dataset.format.layout import EPISODE_INDEX
from lerobot_streamrec.dataset.rebuild import meta_files, new_files
from lerobot_streamrec.dataset.rebuild.compact import compact, compact_dataset
from lerobot_streamrec.dataset.rebuild.new_tree import DISK
from lerobot_streamrec.dataset.rebuild.pieces import packed
from lerobot_streamrec.dataset.rebuild.plan import changing
from lerobot_streamrec.errors import DatasetLockedError, RebuildError
from lerobot_streamrec.video.codecs.config import EncoderConfig
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'


@pytest.fixture
def record(open_writer, make_draft):
    """Record episodes and close the dataset; returns its root."""

    def run(lengths, tasks=('pick',), **settings):
        writer = open_writer()
        for number, length in enumerate(lengths):
            draft = make_draft(length, tasks[number % len(tasks)], **settings)
            writer.commit(draft)
            writer.remove(draft.videos[FRONT].path.parent)
        writer.close()
        return writer.root

    return run


@pytest.fixture
def edit_info():
    def edit(root, **changes):
        path = root / 'meta/info.json'
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}, indent=4) + '\n')

    return edit


def traces(root):
    """Return of every file below a root what changes if anybody writes it."""
    return {
        path.relative_to(root).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in root.rglob('*')
        if path.name not in {'owner.json', 'lock'} and path.name != '.streamrec'
    }


def numbered(root, pattern):
    return sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))


def assert_same_content(before, after):
    """Compare two readings of a dataset by all that is in it."""
    pd.testing.assert_frame_equal(
        before.rows.reset_index(drop=True), after.rows.reset_index(drop=True), check_exact=True
    )
    assert before.stats == after.stats
    assert before.info == after.info
    pd.testing.assert_frame_equal(before.tasks, after.tasks)
    of_episode = [
        name
        for name in before.episodes.columns
        if name.startswith(('stats/', 'tasks', 'length', 'episode_index', 'dataset_'))
    ]
    assert set(before.episodes.columns) == set(after.episodes.columns)
    pd.testing.assert_frame_equal(before.episodes[of_episode], after.episodes[of_episode])
    for index in before.episodes.index:
        for key in before.cameras:
            pairs = zip(before.pictures(key, index), after.pictures(key, index), strict=True)
            for one, other in pairs:
                np.testing.assert_array_equal(one, other)


def read_all(read_dataset, root):
    """Read a dataset together with its pictures, before its files are gone."""
    dataset = read_dataset(root)
    pictures = {
        (key, index): dataset.pictures(key, index)
        for key in dataset.cameras
        for index in dataset.episodes.index
    }
    dataset.pictures = lambda key, index: pictures[key, index]
    return dataset


def test_everything_is_the_same_in_one_file_of_each_kind(
    record, read_dataset, keep_dataset, root
):
    record([5, 1, 7, 3], ['pick', 'place'])
    before = read_all(read_dataset, root)
    calls = []
    change = compact_dataset(root, progress=lambda *pair: calls.append(pair))
    assert_same_content(before, read_dataset(root))
    assert numbered(root, 'data/*/*') == ['data/chunk-000/file-000.parquet']
    assert numbered(root, 'meta/episodes/*/*') == ['meta/episodes/chunk-000/file-000.parquet']
    for key in (FRONT, TOP):
        assert numbered(root, f'videos/{key}/*/*') == [f'videos/{key}/chunk-000/file-000.mp4']
    assert (change.num_episodes, change.before.num_files, change.after.num_files) == (4, 16, 4)
    assert change.remarks == ()
    assert calls == sorted(calls)
    assert calls[-1][0] <= calls[-1][1]
    assert not list(root.parent.glob('.*'))
    assert not (root / '.streamrec/rebuild.json').exists()
    keep_dataset(root)


def test_a_second_run_touches_nothing(record, root):
    record([5, 4, 3])
    compact_dataset(root)
    before = traces(root)
    change = compact_dataset(root)
    assert change.before == change.after
    assert traces(root) == before


def test_a_dataset_of_one_episode_is_not_touched(record, root):
    record([5])
    before = traces(root)
    compact_dataset(root)
    assert traces(root) == before


def test_recording_goes_on_after_it(record, read_dataset, root):
    record([5, 4])
    compact_dataset(root)
    record([3, 2], ['another'])
    dataset = read_dataset(root)
    assert dataset.episodes['length'].tolist() == [5, 4, 3, 2]
    assert len(numbered(root, 'data/*/*')) == 3
    before = read_all(read_dataset, root)
    compact_dataset(root)
    assert_same_content(before, read_dataset(root))
    assert len(numbered(root, 'data/*/*')) == 1


def size_of(root, pattern):
    return max(path.stat().st_size for path in root.glob(pattern))


def test_files_stay_within_the_limits_that_info_json_names(
    record, read_dataset, edit_info, root
):
    record([5] * 7)
    data, video = size_of(root, 'data/*/*'), size_of(root, 'videos/*/*/*')
    edit_info(
        root,
        data_files_size_in_mb=2.1 * data / 2**20,
        video_files_size_in_mb=3.1 * video / 2**20,
    )
    before = read_all(read_dataset, root)
    compact_dataset(root)
    assert_same_content(before, read_dataset(root))
    assert size_of(root, 'data/*/*') <= 2.1 * data
    assert size_of(root, 'videos/*/*/*') <= 3.1 * video
    assert 1 < len(numbered(root, 'data/*/*')) < 7
    assert len(numbered(root, f'videos/{FRONT}/*/*')) < 7
    compacted = traces(root)
    compact_dataset(root)
    assert traces(root) == compacted


def test_what_is_full_already_is_linked_and_not_written_again(
    record, read_dataset, edit_info, root
):
    record([5] * 6)
    data, video = size_of(root, 'data/*/*'), size_of(root, 'videos/*/*/*')
    limits = {
        'data_files_size_in_mb': 2.1 * data / 2**20,
        'video_files_size_in_mb': 1.5 * video / 2**20,
    }
    edit_info(root, **limits)
    compact_dataset(root)
    before = traces(root)
    record([5, 5])
    whole = read_all(read_dataset, root)
    compact_dataset(root)
    assert_same_content(whole, read_dataset(root))
    after = traces(root)
    for pattern in ('data/*/*', f'videos/{FRONT}/*/*', f'videos/{TOP}/*/*'):
        old = [name for name in numbered(root, pattern) if name in before]
        kept = [name for name in old if before[name] == after[name]]
        assert len(kept) >= len(old) - 1 > 0


def test_chunks_are_as_large_as_info_json_says(record, read_dataset, edit_info, root):
    record([5] * 4)
    data = size_of(root, 'data/*/*')
    edit_info(root, chunks_size=2, data_files_size_in_mb=0.5 * data / 2**20)
    before = read_all(read_dataset, root)
    compact_dataset(root)
    assert_same_content(before, read_dataset(root))
    assert numbered(root, 'data/*/*')[2:] == [
        'data/chunk-001/file-000.parquet',
        'data/chunk-001/file-001.parquet',
    ]


def test_what_is_no_part_of_the_dataset_stays(record, root):
    record([5, 4])
    (root / 'README.md').write_text('about')
    (root / 'meta/notes.json').write_text('{}')
    (root / 'pictures').symlink_to('elsewhere')
    (root / 'inside').symlink_to('meta')
    (root / '.streamrec/quarantine/old').mkdir(parents=True)
    (root / '.streamrec/quarantine/old/take.mp4').write_text('x')
    inode = (root / 'README.md').stat().st_ino
    compact_dataset(root)
    assert (root / 'README.md').read_text() == 'about'
    assert (root / 'README.md').stat().st_ino == inode
    assert (root / 'meta/notes.json').read_text() == '{}'
    assert (root / 'pictures').readlink().name == 'elsewhere'
    assert (root / 'inside').is_symlink()
    assert (root / '.streamrec/quarantine/old/take.mp4').read_text() == 'x'
    assert len(numbered(root, '.streamrec/episodes/*')) == 2
    assert numbered(root, '.streamrec/statistics/*') == [
        '.streamrec/statistics/after-000002.parquet'
    ]


def test_videos_that_cannot_be_joined_stay_and_are_told(
    record, read_dataset, root
):
    record([5, 4])
    other = EncoderConfig(vcodec='h264', preset='ultrafast', extra_options={'refs': '3'})
    record([3, 2], encoder=other)
    before = read_all(read_dataset, root)
    change = compact_dataset(root)
    assert_same_content(before, read_dataset(root))
    assert len(numbered(root, 'data/*/*')) == 1
    assert len(numbered(root, f'videos/{FRONT}/*/*')) == 2
    assert len(change.remarks) == 2
    assert 'file-001.mp4 is not joined to the file before it: their codec headers' in (
        change.remarks[0]
    )
    compacted = traces(root)
    assert len(compact_dataset(root).remarks) == 2
    assert traces(root) == compacted


def test_a_recorder_that_runs_refuses_it_and_is_not_disturbed(record, open_writer, root):
    record([5, 4])
    writer = open_writer()
    with pytest.raises(DatasetLockedError, match='is being written by process'):
        compact_dataset(root)
    writer.close()
    compact_dataset(root)


def test_the_lock_excludes_others_after_the_exchange_as_well(record, root, monkeypatch):
    record([5, 4])
    inode = (root / '.streamrec/lock').stat().st_ino
    compact_dataset(root)
    assert (root / '.streamrec/lock').stat().st_ino == inode


def test_an_episode_that_is_not_finished_refuses_it(record, root):
    record([5, 4])
    (root / '.streamrec/staging/take-000009').mkdir(parents=True)
    with pytest.raises(RebuildError, match=r'take-000009.*start the recorder'):
        compact_dataset(root)


class Size:
    def __init__(self, size_bytes, seconds=0.0):
        self.size_bytes, self.seconds = size_bytes, seconds

    def __repr__(self):
        return f'{self.size_bytes}'


@pytest.mark.parametrize(
    ('sizes', 'expected'),
    [
        ([], '[]'),
        ([10], '[[10]]'),
        ([4, 6, 1], '[[4, 6], [1]]'),
        ([4, 7, 1, 2, 30, 1], '[[4], [7, 1, 2], [30], [1]]'),
    ],
)
def test_neighbours_are_packed_up_to_the_limit(sizes, expected):
    groups = packed([Size(one) for one in sizes], lambda *_: True, limit_bytes=10)
    assert repr(groups) == expected


def test_neighbours_are_packed_up_to_a_duration_and_only_if_they_fit_together():
    pieces = [Size(1, 400.0), Size(1, 400.0), Size(1, 400.0)]
    assert repr(packed(pieces, lambda *_: True, limit_bytes=9, limit_s=900)) == '[[1, 1], [1]]'
    asked = []

    def never(one, other):
        asked.append((one, other))

    assert repr(packed(pieces, never, limit_bytes=9)) == '[[1], [1], [1]]'
    assert asked == [(pieces[0], pieces[1]), (pieces[1], pieces[2])]


def test_each_table_is_read_once_for_its_columns_its_checks_and_its_rows(record, monkeypatch):
    """Opening small files is what compacting thousands of them costs."""
    root = record([3] * 5)
    (root / EPISODE_INDEX).unlink()
    opened = defaultdict(list)

    def counting(function, path, *others):
        opened[function.__name__].append(path.relative_to(root).as_posix())
        return function(path, *others)

    for module, name in (
        (catalog, 'read_schema'),
        (table_rules, 'open_table'),
        (meta_files, 'read_parquet'),
        (new_files, 'read_parquet'),
    ):
        monkeypatch.setattr(module, name, partial(counting, getattr(module, name)))
    data, meta = (numbered(root, one) for one in ('data/*/*', 'meta/episodes/*/*'))
    with changing(root, DISK):
        checked = [one for one in opened['open_table'] if one != 'meta/tasks.parquet']
        assert sorted(checked) == [*data, *meta]
        compact(root)
    assert sorted(opened['read_schema']) == data
    assert sorted(opened['read_parquet']) == [*data, *meta]


def test_files_of_other_columns_and_types_are_joined_in_order(record, root):
    """An older recorder, or another one, has written other columns into some of the files."""
    record([3, 4, 5])
    first, second, third = sorted(root.glob('meta/episodes/*/*.parquet'))
    tables = {one: pq.read_table(one) for one in (first, second, third)}
    graded = tables[second].drop_columns(['stats/action/q10'])
    graded = graded.append_column('grader', pa.array(['Ann']))
    pq.write_table(graded, second)
    place = tables[third].schema.get_field_index('length')
    pq.write_table(tables[third].set_column(place, 'length', pa.array([5], pa.int32())), third)
    compact_dataset(root)
    (joined,) = root.glob('meta/episodes/*/*.parquet')
    table = pq.read_table(joined)
    assert table.column('length').type == pa.int64()
    assert table.column('length').to_pylist() == [3, 4, 5]
    assert table.column('grader').to_pylist() == [None, 'Ann', None]
    assert set(table.column_names) == set(graded.column_names)
    mean = 'stats/action/mean'
    assert table.column(mean).to_pylist() == [one[mean][0].as_py() for one in tables.values()]
