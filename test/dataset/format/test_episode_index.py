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
"""A dataset opens without reading all of its episodes files, and notices each that has changed."""

from __future__ import annotations

import json
import os
import shutil

from lerobot_streamrec.dataset.format import episode_index
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.episode_index import EpisodeIndex
from lerobot_streamrec.dataset.format.info import read_info
from lerobot_streamrec.dataset.format.layout import EPISODE_INDEX
from lerobot_streamrec.errors import UnusableDatasetError
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FRONT = 'observation.images.front'


@pytest.fixture
def read_files(monkeypatch):
    """The names of the episodes files that are read."""
    names = []
    checked = episode_index.checked_episodes

    def note(root, path, info):
        names.append(path.name)
        return checked(root, path, info)

    monkeypatch.setattr(episode_index, 'checked_episodes', note)
    return names


@pytest.fixture
def record(open_writer, make_draft):
    def commit(num_episodes=3, *, is_closed=True):
        writer = open_writer()
        for _ in range(num_episodes):
            writer.commit(make_draft())
        if is_closed:
            writer.close()
        return writer

    return commit


def episodes_file(root, number):
    return root / f'meta/episodes/chunk-000/file-{number:03d}.parquet'


def test_what_this_recorder_wrote_is_not_read_again(record, read_files, root):
    record()
    assert read_files == []
    record(2)
    assert read_files == []
    assert [one.episode_index for one in read_catalog(root).episodes] == list(range(5))
    assert read_files == []


def test_the_index_says_the_same_as_the_files(record, root):
    record()
    info = read_info(root)
    indexed = EpisodeIndex(root, info).rows(info)
    catalog = read_catalog(root)
    (root / EPISODE_INDEX).unlink()
    assert EpisodeIndex(root, info).rows(info) == indexed
    assert read_catalog(root).episodes == catalog.episodes


def test_after_a_crash_only_the_files_of_its_session_are_read(record, read_files, root):
    record(2)
    crashed = record(2, is_closed=False)
    crashed._lock.release()
    record(1)
    assert read_files == ['file-002.parquet', 'file-003.parquet']


def rewrite(path, **columns):
    """Write a file anew, with the same size in most cases."""
    table = pq.read_table(path)
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(values))
    pq.write_table(table, path)


def test_a_file_that_another_program_changed_is_read_and_judged(record, read_files, root):
    record()
    rewrite(episodes_file(root, 1), tasks=[['another task']])
    info = read_info(root)
    (row,) = EpisodeIndex(root, info).rows(info)[episodes_file(root, 1)]
    assert row['tasks'] == ['another task']
    assert read_files == ['file-001.parquet']
    rewrite(episodes_file(root, 1), length=['five'])
    with pytest.raises(UnusableDatasetError, match='length'):
        EpisodeIndex(root, info).rows(info)


def test_equal_sizes_and_times_do_not_hide_a_change(record, read_files, root):
    record()
    path = episodes_file(root, 2)
    before = path.stat()
    content = path.read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    read_catalog(root)
    assert read_files == ['file-002.parquet']


def test_a_copy_of_a_dataset_is_read(record, read_files, root, tmp_path):
    record()
    copy = shutil.copytree(root, tmp_path / 'copy')
    assert read_catalog(copy).episodes == read_catalog(root).episodes
    assert len(read_files) == 3


@pytest.mark.parametrize(
    'damage',
    [
        lambda content: content[: len(content) // 2],
        lambda content: b'[]',
        lambda content: b'{"version": 2}',
        lambda content: content.replace(b'"version":2', b'"version":1'),
        lambda content: content.replace(b'"length":5', b'"length":"5"'),
        lambda content: content.replace(b'"stamp":[', b'"stamp":5,"x":['),
        lambda content: content.replace(b'"rows":[{', b'"rows":[{"more":1,'),
        lambda content: content.replace(b'["video",true]', b'["image",false]'),
    ],
    ids=['cut', 'list', 'empty', 'old', 'text', 'stamp', 'column', 'features'],
)
def test_an_index_that_cannot_be_used_is_ignored(record, read_files, root, damage):
    record()
    path = root / EPISODE_INDEX
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert path.read_bytes() != content
    assert len(read_catalog(root).episodes) == 3
    assert len(read_files) == 3
    # The next recorder mends it.
    record(1)
    assert len(json.loads(path.read_bytes())['files']) == 4


def test_an_undone_episode_is_forgotten(record, read_files, root, open_writer, make_draft):
    record()
    writer = open_writer()
    writer.undo()
    writer.commit(make_draft(task='another task'))
    writer.close()
    assert read_catalog(root).episodes[2].tasks == ('another task',)
    assert read_files == []


def test_merging_small_files_leaves_a_whole_index(record, read_files, root, open_writer):
    record()
    writer = open_writer()
    writer.compact()
    writer.close()
    read_files.clear()
    assert len(read_catalog(root).episodes) == 3
    assert read_files == []


def test_an_odd_file_name_is_no_episode_of_ours_and_hides_none(record, root, open_writer):
    record()
    folder = root / 'meta/episodes'
    (folder / 'chunk-0').mkdir()
    shutil.move(episodes_file(root, 2), folder / 'chunk-0/file-2.parquet')
    with pytest.raises(UnusableDatasetError, match='found 2 episodes, expected 3'):
        open_writer()
    shutil.copy(folder / 'chunk-0/file-2.parquet', episodes_file(root, 2))
    open_writer().close()
