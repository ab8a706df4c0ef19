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
"""Datasets that are broken, repaired, and compared with their original state."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
import json
from pathlib import Path

from lerobot_streamrec.dataset.repair.repair import repair_dataset
import numpy as np
import pytest


def _load(path):
    """Load another folder's conftest, whose fixtures are used here as well."""
    spec = spec_from_file_location('check_conftest', path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_CHECK = _load(Path(__file__).resolve().parents[1] / 'check' / 'conftest.py')
kept_whole, dataset, foreign = _CHECK.kept_whole, _CHECK.dataset, _CHECK.foreign
edited = _CHECK.edited

OWN = ('.streamrec/lock', '.streamrec/owner.json')


def contents(root):
    """Return the content of every file except those of the lock, by its path below the root."""
    found = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }
    return {name: content for name, content in found.items() if name not in OWN}


def states(root):
    """Return the properties that change when a file is touched."""
    return {
        path: (path.lstat().st_mtime_ns, path.lstat().st_ino, path.lstat().st_size)
        for path in root.rglob('*')
        if not path.is_dir() and path.relative_to(root).as_posix() not in OWN
    }


class Whole:
    """The state of a dataset before it was broken, with which a repair is compared."""

    def __init__(self, root, read_dataset, *, with_statistics=True):
        self.root = root
        self._read = read_dataset
        self._with_statistics = with_statistics
        before = read_dataset(root, with_statistics=False)
        numbering = {'index', 'episode_index', 'task_index'}
        self._columns = [key for key in before.columns if key not in numbering]
        self._episodes = len(before.episodes)
        self._cameras = before.cameras
        self._rows = [self._rows_of(before, index) for index in range(self._episodes)]
        self._tasks = [self._tasks_of(before, index) for index in range(self._episodes)]
        self._pictures = {
            (key, index): before.pictures(key, index)
            for key in before.cameras
            for index in range(self._episodes)
        }

    def _rows_of(self, dataset, index):
        rows = dataset.rows[dataset.rows['episode_index'] == index]
        return [[_plain(value) for value in rows[key]] for key in self._columns]

    def _tasks_of(self, dataset, index):
        rows = dataset.rows[dataset.rows['episode_index'] == index]
        return dataset.tasks.index[rows['task_index']].tolist()

    def repair(
        self, kept, *, min_seconds=0.1, but_pictures_of=(), has_unseen_frames=False
    ):
        """
        Repair the dataset, and check all promises.

        :param kept: expected number of rows of each kept episode, by its old index
        :param but_pictures_of: episodes whose pictures were changed before the repair
        :param has_unseen_frames: True if videos keep frames that no row shows
        :return: the repair, and the quarantined files by their path below the root
        """
        broken = contents(self.root)
        done = repair_dataset(self.root, min_seconds=min_seconds)
        assert done.plan is not None
        assert done.report.is_whole
        self._compare(kept, but_pictures_of, has_unseen_frames)
        quarantined = self._quarantined(done, broken)
        before = states(self.root)
        again = repair_dataset(self.root, min_seconds=min_seconds)
        assert again.plan is None, again.report.findings
        assert states(self.root) == before
        assert [one.name for one in self.root.parent.iterdir() if 'rebuild' in one.name] == []
        return done, quarantined

    def _compare(self, kept, but_pictures_of, has_unseen_frames):
        after = self._read(
            self.root,
            with_statistics=self._with_statistics,
            has_unseen_frames=has_unseen_frames,
        )
        assert after.episodes['length'].tolist() == list(kept.values())
        for new, (old, length) in enumerate(kept.items()):
            expected = [values[:length] for values in self._rows[old]]
            assert self._rows_of(after, new) == expected
            assert self._tasks_of(after, new) == self._tasks[old][:length]
            for key in self._cameras:
                if old not in but_pictures_of:
                    pictures = after.pictures(key, new)
                    np.testing.assert_array_equal(pictures, self._pictures[key, old][:length])

    def _quarantined(self, done, broken):
        """Check that each old file is unchanged or in quarantine; return the quarantined ones."""
        now = contents(self.root)
        prefix = done.quarantine.relative_to(self.root).as_posix() + '/'
        aside = {name[len(prefix) :]: one for name, one in now.items() if name.startswith(prefix)}
        report = json.loads(aside.pop('report.json'))
        assert report['repair']['num_kept'] == len(done.plan.kept)
        assert len(aside) == done.num_files
        for name, content in broken.items():
            if name.startswith('.streamrec/quarantine/'):
                assert now[name] == content
            elif name.startswith('meta/') and name in aside:
                assert aside[name] == content
            else:
                assert aside.get(name, now.get(name)) == content, name
        assert set(aside) <= set(broken)
        # The repair can be undone by hand.
        undone = {name: now[name] for name in report['unchanged']} | aside
        folders = ('data/', 'meta/', 'videos/', '.streamrec/episodes/')
        added = {name: one for name, one in now.items() if name in broken and name not in undone}
        assert {one: text for one, text in broken.items() if one.startswith(folders)} == {
            one: text for one, text in (added | undone).items() if one.startswith(folders)
        }
        return aside


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return np.stack(value).tolist() if isinstance(value, np.ndarray) and value.ndim else value


@pytest.fixture
def whole(dataset, read_dataset):
    """Return the recorder's dataset, with one file per episode: episodes of 5, 1 and 8 rows."""
    return Whole(dataset.root, read_dataset)


@pytest.fixture
def shared(foreign, read_dataset, edited):
    """Return a function that makes episodes of given lengths in shared files, as LeRobot does."""

    def make(lengths):
        root = foreign(lengths)
        info = json.loads((root / 'meta/info.json').read_text())
        info['splits'] = {'train': f'0:{len(lengths)}'}
        (root / 'meta/info.json').write_text(json.dumps(info))
        dataset = edited(root)
        begins = np.concatenate(([0], np.cumsum(lengths)))
        for name, frames in (('from', begins[:-1]), ('to', begins[1:])):
            dataset.column(
                'meta/episodes/chunk-000/file-000.parquet',
                f'videos/observation.images.front/{name}_timestamp',
                lambda _, new=frames: [int(one) / 20 for one in new],
            )
        return dataset, Whole(root, read_dataset, with_statistics=False)

    return make
