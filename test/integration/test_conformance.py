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
What the real LeRobot says of our datasets: it opens them, reads every item, and appends to them.

This comes last of all tests and looks at every dataset that they wrote (fixture kept_datasets),
and at some written here without ROS. To those of a kind of their own LeRobot appends, too. lerobot
needs an environment of its own, which `make test` makes and names in STREAMREC_CONFORMANCE_PYTHON.
"""

from __future__ import annotations

import os
from pathlib import Path
import subprocess

from lerobot_streamrec.dataset.format.features import camera_feature, vector_feature
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.dataset.rebuild.label import label_episodes
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
import numpy as np
import pytest

CHECKER = Path(__file__).resolve().parents[1] / 'conformance' / 'check_dataset.py'
VARIABLE = 'STREAMREC_CONFORMANCE_PYTHON'
TIMEOUT_S = 400
PROCESSES = max(2, os.cpu_count() or 1)

FPS = 10
HEIGHT, WIDTH = 96, 128
FRONT, STATE, ACTION = 'observation.images.front', 'observation.state', 'action'
SPOKEN = 'spoken_subtasks'

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.slow,
    pytest.mark.timeout(TIMEOUT_S + 60),
]


def picture(number):
    """Draw a square that moves over a slope of colours."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.uint8)
    pixels = np.stack([rows, columns, np.full_like(rows, 5 * number % 256)], axis=2)
    left = 4 * number % (WIDTH - 20)
    pixels[30:50, left : left + 20] = (230, 120, 40)
    return pixels


def record(root, lengths_and_tasks, *, streams=(FRONT, STATE, ACTION), window=1, **settings):
    """Record episodes with the recorder itself, without ROS."""
    names = {FRONT: (), STATE: ('x', 'y'), ACTION: ('grip',)}
    config = RecorderConfig(
        root=root,
        fps=FPS,
        streams=tuple(
            StreamConfig(key, f'/{key}', names[key], window=window if key == STATE else 1)
            for key in streams
        ),
        **settings,
    )
    recorder = Recorder(config)
    tick = 0
    try:
        for length, task in lengths_and_tasks:
            recorder.set_task(task)
            for step in range(length + 1):
                stamp_ns = 10**12 + tick * 10**9 // FPS
                if FRONT in streams:
                    recorder.push_image(FRONT, stamp_ns, Frame(picture(tick), 'rgb24'))
                for key in (STATE, ACTION):
                    if key in streams:
                        values = np.array([tick / 7 + place for place in range(len(names[key]))])
                        recorder.push_vector(key, stamp_ns, values)
                recorder.close_rows()
                tick += 1
                if step == 0:
                    recorder.start()
                if settings.get('is_hil') and step in (2, 4):
                    recorder.intervene(is_human=step == 2)
                    recorder.begin_subtask(f'{task} {step}')
            recorder.save().result(timeout=60)
    finally:
        assert recorder.close(timeout_s=20)


def write_one_row(root):
    """Write an episode of a single row, as the dataset's floor takes it."""
    encoder = EncoderConfig('libsvtav1', encoder_threads=1)
    path = root / '.streamrec' / 'staging' / 'front.mp4'
    writer, _ = open_dataset(
        root,
        fps=FPS,
        robot_type=None,
        features={FRONT: camera_feature(), STATE: vector_feature(('x', 'y'))},
        resume=False,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        video = Mp4Encoder(path, encoder, VideoSpec(WIDTH, HEIGHT, FPS))
        video.encode(Frame(picture(3), 'rgb24'))
        encoded, histogram = video.finish(), ImageHistogram()
        histogram.push(picture(3))
        draft = VideoDraft(
            path=encoded.path,
            num_frames=encoded.num_frames,
            height=HEIGHT,
            width=WIDTH,
            encoder_info=encoder.as_info(),
            statistics=histogram.statistics(),
        )
        vectors = {STATE: np.array([[1.5, -2.5]], np.float32)}
        writer.commit(EpisodeDraft(1, 'blink', vectors, {FRONT: draft}))
    finally:
        writer.close()


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """Write what no other test may have kept; return the folders by name."""
    folder = tmp_path_factory.mktemp('written')
    for vcodec in ('libsvtav1', 'h264', 'hevc'):
        encoder = EncoderConfig(vcodec=vcodec, encoder_threads=1)
        record(folder / vcodec, [(12, 'push'), (7, 'pull')], encoder=encoder)
    record(folder / 'resumed', [(9, 'push'), (8, 'pull')], robot_type='arm')
    # One task that is known, and a new one.
    record(folder / 'resumed', [(7, 'push'), (6, 'lift')], robot_type='arm', resume=True)
    record(folder / 'no_camera', [(8, 'push')], streams=(STATE, ACTION))
    write_one_row(folder / 'one_row')
    for name, subtasks in (('subtasks', 'index'), (SPOKEN, 'both')):
        lengths = [(6, 'push'), (7, 'pull'), (8, 'push')]
        record(folder / name, lengths, is_hil=True, subtasks=subtasks)
    record(folder / 'windows', [(6, 'push'), (7, 'pull')], window=3)
    lengths = [(5, 'push'), (6, 'push'), (4, 'pull')]
    record(folder / 'labelled', lengths, metadata={'object_set': 'A'}, operator='Ada')
    # A later session has another column, and verdicts are given afterwards.
    record(folder / 'labelled', [(7, 'push')], metadata={'object_set': 'B', 'table': '2'})
    label_episodes(folder / 'labelled', [0, 3], {'verdict': 'success'})
    label_episodes(folder / 'labelled', [1], {'verdict': 'failure', 'notes': 'slipped'})
    return {path.name: path for path in sorted(folder.iterdir())}


def check(python, roots, resumed):
    """Show datasets to lerobot, and let it continue copies of some."""
    roots, resumed = [str(root) for root in roots], [str(root) for root in resumed]
    return subprocess.run(
        [python, str(CHECKER), *roots, '--processes', str(PROCESSES), '--resume', *resumed],
        # The processes share the cores already.
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_the_real_lerobot_reads_and_continues_every_dataset(written, kept_datasets):
    python = os.environ.get(VARIABLE)
    named = {**written, **kept_datasets.named}
    # LeRobot's own writer appends to no dataset with a language column.
    others = {**kept_datasets.others, SPOKEN: named.pop(SPOKEN)}
    assert len(named) >= len(written) - 1 == 9
    if not python:
        pytest.skip(
            f'** {len(named) + len(others)} datasets were NOT shown to the real LeRobot: '
            f'{VARIABLE} is not set; make test sets it, and makes what it names **'
        )
    run = check(python, others.values(), named.values())
    print(f'\n{run.stdout}')
    verdicts = {}
    for line in run.stdout.splitlines():
        word, _, rest = line.partition(' ')
        if word in ('OK', 'FAIL'):
            verdicts[Path(rest.split()[0]).name] = line
    # A checker that ends early, or checks nothing, says nothing of the rest.
    assert set(verdicts) == {*named, *others}, run.stdout
    bad = [line for line in verdicts.values() if not line.startswith('OK ')]
    assert not bad, '\n'.join(['', *bad])
    assert all('rows=0 ' not in line for line in verdicts.values())
    assert run.returncode == 0, run.stdout
