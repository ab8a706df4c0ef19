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
"""What doctor says of encoder, root, disk and shared memory; none of it changes anything."""

from __future__ import annotations

from contextlib import ExitStack
import fcntl

from lerobot_streamrec.inspection.diagnosis import Level
from lerobot_streamrec.inspection.machine_checks import (
    check_clock,
    check_disk,
    check_packets,
    check_root,
    check_task,
    left_over,
    try_encoder,
)
from lerobot_streamrec.inspection.observation import Observation
from lerobot_streamrec.recording.config import DiskConfig, RecorderConfig
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.settings.transports import FFMPEG_TYPE, RAW_TYPE, VIDEO_TYPE
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.depth_config import DepthConfig
import pytest

FRONT = StreamConfig('observation.images.front', '/front')
DEPTH = StreamConfig('observation.images.far', '/far', depth=DepthConfig())
STATE = StreamConfig('observation.state', '/state', names=('a', 'b'))
H264 = EncoderConfig('h264')


def config(root, *streams, **more):
    return RecorderConfig(root=root, streams=streams or (STATE,), encoder=H264, **more)


@pytest.mark.parametrize(
    ('streams', 'words'),
    [
        ((STATE,), 'nothing to encode'),
        ((FRONT, STATE), 'encodes here with h264, at 30'),
        ((FRONT, DEPTH), 'h264 and hevc for depth'),
    ],
    ids=['no-camera', 'camera', 'depth'],
)
def test_the_encoder_is_tried(tmp_path, streams, words):
    check = try_encoder(config(tmp_path, *streams)).result(60)
    assert check.remark.level is Level.OK
    assert words in check.remark.text


def test_an_encoder_that_does_not_work_is_named(tmp_path):
    wrong = RecorderConfig(
        root=tmp_path, streams=(FRONT,), encoder=EncoderConfig('h264', pix_fmt='rgb565')
    )
    check = try_encoder(wrong).result(60)
    assert check.remark.level is Level.PROBLEM
    assert 'encoder.pix_fmt' in check.remark.text


def test_a_root_that_is_not_there_yet(tmp_path):
    check, info = check_root(config(tmp_path / 'a' / 'b'), is_recorder_there=False)
    assert check.remark.level is Level.OK
    assert 'will be created' in check.remark.text
    assert 'observation.state' in info.features
    assert not list(tmp_path.iterdir())


def test_a_root_that_cannot_be_used(tmp_path):
    (tmp_path / 'holiday.jpg').write_bytes(b'precious')
    check, _ = check_root(config(tmp_path), is_recorder_there=False)
    assert check.remark.level is Level.PROBLEM
    assert 'holiday.jpg' in check.remark.text


def test_a_disk_without_room(tmp_path):
    assert check_disk(config(tmp_path)).remark.level is Level.OK
    full = config(tmp_path, disk=DiskConfig(reserve_mib=1 << 30))
    assert check_disk(full).remark.level is Level.PROBLEM
    assert 'no episode would start' in check_disk(full).remark.text


@pytest.mark.parametrize(
    ('task', 'level'),
    [('', Level.NOTE), ('Say it', Level.WARNING), ('Pick up the cube', Level.OK)],
)
def test_a_task_that_was_not_set(tmp_path, task, level):
    assert check_task(config(tmp_path, task=task), 'Say it').remark.level is level


@pytest.mark.parametrize(
    ('is_sim_time', 'num_clocks', 'levels'),
    [
        (False, 0, []),
        (True, 1, []),
        (True, 0, [Level.PROBLEM]),
        (False, 1, [Level.NOTE]),
    ],
)
def test_the_clock_of_a_simulation(is_sim_time, num_clocks, levels):
    assert [one.remark.level for one in check_clock(is_sim_time, num_clocks)] == levels


def test_segments_without_an_owner_are_counted(tmp_path):
    names = [f'fastrtps_{number:016x}' for number in range(3)]
    with ExitStack() as stack:
        for name in names:
            (tmp_path / name).write_bytes(b'x' * 8192)
            lock = stack.enter_context((tmp_path / f'{name}_el').open('w'))
            fcntl.flock(lock, fcntl.LOCK_EX)
        for other in ('fastrtps_port7400', 'sem.fastrtps_port7400_mutex', 'psm_1234'):
            (tmp_path / other).write_bytes(b'x' * 8192)
        assert left_over(tmp_path) == (0, 0)
        # One whose owner went without a word, and one of a newer release without a lock.
        (tmp_path / f'fastdds_{7:016x}').write_bytes(b'x' * 8192)
        (tmp_path / f'{names[0]}_el').unlink()
        (tmp_path / f'{names[0]}_el').touch()
        assert left_over(tmp_path) == (2, 16_384)
    assert left_over(tmp_path)[0] == 4
    assert len(list(tmp_path.iterdir())) == 10
    assert left_over(tmp_path / 'nowhere') == (0, 0)


def test_packets_of_video_are_said_to_be_copied():
    topics = {'/front/raw': RAW_TYPE, '/top/foxglove': VIDEO_TYPE, '/side/ffmpeg': FFMPEG_TYPE}
    seen = [Observation('', '', topic, kind, True, 'header') for topic, kind in topics.items()]
    (check,) = check_packets(seen)
    assert check.remark.level is Level.OK
    assert check.remark.text.startswith('packets of /top/foxglove, /side/ffmpeg are copied ')
    assert check_packets(seen[:1]) == []
