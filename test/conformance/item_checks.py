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
"""Compare the items of the real LeRobotDataset with the content of the files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
from dataset_files import DatasetFiles, frame_digest, TIMESTAMP_TOLERANCE_S
from findings import Findings
from lerobot.datasets.feature_utils import get_delta_indices
from lerobot.datasets.language_render import active_at
from lerobot.datasets.lerobot_dataset import LeRobotDataset
import numpy as np
import pandas as pd
import torch

REPO_ID = 'conformance/dataset'
VIDEO_BACKEND = 'pyav'
WINDOW = (-1, 0, 1)
# The errors of lerobot and PyAV for a bad dataset; other errors do not concern a single item.
READ_ERRORS = (ValueError, LookupError, TypeError, RuntimeError, OSError, av.error.FFmpegError)


def open_dataset(root: Path, **options: Any) -> LeRobotDataset:
    """
    Open a dataset as a user does.

    :param root: folder of the dataset.
    :param options: further arguments of LeRobotDataset.
    :return: the dataset.
    """
    return LeRobotDataset(REPO_ID, root=root, video_backend=VIDEO_BACKEND, **options)


def check_filter(dataset: LeRobotDataset, files: DatasetFiles, findings: Findings) -> None:
    """
    Choose episodes by each text about them, as users do with ``episode_filter``.

    :param dataset: the opened dataset.
    :param files: the dataset's files.
    :param findings: receives the problems.
    """
    names = {name for one in files.episodes for name, value in one.items()
             if isinstance(value, str)}
    for name in sorted(names):
        values = [one[name] for one in files.episodes]
        for value in set(values):
            wanted = [at for at, one in enumerate(values) if one == value]
            chosen = dataset.meta.filter_episodes(lambda one, name=name, value=value:
                                                  one[name] == value)
            findings.expect(chosen == wanted,
                            f'{name} is {value!r} in the episodes {wanted}, not in {chosen}')
    if 'success' in {one.get('verdict') for one in files.episodes}:
        good = open_dataset(files.root, episode_filter=lambda one: one['verdict'] == 'success')
        rows = sum(one['length'] for one in files.episodes if one['verdict'] == 'success')
        findings.expect(len(good) == rows, f'{len(good)} rows of success, not {rows}')
        good[rows - 1]


def check_columns(files: DatasetFiles, findings: Findings) -> None:
    """
    Check version, totals, and the columns that number the rows.

    :param files: the dataset's files.
    :param findings: receives the problems.
    """
    info, lengths = files.info, [episode['length'] for episode in files.episodes]
    rows = sum(lengths)
    findings.expect(info.get('codebase_version') == 'v3.0',
                    f"codebase_version is {info.get('codebase_version')!r}, not 'v3.0'")
    for name, counted in (('episodes', len(lengths)), ('frames', rows),
                          ('tasks', len(files.tasks))):
        findings.expect(info.get(f'total_{name}') == counted,
                        f"info.json: total_{name} is {info.get(f'total_{name}')}, "
                        f'the files hold {counted}')
    bounds = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    frame_index = np.arange(rows) - np.repeat(bounds[:-1], lengths)
    for key, wanted, tolerance in (
            ('index', np.arange(rows), 0),
            ('episode_index', np.repeat(np.arange(len(lengths)), lengths), 0),
            ('frame_index', frame_index, 0),
            ('timestamp', frame_index / info['fps'], TIMESTAMP_TOLERANCE_S)):
        _check_column(key, files.columns[key], wanted, tolerance, findings)
    bounded = zip(files.episodes, bounds[:-1], bounds[1:], strict=True)
    for number, (episode, start, stop) in enumerate(bounded):
        named = (episode['episode_index'], episode['dataset_from_index'],
                 episode['dataset_to_index'])
        findings.expect(named == (number, start, stop),
                        f'row {number} of meta/episodes is (episode, from, to) {named}, '
                        f'expected {(number, int(start), int(stop))}')


def _check_column(key: str, column: np.ndarray, wanted: np.ndarray, tolerance: float,
                  findings: Findings) -> None:
    if len(column) != len(wanted):
        findings.add(f'data has {len(column)} rows, the episodes sum up to {len(wanted)}')
        return
    off = np.flatnonzero(np.abs(column - wanted) > tolerance)
    if len(off):
        findings.add(f'{key} of row {off[0]} is {column[off[0]]}, expected {wanted[off[0]]} '
                     f'({len(off)} such rows)')


def check_items(dataset: LeRobotDataset, files: DatasetFiles, findings: Findings,
                rows: Iterable[int] | None = None) -> int:
    """
    Read items and compare them with their rows and video frames.

    :param dataset: the opened dataset.
    :param files: the dataset's files.
    :param findings: receives the problems.
    :param rows: numbers of the items; None for all.
    :return: number of camera frames read and found equal.
    """
    counted = (len(dataset), len(dataset.hf_dataset), dataset.num_episodes)
    wanted = (len(files.columns['index']), len(files.columns['index']), len(files.episodes))
    findings.expect(counted == wanted, 'LeRobotDataset counts (frames, rows, episodes) '
                                       f'{counted}, the files hold {wanted}')
    equal = 0
    for row in range(min(len(dataset), wanted[0])) if rows is None else rows:
        try:
            item = dataset[row]
        except READ_ERRORS as error:
            findings.add(f'item {row} cannot be read: {type(error).__name__}: {error}')
            continue
        _check_row(item, row, files, findings)
        equal += sum(_check_image(item[key], key, row, files, findings) for key in files.cameras)
    return equal


def _check_row(item: dict[str, Any], row: int, files: DatasetFiles, findings: Findings) -> None:
    task_index = int(files.columns['task_index'][row])
    task = files.tasks[task_index] if 0 <= task_index < len(files.tasks) else None
    findings.expect(isinstance(item['task'], str) and item['task'] == task,
                    f"item {row}: task is {item['task']!r}, task {task_index} is {task!r}")
    for key, column in files.columns.items():
        findings.expect(_same(item[key], column[row]),
                        f'item {row}: {key} is {item[key]}, its parquet row has {column[row]}')


def _same(value: Any, stored: Any) -> bool:
    if isinstance(value, str):
        return value == stored
    # lerobot widens or narrows some types (float64 to float32), so convert the stored value too.
    value = value.numpy()
    stored = np.asarray(stored).astype(value.dtype).reshape(value.shape)
    return np.array_equal(value, stored, equal_nan=value.dtype.kind == 'f')


def _check_image(image: torch.Tensor, key: str, row: int, files: DatasetFiles,
                 findings: Findings) -> bool:
    height, width, channels = files.features[key]['shape']
    form = (tuple(image.shape), image.dtype)
    if form != ((channels, height, width), torch.float32):
        findings.add(f'item {row}: {key} is {form}, its feature is {files.features[key]}')
        return False
    if key not in files.videos:
        return True
    same = _digest(image, files.is_depth(key)) == files.digests[key][row]
    findings.expect(same, f'item {row}: {key} is not the frame that a sequential decode gives')
    return same


def _digest(image: torch.Tensor, depth: bool) -> int:
    if depth:
        return frame_digest(image.numpy())
    return frame_digest((image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())


def open_with_windows(files: DatasetFiles) -> LeRobotDataset:
    """
    Open a dataset for ``check_windows``, as a policy with a history does.

    :param files: the dataset's files.
    :return: the dataset.
    """
    return open_dataset(files.root, delta_timestamps=_windows(files))


def add_windows(dataset: LeRobotDataset, files: DatasetFiles) -> LeRobotDataset:
    """
    Give an open dataset the windows of ``open_with_windows`` without opening it again.

    :param dataset: the opened dataset.
    :param files: the dataset's files.
    :return: the same dataset.
    """
    dataset.reader.delta_indices = get_delta_indices(_windows(files), files.info['fps'])
    return dataset


def _windows(files: DatasetFiles) -> dict[str, list[float]]:
    vectors = [k for k, f in files.features.items()
               if k in files.columns and f['dtype'].startswith('float') and k != 'timestamp']
    keys = [*files.videos[:1], *(['action'] if 'action' in vectors else vectors[:1])]
    return {key: [step / files.info['fps'] for step in WINDOW] for key in keys}


def check_windows(dataset: LeRobotDataset, files: DatasetFiles, findings: Findings) -> None:
    """
    Ask for the frames around some rows.

    :param dataset: opened with windows.
    :param files: the dataset's files.
    :param findings: receives the problems.
    """
    keys = list(_windows(files))
    for episode in (files.episodes[0], files.episodes[-1]):
        start, stop = episode['dataset_from_index'], episode['dataset_to_index']
        for row in sorted({start, (start + stop) // 2, stop - 1}):
            # Outside its episode a window repeats the first or the last row.
            rows = [min(max(row + step, start), stop - 1) for step in WINDOW]
            padded = [not start <= row + step < stop for step in WINDOW]
            try:
                item = dataset[row]
            except READ_ERRORS as error:
                findings.add(f'item {row} with delta_timestamps cannot be read: '
                             f'{type(error).__name__}: {error}')
                continue
            for key in keys:
                findings.expect(item[f'{key}_is_pad'].tolist() == padded,
                                f'item {row}: {key}_is_pad is not {padded}')
                findings.expect(_same_window(item[key], key, rows, files),
                                f'item {row}: {key} with delta_timestamps is not rows {rows}')


def check_subtasks(dataset: LeRobotDataset, files: DatasetFiles, findings: Findings) -> None:
    """
    Compare the subtask that lerobot finds for each frame with that in the table of subtasks.

    :param dataset: the dataset.
    :param files: its files; those without both forms of subtasks are not checked.
    :param findings: receives the problems.
    """
    if not {'subtask_index', 'language_persistent'} <= files.features.keys():
        return
    texts = pd.read_parquet(files.root / 'meta/subtasks.parquet').index
    if '' not in texts:
        # Another program wrote these columns, each in its own words.
        return
    for row, number in enumerate(files.columns['subtask_index'].ravel().tolist()):
        item = dataset[row]
        found = active_at(float(item['timestamp']), persistent=item['language_persistent'],
                          style='subtask')
        text = '' if found is None else found['content']
        findings.expect(text == texts[number],
                        f'item {row}: the subtask is {text!r}, and {texts[number]!r} by its index')


def _same_window(values: torch.Tensor, key: str, rows: list[int], files: DatasetFiles) -> bool:
    if len(values) != len(rows):
        return False
    if key in files.videos:
        return all(_digest(value, files.is_depth(key)) == files.digests[key][row]
                   for value, row in zip(values, rows, strict=True))
    return all(_same(value, files.columns[key][row])
               for value, row in zip(values, rows, strict=True))
