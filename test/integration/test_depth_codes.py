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
"""LeRobot's own codes of depth against ours: every millimetre, and a dense train of metres."""

from __future__ import annotations

from dataclasses import asdict
import json
import os
from pathlib import Path
import subprocess

from lerobot_streamrec.depth_frame import DepthFrame, METRES, MILLIMETRES
from lerobot_streamrec.video.depth_config import DepthConfig
from lerobot_streamrec.video.depth_quantisation import depth_of_codes, DepthQuantiser
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

pytestmark = pytest.mark.slow


def test_codes_and_depths_are_lerobots(tmp_path):
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f'** codes of depth were NOT compared with LeRobot: {VARIABLE} is not set **')
    values = {
        MILLIMETRES: np.arange(65536, dtype=np.uint16).reshape(256, 256),
        METRES: np.linspace(0, 40, 1_000_000, dtype=np.float32).reshape(1000, 1000),
    }
    for unit, one in values.items():
        np.save(tmp_path / f'{unit}.npy', one)
    (tmp_path / 'configs.json').write_text(json.dumps([asdict(one) for one in CONFIGS]))
    subprocess.run([python, str(SCRIPT), str(tmp_path)], check=True, timeout=100)
    for number, config in enumerate(CONFIGS):
        for unit, one in values.items():
            codes = np.load(tmp_path / f'codes_{unit}_{number}.npy')
            ours = DepthQuantiser(config, unit).codes(DepthFrame(one, unit))
            np.testing.assert_array_equal(ours, codes)
            shown = np.load(tmp_path / f'depth_{unit}_{number}.npy')
            # The reader computes by another library: single precision, and a rounded millimetre.
            limit = 1 if unit == MILLIMETRES else 2e-5
            assert np.abs(depth_of_codes(config, unit) - shown).max() <= limit
