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
The demo's judge must find what is wrong, and nothing else.

The dataset is written by hand here: two episodes of five rows, the front camera's pictures of
both in one file, the top camera's in a file for each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
import json

import av
from examples.demo.drawing import MIN_HEIGHT, MIN_WIDTH, write_frame_number
from examples.demo.report import format_verdict
from examples.demo.truth import TruthWriter
from examples.demo.verdict import judge
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FPS = 10
PERIOD_NS = 10**9 // FPS
LENGTH = 5
STARTS_NS = (1_000_050_000_000, 1_002_050_000_000)
FRONT = 'observation.images.front'
TOP = 'observation.images.top'
FIRST_NUMBERS = {FRONT: 0, TOP: 500}
TOPICS = {
    FRONT: '/front/image_raw',
    TOP: '/top/image_raw',
    'observation.state': '/joint_states',
    'action': '/leader/joint_states',
}


@dataclass
class Recording:
    """What the dataset is going to hold, right unless a test changes it."""

    numbers: dict[str, list[list[int]]] = field(default_factory=dict)
    vectors: dict[str, list[list[list[float]]]] = field(default_factory=dict)

    def __post_init__(self):
        for key, first in FIRST_NUMBERS.items():
            # Pictures are taken 50 ms before the rows' instants, episode 1 begins 2 s later.
            self.numbers[key] = [
                [first + episode * 2 * FPS + k for k in range(LENGTH)] for episode in (0, 1)
            ]
        for key in ('observation.state', 'action'):
            self.vectors[key] = [
                [sample(key, start_ns + k * PERIOD_NS - 3_000_000) for k in range(LENGTH)]
                for start_ns in STARTS_NS
            ]


def sample(key, stamp_ns):
    """Return numbers that float32 cannot hold exactly."""
    return [stamp_ns / 1e13 + joint / 3 + (key == 'action') for joint in range(6)]


def write_truth(path):
    first_ns = STARTS_NS[0] - PERIOD_NS // 2
    with TruthWriter(path) as truth:
        for key, first in FIRST_NUMBERS.items():
            for k in range(4 * FPS):
                truth.add_image(TOPICS[key], first_ns + k * PERIOD_NS, first + k)
        for key in ('observation.state', 'action'):
            for k in range(4 * 5 * FPS):
                # Five samples in a row's period, the last one 3 ms before the row's instant.
                stamp_ns = STARTS_NS[0] - 3_000_000 + (k - 4) * PERIOD_NS // 5
                truth.add_values(TOPICS[key], stamp_ns, sample(key, stamp_ns))


def write_video(path, numbers):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=FPS, options={'crf': '30', 'bf': '0'})
        stream.width, stream.height, stream.pix_fmt = MIN_WIDTH, MIN_HEIGHT + 16, 'yuv420p'
        for number in numbers:
            picture = np.full((MIN_HEIGHT + 16, MIN_WIDTH, 3), 90, np.uint8)
            write_frame_number(picture, number)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode(None))


