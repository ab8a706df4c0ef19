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
"""A sound dataset for each test to break in one way, and the means to break it."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
import json
import shutil

import av
from lerobot_streamrec.dataset.check.check import check_dataset
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

LENGTHS = (5, 1, 8)
TASKS = ('pick the cube', 'öffne die Schublade', 'pick the cube')


@pytest.fixture(scope='session')
def kept_whole(tmp_path_factory):
    return tmp_path_factory.mktemp('whole') / 'dataset'


@pytest.fixture
def dataset(kept_whole, root, open_writer, make_draft):
    """Return three episodes, which the recorder makes once for all tests."""
    if not kept_whole.exists():
        writer = open_writer()
        for num_rows, task in zip(LENGTHS, TASKS, strict=True):
            draft = make_draft(num_rows, task)
            writer.commit(draft)
            writer.remove(next(iter(draft.videos.values())).path.parent)
        writer.close()
        shutil.copytree(root, kept_whole)
    else:
        shutil.copytree(kept_whole, root)
    return Dataset(root)


@pytest.fixture
def edited():
    """Return the class that changes the files of any dataset."""
    return Dataset


class Dataset:
    """Changes one file of a dataset at a time, and runs the check."""

    def __init__(self, root):
        self.root = root

    def path(self, relative):
        return self.root / relative

    def json(self, relative, change):
        """Change a JSON file in place."""
        content = json.loads(self.path(relative).read_text())
        change(content)
        self.path(relative).write_text(json.dumps(content))

    def info(self, change):
        self.json('meta/info.json', change)

    def table(self, relative, change):
        """Replace a parquet file by the result of a function on its table."""
        self.write(relative, change(pq.ParquetFile(self.path(relative)).read()))

    def write(self, relative, table):
        self.path(relative).parent.mkdir(parents=True, exist_ok=True)
        try:
            pq.write_table(table, self.path(relative))
        except pa.ArrowNotImplementedError as error:
            pytest.skip(f'pyarrow {pa.__version__} cannot write this fault: {error}')

    def column(self, relative, name, change):
        """Replace a column by the result of a function on the list of its values."""

        def changed(table):
            field = table.schema.field(name)
            values = pa.array(change(table.column(name).to_pylist()), field.type)
            return table.set_column(table.schema.get_field_index(name), field, values)

        self.table(relative, changed)

    def check(self, **options):
        """Check the dataset and its JSON report, and assert that no file was changed."""
        before = self._state()
        report = check_dataset(self.root, **options)
        assert self._state() == before
        assert json.loads(json.dumps(report.as_json()))['findings'] == [
            one.as_json() for one in report.findings
        ]
        return report

    def codes(self, **options):
        return {one.kind.code for one in self.check(**options).findings}

    def _state(self):
        return {
            path: (path.lstat().st_mtime_ns, path.lstat().st_size)
            for path in self.root.rglob('*')
        }


@pytest.fixture
def foreign(tmp_path):
    """Return a function that writes a dataset like LeRobot, using only pandas and FFmpeg."""

    def write(lengths, *, ticks_per_frame=512):
        root = tmp_path / 'foreign'
        ForeignDataset(root, lengths, ticks_per_frame).write()
        return root

    return write


FPS = 20
FRONT, TOP = 'observation.images.front', 'observation.images.top'
CAMERA = {'names': ['height', 'width', 'channels']}
FEATURES = {
    FRONT: {'dtype': 'video', 'shape': [32, 48, 3], **CAMERA},
    'observation.state': {'dtype': 'float32', 'shape': [3], 'names': ['x', 'y', 'z']},
    TOP: {'dtype': 'image', 'shape': [24, 32, 3], **CAMERA},
    'matrix': {'dtype': 'float64', 'shape': [2, 3], 'names': None},
    'note': {'dtype': 'string', 'shape': [1], 'names': None},
    'flag': {'dtype': 'bool', 'shape': [1], 'names': None},
    'number': {'dtype': 'int64', 'shape': [1], 'names': None},
    'small': {'dtype': 'uint8', 'shape': [2], 'names': None},
    'timestamp': {'dtype': 'float32', 'shape': [1], 'names': None},
    'frame_index': {'dtype': 'int64', 'shape': [1], 'names': None},
    'episode_index': {'dtype': 'int64', 'shape': [1], 'names': None},
    'index': {'dtype': 'int64', 'shape': [1], 'names': None},
    'task_index': {'dtype': 'int64', 'shape': [1], 'names': None},
}
EPISODES_PER_DATA_FILE = 3


def picture(height, width, index):
    """Draw a ramp that gets brighter with the index, ``(height, width, 3)``."""
    ramp = np.linspace(0, 120, width)[None, :, None] + np.zeros((height, 1, 3))
    return (ramp + 6 * index).astype(np.uint8)


def png(pixels):
    content = BytesIO()
    with av.open(content, 'w', format='image2pipe') as container:
        stream = container.add_stream('png', rate=1)
        stream.height, stream.width = pixels.shape[:2]
        stream.pix_fmt = 'rgb24'
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format='rgb24')))
        container.mux(stream.encode(None))
    return content.getvalue()


def statistics(values, axes):
    """Return LeRobot's ten statistics; those of cameras are in 0..1, counted in frames."""
    values = np.asarray(values, np.float64)
    found = {name: getattr(values, name)(axis=axes) for name in ('min', 'max', 'mean', 'std')}
    for number in (1, 10, 50, 90, 99):
        found[f'q{number:02d}'] = np.quantile(values, number / 100, axis=axes)
    lists = {name: np.asarray(value) for name, value in found.items()}
    if values.ndim == 4:
        lists = {name: value.reshape(3, 1, 1) / 255 for name, value in lists.items()}
    return {**{name: value.tolist() for name, value in lists.items()}, 'count': [len(values)]}


