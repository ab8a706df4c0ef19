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
"""Conversion of numbers for their feature's column: exactly as published, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import Any

from lerobot_streamrec.errors import VectorError
import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]

_NUMBERS = 'fiub'
_INT64 = np.iinfo(np.int64)
_FEW = 64
_LARGEST = {name: float(np.finfo(name).max) for name in ('float32', 'float64')}
_EXACT_UP_TO = {'float32': 2**24, 'float64': 2**53}
"""Each float type holds every whole number up to this magnitude exactly."""


def column_values(values: Any, dtype: str, names: Sequence[str]) -> Column:
    """
    Convert a message's numbers for a column. Only real numbers may be rounded.

    Values of a float32 column stay float64 until their row is written, so that interpolated
    values are not rounded twice.

    :param values: ``(d,)`` floats, integers or flags, or objects if they are mixed
    :param dtype: type of the column, one of ``config.DTYPES``
    :param names: names of the numbers, ``d`` of them
    :return: ``(d,)`` float64, int64 or bool
    :raise VectorError: naming the numbers that the column cannot hold
    """
    numbers = values if isinstance(values, np.ndarray) else _array_of(values)
    if numbers.shape != (len(names),):
        raise VectorError(
            f'the message has numbers of shape {numbers.shape}, but {len(names)} are needed: '
            f'{", ".join(names)}'
        )
    kind = numbers.dtype.kind
    if kind == 'f' and dtype in _LARGEST:
        # Almost every message takes this path.
        return _real_numbers(numbers, dtype, names)
    if kind == 'O':
        return _one_by_one(numbers, dtype, names)
    if kind not in _NUMBERS:
        raise VectorError(f'{numbers.dtype} is not a numeric type')
    if dtype == 'int64':
        return _integers(numbers, names)
    if dtype == 'bool':
        fits = (numbers == 0) | (numbers == 1)
        return _only_if(fits, numbers, names, 'bool holds false and true, 0 and 1').astype(bool)
    return _whole_numbers(numbers, dtype, names)


def _array_of(values: Any) -> Column:
    """
    Make an array of a list without changing a number.

    NumPy would turn the integers of a list with a float into floats, which is inexact for
    2**60 + 1, for example.
    """
    numbers = np.asarray(values)
    is_list = numbers.dtype.kind == 'f' and numbers.ndim == 1
    is_mixed = is_list and any(isinstance(one, int | np.integer) for one in values)
    return np.array(values, dtype=object) if is_mixed else numbers


def _one_by_one(numbers: Column, dtype: str, names: Sequence[str]) -> Column:
    found = []
    for one, name in zip(numbers, names, strict=True):
        alone = np.asarray([one])
        if alone.dtype.kind == 'O':
            raise VectorError(f'{name} = {one!r} is not a number that {dtype} can hold')
        found.append(column_values(alone, dtype, [name]))
    return np.concatenate(found)


def _real_numbers(numbers: Column, dtype: str, names: Sequence[str]) -> Column:
    wide, limit = numbers.astype(np.float64, copy=False), _LARGEST[dtype]
    # No number is larger than the vector's Euclidean norm, and the comparison fails if a number is
    # NaN or infinite. For a few numbers this is faster than checking each.
    is_small = len(wide) <= _FEW and math.hypot(*wide.tolist()) <= limit
    if not is_small and not np.abs(wide).max(initial=0.0) <= limit:
        fits = np.abs(wide) <= limit
        _only_if(fits, numbers, names, f'{dtype} holds finite numbers up to {limit:.3g}')
    return wide


def _whole_numbers(numbers: Column, dtype: str, names: Sequence[str]) -> Column:
    exact = _EXACT_UP_TO[dtype]
    if numbers.dtype.kind != 'b' and (numbers.min() < -exact or numbers.max() > exact):
        kind = np.dtype(dtype).type
        fits = np.array([int(kind(int(one))) == int(one) for one in numbers])
        _only_if(fits, numbers, names, f'{dtype} holds whole numbers exactly up to {exact}')
    return numbers.astype(np.float64)


def _integers(numbers: Column, names: Sequence[str]) -> Column:
    if numbers.dtype.kind == 'f':
        # The upper limit is excluded: it is the first float that does not fit.
        wide = numbers.astype(np.float64, copy=False)
        fits = (wide >= -(2.0**63)) & (wide < 2.0**63) & (wide == np.trunc(wide))
    elif numbers.dtype.kind == 'u':
        fits = numbers <= np.uint64(_INT64.max)
    else:
        return numbers.astype(np.int64, copy=False)
    allowed = f'int64 holds whole numbers from {_INT64.min} to {_INT64.max}'
    return _only_if(fits, numbers, names, allowed).astype(np.int64)


def _only_if(
    fits: npt.NDArray[np.bool_], numbers: Column, names: Sequence[str], allowed: str
) -> Column:
    if not fits.all():
        wrong = [
            f'{name} = {one}'
            for name, one, is_fit in zip(names, numbers, fits, strict=True)
            if not is_fit
        ]
        raise VectorError(f'{", ".join(wrong)} cannot be stored as published: {allowed}')
    return numbers
