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
"""A dataset to which a test commits small episodes, and readers that watch a copy of it."""

from __future__ import annotations

from collections import Counter
from itertools import count
import json
import shutil
import threading

from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.features import camera_feature, vector_feature
from lerobot_streamrec.dataset.format.layout import DATA_PATH, EPISODES_PATH, STAGING
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
from lerobot_streamrec.fleet.sync.run import Patience, status_path, Sync
from lerobot_streamrec.fleet.sync.store import Store
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.video.mp4.video_info import probe_file
import numpy as np
import pyarrow.parquet as pq

FRONT, NUMBER = 'observation.images.front', 'observation.number'
FPS, HEIGHT, WIDTH = 20, 48, 64
SOON = Patience(first_s=0.001, longest_s=0.01, give_up_s=60.0, num_first=4)
ENCODER = EncoderConfig(vcodec='h264', preset='ultrafast', encoder_threads=1)


class Cell:
    """
    A root with a writer. All rows of an episode hold its number, and its task names the number.

    :param root: folder of the dataset
    """

    def __init__(self, root, first_number=1):
        self.root = root
        self._numbers = count(first_number)
        self.open()

    def open(self):
        features = {FRONT: camera_feature(), NUMBER: vector_feature(('number',))}
        self.writer, _ = open_dataset(
            self.root, fps=FPS, robot_type='so101', features=features, resume=True
        )

    def save(self, num_rows=4, **texts):
        number = next(self._numbers)
        folder = self.root / STAGING / f'take-{number:06d}'
        folder.mkdir(parents=True)
        video, statistics = _video(folder, num_rows, number % 50)
        path = folder / f'{FRONT}.mp4'
        path.write_bytes(video)
        draft = VideoDraft(path, num_rows, HEIGHT, WIDTH, ENCODER.as_info(), statistics)
        rows = np.full((num_rows, 1), number, np.float32)
        record = {'recorded_at': f'2026-11-28T10:00:{number:06.3f}Z', 'metadata': texts}
        episode = EpisodeDraft(num_rows, f'task {number}', {NUMBER: rows}, {FRONT: draft}, record)
        self.writer.commit(episode)
        self.writer.remove(folder)

    def undo(self):
        self.writer.undo()

    def label(self, index, **texts):
        self.writer.annotate(texts, index)

    def close(self):
        self.writer.close()

    def change_much(self, after_each=lambda: None):
        """Save, label, take back and record anew; call a function after each group of these."""
        for changes in (
            [self.save, lambda: self.save(5)],
            [lambda: self.save(3)],
            [lambda: self.label(1, verdict='failure', colour='red')],
            [self.undo],
            [self.undo, lambda: self.save(6, shape='cube')],
            [lambda: self.label(0, verdict='success')],
            [self.save, self.save],
            [self.undo, self.undo, self.undo, lambda: self.save(2)],
        ):
            for change in changes:
                change()
            after_each()


def _encoded(path, num_rows, seed):
    encoder, histogram = Mp4Encoder(path, ENCODER, VideoSpec(WIDTH, HEIGHT, FPS)), ImageHistogram()
    for row in range(num_rows):
        pixels = np.full((HEIGHT, WIDTH, 3), 5 * seed + row, np.uint8)
        encoder.encode(Frame(pixels, 'rgb24'))
        histogram.push(pixels)
    encoder.finish()
    return path.read_bytes(), histogram.statistics()


_VIDEOS = {}


def _video(folder, num_rows, seed):
    if (num_rows, seed) not in _VIDEOS:
        _VIDEOS[num_rows, seed] = _encoded(folder / 'new.mp4', num_rows, seed)
        (folder / 'new.mp4').unlink()
    return _VIDEOS[num_rows, seed]


