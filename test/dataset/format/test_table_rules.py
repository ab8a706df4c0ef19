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
"""What a column may hold is said in words that fit every value."""

from __future__ import annotations

from lerobot_streamrec.dataset.format.features import vector_feature
from lerobot_streamrec.dataset.format.parquet import naming, UnfitError
from lerobot_streamrec.dataset.format.table_rules import (
    feature_values,
    real_numbers,
    whole_numbers,
)
import pyarrow as pa
import pytest


def column(values, kind):
    return pa.chunked_array([pa.array(values, kind)])


def vectors(values):
    return feature_values(column(values, pa.list_(pa.float32())), vector_feature(('x', 'y')))


SENTENCES = {
    'found the type double, expected int64': lambda: whole_numbers(column([1.0], pa.float64())),
    'found 1 of 2 values missing, expected a value in every row': lambda: whole_numbers(
        column([1, None], pa.int64())
    ),
    'found -1, expected a whole number from 0 to 9': lambda: whole_numbers(
        column([3, -1], pa.int64()), 0, 9
    ),
    'found the type string, expected double': lambda: real_numbers(column(['a'], pa.string())),
    'found 2 of 2 values missing, expected a value in every row': lambda: vectors([None, None]),
    'found the type list<item: string>, expected float32': lambda: feature_values(
        column([['a', 'b']], pa.list_(pa.string())), vector_feature(('x', 'y'))
    ),
    'found the shape [3], expected [2]': lambda: vectors([[1, 2, 3]]),
    'found lists of 1 to 2 elements, expected lists of one length': lambda: vectors([[1], [1, 2]]),
    'found 1 missing elements, expected none': lambda: vectors([[1, None], [1, 2]]),
}


@pytest.mark.parametrize('sentence', SENTENCES)
def test_the_column_the_value_and_the_allowed_ones_are_named(sentence):
    with pytest.raises(UnfitError) as caught, naming('action'):
        SENTENCES[sentence]()
    assert str(caught.value).replace('element: ', 'item: ') == f'column action: {sentence}'
