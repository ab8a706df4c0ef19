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
A dataset elsewhere is read through placeholders as if it were here.

Guards against readers that take a placeholder's zeros for content.
"""

from __future__ import annotations

from dataclasses import asdict
from io import BytesIO

from arm_dataset import Plan, write_dataset
from lerobot_streamrec import remote_files
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.parquet import read_parquet, read_schema
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.dataset.rebuild.new_tree import DISK
from lerobot_streamrec.video.mp4.packet_index import survey_video
import pytest


@pytest.fixture
def there(tmp_path):
    root = tmp_path / 'there'
    write_dataset(root, [Plan(1.0), Plan(1.0, task='Wave')])
    return root


def stand_for(folder, there):
    def opened(path):
        return BytesIO((there / path).read_bytes())

    remote_files.register(folder, f's3://cells/{there.name}', opened)


@pytest.fixture
def here(tmp_path, there):
    folder = tmp_path / 'here'
    for path in there.rglob('*'):
        if path.is_file():
            target = folder / path.relative_to(there)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.parent.name == 'meta':
                target.write_bytes(path.read_bytes())
            else:
                remote_files.make_placeholder(target, path.stat().st_size)
    stand_for(folder, there)
    yield folder
    remote_files.unregister(folder)


def contents(root):
    files = [path for path in root.rglob('*') if path.is_file() and path.name != 'owner.json']
    return {path.relative_to(root): path.read_bytes() for path in files}


@pytest.mark.parametrize('decode', [True, False])
def test_a_check_finds_the_same(there, here, decode):
    (there / 'data/chunk-000/file-001.parquet').write_bytes(b'PAR1')
    of_one = asdict(check_dataset(there, decode=decode))
    of_other = asdict(check_dataset(here, decode=decode))
    assert of_one.pop('root') != of_other.pop('root')
    assert of_one['findings']
    assert of_one == of_other


def test_a_merge_copies_content_and_no_zeros(there, here, tmp_path):
    write_dataset(tmp_path / 'more', [Plan(1.0)])
    for out, first in ((tmp_path / 'one', there), (tmp_path / 'other', here)):
        merge_datasets(out, [first, tmp_path / 'more'])
    assert contents(tmp_path / 'one') == contents(tmp_path / 'other')
    assert check_dataset(tmp_path / 'other').is_whole
    data = here / 'data/chunk-000/file-000.parquet'
    DISK.link(data, tmp_path / 'linked')
    assert read_parquet(tmp_path / 'linked').equals(read_parquet(there / data.relative_to(here)))


def test_another_machine_needs_no_placeholders(there, tmp_path):
    folder = tmp_path / 'of-another-machine'
    stand_for(folder, there)
    assert remote_files.registered() == {folder: 's3://cells/there'}
    data, video = (
        next(there.glob(f'{kind}/**/*-000.{ending}')).relative_to(there)
        for kind, ending in (('data', 'parquet'), ('videos', 'mp4'))
    )
    try:
        assert read_parquet(folder / data).equals(read_parquet(there / data))
        assert read_schema(folder / data) == read_schema(there / data)
        assert survey_video(folder / video, 10).order == survey_video(there / video, 10).order
    finally:
        remote_files.unregister(folder)
    with pytest.raises(FileNotFoundError):
        remote_files.opened(folder / data)
