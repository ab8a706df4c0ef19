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
Read a LeRobot v3.0 dataset only from its files, with pyarrow and PyAV.

This is the second opinion, with which the frames that lerobot returns are compared.
Every video is decoded once, from its first packet to its last, without a seek.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
import json
from pathlib import Path
from typing import Any
import zlib

import av
from findings import DatasetError, Findings
from lerobot.configs.video import encoder_config_from_video_info
from lerobot.datasets.depth_utils import dequantize_depth
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

TIMESTAMP_TOLERANCE_S = 1e-4
EPISODE_COLUMNS = ('episode_index', 'length', 'data/chunk_index', 'data/file_index',
                   'dataset_from_index', 'dataset_to_index')
VIDEO_COLUMNS = ('chunk_index', 'file_index', 'from_timestamp', 'to_timestamp')


@dataclass
class DatasetFiles:
    """
    The content of the files of a dataset.

    :ivar root: its folder.
    :ivar info: meta/info.json.
    :ivar tasks: task strings by task_index.
    :ivar episodes: rows of meta/episodes, without statistics.
    :ivar columns: data columns by feature, except cameras and language.
    :ivar digests: per video feature, the checksum of each row's frame (None if it has no frame).
    :ivar histograms: per RGB video feature, counts of shape (3, 256) over all its pixels.
    """

    root: Path
    info: dict[str, Any]
    tasks: list[str]
    episodes: list[dict[str, Any]]
    columns: dict[str, np.ndarray]
    digests: dict[str, list[int | None]] = field(default_factory=dict)
    histograms: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """
        Get the feature descriptions.

        :return: feature name -> description.
        """
        return self.info['features']

    @property
    def cameras(self) -> list[str]:
        """
        Get the names of the visual features.

        :return: feature names.
        """
        return [k for k, f in self.features.items() if f['dtype'] in ('video', 'image')]

    @property
    def videos(self) -> list[str]:
        """
        Get the names of the visual features that are stored as video.

        :return: feature names.
        """
        return [k for k, f in self.features.items() if f['dtype'] == 'video']

    def is_depth(self, key: str) -> bool:
        """
        Tell a depth camera from an RGB camera.

        :param key: a visual feature.
        :return: true for depth.
        """
        return bool((self.features[key].get('info') or {}).get('is_depth_map'))


def frame_digest(frame: np.ndarray) -> int:
    """
    Checksum a frame.

    :param frame: pixels, with the same shape and type in all frames to compare.
    :return: CRC-32.
    """
    return zlib.crc32(np.ascontiguousarray(frame))


def read_files(root: Path) -> DatasetFiles:
    """
    Read metadata and data; read_videos reads the videos.

    :param root: folder of the dataset.
    :return: its content.
    :raises DatasetError: if files or columns are missing, broken or unknown.
    """
    info_path = root / 'meta' / 'info.json'
    if not info_path.is_file():
        raise DatasetError('meta/info.json is missing')
    info = json.loads(info_path.read_text())
    by_index = _tasks(root)
    videos = [k for k, f in info['features'].items() if f['dtype'] == 'video']
    names = [*EPISODE_COLUMNS, *(f'videos/{k}/{c}' for k in videos for c in VIDEO_COLUMNS)]
    episodes = _columns(root, 'meta/episodes/*/*.parquet', names)
    wanted = {k: f for k, f in info['features'].items()
              if f['dtype'] not in ('video', 'image', 'language')}
    # lerobot refuses data files with a column that info.json does not name.
    data = _columns(root, 'data/*/*.parquet', list(wanted), allowed=info['features'])
    return DatasetFiles(
        root, info, [by_index.get(i) for i in range(len(by_index))],
        [dict(zip(episodes, row, strict=True)) for row in zip(*episodes.values(), strict=True)],
        {k: np.asarray(data[k], dtype=object if f['dtype'] == 'string' else f['dtype'])
         for k, f in wanted.items()})