def write_table(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def write_tables(root, recording):
    write_table(root / 'meta/tasks.parquet', {'task_index': [0, 1], 'task': ['wave', 'rest']})
    rows = range(2 * LENGTH)
    vector = pa.list_(pa.float32(), 6)
    vectors = {
        key: pa.array([row for episode in episodes for row in episode], vector)
        for key, episodes in recording.vectors.items()
    }
    write_table(
        root / 'data/chunk-000/file-000.parquet',
        vectors
        | {
            'timestamp': pa.array([k % LENGTH / FPS for k in rows], pa.float32()),
            'frame_index': [k % LENGTH for k in rows],
            'episode_index': [k // LENGTH for k in rows],
            'index': list(rows),
            'task_index': [k // LENGTH for k in rows],
        },
    )
    write_table(
        root / 'meta/episodes/chunk-000/file-000.parquet',
        {
            'episode_index': [0, 1],
            'tasks': [['wave'], ['rest']],
            'length': [LENGTH, LENGTH],
            'dataset_from_index': [0, LENGTH],
            'dataset_to_index': [LENGTH, 2 * LENGTH],
            'data/chunk_index': [0, 0],
            'data/file_index': [0, 0],
            f'videos/{FRONT}/chunk_index': [0, 0],
            f'videos/{FRONT}/file_index': [0, 0],
            f'videos/{FRONT}/from_timestamp': [0.0, LENGTH / FPS],
            f'videos/{TOP}/chunk_index': [0, 0],
            f'videos/{TOP}/file_index': [0, 1],
            f'videos/{TOP}/from_timestamp': [0.0, 0.0],
        },
    )


def write_info(root):
    features = {key: {'dtype': 'video'} for key in (FRONT, TOP)}
    features |= {key: {'dtype': 'float32'} for key in ('observation.state', 'action')}
    info = {
        'fps': FPS,
        'features': features,
        'total_episodes': 2,
        'total_frames': 2 * LENGTH,
        'data_path': 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet',
        'video_path': 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4',
    }
    (root / 'meta/info.json').write_text(json.dumps(info))


def write_records(root):
    folder = root / '.streamrec/episodes'
    folder.mkdir(parents=True)
    for index, start_ns in enumerate(STARTS_NS):
        record = {
            'episode_index': index,
            'length': LENGTH,
            'start_stamp_ns': start_ns,
            'fps': FPS,
        }
        (folder / f'episode-{index:06d}.json').write_text(json.dumps(record))


@pytest.fixture
def judged(tmp_path):
    """Return a function that writes a recording to disk and judges it."""

    def write_and_judge(recording):
        root = tmp_path / 'dataset'
        write_tables(root, recording)
        write_info(root)
        write_records(root)
        front, top = recording.numbers[FRONT], recording.numbers[TOP]
        write_video(root / f'videos/{FRONT}/chunk-000/file-000.mp4', front[0] + front[1])
        for episode in (0, 1):
            path = root / f'videos/{TOP}/chunk-000/file-{episode:03d}.mp4'
            write_video(path, top[episode])
        write_truth(tmp_path / 'truth.jsonl')
        return judge(root, tmp_path / 'truth.jsonl', topics=TOPICS)

    return write_and_judge


def test_right_dataset_passes(judged):
    verdict = judged(Recording())

    assert verdict.problems == ()
    assert verdict.ok
    assert [episode.task for episode in verdict.episodes] == ['wave', 'rest']
    for episode in verdict.episodes:
        assert episode.rows == LENGTH
        for camera in episode.cameras:
            counts = (camera.frames, camera.repeated, camera.skipped, camera.wrong)
            assert counts == (LENGTH, 0, 0, 0)
            assert camera.size_bytes > 0
    assert format_verdict(verdict).endswith(
        'OK: all 10 rows and 20 frames are what was published at their instant'
    )


def test_frames_shifted_against_the_rows_are_found(judged):
    recording = Recording()
    recording.numbers[FRONT][1] = [number + 1 for number in recording.numbers[FRONT][1]]

    verdict = judged(recording)

    assert not verdict.ok
    assert verdict.problems == (
        f'episode 1, {FRONT}: row 0 shows picture 21, right is 20 (and 4 more)',
    )


def test_repeated_frame_is_found_and_counted(judged):
    recording = Recording()
    recording.numbers[TOP][0] = [500, 501, 501, 503, 504]

    verdict = judged(recording)

    assert verdict.problems == (f'episode 0, {TOP}: row 2 shows picture 501, right is 502',)
    camera = verdict.episodes[0].cameras[1]
    assert (camera.repeated, camera.skipped, camera.wrong) == (1, 1, 1)


def test_dropped_frame_is_found(judged):
    recording = Recording()
    del recording.numbers[TOP][1][2]

    verdict = judged(recording)

    assert verdict.problems == (
        f'episode 1, {TOP}: row 2 shows picture 523, right is 522 (and 2 more)',
        f'videos/{TOP}/chunk-000/file-001.mp4: 4 frames for 5 rows',
    )
    assert verdict.episodes[1].cameras[1].frames == LENGTH - 1


def test_swapped_cameras_are_found(judged):
    recording = Recording()
    recording.numbers = {FRONT: recording.numbers[TOP], TOP: recording.numbers[FRONT]}

    assert len(judged(recording).problems) == 4


@pytest.mark.parametrize('key', ['observation.state', 'action'])
def test_row_one_sample_late_is_found(judged, key):
    recording = Recording()
    late_ns = STARTS_NS[0] + 3 * PERIOD_NS - 3_000_000 - PERIOD_NS // 5
    recording.vectors[key][0][3] = sample(key, late_ns)

    verdict = judged(recording)

    assert len(verdict.problems) == 1
    assert verdict.problems[0].startswith(f'episode 0, {key}: row 3 holds [')
    assert [vector.wrong for vector in verdict.episodes[0].vectors if vector.key == key] == [1]


def test_missing_record_is_found(judged, tmp_path):
    judged(Recording())
    root = tmp_path / 'dataset'
    (root / '.streamrec/episodes/episode-000001.json').unlink()

    verdict = judge(root, tmp_path / 'truth.jsonl', topics=TOPICS)

    assert len(verdict.problems) == 1
    assert verdict.problems[0].startswith('episode 1: no record of its instants')
