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
Calibrations and static transforms as YAML.

Guards against a file that another reader of YAML takes for other numbers or names, and against a
field in the place of another one.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

from cdr_writer import CdrWriter
from hypothesis import given
from hypothesis import strategies as st
from lerobot_streamrec.conversions.cdr import read_transforms, Transform
from lerobot_streamrec.conversions.robot_yaml import (
    calibration_yaml,
    fill_calibration,
    transforms_in,
    transforms_yaml,
)
from lerobot_streamrec.errors import MessageError
import pytest
import yaml

NAMES = st.text(st.characters(min_codepoint=32, exclude_categories=['C']))
NUMBERS = st.floats()


def camera_info(*, k=(), d=(), r=(), p=(), frame_id='optical', **changes):
    roi = {'x_offset': 0, 'y_offset': 0, 'height': 0, 'width': 0, 'do_rectify': False}
    return SimpleNamespace(
        header=SimpleNamespace(frame_id=frame_id),
        height=480,
        width=640,
        distortion_model=changes.pop('distortion_model', 'plumb_bob'),
        k=[*k] or [float(one) for one in range(9)],
        d=[*d],
        r=[*r] or [10.0 + one for one in range(9)],
        p=[*p] or [20.0 + one for one in range(12)],
        binning_x=changes.pop('binning_x', 0),
        binning_y=changes.pop('binning_y', 0),
        roi=SimpleNamespace(**{**roi, **changes}),
    )


def test_a_calibration_has_the_keys_of_camera_calibration_parsers_in_their_order():
    read = yaml.safe_load(calibration_yaml('front', camera_info(d=(0.1, -1e-5, 0.0, 0.0, 3e20))))
    assert [*read] == [
        'image_width',
        'image_height',
        'camera_name',
        'camera_matrix',
        'distortion_model',
        'distortion_coefficients',
        'rectification_matrix',
        'projection_matrix',
        'frame_id',
    ]
    assert (read['image_width'], read['image_height']) == (640, 480)
    assert (read['camera_name'], read['frame_id']) == ('front', 'optical')
    assert read['distortion_model'] == 'plumb_bob'
    matrix = [float(one) for one in range(9)]
    assert read['camera_matrix'] == {'rows': 3, 'cols': 3, 'data': matrix}
    coefficients = [0.1, -1e-5, 0.0, 0.0, 3e20]
    assert read['distortion_coefficients'] == {'rows': 1, 'cols': 5, 'data': coefficients}
    assert read['rectification_matrix']['data'] == [10.0 + one for one in range(9)]
    projection = [20.0 + one for one in range(12)]
    assert read['projection_matrix'] == {'rows': 3, 'cols': 4, 'data': projection}


def test_binning_and_region_follow_if_they_are_set():
    read = yaml.safe_load(calibration_yaml('front', camera_info(binning_x=2, binning_y=3)))
    assert (read['binning_x'], read['binning_y']) == (2, 3)
    assert 'roi' not in read
    info = camera_info(x_offset=1, y_offset=2, height=3, width=4, do_rectify=True)
    region = {'x_offset': 1, 'y_offset': 2, 'height': 3, 'width': 4, 'do_rectify': True}
    assert yaml.safe_load(calibration_yaml('front', info))['roi'] == region


def is_same(one, other):
    return one == other or (math.isnan(one) and math.isnan(other))


@given(name=NAMES, frame=NAMES, values=st.lists(NUMBERS, max_size=14))
def test_every_name_and_number_comes_back_from_a_calibration(name, frame, values):
    read = yaml.safe_load(calibration_yaml(name, camera_info(d=values, frame_id=frame)))
    assert (read['camera_name'], read['frame_id']) == (name, frame)
    found = read['distortion_coefficients']['data']
    assert all(isinstance(one, float) for one in found)
    assert all(map(is_same, found, values))


@st.composite
def transforms(draw):
    return Transform(
        draw(NAMES),
        draw(NAMES),
        draw(st.tuples(*[NUMBERS] * 3)),
        draw(st.tuples(*[NUMBERS] * 4)),
    )


@given(values=st.lists(NUMBERS, min_size=9, max_size=9), frame=NAMES)
def test_a_calibration_goes_back_into_a_message(values, frame):
    info = camera_info(k=values, d=values[:5], frame_id=frame, x_offset=1, do_rectify=True)
    made = camera_info(k=[0.0] * 9, r=[0.0] * 9, p=[0.0] * 12, frame_id='')
    fill_calibration(calibration_yaml('front', info), made)
    assert all(map(is_same, made.k, values))
    assert all(map(is_same, made.d, values[:5]))
    assert (made.r, made.p, made.roi) == (info.r, info.p, info.roi)
    assert (made.width, made.height, made.header.frame_id) == (640, 480, frame)


@given(one=transforms())
def test_transforms_are_read_from_their_text(one):
    (read,) = transforms_in(transforms_yaml([one]))
    assert (read.frame_id, read.child_frame_id) == (one.frame_id, one.child_frame_id)
    assert all(map(is_same, read.translation, one.translation))
    assert all(map(is_same, read.rotation, one.rotation))
    assert transforms_in(transforms_yaml([])) == []


@pytest.mark.parametrize('content', [b'{', b'[]', b'transforms: [1]', b'image_width: x', b'\xff'])
def test_a_text_that_somebody_has_edited_is_refused(content):
    for read in (lambda: transforms_in(content), lambda: fill_calibration(content, camera_info())):
        with pytest.raises(ValueError, match='it cannot be read: '):
            read()


@given(one=transforms())
def test_every_name_and_number_comes_back_from_a_transform(one):
    (read,) = yaml.safe_load(transforms_yaml([one]))['transforms']
    assert (read['frame_id'], read['child_frame_id']) == (one.frame_id, one.child_frame_id)
    assert [*read['translation']] == ['x', 'y', 'z']
    assert [*read['rotation']] == ['x', 'y', 'z', 'w']
    assert all(map(is_same, read['translation'].values(), one.translation))
    assert all(map(is_same, read['rotation'].values(), one.rotation))


def test_the_order_of_arrival_of_transforms_does_not_matter():
    one = Transform('base', 'a', (0.0,) * 3, (0.0, 0.0, 0.0, 1.0))
    other = Transform('base', 'b', (1.0,) * 3, (0.0, 0.0, 0.0, 1.0))
    assert transforms_yaml([one, other]) == transforms_yaml([other, one])


def tf_message(order, sent):
    writer = CdrWriter(order)
    writer.scalar('I', len(sent))
    for one in sent:
        writer.scalar('i', 5)
        writer.scalar('I', 6)
        writer.text(one.frame_id)
        writer.text(one.child_frame_id)
        for value in (*one.translation, *one.rotation):
            writer.scalar('d', value)
    return writer.data


@pytest.mark.parametrize('order', ['<', '>'])
def test_transforms_are_read_from_the_bytes(order):
    sent = [
        Transform(parent, child, (0.5, -2.0, 3.0), (0.0, 0.1, 0.2, 0.9))
        for parent, child in (('base_link', 'a'), ('base', 'camera_optical'), ('', 'b'))
    ]
    assert read_transforms(tf_message(order, sent)) == sent
    assert read_transforms(tf_message(order, [])) == []


def test_damaged_transforms_are_refused():
    whole = tf_message('<', [Transform('base', 'a', (0.0,) * 3, (0.0,) * 4)])
    for size in range(len(whole)):
        with pytest.raises(MessageError):
            read_transforms(whole[:size])