def _tasks(root: Path) -> dict[int, str]:
    path = root / 'meta' / 'tasks.parquet'
    try:
        table = pd.read_parquet(path)
        by_index = dict(zip(table['task_index'].tolist(), table.index.tolist(), strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(f'meta/tasks.parquet cannot be read: {error}') from error
    # LeRobot reads the tasks from the index, which is numbers if the file does not declare it.
    wrong = [task for task in by_index.values() if not isinstance(task, str)]
    if wrong:
        raise DatasetError(f'meta/tasks.parquet: tasks {wrong} of the index are no texts')
    return by_index


def _columns(root: Path, pattern: str, names: list[str],
             allowed: Container[str] | None = None) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in names}
    paths = sorted(root.glob(pattern))
    if not paths:
        raise DatasetError(f'{pattern} is missing')
    for path in paths:
        try:
            table = pq.ParquetFile(path).read()
        except pa.ArrowException as error:
            raise DatasetError(f'{path.relative_to(root)} cannot be read: {error}') from error
        lacking = [name for name in names if name not in table.column_names]
        if lacking:
            raise DatasetError(f'{path.relative_to(root)} lacks the column(s) {lacking}')
        unknown = [c for c in table.column_names if allowed is not None and c not in allowed]
        if unknown:
            raise DatasetError(f'{path.relative_to(root)}: column(s) {unknown} are no features')
        for name in names:
            columns[name] += table[name].to_pylist()
    return columns


def read_videos(files: DatasetFiles, findings: Findings) -> None:
    """
    Decode every video, and give each row its frame's checksum.

    :param files: receives digests and histograms.
    :param findings: receives missing, broken, too long and too short videos.
    """
    for key in files.videos:
        files.digests[key] = []
        files.histograms[key] = np.zeros((3, 256), dtype=np.int64)
        by_path: dict[str, list[dict[str, Any]]] = {}
        for episode in files.episodes:
            path = files.info['video_path'].format(
                video_key=key, chunk_index=episode[f'videos/{key}/chunk_index'],
                file_index=episode[f'videos/{key}/file_index'])
            by_path.setdefault(path, []).append(episode)
        for path, episodes in by_path.items():
            _read_video(files, key, path, episodes, findings)


def _read_video(files: DatasetFiles, key: str, path: str, episodes: list[dict[str, Any]],
                findings: Findings) -> None:
    decoded: list[int | None] = []
    findings.expect((files.root / path).is_file(), f'{path} is missing')
    try:
        for frame in _frames(files.root / path, files.is_depth(key)):
            # Append frames one by one, because those decoded before an error count.
            decoded.append(_expected_digest(files, key, frame))  # noqa: PERF401
    except av.error.FFmpegError as error:
        findings.add(f'{path} breaks off after {len(decoded)} decoded frames: {error.strerror}')
    rows = sum(episode['length'] for episode in episodes)
    findings.expect(len(decoded) == rows,
                    f'{path} has {len(decoded)} frames, its episodes have {rows} rows')
    start = 0
    for episode in episodes:
        from_s, to_s = (episode[f'videos/{key}/{end}_timestamp'] for end in ('from', 'to'))
        stop, fps = start + episode['length'], files.info['fps']
        findings.expect(max(abs(from_s - start / fps), abs(to_s - stop / fps))
                        < TIMESTAMP_TOLERANCE_S,
                        f"episode {episode['episode_index']} of {path}: {from_s}..{to_s} s, "
                        f'but its frames are {start}..{stop} at {fps} fps')
        own = decoded[start:stop]
        files.digests[key] += own + [None] * (episode['length'] - len(own))
        start = stop


def _frames(path: Path, depth: bool) -> Iterator[np.ndarray]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format='gray12le' if depth else 'rgb24')


def _expected_digest(files: DatasetFiles, key: str, frame: np.ndarray) -> int:
    if not files.is_depth(key):
        for channel, counts in enumerate(files.histograms[key]):
            counts += np.bincount(frame[..., channel].ravel(), minlength=256)
        return frame_digest(frame)
    encoder = encoder_config_from_video_info(files.features[key]['info'])
    codes = torch.from_numpy(frame)[None, None]
    return frame_digest(dequantize_depth(
        codes, depth_min=encoder.depth_min, depth_max=encoder.depth_max, shift=encoder.shift,
        use_log=encoder.use_log, output_unit='mm').numpy())
