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
"""Comparisons of recorded rows with the truth; each returns the faulty cases as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
import math
from typing import Any

from examples.demo.drawing import NUMBERS
from examples.demo.numbered_video import MISSING, UNREADABLE
import numpy as np


@dataclass(frozen=True)
class Steps:
    """How the numbers of an episode's pictures go on from frame to frame."""

    repeated: int
    skipped: int
    backwards: list[str]


def count_steps(numbers: Sequence[int]) -> Steps:
    """Compare each number with the one before; numbers count in a circle."""
    repeated = skipped = 0
    backwards = []
    for k, (before, number) in enumerate(pairwise(numbers), start=1):
        if before < 0 or number < 0:
            continue
        step = (number - before) % NUMBERS
        if step == 0:
            repeated += 1
        elif step < NUMBERS // 2:
            skipped += step - 1
        else:
            backwards.append(f'row {k} goes back from picture {before} to {number}')
    return Steps(repeated, skipped, backwards)


def wrong_pictures(numbers: Sequence[int], expected: Sequence[Any]) -> list[str]:
    """Compare the number in each row's frame with the number that was published."""
    cases = []
    for k, (number, right) in enumerate(zip(numbers, expected, strict=False)):
        if number == MISSING:
            cases.append(f'row {k} has no frame')
        elif number == UNREADABLE:
            cases.append(f'row {k} shows no readable frame number')
        elif right is None:
            cases.append(f'row {k} shows picture {number}, but none had been published')
        elif number != right:
            cases.append(f'row {k} shows picture {number}, right is {right}')
    return cases


def wrong_vectors(values: Sequence[Any], expected: Sequence[Any]) -> list[str]:
    """Compare each row's numbers with the published ones, rounded to float32, exactly."""
    cases = []
    for k, (value, right) in enumerate(zip(values, expected, strict=False)):
        if right is None:
            cases.append(f'row {k} holds values, but none had been published')
        elif not np.array_equal(np.float32(value), np.float32(right)):
            cases.append(f'row {k} holds {_short(value)}, right is {_short(right)}')
    return cases


def wrong_bookkeeping(
    episode: Mapping[str, Any], columns: Mapping[str, Sequence[Any]], fps: int
) -> list[str]:
    """Compare an episode's counting columns with each other and with the episodes table."""
    length = len(columns['frame_index'])
    cases = []
    if episode['length'] != length:
        cases.append(f'{length} rows, but {episode["length"]} in the episodes table')
    if list(columns['frame_index']) != list(range(length)):
        cases.append('frame_index does not count 0, 1, 2 ...')
    first = episode['dataset_from_index']
    if list(columns['index']) != list(range(first, first + length)):
        cases.append(f'index does not count on from {first}')
    if episode['dataset_to_index'] != first + length:
        cases.append(f'dataset_to_index is {episode["dataset_to_index"]}, not {first + length}')
    for k, timestamp_s in enumerate(columns['timestamp']):
        if not math.isclose(timestamp_s, k / fps, rel_tol=1e-6, abs_tol=1e-6):
            cases.append(f'row {k} has timestamp {timestamp_s}, right is {k / fps:.6f}')
    return cases


def _short(values: Sequence[float]) -> str:
    return '[' + ', '.join(f'{float(value):.6g}' for value in values) + ']'
