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
A value is stored exactly as published, or its message is refused and counted.

Guards against digits that are lost on the way to the parquet file: everything in float64 turns
nanoseconds into other nanoseconds, wraps what is too large, cuts fractions and makes 0.7 true.
"""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from lerobot_streamrec.conversions.parts import TimedVector
from lerobot_streamrec.errors import MessageError, VectorError
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.recording.streams.column_values import column_values
import numpy as np
import pyarrow.parquet as pq
import pytest

STATE = 'observation.state'
NANOSECONDS = 1_800_000_000_123_456_789
NUMPY_INTEGERS = ('int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64')


def column(values, dtype):
    names = [f'x{place}' for place in range(len(values))]
    return column_values(values, dtype, names)


@st.composite
def published(draw):
    kind = draw(st.sampled_from([*NUMPY_INTEGERS, 'float16', 'float32', 'float64', 'bool']))
    if kind == 'bool':
        one = st.booleans()
    elif kind.startswith('float'):
        limit = 2**15 if kind == 'float16' else 2**64
        whole = st.integers(-limit, limit).map(float)
        one = st.floats(width=int(kind[-2:])) | whole.map(np.dtype(kind).type).map(float)
    else:
        limits = np.iinfo(kind)
        one = st.integers(int(limits.min), int(limits.max))
    values = draw(st.lists(one, min_size=1, max_size=3))
    return np.array(values, dtype=kind)


@pytest.mark.filterwarnings('error')
@given(published(), st.sampled_from(['float32', 'float64', 'int64', 'bool']))
def test_what_is_stored_is_what_was_published(values, dtype):
    try:
        stored = column(values, dtype).astype(dtype)
    except VectorError:
        assert not all(fits(one, dtype) for one in values)
        return
    assert all(fits(one, dtype) for one in values)
    for one, kept in zip(values, stored, strict=True):
        if values.dtype.kind == 'f' and dtype.startswith('float'):
            assert kept == np.dtype(dtype).type(one)
        else:
            assert exact(kept) == exact(one)


def exact(value):
    """Return a number without any rounding."""
    return Fraction(value.item())


def fits(value, dtype):
    """Whether a column can hold a published number, by arithmetic without a limit of digits."""
    if value.dtype.kind == 'f':
        if not np.isfinite(value):
            return False
        if dtype.startswith('float'):
            return abs(exact(value)) <= exact(np.finfo(dtype).max)
    wanted = exact(value)
    if dtype == 'bool':
        return wanted in (0, 1)
    if dtype == 'int64':
        return wanted.denominator == 1 and -(2**63) <= wanted < 2**63
    return exact(np.dtype(dtype).type(value.item())) == wanted


def test_numbers_of_several_kinds_keep_their_values():
    mixed = np.array([NANOSECONDS, 0.5], dtype=object)
    with pytest.raises(VectorError, match=r'x1 = 0\.5 cannot be stored as published: int64 holds'):
        column(mixed, 'int64')
    assert column(np.array([NANOSECONDS, True, 2.0], dtype=object), 'int64').tolist() == [
        NANOSECONDS,
        1,
        2,
    ]
    # NumPy would make floats of a list of these.
    assert column([NANOSECONDS, True, 2.0], 'int64').tolist() == [NANOSECONDS, 1, 2]
    with pytest.raises(VectorError, match=f'x0 = {NANOSECONDS} cannot'):
        column([NANOSECONDS, 0.5], 'float64')


@pytest.mark.parametrize('dtype', ['float32', 'float64', 'int64', 'bool'])
@pytest.mark.parametrize('value', [2**64, -(10**30), None, '1', 1j])
def test_what_is_no_number_is_refused(value, dtype):
    for values in ([value], [1.0, value], np.array([value, 1], dtype=object)):
        with pytest.raises(VectorError, match='is not a num'):
            column(values, dtype)


@pytest.mark.parametrize(
    ('value', 'dtype', 'words'),
    [
        (NANOSECONDS, 'float64', r'x0 = 1800000000123456789 .*float64 holds whole numbers'),
        (2**24 + 1, 'float32', 'x0 = 16777217 cannot be stored as published: float32 holds'),
        (np.uint64(2**63), 'int64', 'x0 = 9223372036854775808 .*int64 holds whole numbers'),
        (0.7, 'bool', 'x0 = 0.7 cannot be stored as published: bool holds false and true'),
        (2, 'bool', 'x0 = 2 cannot'),
        (1.5, 'int64', 'x0 = 1.5 cannot'),
        (1e19, 'int64', r'x0 = 1e\+19 cannot'),
        (float('nan'), 'int64', 'x0 = nan cannot'),
        (float('nan'), 'float32', r'x0 = nan .*float32 holds finite numbers up to 3.4e\+38'),
        (-float('inf'), 'float64', 'x0 = -inf cannot'),
        (1e39, 'float32', r'x0 = 1e\+39 cannot'),
    ],
)
def test_what_a_column_cannot_hold_is_refused_by_name(value, dtype, words):
    with pytest.raises(VectorError, match=words) as caught:
        column([value], dtype)
    assert isinstance(caught.value, MessageError)


def test_numbers_at_the_limits_are_numbers():
    assert column([3e38], 'float32').tolist() == [3e38]
    assert column([1e300], 'float64').tolist() == [1e300]
    assert column([2**24], 'float32').tolist() == [2**24]
    # 2**60 has one digit in base 2.
    assert column([2**60], 'float32').tolist() == [2**60]
    assert column([-(2.0**63)], 'int64').tolist() == [-(2**63)]
    assert column([2**63 - 1], 'int64').tolist() == [2**63 - 1]


def test_infinities_that_cancel_out_are_refused_without_a_warning():
    with pytest.raises(VectorError, match='x0 = inf, x1 = -inf'):
        column([float('inf'), -float('inf'), 0.0], 'float32')


def test_a_vector_of_another_length_is_refused():
    with pytest.raises(VectorError, match=r'shape \(2,\), but 1 are needed: x'):
        column_values([1.0, 2.0], 'float32', ['x'])


def integers(dtype='int64', **changes):
    return StreamConfig(STATE, '/ticks', names=('ticks',), dtype=dtype, **changes)


def raw_values(root):
    (path,) = root.glob('data/*/*.parquet')
    return pq.read_table(path)[STATE].to_pylist()


def test_nanoseconds_come_back_to_the_last_digit(make_play, root):
    play = make_play(integers())
    numbers = [NANOSECONDS + 7 * step for step in range(6)]
    push(play, 0, numbers[0])
    play.recorder.start()
    for step in range(1, 6):
        push(play, step * 100, numbers[step])
    play.save()
    assert raw_values(root) == numbers


def push(play, stamp_ms, number, dtype=np.int64):
    stamp_ns = 1_800_000_000 * 10**9 + stamp_ms * 10**6
    play.steady_ns = max(play.steady_ns, stamp_ms * 10**6)
    play.recorder.push_vector(STATE, stamp_ns, np.array([number], dtype=dtype))
    play.recorder.close_rows()


def rejection(play):
    """Return why the last number was rejected."""
    (state,) = play.recorder.status().streams
    return state.counts.rejection


def test_what_does_not_fit_is_refused_and_the_row_holds_the_last(make_play, root):
    play = make_play(integers())
    push(play, 0, 5)
    play.recorder.start()
    push(play, 100, 6)
    for stamp_ms, bad in ((190, 6.5), (195, 2.0**64)):
        push(play, stamp_ms, bad, dtype=np.float64)
        assert f'ticks = {bad} cannot be stored as published: int64 holds' in rejection(play)
    push(play, 201, 7)
    push(play, 300, 8)
    play.save()
    assert raw_values(root) == [5, 6, 6, 8]


def test_a_trajectory_has_values_in_between_that_integers_have_not(make_play):
    play = make_play(integers())
    course = TimedVector((0, 10**9), (np.array([1.0]), np.array([2.0])))
    play.recorder.push_vector(STATE, 1_800_000_000 * 10**9, course)
    assert 'values between points, which int64 cannot hold' in rejection(play)


def test_every_point_of_a_trajectory_is_looked_at(make_play):
    play = make_play(integers('float32'))
    course = TimedVector((0, 10**9), (np.array([1.0]), np.array([float('nan')])))
    play.recorder.push_vector(STATE, 1_800_000_000 * 10**9, course)
    assert 'ticks = nan' in rejection(play)
