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
"""LeRobot's own depth against ours: codes, what its reader shows of them, and statistics."""

from __future__ import annotations

from dataclasses import asdict
import json
import os
from pathlib import Path
import subprocess

from lerobot_streamrec.frame import DepthFrame, METRES, MILLIMETRES
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.codecs.depth_config import depth_of_codes, DepthConfig, DepthQuantiser
import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[1] / 'conformance' / 'depth_codes.py'
VARIABLE = 'STREAMREC_CONFORMANCE_PYTHON'
CONFIGS = (
    DepthConfig(),
    DepthConfig(use_log=False),
    DepthConfig(0.2, 3.0, 0.0),
    DepthConfig(0.05, 30.0, 1.25),
)
# A logarithm of 0 would be undefined in LeRobot's, and warn.
SWEEPS = {
    MILLIMETRES: np.arange(65536, dtype=np.uint16).reshape(256, 256),
    METRES: np.linspace(0, 40, 1_000_000, dtype=np.float32).reshape(1000, 1000),
}
FPS, NUM_ROWS = 10, 6
# So wide that statistics are of every second pixel.
HEIGHT, WIDTH = 240, 320
CAMERAS = {
    'observation.images.sensor': (MILLIMETRES, DepthConfig()),
    'observation.images.simulated': (METRES, DepthConfig(0.1, 8.0, use_log=False)),
}

pytestmark = pytest.mark.slow


def picture(number, unit):
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    millimetres = 300 + 20 * columns + 5 * rows + 40 * number
    millimetres[:9] = 0
    if unit == MILLIMETRES:
        return millimetres.astype(np.uint16)
    return (millimetres / 1000).astype(np.float32)


def record(root):
    """Record both kinds of depth; return the pictures that stand in the rows."""
    streams = tuple(
        StreamConfig(key, f'/{key}', depth=config) for key, (_, config) in CAMERAS.items()
    )
    recorder = Recorder(RecorderConfig(root=root, fps=FPS, task='look', streams=streams))
    try:
        for number in range(NUM_ROWS + 1):
            stamp_ns = 10**12 + number * 10**9 // FPS
            for key, (unit, _) in CAMERAS.items():
                recorder.push_image(key, stamp_ns, DepthFrame(picture(number, unit), unit))
            recorder.close_rows()
            if number == 0:
                recorder.start()
        num_rows = recorder.save().result(timeout=60).episode.num_rows
    finally:
        assert recorder.close(timeout_s=20)
    return {
        key: np.stack([picture(number, unit) for number in range(num_rows)])
        for key, (unit, _) in CAMERAS.items()
    }


@pytest.fixture(scope='module')
def lerobots(tmp_path_factory):
    """Have LeRobot quantise, read and count; return the folder of what it was given and made."""
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f'** depth was NOT compared with the real LeRobot: {VARIABLE} is not set **')
    folder = tmp_path_factory.mktemp('lerobots')
    for unit, values in SWEEPS.items():
        np.save(folder / f'{unit}.npy', values)
    (folder / 'configs.json').write_text(json.dumps([asdict(one) for one in CONFIGS]))
    for key, pictures in record(folder / 'dataset').items():
        np.save(folder / f'raw_{key}.npy', pictures)
    subprocess.run([python, str(SCRIPT), str(folder)], check=True, timeout=100)
    return folder


@pytest.mark.parametrize('unit', SWEEPS)
@pytest.mark.parametrize('number', range(len(CONFIGS)))
def test_codes_are_lerobots(lerobots, number, unit):
    codes = DepthQuantiser(CONFIGS[number], unit).codes(DepthFrame(SWEEPS[unit], unit))
    np.testing.assert_array_equal(codes, np.load(lerobots / f'codes_{unit}_{number}.npy'))
    shown = np.load(lerobots / f'depth_{unit}_{number}.npy')
    # Another library computes there: single precision may round a millimetre the other way.
    limit = 1 if unit == MILLIMETRES else 2e-5
    assert np.abs(depth_of_codes(CONFIGS[number], unit) - shown).max() <= limit


@pytest.mark.parametrize('shown_in', [MILLIMETRES, METRES])
@pytest.mark.parametrize('key', CAMERAS)
def test_the_reader_shows_what_was_recorded(lerobots, key, shown_in):
    unit, config = CAMERAS[key]
    raw = np.load(lerobots / f'raw_{key}.npy')
    shown = np.load(lerobots / f'shown_{shown_in}_{key}.npy')
    codes = DepthQuantiser(config, unit).codes(DepthFrame(raw, unit))
    limit = 1 if shown_in == MILLIMETRES else 2e-5
    assert np.abs(shown - depth_of_codes(config, shown_in)[codes]).max() <= limit
    depth_m = raw / 1000 if unit == MILLIMETRES else raw
    inside = (depth_m >= config.depth_min) & (depth_m <= config.depth_max)
    off_m = np.abs(shown / (1000 if shown_in == MILLIMETRES else 1) - depth_m)[inside]
    # Half of the largest step, and half a millimetre.
    assert 0 < off_m.max() < 0.0023 + (0.0005 if shown_in == MILLIMETRES else 0)


@pytest.mark.parametrize('key', CAMERAS)
def test_statistics_are_lerobots(lerobots, key):
    theirs = json.loads((lerobots / f'stats_{key}.json').read_text())
    ours = json.loads((lerobots / 'dataset/meta/stats.json').read_text())[key]
    # We count frames, as LeRobot's default writer does; the streaming one counts pixels.
    assert (ours['count'], theirs['count']) == ([NUM_ROWS], [NUM_ROWS * HEIGHT * WIDTH // 4])
    largest = theirs['max'][0]
    for name in ('min', 'max', 'mean', 'std', 'q01', 'q10', 'q50', 'q90', 'q99'):
        assert np.shape(ours[name]) == (1, 1, 1)
        # Quantiles are edges of bins, of which LeRobot has 5000.
        near = 1e-3 if name.startswith('q') else 1e-5
        assert abs(ours[name][0][0][0] - theirs[name][0]) <= near * largest, name
