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
"""`streamrec view` saves an episode for Rerun, and says what to install where it is missing."""

from __future__ import annotations

import io

from arm_dataset import ACTION, FRONT, keep_pictures_in_rows, Plan, STATE, WRIST, write_dataset
from command_line import python, streamrec
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.frame import DepthFrame, MILLIMETRES
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.report.build import build_report
from lerobot_streamrec.video.codecs.depth_config import DepthConfig
from lerobot_streamrec.video.mp4.frame_decoder import decode_rgb
import numpy as np
from PIL import Image
import pytest

DEPTH = 'observation.images.depth'


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = write_dataset(tmp_path_factory.mktemp('view') / 'dataset', [Plan(), Plan(seconds=3)])
    # Of the second episode in a file, only its own part may be shown.
    compact_dataset(root)
    return root


def test_view_needs_rerun(root, tmp_path):
    run = 'from lerobot_streamrec.cli.__main__ import run; run()'
    code = f'import sys; sys.modules["rerun"] = None; {run}'
    save = ('--save', tmp_path / 'a.rrd')
    done = python('-c', code, 'view', root, '--episode', '0', *save)
    assert done.returncode == 2
    assert 'view needs Rerun: the Python package rerun-sdk is not installed' in done.stderr
    assert 'pip install rerun-sdk' in done.stderr
    assert list(tmp_path.iterdir()) == []


def columns_of(path):
    """Return the columns of a recording per entity, and per entity and column its values."""
    reader = pytest.importorskip('rerun.chunk').RrdReader(path)
    found = {}
    for chunk in reader.stream().to_chunks():
        batch = chunk.to_record_batch()
        for name in batch.schema.names:
            found.setdefault((chunk.entity_path, name), []).extend(batch.column(name).to_pylist())
    return found


def test_view_saves_an_episode_of_a_joined_file(root, tmp_path):
    pytest.importorskip('rerun')
    path = tmp_path / 'a.rrd'
    done = streamrec('view', root, '--episode', '1', '--save', path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'{path}: episode 1: Follow the leader arm, ')
    found = columns_of(path)
    for key in (STATE, ACTION, FRONT, WRIST):
        assert found[f'/{key}', 'frame'] == list(range(30)), key
    assert len(found[f'/{STATE}', 'Scalars:scalars']) == 30
    assert found[f'/{STATE}', 'SeriesLines:names'][0][0] == 'shoulder_pan'
    instants_ns = np.ravel(found[f'/{FRONT}', 'VideoFrameReference:timestamp'])
    assert instants_ns.tolist() == [k * 10**8 for k in range(30)]
    # The file in the recording is the episode's part alone, with the same pictures.
    part = tmp_path / 'part.mp4'
    part.write_bytes(bytes(np.ravel(found[f'/{FRONT}', 'AssetVideo:blob']).tolist()))
    (whole,) = (root / f'videos/{FRONT}').rglob('*.mp4')
    assert np.array_equal(list(decode_rgb(part)), list(decode_rgb(whole))[60:])


def test_view_saves_pictures_in_rows(tmp_path):
    pytest.importorskip('rerun')
    root = keep_pictures_in_rows(write_dataset(tmp_path / 'dataset', [Plan(seconds=2)]))
    path = tmp_path / 'a.rrd'
    done = streamrec('view', root, '--episode', '-1', '--save', path)
    assert done.returncode == 0, done.stderr
    found = columns_of(path)
    assert found[f'/{FRONT}', 'frame'] == list(range(20))
    first = bytes(np.ravel(found[f'/{FRONT}', 'EncodedImage:blob'][0]).tolist())
    assert first.startswith(b'\x89PNG')


def record_depth(root):
    """Record two seconds of a depth camera that goes away from a wall."""
    config = RecorderConfig(
        root=root,
        fps=10,
        task='Go back',
        streams=(
            StreamConfig(DEPTH, '/depth', depth=DepthConfig()),
            StreamConfig(STATE, '/joint_states', names=('x',)),
        ),
    )
    recorder = Recorder(config)
    try:
        for tick in range(22):
            stamp_ns = 10**9 + tick * 10**8
            depth = np.full((48, 64), 1000 + 50 * tick, np.uint16)
            depth[:, :8] = 0
            recorder.push_image(DEPTH, stamp_ns, DepthFrame(depth, MILLIMETRES))
            recorder.push_vector(STATE, stamp_ns, np.array([float(tick)]))
            recorder.close_rows()
            if tick == 0:
                recorder.start()
        recorder.save().result(timeout=60)
    finally:
        recorder.close(timeout_s=10)
    return root


def test_depth_is_shown_in_millimetres(tmp_path):
    root, path = record_depth(tmp_path / 'dataset'), tmp_path / 'a.rrd'
    (episode,) = build_report(root).episodes
    assert (len(episode.sheets), episode.findings) == (1, ())
    pytest.importorskip('rerun')
    done = streamrec('view', root, '--episode', '0', '--save', path)
    assert done.returncode == 0, done.stderr
    found = columns_of(path)
    files = found[f'/{DEPTH}', 'EncodedDepthImage:blob']
    assert len(files) == len(found[f'/{STATE}', 'Scalars:scalars']) == episode.facts.row.length
    for row, content in enumerate(files):
        read = np.asarray(Image.open(io.BytesIO(bytes(np.ravel(content).tolist()))))
        # Depth codes are some millimetres apart.
        assert abs(int(read[24, 32]) - int(read[24, 40])) == 0
        assert abs(int(read[24, 32]) - (1000 + 50 * row)) <= 60


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('--episode', '2', '--save', '{tmp}/a.rrd'), 'the episodes 0 to 1; -1 is the last one'),
        (('--episode', '0', '--save', '{root}/a.rrd'), 'it must not be below {root}'),
        (('--episode', '0', '--save', '{tmp}/no/a.rrd'), 'the folder {tmp}/no does not exist'),
    ],
)
def test_view_refuses(root, tmp_path, arguments, said):
    pytest.importorskip('rerun')
    places = {'tmp': tmp_path, 'root': root}
    done = streamrec('view', root, *(one.format(**places) for one in arguments))
    assert done.returncode == 1
    assert said.format(**places) in done.stderr
    assert list(tmp_path.iterdir()) == []
