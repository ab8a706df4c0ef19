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
"""Videos that broke off are cut with their rows; spans that are wrong are told by the frames."""

from __future__ import annotations

import math

from lerobot_streamrec.dataset.repair.repair import examine, repair_dataset
from lerobot_streamrec.errors import RepairError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.video.mp4.concat import concatenate, Segment
from lerobot_streamrec.video.mp4.frame_decoder import decode_rgb
from lerobot_streamrec.video.mp4.packet_index import survey_video
import numpy as np
import pytest

FRONT = 'observation.images.front'
VIDEO = f'videos/{FRONT}/chunk-000/file-002.mp4'
SHARED = f'videos/{FRONT}/chunk-000/file-000.mp4'
META = 'meta/episodes/chunk-000/file-002.parquet'
ALL = {0: 5, 1: 1, 2: 8}


def encode(path, num_frames, *, fps=20, size=(48, 64), level=30, noise=0, g=2):
    """Write another video in a file's place; noise makes it large against its header."""
    height, width = size
    chance = np.random.default_rng(1)
    path.unlink(missing_ok=True)
    config = EncoderConfig(vcodec='h264', preset='ultrafast', g=g)
    encoder = Mp4Encoder(path, config, VideoSpec(width, height, fps))
    for index in range(num_frames):
        pixels = np.full((height, width, 3), level + 5 * index, np.uint8)
        pixels += chance.integers(0, noise + 1, pixels.shape, np.uint8)
        encoder.encode(Frame(pixels, 'rgb24'))
    encoder.finish()


def header_first(path, fps=20):
    """Move the header of a video to its beginning, where a cut does not reach it."""
    video = survey_video(path, fps)
    other = path.with_suffix('.tmp')
    concatenate([Segment(video, 0, video.num_frames)], other)
    other.replace(path)


def num_frames_in(path):
    """Count the whole frames of a video."""
    return sum(1 for _ in decode_rgb(path))


def truncate(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])


def test_a_missing_video_takes_its_episode_along(dataset, whole):
    other = f'videos/{FRONT}/chunk-000/file-001.mp4'
    dataset.path(other).unlink()
    done, aside = whole.repair({0: 5, 2: 8})
    assert 'is missing' in done.plan.set_aside[0].reasons[0]
    # What stays is renumbered; the rows and the other camera's frames of the lost one are kept.
    assert 'data/chunk-000/file-001.parquet' in aside
    assert other.replace('front', 'top') in aside


def test_garbage_in_place_of_a_video_takes_its_episode_along(dataset, whole):
    dataset.path(VIDEO).write_bytes(b'no video at all' * 100)
    _, aside = whole.repair({0: 5, 1: 1})
    assert aside[VIDEO] == b'no video at all' * 100


def test_an_episode_whose_video_breaks_off_is_cut(dataset, whole):
    encode(dataset.path(VIDEO), 8, noise=100)
    header_first(dataset.path(VIDEO))
    whole = type(whole)(dataset.root, whole._read)
    truncate(dataset.path(VIDEO), 0.8)
    num_kept = num_frames_in(dataset.path(VIDEO))
    assert 2 <= num_kept < 8
    done, aside = whole.repair({0: 5, 1: 1, 2: num_kept})
    assert VIDEO in aside
    assert VIDEO.replace('front', 'top') in aside
    assert f'only {num_kept} frames of {FRONT} are intact' in done.plan.cut[0].reasons


def test_a_video_that_lacks_its_last_bytes_is_written_anew(dataset, whole):
    path = dataset.path(VIDEO)
    path.write_bytes(path.read_bytes()[:-5])
    whole.repair(ALL)


def test_an_episode_with_a_broken_picture_is_cut_before_it(dataset, whole):
    path = dataset.path(VIDEO)
    encode(path, 8, noise=100)
    whole = type(whole)(dataset.root, whole._read)
    content = bytearray(path.read_bytes())
    begin = len(content) // 2
    content[begin : begin + 200] = bytes(200)
    path.write_bytes(content)
    assert 'broken-frames' in dataset.codes()
    plan = examine(dataset.root, min_seconds=0.1).plan
    kept = {one.source.episode_index: one.source.length for one in plan.kept}
    assert 2 <= kept[2] < 8
    _, aside = whole.repair(kept)
    assert aside[VIDEO] == bytes(content)


