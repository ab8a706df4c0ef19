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
Reads a LeRobot v3.0 dataset from its files alone: JSON, parquet and MP4.

It shares no code with the recorder on purpose, so that both cannot be wrong in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

import av
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Clip:
    """Where one episode's pictures of one camera lie."""

    path: Path
    from_timestamp_s: float
    """When the episode begins in the file."""
    positions: range
    """The episode's frames among those of the file, counted from 0."""


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    time_s: float
    size_bytes: int
    """Of the packet it was decoded from."""
    video_frame: av.VideoFrame


class DatasetFiles:
    """The tables of a dataset, read at once; the videos are read when asked for."""

    def __init__(self, root: Path) -> None:
        """
        Read the tables.

        :param root: the dataset's folder
        :raises OSError: if a file is missing
        :raises ValueError: if a file is not what it should be
        """
        self.root = root
        self.info: dict[str, Any] = json.loads((root / 'meta/info.json').read_text('utf-8'))
        self.fps = int(self.info['fps'])
        tasks = pq.read_table(root / 'meta/tasks.parquet').to_pydict()
        self._tasks = dict(zip(tasks['task_index'], tasks['task'], strict=True))
        tables = [
            pq.read_table(path) for path in sorted((root / 'meta/episodes').glob('*/*.parquet'))
        ]
        self.episodes: list[dict[str, Any]] = [
            row for table in tables for row in table.to_pylist()
        ]

    @property
    def video_keys(self) -> list[str]:
        """The features that are videos."""
        features = self.info['features']
        return [key for key, feature in features.items() if feature['dtype'] == 'video']

    def rows(self, episode: Mapping[str, Any]) -> pa.Table:
        """Return an episode's rows, in the order of the file."""
        path = self.root / self.info['data_path'].format(
            chunk_index=episode['data/chunk_index'], file_index=episode['data/file_index']
        )
        table = pq.read_table(path)
        return table.filter(pc.field('episode_index') == episode['episode_index'])

    def task(self, rows: pa.Table) -> str:
        """Return the task of the given rows, all of them if there are several."""
        indices = pc.unique(rows['task_index']).to_pylist()
        return ' / '.join(self._tasks.get(index, f'unknown task {index}') for index in indices)

    def clip(self, episode: Mapping[str, Any], video_key: str) -> Clip:
        """Return where an episode's pictures of a camera lie."""
        relative = self.info['video_path'].format(
            video_key=video_key,
            chunk_index=episode[f'videos/{video_key}/chunk_index'],
            file_index=episode[f'videos/{video_key}/file_index'],
        )
        from_timestamp_s = episode[f'videos/{video_key}/from_timestamp']
        first = round(from_timestamp_s * self.fps)
        positions = range(first, first + episode['length'])
        return Clip(self.root / relative, from_timestamp_s, positions)


def read_instants(root: Path, episode_index: int) -> list[int]:
    """
    Return each row's instant in nanoseconds, from what the recorder keeps of the episode.

    :raises OSError: if there is no record
    """
    stamps = root / '.streamrec/row_stamps' / f'episode-{episode_index:06d}.parquet'
    if stamps.is_file():
        return [int(stamp) for stamp in pq.read_table(stamps)['row'].to_pylist()]
    path = root / '.streamrec/episodes' / f'episode-{episode_index:06d}.json'
    record = json.loads(path.read_text('utf-8'))
    start_ns, fps = record['start_stamp_ns'], record['fps']
    return [start_ns + k * 10**9 // fps for k in range(record['length'])]


def decode(path: Path) -> Iterator[Frame]:
    """Yield the frames of a video in the order in which they are shown."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        sizes_bytes: dict[int, int] = {}
        for packet in container.demux(stream):
            if packet.pts is not None:
                sizes_bytes[packet.pts] = packet.size
            for frame in packet.decode():
                # A frame without a time stands for no row; it is missed where it is counted.
                if frame.pts is not None and stream.time_base:
                    time_s = float(frame.pts * stream.time_base)
                    yield Frame(time_s, sizes_bytes.pop(frame.pts, 0), frame)
