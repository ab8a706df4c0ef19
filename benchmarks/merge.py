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
Measure how long a merge of many small episodes takes, with 1 to 8 workers.

``python benchmarks/merge.py`` makes datasets of short episodes, merges them with each number of
workers, and compares all files of the results. ``--engine ray`` does the tasks on a local Ray,
whose processor time is not known here. With ``--place`` the datasets lie in an object store, from
where they are read; the result is made here. The exit status is 1 if the results differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
import hashlib
from pathlib import Path
import resource
import shutil
import sys
import tempfile
import time

from lerobot_streamrec.dataset.format.features import camera_feature, vector_feature
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets, READ_WHOLE
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
from lerobot_streamrec.fleet.sync.mirror import mirrored, publish
from lerobot_streamrec.fleet.sync.store import checked_url, Store
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.workers import HERE, Processes, Workers
import numpy as np
from pyarrow.fs import FileSystem

from benchmarks.machine import this_machine

_CAMERAS = ('observation.images.front', 'observation.images.wrist')
_VECTORS = ('observation.state', 'action')
_FPS, _NUM_ROWS, _WIDTH, _HEIGHT, _NUM_JOINTS = 10, 30, 96, 72, 6
_ENCODER = EncoderConfig(vcodec='h264', preset='ultrafast', encoder_threads=1)


def write_dataset(root: Path, num_episodes: int) -> None:
    """Write a dataset of episodes of 3 s, which differ in their numbers alone."""
    features = {key: camera_feature() for key in _CAMERAS}
    names = tuple(f'joint_{number}' for number in range(_NUM_JOINTS))
    features |= {key: vector_feature(names) for key in _VECTORS}
    template = root.with_suffix('.mp4')
    video = _encode(template)
    writer, _ = open_dataset(root, fps=_FPS, robot_type='arm', features=features, resume=False)
    chance = np.random.default_rng(0)
    try:
        for number in range(num_episodes):
            folder = root / '.streamrec/staging' / f'take-{number}'
            folder.mkdir(parents=True)
            videos = {}
            for key in _CAMERAS:
                path = folder / f'{key}.mp4'
                shutil.copyfile(template, path)
                videos[key] = VideoDraft(
                    path, _NUM_ROWS, _HEIGHT, _WIDTH, _ENCODER.as_info(), video.statistics()
                )
            size = (_NUM_ROWS, _NUM_JOINTS)
            vectors = {key: chance.normal(size=size).astype(np.float32) for key in _VECTORS}
            record = {'take_id': f'take-{number}'}
            writer.commit(EpisodeDraft(_NUM_ROWS, 'merge', vectors, videos, record=record))
            writer.remove(folder)
    finally:
        writer.close()


def _encode(path: Path) -> ImageHistogram:
    encoder = Mp4Encoder(path, _ENCODER, VideoSpec(_WIDTH, _HEIGHT, _FPS))
    histogram = ImageHistogram()
    for row in range(_NUM_ROWS):
        pixels = np.full((_HEIGHT, _WIDTH, 3), 8 * row, np.uint8)
        encoder.encode(Frame(pixels, 'rgb24'))
        histogram.push(pixels)
    encoder.finish()
    return histogram


@dataclass(frozen=True, slots=True)
class Run:
    """
    One merge.

    :param seconds: its duration
    :param driver_s: processor time of the process that plans and commits
    :param workers_s: processor time of the other processes, without those of Ray
    :param digest: hash of the names and contents of all files
    """

    seconds: float
    driver_s: float
    workers_s: float
    digest: str


def merge(out: Path, roots: list[Path], places: list[str], workers: Workers) -> Run:
    """Merge datasets, or those in a store; measure it, and remove the result."""
    begin_s, driver_s, workers_s = time.perf_counter(), time.process_time(), _children_s()
    with workers, ExitStack() as stack:
        folders = [stack.enter_context(mirrored(Store(one), READ_WHOLE)) for one in places]
        merge_datasets(out, folders or roots, workers=workers)
    seconds = time.perf_counter() - begin_s
    driver_s, workers_s = time.process_time() - driver_s, _children_s() - workers_s
    run = Run(seconds, driver_s, workers_s, _digest(out))
    shutil.rmtree(out)
    return run


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _digest(root: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(root.rglob('*')):
        # This one names the process that held the lock.
        if path.is_file() and path.name != 'owner.json':
            found.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


@contextmanager
def _uploaded(roots: list[Path], place: str) -> Iterator[list[str]]:
    """Yield the URLs of equal datasets, which the store copies, and removes at the end."""
    url, _, options = checked_url(place).partition('?')
    urls = [f'{url}/{root.name}?{options}'.rstrip('?') for root in roots]
    system, path = FileSystem.from_uri(place)
    first = Store(urls[0])

    def copy(name: str) -> None:
        for root in roots[1:]:
            system.copy_file(f'{path}/{roots[0].name}/{name}', f'{path}/{root.name}/{name}')

    try:
        publish(roots[0], first, lambda _: None)
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(copy, first.files()))
        yield urls
    finally:
        system.delete_dir(path)


def _workers(engine: str, jobs: int) -> Workers:
    if engine == 'ray':
        from lerobot_streamrec.fleet.ray_workers import RayWorkers

        return RayWorkers('', jobs)
    return HERE if jobs == 1 else Processes(jobs)


def main() -> int:
    """Measure, print a table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--roots', type=int, default=50)
    parser.add_argument('--episodes', type=int, default=200, help='episodes in each root')
    parser.add_argument('--jobs', type=int, nargs='+', default=[1, 2, 4, 8])
    parser.add_argument('--engine', choices=('processes', 'ray'), default='processes')
    parser.add_argument('--folder', type=Path, help='where the datasets are made')
    parser.add_argument('--place', help='URL of an empty place in a store for the datasets')
    options = parser.parse_args()
    machine = this_machine()
    print(machine, machine.warning, sep='\n', flush=True)
    digests = set()
    with tempfile.TemporaryDirectory(dir=options.folder) as name, ExitStack() as stack:
        folder = Path(name)
        roots = [folder / f'root-{number:03}' for number in range(options.roots)]
        write_dataset(roots[0], options.episodes)
        places = []
        if options.place:
            places = stack.enter_context(_uploaded(roots, options.place))
        else:
            for root in roots[1:]:
                shutil.copytree(roots[0], root)
        total = options.roots * options.episodes
        where = f'{options.roots} datasets {"in a store" if places else "on the disk"}'
        print(f'{total} episodes in {where}, engine {options.engine}')
        print('| workers | seconds | driver CPU s | workers CPU s | episodes/s |', flush=True)
        print('|---|---|---|---|---|')
        for jobs in options.jobs:
            run = merge(folder / 'out', roots, places, _workers(options.engine, jobs))
            digests.add(run.digest)
            cells = (run.seconds, run.driver_s, run.workers_s, total / run.seconds)
            print(f'| {jobs} | {" | ".join(f"{one:.1f}" for one in cells)} |', flush=True)
    print('all results are equal' if len(digests) == 1 else 'THE RESULTS DIFFER')
    return int(len(digests) != 1)


if __name__ == '__main__':
    sys.exit(main())
