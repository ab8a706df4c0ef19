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
"""Encoding a dataset again: other videos, and every other word and number as it was."""

from __future__ import annotations

from dataclasses import replace
import json
import shutil
import threading

from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.features import camera_feature
from lerobot_streamrec.dataset.format.state import VideoDraft
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes
from lerobot_streamrec.dataset.rebuild.exchange import folder_beside
from lerobot_streamrec.dataset.rebuild.reencode import plan_encoding, reencode_dataset
from lerobot_streamrec.errors import (
    CodecError,
    ConfigError,
    InterruptedWorkError,
    VideoError,
)
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.stats.histograms import DepthHistogram
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.depth_config import (
    DEPTH_ENCODER,
    depth_of_codes,
    DEPTH_UNIT,
    DepthConfig,
)
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
import numpy as np
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
DEPTH = 'observation.images.front_depth'
LENGTHS = (5, 4, 7)
HEVC = EncoderConfig(vcodec='hevc', preset='ultrafast', crf=5, g=3)
DEPTH_INFO = {**DepthConfig().as_info(), DEPTH_UNIT: 'mm'}


@pytest.fixture
def record(open_writer, make_draft, features):
    """Record episodes and close the dataset; returns its root."""

    def run(lengths=LENGTHS, *, has_depth=False):
        changes = {}
        if has_depth:
            changes = {'features': {**features, DEPTH: camera_feature(info=DEPTH_INFO)}}
        writer = open_writer(**changes)
        for number, length in enumerate(lengths):
            draft = make_draft(length)
            folder = draft.videos[FRONT].path.parent
            if has_depth:
                depth = depth_video(folder / f'{DEPTH}.mp4', length, number)
                draft = replace(draft, videos={**draft.videos, DEPTH: depth})
            writer.commit(draft)
            writer.remove(folder)
        writer.close()
        return writer.root

    return run


def depth_video(path, length, seed):
    encoder = Mp4Encoder(path, DEPTH_ENCODER, VideoSpec(64, 48, 20))
    levels = depth_of_codes(DepthConfig(), 'mm').astype(np.float64)
    histogram, chance = DepthHistogram(levels), np.random.default_rng(seed)
    for _ in range(length):
        codes = chance.integers(0, 4096, (48, 64)).astype(np.uint16)
        encoder.encode(Frame(codes, 'gray12le'))
        histogram.push(codes)
    encoder.finish()
    info = {**DEPTH_ENCODER.as_info(), **DEPTH_INFO}
    return VideoDraft(path, length, 48, 64, info, histogram.statistics())


