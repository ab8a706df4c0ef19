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
"""Let lerobot's own writer append an episode to a copy of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import shutil
import sys
import tempfile
from typing import Any

from dataset_files import DatasetFiles, read_files, read_videos
from findings import Findings
from item_checks import check_columns, check_items, open_dataset, REPO_ID, VIDEO_BACKEND
from lerobot.configs.video import encoder_config_from_video_info
from lerobot.datasets.lerobot_dataset import LeRobotDataset
import numpy as np

TASK = 'an episode appended by lerobot'
LENGTH = 8
COUNTERS = ('timestamp', 'frame_index', 'episode_index', 'index', 'task_index')


def check_resume(files: DatasetFiles, findings: Findings) -> None:
    """
    Append an episode to a copy, and read the copy again.

    All files are read once more. lerobot itself reads the new episode, and only the first and the
    last row of the others, which it has read before. The statistics of the copy are lerobot's own
    and are not judged.

    :param files: the dataset's files, which are not changed.
    :param findings: receives the problems.
    """
    with tempfile.TemporaryDirectory(prefix='conformance_resume_') as scratch:
        copy = Path(scratch, 'dataset')
        shutil.copytree(files.root, copy)
        with _silent_encoders():
            _append(files, copy)
        after, problems = read_files(copy), Findings()
        read_videos(after, problems)
        check_columns(after, problems)
        problems.expect(len(after.episodes) == len(files.episodes) + 1
                        and after.episodes[-1]['length'] == LENGTH,
                        f'there are {len(after.episodes)} episodes, the last of '
                        f"{after.episodes[-1]['length']} rows")
        problems.expect(after.tasks == [*files.tasks, TASK], f'the tasks are {after.tasks}')
        for key, digests in files.digests.items():
            problems.expect(after.digests[key][:-LENGTH] == digests,
                            f'the earlier frames of {key} have changed')
        check_items(open_dataset(copy), after, problems, _worth_reading(after))
    findings.problems += [f'after resume: {problem}' for problem in problems.problems]


def _worth_reading(files: DatasetFiles) -> list[int]:
    *known, new = [range(episode['dataset_from_index'], episode['dataset_to_index'])
                   for episode in files.episodes]
    return sorted({*new, *(row for rows in known for row in (rows[0], rows[-1]))})


@contextmanager
def _silent_encoders() -> Iterator[None]:
    # The codec libraries print long reports directly to file descriptor 2.
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open('wb') as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _append(files: DatasetFiles, copy: Path) -> None:
    dataset = LeRobotDataset.resume(
        REPO_ID, root=copy, video_backend=VIDEO_BACKEND, streaming_encoding=bool(files.videos),
        encoder_queue_maxsize=10 * LENGTH, **_encoders(files))
    for number in range(LENGTH):
        frame = {key: _value(files, key, number) for key, feature in files.features.items()
                 if key not in COUNTERS and feature['dtype'] != 'language'}
        dataset.add_frame({**frame, 'task': TASK})
    dataset.save_episode()
    dataset.finalize()


def _encoders(files: DatasetFiles) -> dict[str, Any]:
    encoders = {}
    for key in reversed(files.videos):
        kind = 'depth_encoder' if files.is_depth(key) else 'rgb_encoder'
        encoders[kind] = encoder_config_from_video_info(files.features[key].get('info'))
    return encoders


def _value(files: DatasetFiles, key: str, number: int) -> np.ndarray | str:
    feature = files.features[key]
    if feature['dtype'] == 'string':
        return f'text {number}'
    if feature['dtype'] not in ('video', 'image'):
        return np.full(feature['shape'], number, dtype=feature['dtype'])
    if not files.is_depth(key):
        return np.full(feature['shape'], 20 * number, dtype=np.uint8)
    metres = (feature.get('info') or {}).get('depth_unit') == 'm'
    return np.full(feature['shape'], 1 if metres else 1000, np.float32 if metres else np.uint16)