@pytest.mark.parametrize(('num_frames', 'num_kept'), [(7, 7), (9, 8)])
def test_frames_without_rows_and_rows_without_frames(dataset, whole, num_frames, num_kept):
    encode(dataset.path(VIDEO), num_frames)
    dataset.column(META, f'videos/{FRONT}/to_timestamp', lambda _: [num_frames / 20])
    done, _ = whole.repair({0: 5, 1: 1, 2: num_kept}, but_pictures_of={2})
    assert bool(done.plan.cut) == (num_frames < 8)
    assert num_frames_in(dataset.path(VIDEO)) == num_kept


@pytest.mark.parametrize('options', [{'fps': 10}, {'fps': 40}, {'size': (64, 64)}])
def test_a_video_of_another_kind_takes_its_episode_along(dataset, whole, options):
    encode(dataset.path(VIDEO), 16 if options.get('fps') == 40 else 8, **options)
    whole.repair({0: 5, 1: 1})


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('from_timestamp', -1.0),
        ('from_timestamp', float('nan')),
        ('from_timestamp', 0.05),
        ('from_timestamp', 0.01),
        ('to_timestamp', 0.35),
    ],
)
def test_a_wrong_span_is_written_anew(dataset, whole, name, value):
    dataset.column(META, f'videos/{FRONT}/{name}', lambda _: [value])
    whole.repair(ALL)


@pytest.mark.parametrize(
    'begins',
    [[0.0] * 4, [float('nan')] * 4, [0.0, 0.25, 0.4, 0.7], [0.7, 0.4, 0.2, 0.0]],
)
def test_wrong_spans_of_episodes_that_share_a_video(shared, begins):
    dataset, whole = shared((4, 4, 6, 6))
    meta = META.replace('002', '000')
    dataset.column(meta, f'videos/{FRONT}/from_timestamp', lambda _: begins)
    whole.repair({0: 4, 1: 4, 2: 6, 3: 6})


def test_a_shared_video_that_breaks_off_keeps_what_is_before(shared):
    dataset, whole = shared((4, 4, 6, 6))
    path = dataset.path(SHARED)
    encode(path, 20, size=(32, 48), noise=100)
    header_first(path)
    whole = type(whole)(dataset.root, whole._read, with_statistics=False)
    truncate(path, 0.75)
    num_frames = num_frames_in(path)
    assert 10 <= num_frames < 14
    done, _ = whole.repair({0: 4, 1: 4, 2: num_frames - 8})
    assert [one.source.episode_index for one in done.plan.set_aside] == [3]
    assert num_frames_in(path) == num_frames


def test_a_shared_video_without_its_header_is_lost_with_all_episodes(shared, snapshot, root):
    dataset, _ = shared((4, 4, 6, 6))
    truncate(dataset.path(SHARED), 0.75)
    before = {path: path.read_bytes() for path in dataset.root.rglob('*') if path.is_file()}
    with pytest.raises(RepairError, match='it cannot be read as a video'):
        repair_dataset(dataset.root)
    for path, content in before.items():
        assert path.read_bytes() == content


def test_statistics_of_other_pictures_are_computed_from_those_there_are(dataset, whole):
    encode(dataset.path(VIDEO), 8, level=200)
    done, _ = whole.repair(ALL, but_pictures_of={2})
    assert done.plan.mended['wrong-camera-statistics'] == 2


@pytest.mark.parametrize(
    ('is_truncated', 'kept'), [(False, {0: 4, 2: 6, 3: 6}), (True, {0: 4})]
)
def test_a_video_that_cannot_be_cut_stays_whole_if_it_is_sound(shared, is_truncated, kept):
    """Pictures lean on those of an episode that is not kept: there is but one key frame."""
    dataset, whole = shared((4, 4, 6, 6))
    encode(dataset.path(SHARED), 20, size=(32, 48), g=50)
    whole = type(whole)(dataset.root, whole._read, with_statistics=False)
    if is_truncated:
        path = dataset.path(SHARED)
        path.write_bytes(path.read_bytes()[:-5])
    dataset.column(
        'data/chunk-000/file-000.parquet',
        'observation.state',
        lambda values: [*values[:4], [math.nan] * 3, *values[5:]],
    )
    done, _ = whole.repair(kept, has_unseen_frames=not is_truncated)
    if is_truncated:
        assert 'no key frame' in done.plan.set_aside[1].reasons[0]
    else:
        assert num_frames_in(dataset.path(SHARED)) == 20
        assert 'the file is kept whole' in done.remarks[0]