def others(root, *, without=()):
    """Return every file of a dataset that is no video, info.json, index, lock or record."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob('*'))
        if path.is_file()
        and path.suffix != '.mp4'
        and path.name not in ('info.json', 'episode_index.json', 'owner.json', 'lock', *without)
        and path.parent != root / '.streamrec/episodes'
    }


def assert_shows_the_same(dataset, before, cameras, *, atol):
    for key in cameras:
        for index, length in enumerate(LENGTHS):
            now = dataset.pictures(key, index)
            assert len(now) == length
            for one, other in zip(now, before[key, index], strict=True):
                assert np.abs(one.astype(int) - other).max() <= atol


def pictures(dataset):
    return {
        (key, index): dataset.pictures(key, index)
        for key in dataset.cameras
        for index in range(len(LENGTHS))
    }


@pytest.mark.parametrize('is_compact', [False, True], ids=['small files', 'compacted'])
def test_cameras_get_another_codec_and_all_else_stays(
    is_compact, record, read_dataset, root
):
    record()
    if is_compact:
        compact_dataset(root)
    dataset = read_dataset(root, is_kept=False)
    before, files = pictures(dataset), others(root)
    told = []
    change = reencode_dataset(root, HEVC, progress=lambda done, total: told.append((done, total)))
    assert (change.num_episodes, change.remarks) == (3, ())
    assert change.after.num_files == change.before.num_files
    assert told == [(done, 32) for done in range(1, 33)]
    assert others(root) == files
    # LeRobot reads it, but does not go on with it: half of what it encodes itself as hevc cannot
    # be sought if key frames are not two frames apart.
    dataset_now = read_dataset(root, is_kept=is_compact)
    assert_shows_the_same(dataset_now, before, (FRONT, TOP), atol=6)
    for key in (FRONT, TOP):
        info = dataset_now.info['features'][key]['info']
        assert {name: info[f'video.{name}'] for name in ('codec', 'g', 'crf', 'preset')} == {
            'codec': 'hevc',
            'g': 3,
            'crf': 5,
            'preset': 'ultrafast',
        }
        assert (info['is_depth_map'], info['has_audio']) == (False, False)
    left = {**dataset_now.info, 'features': None}
    assert left == {**dataset.info, 'features': None}
    report = check_dataset(root)
    assert report.findings == ()
    assert sorted(one.name for one in root.parent.iterdir()) == [root.name]
    assert not list(root.rglob('.file*'))


def test_the_record_of_an_episode_tells_how_it_was_encoded_before(record, root):
    record()
    path = root / '.streamrec/episodes/episode-000001.json'
    before = json.loads(path.read_text())
    reencode_dataset(root, HEVC, cameras=['front'])
    reencode_dataset(root, EncoderConfig(vcodec='h264', preset='ultrafast'), cameras=[FRONT])
    now = json.loads(path.read_text())
    first, second = now.pop('encoded_again')
    assert now == before
    assert set(first['cameras']) == {FRONT}
    assert first['cameras'][FRONT]['before']['codec'] == 'h264'
    assert first['cameras'][FRONT]['now'] == second['cameras'][FRONT]['before']
    assert second['cameras'][FRONT]['now'] == {
        'codec': 'h264', 'pix_fmt': 'yuv420p', 'g': 2, 'crf': 30, 'preset': 'ultrafast'
    }
    assert first['at'] < second['at']


def test_cameras_that_are_not_named_stay_as_they_are(record, read_dataset, root):
    record()
    kept = {path: path.stat().st_ino for path in root.glob(f'videos/{TOP}/*/*.mp4')}
    info = read_dataset(root, is_kept=False).info['features'][TOP]
    reencode_dataset(root, HEVC, cameras=['front'])
    assert {path: path.stat().st_ino for path in root.glob(f'videos/{TOP}/*/*.mp4')} == kept
    now = read_dataset(root, is_kept=False).info['features']
    assert now[TOP] == info
    assert now[FRONT]['info']['video.codec'] == 'hevc'


def test_every_episode_of_a_file_begins_with_a_key_frame(record, read_dataset, root):
    record()
    compact_dataset(root)
    before = pictures(read_dataset(root, is_kept=False))
    reencode_dataset(root, replace(HEVC, g=100))
    # Cutting out the middle one needs a key frame at the beginning of the last one.
    assert delete_episodes(root, [1]).remarks == ()
    dataset = read_dataset(root, is_kept=False)
    assert dataset.episodes['length'].tolist() == [5, 7]
    for one, other in zip(dataset.pictures(FRONT, 1), before[FRONT, 2], strict=True):
        assert np.abs(one.astype(int) - other).max() <= 6


def test_pictures_of_deleted_episodes_do_not_come_along(record, read_dataset, root):
    record()
    reencode_dataset(root, replace(HEVC, g=100))
    compact_dataset(root)
    # Another encoder's file without key frames in between is kept whole by delete.
    dataset = read_dataset(root, is_kept=False)
    before = pictures(dataset)
    assert dataset.episodes[f'videos/{FRONT}/from_timestamp'].tolist() == [0, 0.25, 0.45]
    delete_episodes(root, [0])
    reencode_dataset(root, HEVC)
    dataset = read_dataset(root, is_kept=False)
    assert dataset.episodes[f'videos/{FRONT}/from_timestamp'].tolist() == [0, 0.2]
    for number in (0, 1):
        for one, other in zip(
            dataset.pictures(FRONT, number), before[FRONT, number + 1], strict=True
        ):
            assert np.abs(one.astype(int) - other).max() <= 10
    assert check_dataset(root).findings == ()


def test_depth_is_left_alone_unless_nothing_is_lost(record, read_dataset, root):
    record(has_depth=True)
    before = read_dataset(root, is_kept=False)
    codes, info = pictures(before), before.info['features'][DEPTH]
    change = reencode_dataset(root, HEVC)
    assert len(change.remarks) == 1
    assert change.remarks[0].startswith(f'{DEPTH} is left as it is: its pixels are depth codes')
    assert read_dataset(root, is_kept=False).info['features'][DEPTH] == info
    with pytest.raises(ConfigError, match=r"'.*front_depth': its pixels are depth codes"):
        reencode_dataset(root, HEVC, cameras=['front_depth'])
    with pytest.raises(ConfigError, match='it has colours'):
        reencode_dataset(root, DEPTH_ENCODER, cameras=[FRONT])
    change = reencode_dataset(root, replace(DEPTH_ENCODER, g=7))
    assert [one.split()[0] for one in change.remarks] == [FRONT, TOP]
    dataset = read_dataset(root, is_kept=False)
    now = dataset.info['features'][DEPTH]
    assert now == {**info, 'info': {**info['info'], 'video.g': 7}}
    assert now['info']['is_depth_map'] is True
    assert_shows_the_same(dataset, codes, (DEPTH,), atol=0)
    assert check_dataset(root).findings == ()


def test_what_cannot_be_encoded_is_refused_before_anything_is_written(record, root, snapshot):
    record()
    shutil.rmtree(root / '.streamrec')
    before = snapshot()
    for config, cameras, kind, said in (
        (HEVC, ['wrist'], ConfigError, f"camera is 'wrist': .* has {FRONT}, {TOP}; name one"),
        (EncoderConfig(vcodec='h264', crf=99), (), CodecError, 'encoder.crf is 99'),
        (DEPTH_ENCODER, (), ConfigError, 'there is nothing to encode: .*front is left as it is'),
    ):
        with pytest.raises(kind, match=said):
            reencode_dataset(root, config, cameras=cameras)
    assert snapshot() == before
    assert not (root / '.streamrec').exists()
    plan = plan_encoding(read_catalog(root), HEVC, ['front'])
    assert (plan.cameras, plan.num_frames) == ((FRONT,), 16)
    assert [str(job.relative) for job in plan.jobs()] == [
        f'videos/{FRONT}/chunk-000/file-{number:03d}.mp4' for number in range(3)
    ]
    assert snapshot() == before


@pytest.mark.parametrize('how', ['cancelled', 'interrupted', 'broken', 'short'])
def test_a_failure_leaves_the_dataset_as_it_was(how, record, root, snapshot):
    record()
    cancel = threading.Event()
    path = root / f'videos/{TOP}/chunk-000/file-001.mp4'
    if how == 'broken':
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    if how == 'short':
        shorter = root / f'videos/{FRONT}/chunk-000/file-001.mp4'
        (path.parent / 'file-000.mp4').write_bytes(shorter.read_bytes())
    before = snapshot()

    def watch(done, total):
        if how == 'cancelled' and done == 3:
            cancel.set()
        if how == 'interrupted' and done == 3:
            raise KeyboardInterrupt

    kind, said = {
        'cancelled': (InterruptedWorkError, 'was cancelled'),
        'interrupted': (KeyboardInterrupt, None),
        'broken': (VideoError, r'file-001\.mp4 cannot be'),
        'short': (VideoError, r'file-000\.mp4 has 4 frames of episode 0, which has 5 rows'),
    }[how]
    with pytest.raises(kind, match=said):
        reencode_dataset(root, HEVC, progress=watch, cancel=cancel)
    assert snapshot() == before
    assert not folder_beside(root).exists()
