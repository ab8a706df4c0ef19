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
A camera on another host, over a cable that loses 1 % and delays by 20 ms.

Guards the rows of all other cameras while a host is away, and what `doctor` says of another host.
"""

from __future__ import annotations

from itertools import pairwise
import json
import os
import signal
import subprocess
import sys

from examples.demo.motion import JOINT_NAMES
from examples.demo.settings import CHECKOUT
from examples.demo.verdict import judge
import numpy as np
import pytest
from recorder_rig.datasets import assert_whole, pictures, record
from recorder_rig.parameters import COMMON, FRONT_KEY, STATE, STATE_KEY
from recorder_rig.process import ros_arguments

from benchmarks.hosts import BASE, environment, PACKETS, PROFILE
from benchmarks.two_hosts import CAMERA, RECORDER, TwoHosts, why_not

pytestmark = [
    pytest.mark.ros,
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or 'never'),
]

TOP_KEY, TOP_TOPIC = 'observation.images.top', '/top/image_raw'
TIMEOUT_S = 100.0
# How the status begins to tell of the camera.
AWAY = f'{FRONT_KEY} ({BASE}'
PARAMETERS = {
    **COMMON,
    **STATE,
    'state.names': list(JOINT_NAMES),
    'cameras': ['front', 'top'],
    'camera.front.topic': BASE,
    'camera.front.transport': 'foxglove',
    'camera.top.topic': TOP_TOPIC,
    'provenance.per_row': True,
    'encoder.preset': 'ultrafast',
}


@pytest.fixture
def hosts():
    with TwoHosts() as hosts:
        yield hosts


class Cell:
    """An arm with a recorder on one host, and a camera with its encoder on the other."""

    def __init__(self, hosts, folder):
        self._hosts, self._folder = hosts, folder
        self.root, self.truth_path = folder / 'dataset', folder / 'truth.jsonl'
        paths = (CHECKOUT, CHECKOUT / 'test' / 'nodes', CHECKOUT / 'test' / 'helpers')
        path = os.pathsep.join(map(str, paths))
        self.environment = {**environment(PROFILE), 'PYTHONPATH': path}

    def start(self, host, module, *arguments, **options):
        log_path = self._folder / f'{module}.log'
        command = [sys.executable, '-m', module, *arguments]
        with log_path.open('ab') as log:
            options = {'stdout': log, 'stderr': log, **options}
            return self._hosts.start(host, command, self.environment, **options)

    def start_camera(self):
        settings = {'topic': BASE, 'encoder.profile': 'light'}
        return (
            self.start(CAMERA, PACKETS, *ros_arguments(settings)),
            self.start(CAMERA, 'benchmarks.hosts', 'camera', 'raw', '--seconds', '300'),
        )

    def start_recorder(self):
        size = ('--width', '640', '--height', '240')
        truth = ('--truth', str(self.truth_path))
        arm = self.start(
            RECORDER, 'examples.demo.simulated_arm', '--cameras', 'top', *size, *truth
        )
        parameters = ros_arguments({'root': str(self.root), **PARAMETERS})
        recorder = self.start(RECORDER, 'lerobot_streamrec.nodes.record_main', *parameters)
        pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'text': True}
        operator = self.start(RECORDER, 'recorder_rig.far_operator', str(self.root), **pipes)
        return arm, recorder, operator


def ask(operator, *steps):
    """Have an operator do some steps; return the answer to the last one."""
    for step in steps:
        operator.stdin.write(f'{step}\n')
        operator.stdin.flush()
        answer = operator.stdout.readline()
        assert answer, f'the operator has failed at {step!r}'
    return json.loads(answer)


@pytest.mark.parametrize('how', ['cable', 'kill'])
def test_a_host_that_goes_away_costs_repeats_that_are_told(hosts, tmp_path, how, keep_dataset):
    cell = Cell(hosts, tmp_path)
    camera = cell.start_camera()
    arm, recorder, operator = cell.start_recorder()
    ask(operator, 'start', 'rows 30')
    if how == 'cable':
        hosts.set_link(CAMERA, is_up=False)
    else:
        for one in camera:
            one.send_signal(signal.SIGKILL)
            one.wait()
    assert 'stale' in ask(operator, f'problem {AWAY}')
    ask(operator, 'rows 45')
    if how == 'cable':
        hosts.set_link(CAMERA, is_up=True)
    else:
        cell.start_camera()
    ask(operator, f'fine {AWAY}', 'rows 30')
    answer = ask(operator, 'save')
    for one in (recorder, arm):
        one.send_signal(signal.SIGINT)
        assert one.wait(TIMEOUT_S) == 0

    assert_whole(cell.root, 1)
    assert FRONT_KEY in answer
    streams = record(cell.root, 0)['streams']
    assert streams[FRONT_KEY]['rows_repeated'] >= 45
    # All other rows are those of a robot that lacks nothing.
    topics = {TOP_KEY: TOP_TOPIC, STATE_KEY: STATE['state.topic']}
    assert judge(cell.root, cell.truth_path, topics=topics).problems == ()
    shown = pictures(cell.root, FRONT_KEY)
    steps = [not is_same(one, other) for one, other in pairwise(shown)]
    longest = max(len(run) for run in ''.join('.x'[one] for one in steps).split('x'))
    assert longest >= 45, 'the last picture before the host went away is repeated'
    assert any(steps[-25:]), 'its pictures are taken again when it is back'
    keep_dataset(cell.root)


def is_same(one, other):
    """Tell whether two frames show one picture; encoding a repeat changes little."""
    return np.abs(one.astype(int) - other).mean() < 1.0


def test_the_doctor_tells_network_and_clock_of_another_host(hosts, tmp_path):
    cell = Cell(hosts, tmp_path)
    cell.start(CAMERA, 'benchmarks.hosts', 'camera', 'jpeg', '--seconds', '120')
    cell.start(RECORDER, 'examples.demo.simulated_arm', '--cameras', 'top')
    file = tmp_path / 'robot.yaml'
    file.write_text(
        f"""\
episode:
  ros__parameters:
    root: {cell.root}
    task: Pick up the cube
    encoder.vcodec: h264
    cameras: [front, top]
    camera.front.topic: {BASE}/compressed
    camera.top.topic: {TOP_TOPIC}
"""
    )
    command = [sys.executable, '-m', 'lerobot_streamrec.cli', 'doctor', str(file)]
    run = subprocess.run(
        hosts.command(RECORDER, [*command, '--json', '--seconds', '5']),
        env=cell.environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    report = json.loads(run.stdout)
    topics = {one['parameter']: one for one in report['topics']}
    (clock,) = (one['text'] for one in topics['camera.front']['remarks'] if 'clock' in one['text'])
    assert clock.startswith('it comes from another host, whose clock is at most ')
    # The cable alone takes 20 ms.
    assert topics['camera.front']['heard']['min_delay_s'] > 0.02
    assert not any('another host' in one['text'] for one in topics['camera.top']['remarks'])
    checks = {one['name']: one for one in report['checks']}
    assert checks['network']['text'].startswith('pictures from other hosts need ')
    assert '/top/' not in checks['network']['text']
    assert 'time' in checks
