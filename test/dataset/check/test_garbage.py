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
"""Whatever stands in a file, a check ends with a report that names the file."""

from __future__ import annotations

from functools import reduce
import json
import operator

import numpy as np
import pytest
from thoroughness import THOROUGH

FRACTIONS = (0.0, 0.02, 0.3, 0.7, 0.95) if THOROUGH else (0.0, 0.3, 0.95)


def files_of(dataset):
    return sorted(
        path.relative_to(dataset.root).as_posix()
        for path in dataset.root.rglob('*')
        if path.is_file() and '.streamrec' not in path.parts
    )


def damages(content, chance):
    """Yield what a file may be after an accident: cut short, overwritten, or another one."""
    for fraction in FRACTIONS:
        yield f'cut to {fraction:.0%}', content[: int(len(content) * fraction)]
    yield 'random', chance.bytes(len(content))
    yield 'without its last byte', content[:-1]
    yield 'zeros', bytes(len(content))
    half = len(content) // 2
    yield 'zeros at the end', content[:half] + bytes(len(content) - half)


def check_all_damages(dataset, chance, *, suffix='', decode=True):
    for relative in files_of(dataset):
        if not relative.endswith(suffix):
            continue
        path = dataset.path(relative)
        content = path.read_bytes()
        for name, damaged in damages(content, chance):
            # A line end behind JSON is not missed.
            if damaged.rstrip() == content.rstrip():
                continue
            path.write_bytes(damaged)
            # Frames need not be decoded to find a table that is broken.
            report = dataset.check(decode=decode and path.suffix == '.mp4')
            assert report.errors, f'{relative} {name} was not found'
            assert relative in {one.path for one in report.errors}, f'{relative} {name}'
        path.write_bytes(content)
    assert dataset.check(decode=decode).findings == ()


@pytest.mark.slow
@pytest.mark.thorough
def test_any_file_may_be_broken_in_any_way(dataset):
    check_all_damages(dataset, np.random.default_rng(1))


@pytest.mark.slow
@pytest.mark.thorough
def test_any_file_of_a_foreign_dataset_may_be_broken_in_any_way(foreign, edited):
    dataset = edited(foreign((4, 3, 6, 2)))
    check_all_damages(dataset, np.random.default_rng(2))
    check_all_damages(dataset, np.random.default_rng(3), suffix='.mp4', decode=False)


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(3))
def test_a_few_wrong_bytes_anywhere_never_stop_a_check(foreign, edited, seed):
    """They may hit what nobody reads; nothing may be raised."""
    dataset = edited(foreign((4, 3, 6, 2)))
    chance = np.random.default_rng(seed)
    for relative in files_of(dataset):
        path = dataset.path(relative)
        content = path.read_bytes()
        for _ in range(6):
            damaged = np.frombuffer(content, np.uint8).copy()
            places = chance.integers(0, len(damaged), 4)
            damaged[places] = chance.integers(0, 256, 4)
            path.write_bytes(damaged.tobytes())
            dataset.check()
        path.write_bytes(content)


JSON = (b'', b'{', b'[]', b'null', b'"text"', b'{}', b'[' * 100_000, b'\xff\xfe', b'1e999')


@pytest.mark.parametrize('relative', ['meta/info.json', 'meta/stats.json'])
@pytest.mark.parametrize('content', JSON, ids=range(len(JSON)))
def test_any_json_is_reported(dataset, relative, content):
    dataset.path(relative).write_bytes(content)
    report = dataset.check(decode=False)
    assert relative in {one.path for one in report.errors}


VALUES = (None, True, -1, 1.5, 2**70, 'text', [], {}, [[1]], {'a': 1})


def entries(content, prefix=()):
    for key, entry in content.items():
        yield (*prefix, key)
        if isinstance(entry, dict):
            yield from entries(entry, (*prefix, key))


@pytest.mark.slow
@pytest.mark.thorough
def test_any_value_in_info_is_taken(foreign, edited):
    """Every entry in turn, those of a feature as well."""
    dataset = edited(foreign((2,)))
    original = dataset.path('meta/info.json').read_text()
    for number, place in enumerate(entries(json.loads(original))):
        for value in VALUES if THOROUGH else VALUES[number % 5 :: 5]:
            info = json.loads(original)
            reduce(operator.getitem, place[:-1], info)[place[-1]] = value
            dataset.path('meta/info.json').write_text(json.dumps(info))
            dataset.check(decode=False)
