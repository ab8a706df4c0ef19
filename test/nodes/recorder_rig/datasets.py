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
"""Readers of datasets that use only the standard library, pyarrow and PyAV."""

from __future__ import annotations

from collections import Counter
import json
from pathlib import Path
from typing import Any

from examples.demo.dataset_files import DatasetFiles, decode
import numpy as np
import numpy.typing as npt


def total_episodes(root: Path) -> int:
    """Count the episodes that readers see; 0 if there is no dataset."""
    try:
        info: dict[str, Any] = json.loads((root / 'meta' / 'info.json').read_text('utf-8'))
    except FileNotFoundError:
        return 0
    return int(info['total_episodes'])


def columns(root: Path, episode_index: int) -> dict[str, list[Any]]:
    """Read an episode's rows."""
    files = DatasetFiles(root)
    return files.rows(files.episodes[episode_index]).to_pydict()


def pictures(root: Path, video_key: str, episode_index: int = 0) -> list[npt.NDArray[np.uint8]]:
    """Decode an episode's pictures of one camera, in RGB."""
    files = DatasetFiles(root)
    clip = files.clip(files.episodes[episode_index], video_key)
    frames = [one.video_frame.to_ndarray(format='rgb24') for one in decode(clip.path)]
    return frames[clip.positions.start : clip.positions.stop]


def record(root: Path, episode_index: int) -> dict[str, Any]:
    """Read the recorder's own record of an episode."""
    path = root / '.streamrec' / 'episodes' / f'episode-{episode_index:06d}.json'
    content: dict[str, Any] = json.loads(path.read_text('utf-8'))
    return content


def assert_whole(root: Path, num_episodes: int) -> None:
    """Assert that rows, frames and totals agree, and that every file can be read to its end."""
    files = DatasetFiles(root)
    assert files.info['total_episodes'] == len(files.episodes) == num_episodes
    lengths = [episode['length'] for episode in files.episodes]
    assert files.info['total_frames'] == sum(lengths)
    expected: Counter[Path] = Counter()
    for episode in files.episodes:
        assert files.rows(episode).num_rows == episode['length'] > 0
        for key in files.video_keys:
            clip = files.clip(episode, key)
            assert clip.positions == range(
                expected[clip.path], expected[clip.path] + episode['length']
            )
            expected[clip.path] += episode['length']
    for path, num_frames in expected.items():
        assert sum(1 for _ in decode(path)) == num_frames, f'{path}'
