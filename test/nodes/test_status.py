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
"""What the recorder tells without being asked, and how it is told the task."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from itertools import pairwise
import json
import socket

from diagnostic_msgs.msg import DiagnosticStatus
from lerobot_streamrec.nodes.status_messages import recorder_message, Sender, stream_message
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.operating.status import OperatingStatus, Phase
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
import pytest
from rclpy.qos import QoSProfile
from recorder_rig.operator import LATCHED, Status
from recorder_rig.parameters import FRONT_KEY, FRONT_TOPIC, SMALL, STATE_KEY, STATE_TOPIC
from recorder_rig.surroundings import DISCOVERY_TIMEOUT_S, wait_until

pytestmark = [pytest.mark.ros]

TOPIC_OF = {FRONT_KEY: FRONT_TOPIC, STATE_KEY: STATE_TOPIC}


@pytest.fixture(scope='module')
def operator(shared_rig):
    shared_rig.small_robot()
    shared_rig.recorder(SMALL)
    operator = shared_rig.operator()
    operator.wait_for_streams()
    return operator


def test_the_status_is_latched(operator):
    heard = []
    # Whoever asks for what was said before is matched only by a publisher that keeps it.
    subscription = operator.node.create_subscription(
        DiagnosticStatus,
        '/episode/status',
        lambda message: heard.append(Status.of(message)),
        LATCHED,
    )
    try:
        wait_until(lambda: heard, DISCOVERY_TIMEOUT_S, 'a latched status')
    finally:
        operator.node.destroy_subscription(subscription)
    assert heard[0].values['state'] == 'idle'


def test_the_state_is_told_when_it_changes(operator, shared_rig):
    assert operator.status.values['state'] == 'idle'
    heard = len(operator.statuses)
    operator.start()
    operator.wait_for_rows(10)
    running = operator.status
    assert running.message == 'recording'
    assert running.values['task'] == 'Pick up the cube'
    assert running.values['root'] == str(shared_rig.root)
    index = int(running.values['episode_index'])
    assert float(running.values['seconds']) == pytest.approx(
        int(running.values['rows']) / 30, abs=0.06
    )
    answer = operator.save()
    done = operator.wait_for_status(
        lambda one: one.values['state'] == 'idle' and one.values['pending_episodes'] == '0',
        'the recorder is idle again',
    )
    assert done.values['saved_episodes'] == str(index + 1)
    assert done.values['last_result'] == f'saved {answer}'
    assert done.values['rows'] == '0'
    states = [one.values['state'] for one in operator.statuses[heard:]]
    changes = [after for before, after in pairwise(['idle', *states]) if after != before]
    assert changes == ['recording', 'idle']


def test_diagnostics_have_one_status_for_each_stream(operator):
    heard = len(operator.diagnostics)
    wait_until(lambda: len(operator.diagnostics) >= heard + 3, 90.0, 'three diagnostics')
    whole, *streams = operator.diagnostics[-1]
    assert whole.name == 'episode: recorder'
    assert [one.name for one in streams] == [f'episode: recorder/{key}' for key in TOPIC_OF]
    assert {one.hardware_id for one in (whole, *streams)} == {f'{socket.gethostname()}/episode'}
    for one, topic in zip(streams, TOPIC_OF.values(), strict=True):
        assert one.level == 0
        assert one.message.endswith(' Hz')
        assert one.values['topic'] == topic
        assert int(one.values['received']) > 10
        assert one.values['rejected'] == one.values['late'] == '0'
    front, joints = (float(one.values['rate_hz']) for one in streams)
    assert front == pytest.approx(30, rel=0.15)
    assert joints == pytest.approx(60, rel=0.15)


@pytest.mark.parametrize(
    ('qos', 'task'),
    [(LATCHED, 'Open the drawer'), (QoSProfile(depth=1), 'Close the drawer')],
    ids=['latched', 'volatile'],
)
def test_the_task_comes_from_a_topic(operator, qos, task):
    publisher = operator.publish_task(task, qos)
    try:
        operator.wait_for_status(lambda one: one.values['task'] == task, 'the task')
        assert operator.start().endswith(f': {task}')
        operator.send('discard').succeed()
    finally:
        operator.node.destroy_publisher(publisher)


def test_a_camera_whose_encoder_failed_is_a_warning(tmp_path):
    streams = (StreamConfig(FRONT_KEY, FRONT_TOPIC),)
    recorder = Recorder(RecorderConfig(tmp_path / 'dataset', streams), lambda: 0)
    try:
        status = recorder.status()
    finally:
        recorder.close(30.0)
    sentence = 'h264_nvenc failed at frame 7; the rest with h264'
    stream = replace(status.streams[0], problem='', trouble=sentence)
    sender = Sender('/episode', 'arm')
    whole = recorder_message(
        replace(status, streams=(stream,)), sender, OperatingStatus(Phase.READY)
    )
    for message in (whole, stream_message(stream, sender)):
        assert message.level == DiagnosticStatus.WARN
    assert f'{FRONT_KEY}: {sentence}' in whole.message
    assert stream_message(stream, sender).message == sentence


def test_every_stream_tells_what_it_is_and_where_its_preview_is(operator):
    heard = len(operator.diagnostics)

    def has_nominal_rates():
        told = operator.diagnostics[heard:]
        return told and all(one.values['nominal_hz'] for one in told[-1][1:])

    wait_until(has_nominal_rates, DISCOVERY_TIMEOUT_S, 'a nominal rate of every stream')
    whole, *streams = operator.diagnostics[-1]
    told = {one.name.partition('/')[2]: one.values for one in streams}
    assert whole.values['fps'] == operator.status.values['fps'] == '30'
    assert {key: one['kind'] for key, one in told.items()} == {
        FRONT_KEY: 'camera', STATE_KEY: 'vector'
    }
    assert told[FRONT_KEY]['preview'] == '/episode/preview/front/compressed'
    assert told[STATE_KEY]['preview'] == '/episode/preview/observation_state'
    # The robot sends 30 pictures and 60 joint states per second, or fewer on a busy machine.
    assert 10 < float(told[FRONT_KEY]['nominal_hz']) < 35
    assert 10 < float(told[STATE_KEY]['nominal_hz']) < 70


def test_a_copy_that_waits_is_told_and_is_no_warning(tmp_path):
    told = tmp_path / 'dataset/.streamrec/sync/abc.json'
    told.parent.mkdir(parents=True)
    values = {'url': 's3://lab/cell-07', 'state': 'waiting', 'files_waiting': 8, 'episodes': 12}
    now = datetime.now(timezone.utc).isoformat()
    told.write_text(json.dumps({**values, 'problem': 'no network', 'updated_at': now}))
    streams = (StreamConfig(FRONT_KEY, FRONT_TOPIC),)
    recorder = Recorder(RecorderConfig(tmp_path / 'dataset', streams), lambda: 0)
    try:
        status = replace(recorder.status(), streams=())
    finally:
        recorder.close(30.0)
    message = recorder_message(status, Sender('/episode', 'arm'), OperatingStatus(Phase.READY))
    values = {one.key: one.value for one in message.values}
    assert values['sync'] == 's3://lab/cell-07: waiting, 8 files left: no network'
    assert message.level == DiagnosticStatus.OK


def lists(status, operating):
    message = Status.of(recorder_message(status, Sender('/episode', 'arm'), operating))
    return message.values['blocker_list'], message.values['problem_list']


def test_blockers_and_problems_are_one_line_each(tmp_path):
    streams = (
        StreamConfig(FRONT_KEY, FRONT_TOPIC),
        StreamConfig(STATE_KEY, STATE_TOPIC, ('a',)),
    )
    recorder = Recorder(RecorderConfig(tmp_path / 'dataset', streams, task='t'), lambda: 0)
    try:
        blockers, status = recorder.start_problems(), recorder.status()
    finally:
        recorder.close(30.0)
    expected = [
        f'{one.key} ({one.topic}) is missing: no message has arrived yet' for one in streams
    ]
    operating = OperatingStatus(Phase.IDLE, tuple(blockers), obstacle='two; lines\nhere')
    told = lists(status, operating)
    assert told[0].split('\n') == expected
    assert told[1].split('\n') == ['two; lines here', *expected]
    failed = lists(replace(status, failure='the disk is gone'), operating)
    assert failed[1].split('\n')[0] == 'the disk is gone'
    fine = replace(status, streams=())
    assert lists(fine, OperatingStatus(Phase.READY)) == ('', '')
