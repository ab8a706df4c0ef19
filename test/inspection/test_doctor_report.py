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
"""The report for people: readable at 100 columns and in a pipe, with nothing cut off."""

from __future__ import annotations

from io import StringIO
import json

from lerobot_streamrec.inspection.arrivals import Heard
from lerobot_streamrec.inspection.diagnosis import Level, Remark
from lerobot_streamrec.inspection.machine_checks import Check
from lerobot_streamrec.inspection.observation import Observation
from lerobot_streamrec.inspection.report import DoctorReport, render, report_console, TopicReport
import pytest
from rich.console import Console

LONG = '/robot/arm/wrist_camera/color/image_rect_color/compressed'
FRONT = Observation(
    parameter='camera.front',
    key='observation.images.front',
    topic='/front/image_raw',
    message_type='sensor_msgs/msg/Image',
    is_camera=True,
    stamp='header',
    offered=('/driver: RELIABLE, TRANSIENT_LOCAL', '/other: RELIABLE, TRANSIENT_LOCAL'),
    asked='RELIABLE, TRANSIENT_LOCAL',
    heard=Heard(150, 29.97, 0, 0, 0.002, 0.0123),
    encoding='[bold]8',
    width=640,
    height=480,
    size_bytes=921_600,
    picture_file='somewhere/front.png',
)
STATE = Observation(
    parameter='state',
    key='observation.state',
    topic=LONG,
    message_type='sensor_msgs/msg/JointState',
    is_camera=False,
    stamp='header',
    offered=('/driver: BEST_EFFORT, VOLATILE',),
    asked='BEST_EFFORT, VOLATILE',
    heard=Heard(150, 60.0, 0, 150),
    values={f'joint_{number}': number / 3 for number in range(14)},
)
GONE = Observation('action', 'action', '/gone', '', False, 'header')


def report_of(*topics, checks=()):
    return DoctorReport('robot.yaml', 5.0, tuple(topics), tuple(checks))


def printed(report, width=100):
    console = Console(width=width, file=StringIO(), record=True)
    render(report, console)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_a_report_is_readable_at_100_columns():
    wrong = Remark(Level.PROBLEM, 'no message of [this] came: start it')
    lines = printed(
        report_of(
            TopicReport(FRONT, ()),
            TopicReport(STATE, ()),
            TopicReport(GONE, (wrong,)),
            checks=[Check('disk', Remark(Level.OK, '20 GB free'))],
        )
    )
    assert max(map(len, lines)) <= 100
    text = '\n'.join(lines)
    first = next(line for line in lines if 'camera.front' in line)
    assert all(
        word in first for word in ('ok', '30.0 Hz', '2.0 ms', 'reliable, latched', '640x480')
    )
    # What messages and topics hold is no markup.
    assert '[bold]8' in text
    assert '[this]' in text
    # What is too long for its column goes on below.
    begin, end = (lines[0].index(word) for word in ('topic', 'rate'))
    assert LONG in ''.join(line[begin:end].strip() for line in lines)
    assert 'max 12 ms' in text
    assert '922 kB' in text
    assert 'somewhere/front.png' in text
    # Of many values the first ones.
    begin = lines[0].index('content')
    content = ' '.join(line[begin:].strip() for line in lines)
    assert 'joint_1=0.3333' in content
    assert 'joint_12' not in content
    assert 'and 2 more' in content
    assert lines[-1] == 'robot.yaml is not fit to record: 1 problem'


@pytest.mark.parametrize(
    ('levels', 'words', 'verdict'),
    [
        ((), 'robot.yaml is fit to record', Level.OK),
        ((Level.OK, Level.NOTE), 'robot.yaml is fit to record', Level.OK),
        ((Level.WARNING, Level.WARNING), 'is fit to record: 2 warnings', Level.WARNING),
        (
            (Level.PROBLEM, Level.WARNING, Level.NOTE),
            'robot.yaml is not fit to record: 1 problem, 1 warning',
            Level.PROBLEM,
        ),
    ],
)
def test_the_worst_decides(levels, words, verdict):
    report = report_of(checks=[Check('it', Remark(level, 'x')) for level in levels])
    assert report.level is verdict
    assert printed(report)[-1].endswith(words)


def test_everything_is_in_the_json():
    remark = Remark(Level.WARNING, 'slow')
    report = report_of(TopicReport(FRONT, (remark,)), checks=[Check('disk', remark)])
    content = json.loads(json.dumps(report.as_json()))
    assert content['verdict'] == 'warning'
    (topic,) = content['topics']
    assert topic['verdict'] == 'warning'
    assert topic['remarks'] == [{'level': 'warning', 'text': 'slow'}]
    assert topic['heard']['rate_hz'] == 29.97
    assert topic['heard']['stamps'] == 'good'
    assert topic['offered'] == list(FRONT.offered)
    assert content['checks'] == [{'name': 'disk', 'level': 'warning', 'text': 'slow'}]


def test_a_pipe_is_100_columns_wide(monkeypatch, capsys):
    monkeypatch.delenv('COLUMNS', raising=False)
    console = report_console()
    assert console.width == 100
    console.print('[green]plain')
    assert capsys.readouterr().out == 'plain\n'
