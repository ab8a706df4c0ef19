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
"""Files that are nobody's go to the quarantine folder, and what others added stays."""

from __future__ import annotations

from lerobot_streamrec.dataset.repair.repair import repair_dataset
import pytest

ALL = {0: 5, 1: 1, 2: 8}
DATA = 'data/chunk-000/file-001.parquet'


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('data/chunk-000/file-000b.parquet', None),
        ('data/chunk-000/file-003.parquet', None),
        ('data/chunk-000/tmp.parquet', b'x'),
        ('data/chunk-000/deeper/file-003.parquet', None),
        ('videos/observation.images.front/chunk-000/file-003.mp4', b'x'),
        ('videos/another/chunk-000/file-000.mp4', b'x'),
        ('tmp0a1b2c/part.mp4', b'x'),
        ('images/observation.images.front/episode-000003/frame-000000.png', b'x'),
    ],
)
def test_a_file_that_nobody_refers_to(dataset, whole, name, content):
    kept = {'README.md': b'about', 'meta/modality.json': b'{}', 'notes/more.txt': b'text'}
    kept['images/setup.jpg'] = b'a picture for README.md'
    for other, text in kept.items():
        dataset.path(other).parent.mkdir(exist_ok=True, parents=True)
        dataset.path(other).write_bytes(text)
    target = dataset.path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    content = content or dataset.path(DATA).read_bytes()
    target.write_bytes(content)
    _, aside = whole.repair(ALL)
    assert aside[name] == content
    assert not target.exists()
    assert not [one for one in aside if not one.startswith(('meta/', '.streamrec/'))][1:]
    for other, text in kept.items():
        assert dataset.path(other).read_bytes() == text


def test_what_lay_in_quarantine_stays_there(dataset, whole):
    old = dataset.path('.streamrec/quarantine/old/rows')
    old.parent.mkdir(parents=True)
    old.write_bytes(b'kept')
    dataset.path('tmp1').write_bytes(b'x')
    whole.repair(ALL)
    assert old.read_bytes() == b'kept'


def test_an_unfinished_take_goes_to_the_quarantine_folder_with_a_repair(dataset, whole):
    take = dataset.path('.streamrec/staging/take-000009')
    take.mkdir(parents=True)
    (take / 'front.mp4').write_bytes(b'frames')
    dataset.path('tmp1').write_bytes(b'x')
    repair_dataset(dataset.root)
    moved = dataset.path('.streamrec/quarantine/take-000009/front.mp4')
    assert moved.read_bytes() == b'frames'
