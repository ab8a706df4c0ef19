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
"""The fixtures of several test folders: a reader of datasets, and a check for leftover threads."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cached_property
import json
import os
from pathlib import Path
import shutil
import signal
import sys
import threading
import time

import av
import hypothesis
from lerobot_streamrec.video.codecs.scheduling import renounce_real_time
import numpy as np
import pandas as pd
import pytest

# With --import-mode=importlib the folder of helpers is not on the path.
sys.path.append(str(Path(__file__).parent / 'helpers'))
from thoroughness import THOROUGH

# An encoder in the main thread would make that thread and all its children real-time threads.
renounce_real_time()

# Runs are repeatable, and no test fails on a slow machine.
hypothesis.settings.register_profile(
    'repeatable', derandomize=not THOROUGH, print_blob=True, deadline=None
)
hypothesis.settings.load_profile('repeatable')

MOMENTS = {'min', 'max', 'mean', 'std', 'count'}
STATISTICS = {'min', 'max', 'mean', 'std', 'count', 'q01', 'q10', 'q50', 'q90', 'q99'}
_END_TIMEOUT_S = 60.0


# Under nohup this process ignores SIGHUP, in the background of a script SIGINT, and its child
# processes would too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """
    Put files with slow tests first, so that no process is left busy with them after all others.

    LeRobot looks at what all other tests have written, so its tests come last.
    """
    slow = {item.path for item in items if item.get_closest_marker('slow')}

    def place(item):
        return bool(item.get_closest_marker('conformance')), item.path not in slow

    items.sort(key=place)


def _worker_threads():
    return [
        one
        for one in threading.enumerate()
        if one.name.startswith(('enc:', 'spill:', 'ffmpeg'))
        or one.name in ('commit', 'journal', 'disk', 'encode', 'try-encoder')
    ]


@pytest.fixture
def no_thread_left():
    """Assert after the test that encoder and commit threads have ended; for folders' conftests."""
    yield
    deadline_s = time.monotonic() + _END_TIMEOUT_S
    for thread in _worker_threads():
        thread.join(max(0.0, deadline_s - time.monotonic()))
    left = [thread.name for thread in _worker_threads()]
    assert not left, f'threads that did not end: {left}'


MAX_KEPT_PER_FILE = 4


class KeptDatasets:
    """
    Copies of the datasets that tests have written, which test_conformance.py shows to LeRobot.

    :param folder: folder for the copies of all test processes
    """

    def __init__(self, folder):
        self._named, self._others = folder / 'named', folder / 'others'
        self._kept = {}
        self._num_kept = 0

    @property
    def named(self):
        """The special datasets that tests keep by name; LeRobot also appends to these."""
        return {path.name: path for path in sorted(self._named.glob('*'))}

    @property
    def others(self):
        """The last valid datasets of some tests in each test file, all with an episode."""
        return {path.name: path for path in sorted(self._others.glob('*'))}

    def add(self, name, root):
        self._copy(root, self._named, name)
        self._drop(_this_test(), root)

    def add_other(self, root):
        """Keep a dataset's present state instead of the test's earlier one."""
        if not (Path(root) / 'meta/info.json').is_file():
            return
        # LeRobot needs time for each, so keep one dataset of a test with parameters, and a few of
        # a file that differ in more than their numbers.
        test = _this_test()
        self._drop(test, root)
        file, shape = test.partition('::')[0], _shape(Path(root))
        alike = [kept[2] for one, kept in self._kept.items() if one.startswith(f'{file}::')]
        if shape in alike or len(alike) >= MAX_KEPT_PER_FILE:
            return
        name = test.rpartition('::')[2][:100]
        self._kept[test] = (Path(root), self._copy(root, self._others, name), shape)

    def _drop(self, test, root):
        for one in [key for key, kept in self._kept.items() if key == test or kept[0] == root]:
            shutil.rmtree(self._kept.pop(one)[1])

    def _copy(self, root, folder, name):
        self._num_kept += 1
        target = folder / f'{os.getpid()}_{self._num_kept:04d}_{name}'
        return shutil.copytree(root, target, copy_function=_link_or_copy)


