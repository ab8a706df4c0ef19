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
The real LeRobot and our recorder write one dataset in turn, in both modes of LeRobot.

LeRobot's default writer counts frames and its streaming writer pixels, and LeRobot weights by
these counts when it appends. Guards against statistics in which one of both outweighs the other.
"""

from __future__ import annotations

from collections import Counter
import json
import os
from pathlib import Path
import shutil
import subprocess

from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.dataset.repair.repair import repair_dataset
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.codecs.config import EncoderConfig
import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[1] / 'conformance' / 'record_episodes.py'
VARIABLE = 'STREAMREC_CONFORMANCE_PYTHON'
TIMEOUT_S = 400

# As the script has them.
FPS, HEIGHT, WIDTH = 10, 48, 64
FRONT, STATE = 'observation.images.front', 'observation.state'
DEVIATION = 20
MODES = {'default': False, 'streaming': True}
DARK, GRAY, BRIGHT = 76, 140, 230
# Of flat stripes a codec loses next to nothing.
CODEC = 2.5 / 255

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.slow,
    pytest.mark.timeout(TIMEOUT_S + 60),
]


def striped(level):
    pixels = np.full((HEIGHT, WIDTH, 3), level - DEVIATION, np.uint8)
    pixels[:, WIDTH // 2 :] += 2 * DEVIATION
    return pixels


def record(root, length, level, *, resume=True, undo=False):
    """Record an episode with our recorder, without ROS."""
    config = RecorderConfig(
        root=root,
        fps=FPS,
        resume=resume,
        task='stripes',
        encoder=EncoderConfig('libsvtav1', encoder_threads=1),
        streams=(StreamConfig(FRONT, '/front'), StreamConfig(STATE, '/state', ('x', 'y'))),
    )
    recorder = Recorder(config)
    try:
        for step in range(length + 1):
            stamp_ns = 10**12 + step * 10**9 // FPS
            recorder.push_image(FRONT, stamp_ns, Frame(striped(level), 'rgb24'))
            recorder.push_vector(STATE, stamp_ns, np.array([step, -step], float))
            recorder.close_rows()
            if step == 0:
                recorder.start()
        recorder.save().result(timeout=60)
        if undo:
            recorder.undo().result(timeout=60)
    finally:
        assert recorder.close(timeout_s=20)


@pytest.fixture(scope='module')
def lerobot(tmp_path_factory):
    """Let the real LeRobot record episodes: (root, streaming, length, level) each."""
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f'the real LeRobot is not there: {VARIABLE} is not set; make test sets it')
    folder = tmp_path_factory.mktemp('jobs')

    def run(*jobs):
        names = ('root', 'streaming', 'length', 'level')
        named = [dict(zip(names, (str(job[0]), *job[1:]), strict=True)) for job in jobs]
        (folder / 'jobs.json').write_text(json.dumps(named))
        done = subprocess.run(
            [python, str(SCRIPT), str(folder / 'jobs.json')],
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    return run


@pytest.fixture(scope='module')
def datasets(lerobot, tmp_path_factory):
    """Return datasets by name, and of which levels they hold how many frames."""
    folder = tmp_path_factory.mktemp('mixed')
    # Two calls of LeRobot for everything: it takes long to be loaded.
    lerobot(*((folder / name, mode, 40, DARK) for name, mode in MODES.items()))
    record(folder / 'ours', 20, BRIGHT, resume=False)
    found = {name: (folder / name, {DARK: 40}) for name in MODES}
    jobs = []
    for name, mode in MODES.items():
        shutil.copytree(folder / name, folder / f'{name}, ours')
        record(folder / f'{name}, ours', 20, BRIGHT)
        shutil.copytree(folder / f'{name}, ours', folder / f'{name}, ours, {name}')
        shutil.copytree(folder / 'ours', folder / f'ours, {name}')
        found[f'{name}, ours'] = (folder / f'{name}, ours', {DARK: 40, BRIGHT: 20})
        found[f'{name}, ours, {name}'] = (
            folder / f'{name}, ours, {name}',
            {DARK: 40, BRIGHT: 20, GRAY: 30},
        )
        found[f'ours, {name}'] = (folder / f'ours, {name}', {BRIGHT: 20, GRAY: 30})
        jobs += [(folder / f'{name}, ours, {name}', mode, 30, GRAY)]
        jobs += [(folder / f'ours, {name}', mode, 30, GRAY)]
    lerobot(*jobs)
    return found


@pytest.fixture
def copy_of(datasets, tmp_path):
    def copy(name):
        shutil.copytree(datasets[name][0], tmp_path / name)
        return tmp_path / name, dict(datasets[name][1])

    return copy


def assert_right(root, frames, read_dataset):
    """
    Compare with the frames that were recorded, and with those that are decoded.

    :param frames: number of frames by level
    """
    dataset = read_dataset(root, is_kept=False)
    stats = {name: np.ravel(one) for name, one in dataset.stats[FRONT].items()}
    levels = np.repeat([*frames], [*frames.values()])
    drawn = np.concatenate([levels - DEVIATION, levels + DEVIATION]) / 255
    shown = np.concatenate([dataset.pictures(FRONT, at) for at in dataset.episodes.index])
    shown = shown.reshape(-1, 3) / 255
    for name in ('min', 'max', 'mean', 'std'):
        exact = [getattr(drawn, name)()] * 3
        # LeRobot adds up squares in single precision.
        np.testing.assert_allclose(stats[name], exact, atol=5e-4, err_msg=name)
        decoded = getattr(shown, name)(axis=0)
        np.testing.assert_allclose(stats[name], decoded, atol=CODEC, err_msg=name)
    assert not check_dataset(root).findings


@pytest.mark.parametrize(
    'name',
    [
        'default, ours',
        'streaming, ours',
        # LeRobot adds its episode to ours: we go on in the unit that it has begun.
        'default, ours, default',
        'streaming, ours, streaming',
        'ours, default',
    ],
)
def test_one_after_the_other(name, datasets, read_dataset):
    root, frames = datasets[name]
    assert_right(root, frames, read_dataset)
    if name == 'default, ours':
        mean = np.ravel(read_dataset(root, is_kept=False).stats[FRONT]['mean'])
        assert mean == pytest.approx([(40 * DARK + 20 * BRIGHT) / 60 / 255] * 3, abs=1e-6)


def test_lerobots_streaming_writer_outweighs_frames_until_we_write_again(copy_of, read_dataset):
    root, frames = copy_of('ours, streaming')
    # Its count is in pixels, and it weights by count: nothing that we write can prevent that.
    codes = {one.kind.code for one in check_dataset(root).errors}
    assert codes == {'wrong-camera-statistics'}
    record(root, 10, DARK)
    assert_right(root, {**frames, DARK: 10}, read_dataset)


@pytest.mark.parametrize(
    ('name', 'first'),
    [
        ('default, ours', {DARK: 40}),
        ('streaming, ours', {DARK: 40}),
        ('ours, default', {BRIGHT: 20}),
        ('ours, streaming', {BRIGHT: 20}),
    ],
)
def test_every_tool_leaves_right_statistics(name, first, copy_of, read_dataset, tmp_path):
    root, frames = copy_of(name)
    record(root, 10, DARK, undo=True)
    assert_right(root, frames, read_dataset)
    merged = tmp_path / 'merged'
    merge_datasets(merged, [root, copy_of('streaming')[0]])
    together = Counter(frames) + Counter({DARK: 40})
    assert_right(merged, together, read_dataset)
    compact_dataset(root)
    assert_right(root, frames, read_dataset)
    stats = json.loads((root / 'meta/stats.json').read_text())
    stats[FRONT]['mean'] = [[[0.99]]] * 3
    (root / 'meta/stats.json').write_text(json.dumps(stats))
    shutil.rmtree(root / '.streamrec/statistics', ignore_errors=True)
    assert repair_dataset(root).plan is not None
    assert_right(root, frames, read_dataset)
    delete_episodes(merged, [0])
    assert_right(merged, together - Counter(first), read_dataset)
