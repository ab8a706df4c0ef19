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
Changes that break a dataset, for the tests of the check and of the repair.

A change is called with the ``dataset`` fixture; ``DATA`` holds the rows of its third episode.
"""

from __future__ import annotations

from functools import reduce
import operator

import pyarrow as pa
import pytest

DATA = 'data/chunk-000/file-002.parquet'


def meta(number):
    return f'meta/episodes/chunk-000/file-{number:03d}.parquet'


def alike(*change):
    """Mark a case as slow because similar cases of the list already cover it."""
    return pytest.param(*change, marks=pytest.mark.slow)


def put(*place, value):
    """Return a change of a file's content, not of a dataset, that sets a nested entry."""

    def change(content):
        reduce(operator.getitem, place[:-1], content)[place[-1]] = value

    return change


def table(relative, change):
    return lambda dataset: dataset.table(relative, change)


def column(name, change):
    return lambda dataset: dataset.column(DATA, name, change)


def row(name, number, value):
    """Return a change of one row's value."""
    return column(name, lambda values: [*values[:number], value, *values[number + 1 :]])


def rows(*numbers):
    """Return a change that keeps only these rows, in this order."""
    return table(DATA, lambda content: content.take(pa.array(numbers, pa.int64())))


def replaced(name, values, kind):
    """Return a change that replaces a column by one of any type."""

    def change(content):
        place = content.schema.get_field_index(name)
        return content.set_column(place, name, pa.array(values, kind))

    return table(DATA, change)


def swapped(dataset):
    """Exchange the metadata of the first two episodes."""
    first, second = dataset.path(meta(0)), dataset.path(meta(1))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
