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
"""`streamrec probe`, `concat`, `reencode` and `frames` as a user types them."""

from __future__ import annotations

import json

import command_line
from lerobot_streamrec.dataset.format.features import camera_feature
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
import numpy as np
import pytest

FRONT = 'observation.images.front'
H264 = EncoderConfig(vcodec='h264', preset='ultrafast')
TO_HEVC = ('--vcodec', 'hevc', '--preset', 'ultrafast', '--crf', '20', '--g', '4')


def streamrec(*arguments):
    """Return the exit status of the command line and the texts that it printed."""
    done = command_line.streamrec(*arguments)
    return done.returncode, done.stdout, done.stderr


def encode(path, num_frames=10):
    encoder = Mp4Encoder(path, H264, VideoSpec(64, 48, 10))
    histogram = ImageHistogram()
    for index in range(num_frames):
        pixels = np.full((48, 64, 3), 20 * index, np.uint8)
        encoder.encode(Frame(pixels, 'rgb24'))
        histogram.push(pixels)
    encoder.finish()
    return histogram.statistics()


@pytest.fixture
def video(tmp_path):
    encode(tmp_path / 'a.mp4')
    return tmp_path / 'a.mp4'


@pytest.fixture
def dataset(tmp_path):
    """Record two episodes of one camera."""
    root = tmp_path / 'dataset'
    writer, _ = open_dataset(
        root, fps=10, robot_type='so101', features={FRONT: camera_feature()}, resume=False
    )
    for _ in range(2):
        path = root / '.streamrec/staging/take/a.mp4'
        path.parent.mkdir(parents=True)
        statistics = encode(path)
        draft = VideoDraft(path, 10, 48, 64, H264.as_info(), statistics)
        writer.commit(EpisodeDraft(10, 'pick', {}, {FRONT: draft}))
        writer.remove(path.parent)
    writer.close()
    return root


def test_probe_speaks_the_words_of_info_json(video):
    status, out, err = streamrec('probe', video)
    assert (status, err) == (0, '')
    assert f'{video}\n  10 frames, 1.000 s at 10 fps, ' in out
    assert '\n  video.codec: "h264"\n' in out
    status, out, _ = streamrec('probe', '--json', video, video)
    first, second = json.loads(out)
    assert first == second
    assert (first['num_frames'], first['duration_s'], first['missing_bytes']) == (10, 1.0, 0)
    assert first['info']['video.width'] == 64


def test_probe_tells_what_is_no_video_and_goes_on(video, tmp_path):
    broken = tmp_path / 'broken.mp4'
    broken.write_bytes(b'no video' * 99)
    status, out, err = streamrec('probe', broken, video, tmp_path / 'none.mp4')
    assert status == 1
    assert '10 frames' in out
    assert [line.split(': ')[1].split()[0] for line in err.splitlines()] == [
        str(broken), str(tmp_path / 'none.mp4')
    ]
    assert streamrec('probe')[0] == 2


def test_concat_joins_files(video, tmp_path):
    out = tmp_path / 'out.mp4'
    status, said, _ = streamrec('concat', video, video, '--output', out)
    assert status == 0
    assert said.startswith(f'{out}: 20 frames of 2 files, ')
    status, _, err = streamrec('concat', video, '--output', out)
    assert status == 1
    assert err.startswith(f'streamrec: {out} already exists')
    assert streamrec('concat', video, '--output', out, '--overwrite')[0] == 0
    assert streamrec('concat', tmp_path / 'none.mp4', '--output', out)[0] == 2


def test_reencode_makes_another_file(video, tmp_path):
    out = tmp_path / 'out.mp4'
    status, said, _ = streamrec('reencode', video, *TO_HEVC, '--from', '0.5', '--output', out)
    assert status == 0
    assert said.startswith(f'{out}: 5 frames, ')
    info = json.loads(streamrec('probe', '--json', out)[1])[0]['info']
    assert info['video.codec'] == 'hevc'
    wrong = ('--vcodec', 'h264', '--crf', 99, '--output', out, '--overwrite')
    status, _, err = streamrec('reencode', video, *wrong)
    assert (status, 'encoder.crf is 99' in err) == (1, True)


def test_reencode_changes_a_dataset(dataset, read_dataset):
    status, said, _ = streamrec('reencode', dataset, *TO_HEVC, '--dry-run')
    assert status == 0
    assert said.startswith(f'would encode 20 frames of {dataset} to hevc, ')
    assert f'\n  {FRONT}: 2 files of ' in said
    assert read_dataset(dataset, is_kept=False).info['features'][FRONT]['info'][
        'video.codec'
    ] == 'h264'
    options = ('--option', 'x265-params=bframes=0', '--camera', 'front')
    status, said, err = streamrec('reencode', dataset, *TO_HEVC, *options)
    assert (status, err) == (0, '')
    assert said.startswith(f'encoded {dataset} again: 6 files of ')
    info = read_dataset(dataset, is_kept=False).info['features'][FRONT]['info']
    assert (info['video.codec'], info['video.g'], info['video.crf']) == ('hevc', 4, 20)
    assert info['video.extra_options'] == {'x265-params': 'bframes=0'}
    assert streamrec('check', dataset)[0] == 0
    status, _, err = streamrec('reencode', dataset, *TO_HEVC, '--camera', 'wrist')
    assert (status, f'{dataset} has {FRONT}; name one of them' in err) == (1, True)


def test_frames_writes_pictures(video, dataset, tmp_path):
    status, said, _ = streamrec('frames', video, '--every', 4, '--output', tmp_path / 'one')
    assert (status, said) == (0, f'{tmp_path}/one: 3 frames\n')
    assert len(list((tmp_path / 'one').glob('frame-*.png'))) == 3
    arguments = ('--episode', 1, '--from', 0.5, '--to', 0.7, '--output', tmp_path / 'two')
    status, said, _ = streamrec('frames', dataset, *arguments)
    assert (status, said) == (0, f'{tmp_path}/two/{FRONT}: 2 frames\n')
    status, _, err = streamrec('frames', video, '--output', tmp_path / 'one')
    assert (status, 'already holds files' in err) == (1, True)


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('frames', 'DATASET', '--output', 'x'), 'choose an episode with --episode'),
        (('frames', 'VIDEO', '--output', 'x', '--episode', 0), 'only apply to a dataset'),
        (('reencode', 'VIDEO'), 'name the file to write with --output'),
        (('reencode', 'VIDEO', '--output', 'x', '--dry-run'), 'only apply to a dataset'),
        (('reencode', 'DATASET', '--output', 'x'), 'only apply to a video'),
        (
            ('reencode', 'VIDEO', '--output', 'x', '--option', 'bf'),
            'is not of the form name=value',
        ),
        (('reencode', 'VIDEO', '--output', 'x', '--vcodec', 'mpeg2'), 'mpeg2'),
    ],
)
def test_wrong_usage_is_told(arguments, said, video, dataset):
    names = {'VIDEO': video, 'DATASET': dataset}
    status, _, err = streamrec(*(names.get(one, one) for one in arguments))
    assert status == 2
    assert said in err