class ForeignDataset:
    """Episodes that share files, with features of all kinds and without this recorder's files."""

    def __init__(self, root, lengths, ticks_per_frame):
        self.root = root
        self.lengths = lengths
        self.ticks_per_frame = ticks_per_frame

    def write(self):
        (self.root / 'meta').mkdir(parents=True)
        episodes = [self.episode(number) for number in range(len(self.lengths))]
        info = {
            'codebase_version': 'v3.0',
            'fps': FPS,
            'features': FEATURES,
            'total_episodes': len(episodes),
            'total_frames': sum(self.lengths),
            'total_tasks': 2 if episodes else 0,
            'data_path': 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet',
            'video_path': 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4',
            'robot_type': None,
            'splits': {},
        }
        (self.root / 'meta/info.json').write_text(json.dumps(info))
        if not episodes:
            return
        tasks = pd.DataFrame({'task_index': [0, 1]}, index=pd.Index(['a', 'b'], name='task'))
        tasks.to_parquet(self.root / 'meta/tasks.parquet')
        self.write_video([one for episode in episodes for one in episode[FRONT]])
        for begin in range(0, len(episodes), EPISODES_PER_DATA_FILE):
            self.write_data(
                begin // EPISODES_PER_DATA_FILE,
                [self.columns(one) for one in episodes[begin : begin + EPISODES_PER_DATA_FILE]],
            )
        self.write_meta(episodes)

    def episode(self, number):
        """Return every feature's values, ``(n, ...)``."""
        n, chance = self.lengths[number], np.random.default_rng(number)
        begin = sum(self.lengths[:number])
        return {
            FRONT: np.stack([picture(32, 48, index) for index in range(n)]),
            'observation.state': chance.normal(size=(n, 3)).astype(np.float32),
            TOP: np.stack([picture(24, 32, index) for index in range(n)]),
            'matrix': chance.normal(size=(n, 2, 3)),
            'note': [f'row {index}' for index in range(n)],
            'flag': chance.random(n) > 0.5,
            'number': chance.integers(0, 9, n),
            'small': chance.integers(0, 255, (n, 2)).astype(np.uint8),
            'timestamp': (np.arange(n) / FPS).astype(np.float32),
            'frame_index': np.arange(n),
            'episode_index': np.full(n, number),
            'index': begin + np.arange(n),
            'task_index': np.arange(n) % 2,
        }

    def columns(self, episode):
        columns = {key: list(values) for key, values in episode.items() if key != FRONT}
        columns['matrix'] = [value.tolist() for value in columns['matrix']]
        columns[TOP] = [
            {'bytes': png(value), 'path': f'frame-{index:06d}.png'}
            for index, value in enumerate(columns[TOP])
        ]
        kind = pa.struct([('bytes', pa.binary()), ('path', pa.string())])
        types = {TOP: kind, 'matrix': pa.list_(pa.list_(pa.float64()))}
        return pa.table(
            {key: pa.array(values, types.get(key)) for key, values in columns.items()}
        )

    def write_data(self, number, tables):
        path = self.root / f'data/chunk-000/file-{number:03d}.parquet'
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(path, tables[0].schema) as writer:
            for table in tables:
                writer.write_table(table)

    def write_video(self, pictures):
        path = self.root / f'videos/{FRONT}/chunk-000/file-000.mp4'
        path.parent.mkdir(parents=True)
        ticks = FPS * self.ticks_per_frame
        with av.open(str(path), 'w', options={'video_track_timescale': str(ticks)}) as container:
            stream = container.add_stream('h264', rate=FPS, options={'g': '2', 'crf': '20'})
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = 'yuv420p'
            stream.time_base = Fraction(1, ticks)
            for index, pixels in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(pixels, format='rgb24')
                frame.pts, frame.time_base = index * self.ticks_per_frame, stream.time_base
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    def write_meta(self, episodes):
        rows, begin_s = [], 0.0
        for number, (episode, length) in enumerate(zip(episodes, self.lengths, strict=True)):
            begin = sum(self.lengths[:number])
            row = {
                'episode_index': number,
                'tasks': ['a', 'b'],
                'length': length,
                'data/chunk_index': 0,
                'data/file_index': number // EPISODES_PER_DATA_FILE,
                'dataset_from_index': begin,
                'dataset_to_index': begin + length,
                f'videos/{FRONT}/chunk_index': 0,
                f'videos/{FRONT}/file_index': 0,
                f'videos/{FRONT}/from_timestamp': begin_s,
                f'videos/{FRONT}/to_timestamp': begin_s + length / FPS,
                'meta/episodes/chunk_index': 0,
                'meta/episodes/file_index': 0,
            }
            begin_s += length / FPS
            for key, one in self.statistics([episode]).items():
                row.update({f'stats/{key}/{name}': value for name, value in one.items()})
            rows.append(row)
        path = self.root / 'meta/episodes/chunk-000/file-000.parquet'
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
        (self.root / 'meta/stats.json').write_text(json.dumps(self.statistics(episodes)))

    def statistics(self, episodes):
        found = {}
        for key, feature in FEATURES.items():
            if feature['dtype'] == 'string':
                continue
            values = np.concatenate([one[key] for one in episodes])
            if feature['shape'] == [1]:
                values = values.reshape(-1, 1)
            # All dimensions except the last, which for cameras is the channels, are combined.
            found[key] = statistics(values, tuple(range(values.ndim - 1)))
        return found
