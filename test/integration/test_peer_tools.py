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
Programs of others on our datasets: LeRobot's training, and three linters.

Guards against a dataset that LeRobot loads but cannot train on, and against one that the checks
of other labs complain about.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import re
import subprocess

from arm_dataset import Plan, write_dataset
from lerobot_streamrec.dataset.rebuild.label import label_episodes
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
import numpy as np
import pytest

VARIABLE = 'STREAMREC_CONFORMANCE_PYTHON'
TIMEOUT_S = 300
FPS = 10
FRONT, STATE, ACTION = 'observation.images.front', 'observation.state', 'action'
JOINTS = ('shoulder', 'elbow', 'gripper')
STREAMS = (
    StreamConfig(FRONT, '/front'),
    StreamConfig(STATE, '/joint_states', JOINTS),
    StreamConfig(ACTION, '/policy', JOINTS),
    StreamConfig(
        f'{ACTION}.when_intervening', '/leader', JOINTS, part_of=ACTION, is_for_human=True
    ),
    StreamConfig('observation.wrench', '/wrench', ('x', 'z'), window=5),
)
TRAINING = (
    '--policy.type=act',
    '--policy.pretrained_backbone_weights=null',
    '--policy.device=cpu',
    '--policy.push_to_hub=false',
    '--policy.chunk_size=4',
    '--policy.n_action_steps=4',
    '--policy.dim_model=32',
    '--policy.n_heads=2',
    '--policy.dim_feedforward=32',
    '--steps=2',
    '--batch_size=2',
    '--num_workers=0',
    '--log_freq=1',
    '--save_checkpoint=false',
    '--wandb.enable=false',
)

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.slow,
    pytest.mark.timeout(TIMEOUT_S + 60),
]


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a program of LeRobot's environment, offline."""
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f'{VARIABLE} is not set; make test sets it, and makes what it names')

    def run(program, *arguments):
        return subprocess.run(
            [Path(python).parent / program, *map(str, arguments)],
            env={**os.environ, 'HF_HUB_OFFLINE': '1', 'HF_HOME': str(tmp_path / 'hf')},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    return run


def record_everything(root):
    """Record episodes with every column that this recorder can write."""
    config = RecorderConfig(
        root=root,
        streams=STREAMS,
        fps=FPS,
        is_hil=True,
        subtasks='both',
        operator='Ada',
        metadata={'object_set': 'B'},
        modality=True,
    )
    recorder, tick = Recorder(config), 0
    recorder.robot.put('robot_description', '', b'<robot name="arm"/>')
    try:
        for task in ('push', 'pull', 'push'):
            recorder.set_task(task)
            for step in range(16):
                stamp_ns = 10**12 + tick * 10**9 // FPS
                picture = np.full((96, 128, 3), 5 * tick % 256, np.uint8)
                recorder.push_image(FRONT, stamp_ns, Frame(picture, 'rgb24'))
                values = np.sin(tick / 5 + np.arange(3))
                for stream in STREAMS[1:4]:
                    recorder.push_vector(stream.key, stamp_ns, values)
                for part in range(3):
                    at_ns = stamp_ns + part * 30_000_000
                    recorder.push_vector('observation.wrench', at_ns, np.array([tick, part]))
                recorder.close_rows()
                tick += 1
                if step == 0:
                    recorder.start()
                if step in (4, 9):
                    recorder.intervene(is_human=step == 4)
                    recorder.begin_subtask(f'{task} {step}')
            recorder.save().result(timeout=60)
        recorder.finalize().result(timeout=60)
    finally:
        assert recorder.close(timeout_s=20)
    label_episodes(root, [0, 2], {'verdict': 'success'})


def test_lerobot_trains_on_a_dataset_with_every_column(run, tmp_path):
    root = tmp_path / 'dataset'
    record_everything(root)
    trained = run(
        'lerobot-train',
        '--dataset.repo_id=somebody/everything',
        f'--dataset.root={root}',
        f'--output_dir={tmp_path / "out"}',
        *TRAINING,
    )
    told = trained.stdout + trained.stderr
    assert trained.returncode == 0, told
    losses = [float(one) for one in re.findall(r'\bloss:([0-9.]+)', told)]
    assert len(losses) == 2
    assert np.isfinite(losses).all()


def somewhere_else(distance):
    """Return a change of an episode's motion, since linters ask for different places."""

    def move(state, action):
        state += distance
        action += distance

    return move


@pytest.fixture(scope='module')
def arm(tmp_path_factory):
    """Write a dataset of the simulated arm, long enough for the chunks of a policy."""
    plans = [Plan(12.0, motion=somewhere_else(0.3 * number)) for number in (-1, 0, 1)]
    return write_dataset(tmp_path_factory.mktemp('arm') / 'dataset', plans)


def test_lerobot_doctor_has_nothing_to_say(run, arm):
    told = run('lerobot-doctor', 'check', arm, '--json')
    checks = json.loads(told.stdout)['checks']
    assert len(checks) > 5
    assert [one for one in checks if one['severity'] != 'PASS'] == []


def test_lerobot_lint_has_nothing_to_say(run, arm, tmp_path):
    run('lelint', 'check', arm, '--json', tmp_path / 'lint.json')
    summary = json.loads((tmp_path / 'lint.json').read_text())['summary']
    assert (summary['errors'], summary['warnings']) == (0, 0)


def test_kalanos_finds_every_episode_fit_for_training(run, arm):
    told = run('kalanos', 'grade', arm)
    assert told.returncode == 0, told.stderr
    assert 'eligible 3 - review 0 - blocked 0 - unknown 0' in told.stdout
