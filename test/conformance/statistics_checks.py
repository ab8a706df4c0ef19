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
"""Check the statistics that training normalizes with."""

from __future__ import annotations

import json
from typing import Any

from dataset_files import DatasetFiles
from findings import Findings
import numpy as np

QUANTILES = ('q01', 'q10', 'q50', 'q90', 'q99')
VALUES = ('min', 'max', 'mean', 'std', *QUANTILES)
# Statistics are computed before the lossy encoder, and compared after it. Pictures of white noise,
# which no codec preserves, lose 0.032 of their deviation.
CAMERA_TOLERANCE = 0.04
# lerobot itself sums in float32; the tolerance is relative to the feature's largest magnitude.
COLUMN_TOLERANCE = 1e-3


def check_statistics(files: DatasetFiles, findings: Findings) -> None:
    """
    Check that stats.json is complete, well formed and true.

    :param files: the dataset's files, with the videos read.
    :param findings: receives the problems.
    """
    path = files.root / 'meta' / 'stats.json'
    if not path.is_file():
        findings.add('meta/stats.json is missing')
        return
    stats = json.loads(path.read_text())
    for key, feature in files.features.items():
        if feature['dtype'] in ('string', 'language'):
            continue
        lacking = [s for s in (*VALUES, 'count') if s not in stats.get(key, {})]
        if lacking:
            findings.add(f"stats.json: {key} lacks {', '.join(lacking)}")
            continue
        arrays = {s: np.asarray(stats[key][s], dtype=np.float64) for s in (*VALUES, 'count')}
        if _check_form(key, feature, arrays, findings):
            _check_truth(key, files, {s: a.reshape(-1) for s, a in arrays.items()}, findings)


def _check_form(key: str, feature: dict[str, Any], arrays: dict[str, np.ndarray],
                findings: Findings) -> bool:
    camera = feature['dtype'] in ('video', 'image')
    shape = (feature['shape'][-1], 1, 1) if camera else (feature['shape'][-1],)
    sound = True
    for name, array in arrays.items():
        wanted = (1,) if name == 'count' else shape
        if array.shape != wanted or not np.isfinite(array).all():
            findings.add(f'stats.json: {key}/{name} is {array.tolist()}, expected finite numbers '
                         f'of shape {wanted}')
            sound = False
    if sound and not arrays['count'][0] >= 1:
        findings.add(f"stats.json: {key}/count is {arrays['count'].tolist()}")
    return sound


def _check_truth(key: str, files: DatasetFiles, stats: dict[str, np.ndarray],
                 findings: Findings) -> None:
    # lerobot's quantiles are histogram edges, which may lie a little outside min and max.
    slack = COLUMN_TOLERANCE * np.maximum(1.0, np.maximum(abs(stats['min']), abs(stats['max'])))
    order = np.stack([stats[s] for s in ('min', *QUANTILES, 'max')])
    findings.expect((np.diff(order, axis=0) >= -slack).all(),
                    f"stats.json: {key}: min, {', '.join(QUANTILES)}, max do not ascend")
    if key in files.columns:
        width = files.features[key]['shape'][-1]
        column = files.columns[key].astype(np.float64).reshape(-1, width)
        truth = {'min': column.min(axis=0), 'max': column.max(axis=0),
                 'mean': column.mean(axis=0), 'std': column.std(axis=0)}
        _compare(key, stats, truth, slack, findings)
    # Depth is stored in its own unit and clipped by the codec, so only its form can be checked.
    elif not files.is_depth(key):
        findings.expect((order >= -slack).all() and (order <= 1 + slack).all(),
                        f'stats.json: {key} leaves 0..1: {order.min()}..{order.max()}')
        if key in files.videos and files.histograms[key].any():
            _compare(key, stats, _moments(files.histograms[key]), CAMERA_TOLERANCE, findings)


def _moments(histogram: np.ndarray) -> dict[str, np.ndarray]:
    levels, pixels = np.arange(256) / 255, histogram.sum(axis=1)
    mean = histogram @ levels / pixels
    return {'mean': mean, 'std': np.sqrt(np.maximum(histogram @ levels**2 / pixels - mean**2, 0))}


def _compare(key: str, stats: dict[str, np.ndarray], truth: dict[str, np.ndarray],
             tolerance: np.ndarray | float, findings: Findings) -> None:
    for name, wanted in truth.items():
        findings.expect((abs(stats[name] - wanted) <= tolerance).all(),
                        f'stats.json: {key}/{name} is {stats[name].round(6).tolist()}, the '
                        f'recorded data give {wanted.round(6).tolist()}')
