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
"""A message of a video codec is told by its format, and its key frames by their bytes."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from lerobot_streamrec.conversions.compressed_image import access_unit
import numpy as np
from packets import CODECS, encode_packets
import pytest

NOISE = np.random.default_rng(0)


@pytest.fixture(scope='module')
def streams():
    pictures = [NOISE.integers(0, 256, (96, 128, 3), np.uint8) for _ in range(8)]
    return {codec: encode_packets(pictures, codec, key_distance=3) for codec in CODECS}


@pytest.mark.parametrize('codec', CODECS)
def test_key_frames_come_with_their_parameters(codec, streams):
    messages = streams[codec]
    units = [access_unit(message) for message in messages]
    assert [unit.is_key for unit in units] == [number % 3 == 0 for number in range(len(units))]
    keys = [unit for unit in units if unit.is_key]
    assert {unit.codec for unit in units} == {codec}
    assert len({unit.parameters for unit in keys}) == 1
    assert 5 < len(keys[0].parameters) < 100
    for unit, message in zip(units, messages, strict=True):
        assert np.shares_memory(unit.data, np.frombuffer(message.data, np.uint8))


@pytest.mark.parametrize('codec', ['h264', 'hevc'])
def test_a_key_frame_without_parameters_is_none_to_begin_with(codec, streams):
    message = streams[codec][0]
    picture = message.data.rfind(b'\0\0\1')
    unit = access_unit(SimpleNamespace(format=codec, data=message.data[picture:]))
    assert not unit.is_key


@pytest.mark.parametrize(
    ('text', 'codec'),
    [
        ('h264', 'h264'),
        ('H265', 'hevc'),
        ('hevc', 'hevc'),
        ('av1', 'av1'),
        ('bgr8; h264', 'h264'),
        ('jpeg', None),
        ('bgr8; png compressed', None),
        ('', None),
    ],
)
def test_the_format_tells_the_codec(text, codec):
    unit = access_unit(SimpleNamespace(format=text, data=b'\0\0\1\x09\x10'))
    assert (unit and unit.codec) == codec


@given(st.sampled_from(['h264', 'h265', 'av1']), st.binary(min_size=1, max_size=80), st.booleans())
def test_garbage_is_no_error(text, data, begins_right):
    begin = {'av1': b'\x0a\x0b'}.get(text, b'\0\0\1') if begins_right else b''
    unit = access_unit(SimpleNamespace(format=text, data=begin + data))
    assert unit.codec in CODECS
