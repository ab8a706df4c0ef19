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
`streamrec latency --bag`: planted delays are found in a bag, without ROS.

Guards against a measurement that needs the robot once more although its motion was recorded.
"""

from __future__ import annotations

import json

from arm_strokes import NoisyView, Strokes
from bags import header, JAZZY, JOINTS, write_bag
from command_line import streamrec
from lerobot_streamrec.fleet import bag_latency
from lerobot_streamrec.fleet.bag_import import bag_settings
from lerobot_streamrec.fleet.reading.bag_reader import open_bag
import numpy as np
import pytest
import yaml

BEGIN_NS = 1_800_000_000 * 10**9
FPS, SECONDS = 30, 10
ARRIVAL_NS = 5_000_000
DELAYS_MS = {'prompt': 0, 'quick': 15, 'usb': 40, 'slow': 90}
IMAGE = 'sensor_msgs/msg/Image'
NAMES = [f'joint_{number}' for number in range(6)]


def stamped(at_s):
    stamp_ns = BEGIN_NS + round(at_s * 1e9)
    made = header(stamp_ns // 10**9)
    made.stamp.nanosec = stamp_ns % 10**9
    return made


def picture(pixels, at_s):
    height, width, _ = pixels.shape
    message = JAZZY.types[IMAGE](
        header=stamped(at_s),
        height=height,
        width=width,
        encoding='rgb8',
        is_bigendian=0,
        step=3 * width,
        data=pixels.reshape(-1),
    )
    return bytes(JAZZY.serialize_cdr(message, IMAGE))


def joints(values, at_s):
    message = JAZZY.types[JOINTS](
        header=stamped(at_s),
        name=NAMES,
        position=np.asarray(values, float),
        velocity=np.empty(0),
        effort=np.empty(0),
    )
    return bytes(JAZZY.serialize_cdr(message, JOINTS))


def moving_robot(joints_at, seconds=SECONDS):
    """Return the messages of cameras that show one view, each with its own delay."""
    view, sent = NoisyView('front'), []
    for number in range(round(seconds * FPS)):
        at_s = number / FPS + 0.0123
        pixels = np.ascontiguousarray(view.picture(joints_at(at_s), number)[::4, ::4])
        for name, delay_ms in DELAYS_MS.items():
            late_s = at_s + delay_ms / 1e3
            sent.append((f'/{name}/image_raw', IMAGE, late_s, picture(pixels, late_s)))
    for number in range(-50, round(seconds * 100) + 50):
        at_s = number / 100
        sent.append(('/joint_states', JOINTS, at_s, joints(joints_at(at_s), at_s)))
    sent.sort(key=lambda one: one[2])
    return [
        (topic, kind, BEGIN_NS + round(at_s * 1e9) + ARRIVAL_NS, data)
        for topic, kind, at_s, data in sent
    ]


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    folder = tmp_path_factory.mktemp('latency')
    return write_bag(folder / 'moving', moving_robot(Strokes(11).joints))


@pytest.fixture
def params(tmp_path):
    parameters = {
        'root': str(tmp_path / 'nowhere'),
        'fps': FPS,
        'task': 't',
        'cameras': list(DELAYS_MS),
        'camera': {name: {'topic': f'/{name}/image_raw'} for name in DELAYS_MS},
        'state': {'topic': '/joint_states', 'names': NAMES},
    }
    parameters['camera']['usb']['offset_ms'] = -5.0
    path = tmp_path / 'robot.yaml'
    path.write_text(yaml.safe_dump({'/**': {'ros__parameters': parameters}}))
    return path


def offsets_in(path):
    cameras = yaml.safe_load(path.read_text())['/**']['ros__parameters']['camera']
    return {name: camera.get('offset_ms') for name, camera in cameras.items()}


def test_planted_delays_are_found_and_written(bag, params):
    done = streamrec('latency', params, '--bag', bag, '--json')
    assert done.returncode == 0, done.stderr
    cameras = json.loads(done.stdout)['cameras']
    for name, delay_ms in DELAYS_MS.items():
        assert cameras[name]['delay_ms'] == pytest.approx(delay_ms, abs=5)
        assert cameras[name]['uncertainty_ms'] <= 10
    assert cameras['usb']['offset_ms'] == -5.0
    assert offsets_in(params)['usb'] == -5.0

    done = streamrec('latency', params, '--bag', bag, '--write')
    assert done.returncode == 0, done.stderr
    assert 'has these values of offset_ms now' in done.stdout
    written = offsets_in(params)
    assert written == {name: one['wanted_offset_ms'] for name, one in cameras.items()}
    assert written['slow'] == pytest.approx(-90, abs=5)


def test_a_long_bag_is_measured_in_stretches(bag, params, monkeypatch):
    monkeypatch.setattr(bag_latency, 'NUM_STRETCHES', 2)
    monkeypatch.setattr(bag_latency, 'STRETCH_S', 4)
    opened, seen = open_bag(bag), []
    cameras = bag_latency.bag_latencies(
        opened, bag_settings(opened, params, '/', {}), '/', lambda *done: seen.append(done)
    )
    assert {one.name: one.wanted_ms for one in cameras} == pytest.approx(
        {name: -delay_ms for name, delay_ms in DELAYS_MS.items()}, abs=5
    )
    assert seen[-1][0] <= seen[-1][1] == 8
    # Three of eleven seconds in the middle are left out.
    assert len(seen) < 0.8 * opened.num_messages


def test_a_bag_that_does_not_tell_gives_the_reason(tmp_path, params):
    resting = write_bag(
        tmp_path / 'resting',
        [
            one
            for one in moving_robot(lambda _at_s: np.zeros(6), seconds=5)
            if one[0] != '/slow/image_raw'
        ],
    )
    done = streamrec('latency', params, '--bag', resting)
    assert done.returncode == 2
    assert f'{resting} has no topic /slow/image_raw; it has' in done.stderr
    parameters = yaml.safe_load(params.read_text())
    parameters['/**']['ros__parameters']['cameras'].remove('slow')
    del parameters['/**']['ros__parameters']['camera']['slow']
    params.write_text(yaml.safe_dump(parameters))
    done = streamrec('latency', params, '--bag', resting, '--write')
    assert done.returncode == 1
    assert done.stdout.count('no joint moves') == 3
    assert offsets_in(params)['usb'] == -5.0


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('--bag', '{bag}'), 'either a parameter file PARAMS or a dataset'),
        (('--bag', '{bag}', '--root', '.'), '--write and --bag need a parameter file'),
        (('robot.yaml', '--bag', '/nowhere'), "'/nowhere' does not exist"),
    ],
)
def test_wrong_usage_is_refused(bag, arguments, said):
    done = streamrec('latency', *(one.format(bag=bag) for one in arguments))
    assert done.returncode == 2
    assert said in ' '.join(done.stderr.split())
