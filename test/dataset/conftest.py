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
"""Fixtures for writers, and for episodes with real videos that are ready to be committed."""

from __future__ import annotations

import itertools

from lerobot_streamrec.dataset.format.features import camera_feature, vector_feature
from lerobot_streamrec.dataset.format.layout import STAGING
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
import numpy as np
import pytest

FPS = 20
FRONT, TOP = 'observation.images.front', 'observation.images.top'
HEIGHT, WIDTH = 48, 64
ENCODER = EncoderConfig(vcodec='h264', preset='ultrafast')


@pytest.fixture(scope='session')
def features():
    """Return the features of two cameras of unknown size, two vectors and a scalar."""
    return {
        FRONT: camera_feature(),
        'observation.state': vector_feature(('shoulder', 'elbow', 'wrist')),
        TOP: camera_feature(),
        'action': vector_feature(('shoulder', 'elbow', 'wrist')),
        'observation.gripper': vector_feature(('gripper',)),
    }


@pytest.fixture
def root(tmp_path):
    return tmp_path / 'dataset'


@pytest.fixture
def open_writer(root, features):
    """Return a function that opens the dataset; close all writers when the test ends."""
    opened = []

    def open_one(**changes):
        arguments = {
            'fps': FPS,
            'robot_type': 'so101',
            'features': features,
            'resume': True,
            **changes,
        }
        writer, open_one.said = open_dataset(arguments.pop('root', root), **arguments)
        opened.append(writer)
        return opened[-1]

    yield open_one
    for writer in opened:
        writer.close()


_ENCODED = {}


def _encode(path, num_frames, height, seed, config):
    """Encode gray pictures that get brighter, once for all tests; return their statistics."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = (num_frames, height, seed, repr(config))
    if made not in _ENCODED:
        statistics = _encode_anew(path, num_frames, height, seed, config)
        _ENCODED[made] = (path.read_bytes(), statistics)
    content, statistics = _ENCODED[made]
    path.write_bytes(content)
    return statistics


def _encode_anew(path, num_frames, height, seed, config):
    encoder = Mp4Encoder(path, config, VideoSpec(WIDTH, height, FPS))
    histogram = ImageHistogram()
    for index in range(num_frames):
        pixels = np.full((height, WIDTH, 3), (10 * seed + 5 * index) % 256, np.uint8)
        encoder.encode(Frame(pixels, 'rgb24'))
        histogram.push(pixels)
    encoder.finish()
    return histogram.statistics()


@pytest.fixture
def make_draft(root):
    """Return a function that makes an episode in the staging folder of an open dataset."""
    numbers = itertools.count(1)

    def make(num_rows=5, task='pick the cube', *, num_frames=None, height=HEIGHT, encoder=ENCODER):
        number = next(numbers)
        folder = root / STAGING / f'take-{number:06d}'
        videos = {}
        for seed, key in enumerate((FRONT, TOP), start=number):
            path = folder / f'{key}.mp4'
            count = num_rows if num_frames is None else num_frames
            statistics = _encode(path, count, height, seed, encoder)
            videos[key] = VideoDraft(path, count, height, WIDTH, encoder.as_info(), statistics)
        chance = np.random.default_rng(number)
        vectors = {
            'observation.state': chance.normal(size=(num_rows, 3)).astype(np.float32),
            'action': chance.normal(size=(num_rows, 3)).astype(np.float32),
            'observation.gripper': chance.random((num_rows, 1)).astype(np.float32),
        }
        return EpisodeDraft(num_rows, task, vectors, videos, {'number': number})

    return make


@pytest.fixture
def snapshot(root):
    """Return a function that reads all files of the dataset outside of .streamrec."""

    def take():
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob('*'))
            if path.is_file() and '.streamrec' not in path.relative_to(root).parts
        }

    return take


@pytest.fixture
def quarantined(root):
    """Return a function that lists all files in the quarantine folder, at any depth."""

    def names():
        folder = root / '.streamrec/quarantine'
        return sorted(
            path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()
        )

    return names