def _shape(root):
    """Return a text with a dataset's features, numbers of files, and number of episodes."""
    info = json.loads((root / 'meta/info.json').read_text(encoding='utf-8'))
    files = Counter(path.parent.relative_to(root) for path in root.glob('[dmv]*/**/*.*'))
    return json.dumps([info['features'], info['total_episodes'], sorted(map(str, files.items()))])


def _this_test():
    """Return the id of the running test, without its parameters and phase."""
    return os.environ['PYTEST_CURRENT_TEST'].partition(' ')[0].partition('[')[0]


def _link_or_copy(source, target):
    # Links are as good as copies, because the files of a dataset are replaced, never changed.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(scope='session')
def kept_datasets(tmp_path_factory):
    """Keep the datasets that test_conformance.py, which runs last, shows to LeRobot."""
    # make test runs the tests in several processes one after the other, with a common folder.
    folder = os.environ.get('STREAMREC_KEPT_DATASETS')
    return KeptDatasets(Path(folder) if folder else tmp_path_factory.mktemp('kept'))


@pytest.fixture
def keep_dataset(kept_datasets, request):
    """Return a function that keeps a finished dataset by the test's name."""
    return lambda root: kept_datasets.add(request.node.originalname, root)


@pytest.fixture(scope='session')
def read_dataset(kept_datasets):
    """Return a function that reads a dataset with only pandas and PyAV, and checks its files."""

    def read(
        root,
        *,
        with_statistics=True,
        is_kept=True,
        has_unseen_frames=False,
        has_quantiles=True,
    ):
        dataset = WrittenDataset(Path(root))
        dataset.check(has_unseen_frames=has_unseen_frames)
        if with_statistics:
            dataset.check_statistics(STATISTICS if has_quantiles else MOMENTS)
        # LeRobot need not read this dataset if the test says that others are like it.
        if with_statistics and is_kept:
            kept_datasets.add_other(root)
        return dataset

    return read