def numbers_in(copy):
    """
    Load a copy as a reader does, and check what it shows.

    :param copy: folder with files of a dataset; without info.json it is none
    :return: number of each episode
    """
    if not (copy / 'meta/info.json').exists():
        return []
    catalog = read_catalog(copy)
    files = sorted((copy / 'meta/episodes').glob('*/*.parquet'))
    # LeRobot reads the columns of the first file from all, and cannot read more of another one.
    columns = [set(pq.read_schema(path).names) for path in files]
    assert all(columns[0] >= one for one in columns)
    # It reads all rows of all files below data, and finds a row by its place among them.
    tables = [pq.read_table(path) for path in sorted((copy / 'data').glob('*/*.parquet'))]
    rows = [row for table in tables for row in table.to_pylist()]
    numbers, videos = [], Counter()
    for episode in catalog.episodes:
        own = rows[episode.from_index : episode.from_index + episode.length]
        (number,) = {int(np.ravel(row[NUMBER])[0]) for row in own}
        assert [row['index'] for row in own] == [
            episode.from_index + at for at in range(episode.length)
        ]
        assert {row['episode_index'] for row in own} == {episode.episode_index}
        assert episode.tasks == (f'task {number}',)
        assert {catalog.tasks[row['task_index']] for row in own} == {f'task {number}'}
        assert (copy / episode.data_file.path(DATA_PATH)).is_file()
        assert (copy / episode.meta_file.path(EPISODES_PATH)).is_file()
        videos[catalog.video_path(FRONT, episode.videos[FRONT].file)] += episode.length
        numbers.append(number)
    assert all(probe_file(path).num_frames == num_rows for path, num_rows in videos.items())
    assert catalog.info.total_frames == sum(one.length for one in catalog.episodes)
    assert catalog.statistics()
    return numbers


def files_below(root):
    """List the files below a folder, as paths with slashes."""
    return [one.relative_to(root).as_posix() for one in root.rglob('*') if one.is_file()]


def shared_files(root):
    """Read the files that a copy must have, by path."""
    paths = [path for path in files_below(root) if not path.startswith('.streamrec')]
    return {path: (root / path).read_bytes() for path in paths}


def sync(cell, store, *, stop=None, said=None, step=25, keep_days=None, **options):
    """Run one sync to its end; return the number of files that wait."""
    say = (said if said is not None else []).append
    stop = stop or threading.Event()
    made = Sync(
        cell.root,
        store,
        stop,
        patience=SOON,
        keep_days=keep_days,
        episodes_per_step=step,
        say=say,
    )
    return made.run(**options)


def status_of(cell, url):
    """Read what a sync of a dataset has told last."""
    return json.loads(status_path(cell.root, url).read_text())


def is_copied(cell, url, folder):
    """Assert that a place has all files of a dataset and no others."""
    assert shared_files(fetched(url, folder)) == shared_files(cell.root)


def fetched(url, folder):
    """Copy what a place holds to a folder; return the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    store = Store(url)
    for path in store.files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b''.join(store.chunks(path)))
    return folder


class Watched(Store):
    """
    A store that is loaded by a reader after each of its changes.

    :param folder: folder for copies of what it holds
    :param keep: called with the folder after each change that leaves a dataset
    """

    def __init__(self, url, folder, keep=lambda folder: None):
        super().__init__(url)
        self._folder = folder
        self._keep = keep
        self.seen = []

    def put(self, path, chunks):
        super().put(path, chunks)
        self._look(path)

    def remove(self, path):
        super().remove(path)
        self._look(path)

    def _look(self, changed):
        if not self._folder.exists():
            fetched(self.url, self._folder)
        copy, found = self._folder / changed, self.files()
        copy.unlink(missing_ok=True)
        if changed in found:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(b''.join(self.chunks(changed)))
        sizes = {path: (self._folder / path).stat().st_size for path in files_below(self._folder)}
        assert sizes == found
        numbers = numbers_in(self._folder)
        if not self.seen or self.seen[-1] != numbers:
            self.seen.append(numbers)
        if numbers:
            self._keep(self._folder)
