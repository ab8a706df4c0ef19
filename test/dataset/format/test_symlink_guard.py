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
"""Nothing is written outside of the root, whatever links lie below it."""

from __future__ import annotations

import os

from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.errors import DatasetError
import pytest

FRONT = 'observation.images.front'


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob('*') if path.is_file()
    }


@pytest.fixture
def elsewhere(tmp_path):
    """A folder outside of the root that nobody may write to."""
    folder = tmp_path / 'elsewhere'
    folder.mkdir()
    (folder / 'mine').write_text('untouched')
    return folder


@pytest.mark.parametrize(
    'place',
    [
        'meta',
        'data',
        'videos',
        'meta/episodes',
        'data/chunk-000',
        'meta/episodes/chunk-000',
        f'videos/{FRONT}',
        f'videos/{FRONT}/chunk-000',
        '.streamrec',
        '.streamrec/staging',
        '.streamrec/quarantine',
        '.streamrec/episodes',
        '.streamrec/statistics',
    ],
)
def test_a_folder_that_leads_out_is_refused_by_name(
    place, open_writer, make_draft, root, elsewhere
):
    writer = open_writer()
    writer.commit(make_draft())
    writer.close()
    path = root / place
    if path.exists():
        path.rename(elsewhere / 'moved')
    path.symlink_to(elsewhere)
    before = content(elsewhere)
    with pytest.raises(DatasetError, match=f'{place} is a symbolic link to .*elsewhere'):
        open_writer()
    assert content(elsewhere) == before


@pytest.mark.parametrize('name', ['lock', 'owner.json', 'staging/.info.json.new'])
def test_a_file_of_ours_that_leads_out_is_refused_by_name(name, open_writer, root, elsewhere):
    open_writer().close()
    path = root / '.streamrec' / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(elsewhere / 'mine')
    with pytest.raises(DatasetError, match='is a symbolic link'):
        open_writer()
    assert (elsewhere / 'mine').read_text() == 'untouched'


def test_links_in_a_new_root_are_refused_as_well(open_writer, root, elsewhere):
    root.mkdir()
    (root / 'data').symlink_to(elsewhere)
    with pytest.raises(DatasetError, match='data is a symbolic link'):
        open_writer(resume=False)
    assert content(elsewhere) == {elsewhere.joinpath('mine').relative_to(elsewhere): b'untouched'}


def test_a_file_that_is_a_link_is_replaced_and_not_written_into(
    open_writer, make_draft, root, elsewhere, read_dataset
):
    """As the files of a download cache are."""
    writer = open_writer()
    writer.commit(make_draft())
    writer.close()
    for name in ('info.json', 'stats.json'):
        path = root / 'meta' / name
        path.rename(elsewhere / name)
        path.symlink_to(elsewhere / name)
    before = content(elsewhere)
    writer = open_writer()
    writer.commit(make_draft())
    assert content(elsewhere) == before
    assert read_dataset(root).info['total_episodes'] == 2


def test_the_root_may_be_a_link(open_writer, tmp_path, read_dataset, make_draft, root):
    disk = tmp_path / 'large_disk'
    disk.mkdir()
    root.symlink_to(disk)
    writer = open_writer()
    writer.commit(make_draft())
    assert read_dataset(disk).info['total_episodes'] == 1


@pytest.mark.parametrize('kind', ['data', 'video', 'statistics'])
def test_a_pipe_is_refused_and_not_waited_for(kind, open_writer, make_draft, root):
    writer = open_writer()
    writer.commit(make_draft())
    writer.close()
    patterns = {'data': 'data/*/*', 'video': f'videos/{FRONT}/*/*', 'statistics': '*/statistics/*'}
    (path,) = root.glob(patterns[kind])
    path.unlink()
    os.mkfifo(path)
    for tool in (open_writer, lambda: check_dataset(root), lambda: compact_dataset(root)):
        with pytest.raises(DatasetError, match=f'{path} is neither a file nor a folder'):
            tool()