class WrittenDataset:
    """The content that any reader of LeRobot v3.0 finds below a root."""

    def __init__(self, root):
        self.root = root

    @cached_property
    def info(self):
        return json.loads((self.root / 'meta/info.json').read_text(encoding='utf-8'))

    @cached_property
    def stats(self):
        return json.loads((self.root / 'meta/stats.json').read_text(encoding='utf-8'))

    @cached_property
    def tasks(self):
        return pd.read_parquet(self.root / 'meta/tasks.parquet')

    @cached_property
    def rows(self):
        return pd.concat(map(pd.read_parquet, sorted(self.root.glob('data/*/*.parquet'))))

    @cached_property
    def episodes(self):
        paths = sorted(self.root.glob('meta/episodes/*/*.parquet'))
        return pd.concat(map(pd.read_parquet, paths), ignore_index=True)

    @property
    def cameras(self):
        return [key for key, spec in self.info['features'].items() if spec['dtype'] == 'video']

    @property
    def columns(self):
        return [key for key, spec in self.info['features'].items() if spec['dtype'] != 'video']

    def is_depth(self, key):
        return bool(self.info['features'][key].get('info', {}).get('is_depth_map'))

    def vectors(self, key, episode_index):
        """Return an episode's rows of a feature, ``(n, d)``."""
        rows = self.rows[self.rows['episode_index'] == episode_index]
        return np.stack([np.atleast_1d(value) for value in rows[key]])

    def video_path(self, key, episode_index):
        row = self.episodes.loc[episode_index]
        return self.root / self.info['video_path'].format(
            video_key=key,
            chunk_index=row[f'videos/{key}/chunk_index'],
            file_index=row[f'videos/{key}/file_index'],
        )

    def pictures(self, key, episode_index):
        """Decode an episode's frames, wherever they are in the file; depth as its codes."""
        row = self.episodes.loc[episode_index]
        begin = round(row[f'videos/{key}/from_timestamp'] * self.info['fps'])
        with av.open(str(self.video_path(key, episode_index))) as container:
            pix_fmt = 'gray12le' if self.is_depth(key) else 'rgb24'
            frames = [frame.to_ndarray(format=pix_fmt) for frame in container.decode(video=0)]
        return frames[begin : begin + int(row['length'])]

    def check(self, *, has_unseen_frames=False):
        """Fail if files contradict each other; the tests themselves check the values."""
        assert self.info['codebase_version'] == 'v3.0'
        self._check_rows()
        self._check_episodes()
        self._check_videos(has_unseen_frames=has_unseen_frames)

    def _check_rows(self):
        info, rows = self.info, self.rows
        assert list(rows.columns) == self.columns
        assert rows['index'].tolist() == list(range(info['total_frames']))
        expected = (rows['frame_index'] / info['fps']).astype(np.float32)
        np.testing.assert_array_equal(rows['timestamp'], expected)
        assert self.tasks['task_index'].tolist() == list(range(len(self.tasks)))
        assert len(self.tasks) >= info['total_tasks']
        assert rows['task_index'].max() < info['total_tasks']

    def _check_episodes(self):
        info, episodes = self.info, self.episodes
        assert len(episodes) == info['total_episodes']
        assert episodes['episode_index'].tolist() == list(range(len(episodes)))
        assert info['splits'] == {'train': f'0:{len(episodes)}'}
        begin = 0
        for index, row in episodes.iterrows():
            end = begin + row['length']
            assert (row['dataset_from_index'], row['dataset_to_index']) == (begin, end)
            numbers = {part: row[f'data/{part}'] for part in ('chunk_index', 'file_index')}
            rows = pd.read_parquet(self.root / info['data_path'].format(**numbers))
            rows = rows[rows['episode_index'] == index]
            assert rows['index'].tolist() == list(range(begin, end))
            assert rows['frame_index'].tolist() == list(range(row['length']))
            tasks = self.tasks.index[rows['task_index']]
            assert set(tasks) == set(row['tasks'])
            begin = end

    def _check_videos(self, *, has_unseen_frames):
        for key in self.cameras:
            lengths, fps = Counter(), self.info['fps']
            for index, row in self.episodes.iterrows():
                path = self.video_path(key, index)
                if has_unseen_frames:
                    begin = round(row[f'videos/{key}/from_timestamp'] * fps)
                    assert begin >= lengths[path]
                    lengths[path] = begin
                assert row[f'videos/{key}/from_timestamp'] == lengths[path] / fps
                lengths[path] += int(row['length'])
                assert row[f'videos/{key}/to_timestamp'] == lengths[path] / fps
            assert set(self.root.glob(f'videos/{key}/*/*')) == set(lengths)
            for path, length in lengths.items():
                with av.open(str(path)) as container:
                    stamps = sorted(
                        packet.pts * packet.time_base
                        for packet in container.demux(video=0)
                        if packet.pts is not None
                    )
                num_frames = len(stamps) if has_unseen_frames else length
                assert num_frames >= length
                assert stamps == [Fraction(k, fps) for k in range(num_frames)], path

    def check_statistics(self, names=STATISTICS):
        assert set(self.stats) == set(self.info['features'])
        for key, stats in self.stats.items():
            spec = self.info['features'][key]
            assert names <= set(stats) <= STATISTICS, key
            shape = (spec['shape'][-1], 1, 1) if key in self.cameras else tuple(spec['shape'])
            for name in stats.keys() - {'count'}:
                values = np.array(stats[name])
                assert values.shape == shape, (key, name)
                assert np.isfinite(values).all(), (key, name)
            if key in self.columns:
                assert stats['count'] == [self.info['total_frames']]
                values = np.stack([np.atleast_1d(value) for value in self.rows[key]])
                for name in ('min', 'max', 'mean', 'std'):
                    expected = getattr(values.astype(np.float64), name)(axis=0)
                    np.testing.assert_allclose(stats[name], expected, rtol=1e-6, atol=1e-6)
