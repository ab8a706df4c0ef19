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
"""`streamrec codecs` says what really encodes here; the numbers are those of FFmpeg's filters."""

from __future__ import annotations

import io
import json

from click.testing import CliRunner
from command_line import streamrec
from lerobot_streamrec.cli.codecs import codecs
from lerobot_streamrec.cli.codecs_report import (
    choice_sentence,
    is_pareto,
    measured_json,
    measured_table,
    sample_of,
    trial_table,
)
from lerobot_streamrec.dataset.format.features import camera_feature
from lerobot_streamrec.dataset.format.layout import STAGING
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.config import (
    BUNDLED_VCODECS,
    EncoderConfig,
    LADDER,
    VCODECS,
    VideoSpec,
)
from lerobot_streamrec.video.codecs.settings_check import is_registered
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.video.trials.bench import Measured, Quality, Sample
from lerobot_streamrec.video.trials.choice import Choice, Level
from lerobot_streamrec.video.trials.trial import Trial
from lerobot_streamrec.video.trials.trial_encoding import stored_pictures
import numpy as np
import pytest
from rich.console import Console

H264 = EncoderConfig('h264', preset='ultrafast', crf=10)
SMALL = ('--size', '64x48')


@pytest.fixture(scope='module')
def cache(tmp_path_factory):
    """The folder in which measured costs are kept."""
    return tmp_path_factory.mktemp('cache')


@pytest.fixture(scope='module')
def bench(cache):
    """Try and measure all encoders of this process, once."""
    arguments = ('--bench', '--seconds', 0.5, '--g', 2, '--g', 10, '--json')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(cache))
        done = streamrec('codecs', *SMALL, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_name_is_tried(bench):
    names = [one['vcodec'] for one in bench['trials']]
    assert names == [one for one in VCODECS if one != 'auto']
    works = {one['vcodec']: one['works'] for one in bench['trials']}
    assert all(works[name] for name in BUNDLED_VCODECS)
    for one in bench['trials']:
        assert bool(one['problem']) != one['works']
        assert bool(one['headroom']) == one['works']


@pytest.mark.skipif(is_registered('h264_vaapi'), reason='this build of libav has it')
def test_what_is_not_built_is_told_apart(bench):
    problems = {one['vcodec']: one['problem'] for one in bench['trials']}
    assert problems['h264_vaapi'] == 'not in this build of FFmpeg'


def test_auto_is_one_that_works(bench):
    chosen = bench['auto']['pyav']
    assert chosen['vcodec'] in [one['vcodec'] for one in bench['trials'] if one['works']]
    assert chosen['head_room'] > 0
    assert chosen['reasons'].startswith(f'auto took {chosen["vcodec"]}')


def test_recordings_will_know_the_costs(bench, cache):
    kept = json.loads((cache / 'lerobot_streamrec' / 'encoder_costs.json').read_text())
    presets = [json.loads(name.partition(': ')[2])['config']['preset'] for name in kept]
    assert presets == [one.preset for one in LADDER[::-1]][: len(presets)]
    assert all(cost['cpu_ms'] > 0 for cost in kept.values())
    assert presets


def test_each_that_works_is_measured(bench):
    measured = bench['bench']
    works = {one['vcodec'] for one in bench['trials'] if one['works']}
    assert {one['vcodec'] for one in measured} == works
    ladder = [(one.vcodec, one.preset, one.crf) for one in LADDER]
    for g in (2, 10):
        of_g = [(x['vcodec'], x['preset'], x['crf']) for x in measured if x['g'] == g]
        assert of_g[: len(ladder)] == ladder
        assert ('hevc', None, 30) in of_g
    for one in measured:
        assert not one['problem']
        assert one['psnr_db'] > 25
        assert 0.7 < one['ssim'] < 1
        assert one['bits_per_s'] == pytest.approx(one['size_bytes'] * 8 / 0.5)
        assert one['cpu_ms_per_frame'] > 0
        assert one['decode_ms_per_frame'] > 0


def test_a_table_fits_the_terminal_and_says_why_not():
    load = (VideoSpec(640, 480, 30), 3)
    problem = 'ffmpeg ended with exit status 1; it said: no device | and more'
    trials = [
        Trial(EncoderConfig('libsvtav1'), *load, frames_per_s=225),
        Trial(EncoderConfig('h264'), *load, frames_per_s=45),
        Trial(EncoderConfig('hevc_videotoolbox', backend='ffmpeg'), *load, problem=problem),
    ]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(trial_table(trials))
    chosen = Trial(EncoderConfig('h264', preset='veryfast', crf=17), *load, cpu_ms=5)
    level = Level({'front': chosen.config}, (chosen,))
    console.print(choice_sentence('pyav', Choice(level, None, (trials[2],), 4, 0.25, 2)))
    told = console.export_text()
    assert max(map(len, told.splitlines())) <= 80
    rows = [line.split() for line in told.splitlines()]
    assert '640x480, 30 fps, 3 cameras' in told
    assert ['│', 'libsvtav1', '│', 'pyav', '│', 'yes', '│', '225', '│', '2.5', '│'] in rows
    assert ['│', 'h264', '(libx264)', '│', 'pyav', '│', 'yes', '│', '45', '│', '0.5', '│'] in rows
    assert 'no: no device' in told
    assert 'and more' not in told
    sentence = (
        'encoder.vcodec auto with encoder.backend pyav: auto took h264 veryfast, crf 17 for 3 '
        'cameras: 0.70 of 4 cores with receipt, head-room 5.7'
    )
    assert sentence in ' '.join(told.split())


def measured(cpu_ms, size_bytes, psnr_db, decode_ms, vcodec='h264'):
    """Return a measurement."""
    quality = Quality(psnr_db, 0.9)
    config = EncoderConfig(vcodec, preset=8)
    return Measured(config, 99, cpu_ms, size_bytes, 1e6, quality, decode_ms=decode_ms)


def test_the_table_marks_what_nothing_else_beats(tmp_path):
    small = measured(30, 1000, 40, 7, 'libsvtav1')
    quick = measured(3, 3000, 40, 2)
    beaten = measured(5, 3000, 39, 2, 'hevc')
    broken = Measured(EncoderConfig('libaom-av1'), problem='no such encoder')
    all_of_them = [small, quick, beaten, broken]
    assert [is_pareto(one, all_of_them) for one in all_of_them[:3]] == [True, True, False]
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(measured_table(all_of_them, Sample(tmp_path, 10, VideoSpec(64, 48, 30))))
    lines = console.export_text().splitlines()
    cells = [[cell.strip() for cell in line.split('│')[1:-1]] for line in lines if '│' in line]
    assert cells == [
        ['h264 8, crf 30', '2', '3.0', '0.3', '40.0', '0.9000', '2.0', '*'],
        ['hevc 8, crf 30', '2', '5.0', '0.3', '39.0', '0.9000', '2.0', ''],
        ['libsvtav1 8, crf 30', '2', '30.0', '0.1', '40.0', '0.9000', '7.0', '*'],
        ['libaom-av1, crf 30', '', 'no such encoder', '', '', '', '', ''],
    ]


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--size', 'large'), "'large' is not a size such as 640x480"),
        (('--size', '8x480'), 'is not a size'),
        (('--source', '.'), '--source only applies together with --bench'),
    ],
)
def test_wrong_usage(arguments, words):
    done = CliRunner().invoke(codecs, arguments)
    assert done.exit_code == 2
    assert words in done.output


