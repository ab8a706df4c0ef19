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
"""Frames of an episode as PNG files, wherever in which file it stands."""

from __future__ import annotations

from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.dataset.rebuild.played_episode import extract_episode
from lerobot_streamrec.errors import ConfigError, VideoError
from lerobot_streamrec.video.tools.extract import Choice
import numpy as np
from PIL import Image
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'


@pytest.fixture
def dataset(open_writer, make_draft, read_dataset):
    """Record three episodes, which compaction puts into one file."""
    writer = open_writer()
    for length in (5, 4, 7):
        draft = make_draft(length)
        writer.commit(draft)
        writer.remove(draft.videos[FRONT].path.parent)
    writer.close()
    compact_dataset(writer.root)
    return read_dataset(writer.root, is_kept=False)


def test_pictures_of_an_episode_are_numbered_by_its_rows(dataset, tmp_path):
    told = []
    folder = tmp_path / 'frames'
    found = extract_episode(
        dataset.root, 1, folder, progress=lambda done, total: told.append((done, total))
    )
    assert found == {FRONT: 4, TOP: 4}
    for key in (FRONT, TOP):
        paths = sorted((folder / key).iterdir())
        assert [path.name for path in paths] == [f'frame-{k:06d}.png' for k in range(4)]
        for path, pixels in zip(paths, dataset.pictures(key, 1), strict=True):
            np.testing.assert_array_equal(np.array(Image.open(path)), pixels)
    assert told == [(done, 8) for done in range(1, 9)]


def test_a_camera_and_a_span_can_be_chosen(dataset, tmp_path):
    choice = Choice(every=2, start_s=0.1, end_s=0.3)
    found = extract_episode(dataset.root, 2, tmp_path / 'frames', choice, cameras=['top'])
    assert found == {TOP: 2}
    names = sorted(path.name for path in (tmp_path / 'frames').rglob('*.png'))
    assert names == ['frame-000002.png', 'frame-000004.png']


def test_what_is_not_there_is_named(dataset, tmp_path):
    folder = tmp_path / 'frames'
    for index, kind, options, said in (
        (3, ConfigError, {}, 'episode is 3: .* has the episodes 0 to 2'),
        (-1, ConfigError, {}, 'episode is -1'),
        (0, ConfigError, {'cameras': ['wrist']}, f"camera is 'wrist': .* has {FRONT}, {TOP}"),
        (0, VideoError, {'choice': Choice(start_s=5)}, 'no frame from 5 s on'),
    ):
        with pytest.raises(kind, match=said):
            extract_episode(dataset.root, index, folder, **options)
        assert not folder.exists()