def test_a_program_that_is_not_there():
    done = streamrec('codecs', '--backend', 'ffmpeg', '--ffmpeg', 'no-such-program')
    assert done.returncode == 1
    assert "encoder.ffmpeg.executable is 'no-such-program'" in done.stderr
    assert 'install FFmpeg' in done.stderr


@pytest.fixture
def dataset(tmp_path):
    """Two episodes of a camera: gray pictures that get brighter."""
    root = tmp_path / 'dataset'
    features = {'observation.images.front': camera_feature()}
    writer, _ = open_dataset(root, fps=10, robot_type=None, features=features, resume=False)
    for first in (0, 100):
        path = root / STAGING / f'take-{first}' / 'front.mp4'
        path.parent.mkdir(parents=True)
        encoder, histogram = Mp4Encoder(path, H264, VideoSpec(64, 48, 10)), ImageHistogram()
        for level in range(first, first + 60, 10):
            pixels = np.full((48, 64, 3), level, np.uint8)
            encoder.encode(Frame(pixels, 'rgb24'))
            histogram.push(pixels)
        encoder.finish()
        video = VideoDraft(path, 6, 48, 64, H264.as_info(), histogram.statistics())
        writer.commit(EpisodeDraft(6, 'pick', {}, {'observation.images.front': video}))
    writer.close()
    return root


def test_a_sample_of_a_dataset_has_its_size_and_rate(dataset, tmp_path):
    sample = sample_of(dataset, tmp_path, size=(640, 480), fps=30, seconds=0.4)
    assert (sample.num_frames, sample.spec) == (4, VideoSpec(64, 48, 10))
    stored = stored_pictures(sample.path, 4, 64, 48)
    assert [round(stored(index).mean(), -1) for index in range(4)] == [0, 10, 20, 30]
    longer = sample_of(dataset, tmp_path, size=(640, 480), fps=30, seconds=60)
    assert longer.num_frames == 6


def test_a_sample_of_a_video_has_its_rate(dataset, tmp_path):
    (video, *_) = sorted(dataset.rglob('*.mp4'))
    sample = sample_of(video, tmp_path, size=(640, 480), fps=30, seconds=0.4)
    assert (sample.num_frames, sample.spec.fps) == (4, 10)


def test_no_loss_is_said_in_json_without_an_infinite_number():
    lossless = Measured(EncoderConfig('h264', crf=0), quality=Quality(float('inf'), 1.0))
    told = measured_json(lossless)
    assert (told['psnr_db'], told['ssim']) == (None, 1.0)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
