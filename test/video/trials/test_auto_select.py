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
"""``auto`` takes hardware that keeps up, else the best software that leaves head-room for all."""

from __future__ import annotations

import json
from types import SimpleNamespace

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.codecs.config import (
    EncoderConfig,
    HARDWARE_VCODECS,
    HEVC_RUNG,
    LADDER,
    VideoSpec,
)
from lerobot_streamrec.video.codecs.settings_check import is_registered
from lerobot_streamrec.video.trials import auto_select as choice_module
from lerobot_streamrec.video.trials.auto_select import (
    CameraNeed,
    choose_encoders,
    has_device,
    listed_encoders,
    lowest_encoder,
)
from lerobot_streamrec.video.trials.choice import NO_DEVICE, NOT_BUILT
from lerobot_streamrec.video.trials.cost import CostMeter, OutOfTimeError
from lerobot_streamrec.video.trials.trial import Trial, TrialReport
import pytest

SPEC = VideoSpec(640, 480, 25)
AUTO = EncoderConfig('auto')
SVT, VERYFAST, SUPERFAST, ULTRAFAST = (AUTO.on_rung(one) for one in LADDER)
# Milliseconds per frame of each preset, so that three cameras of 25 frames per second keep 3.0,
# 0.75, 0.375 and 0.1875 cores busy.
COSTS_MS = {12: 40.0, 'veryfast': 10.0, 'superfast': 5.0, 'ultrafast': 2.5}
BUILT = ('h264_nvenc', 'hevc_nvenc', 'h264_qsv')


class PaperMeter:
    """Measures encoders of a machine that exists on paper."""

    def __init__(self, costs_ms=None, num_in_time=99, broken=()):
        self.costs_ms = costs_ms or COSTS_MS
        self.num_in_time = num_in_time
        self.broken = broken
        self.measured = []

    def measure(self, config, spec, num_streams):
        if len(self.measured) == self.num_in_time:
            raise OutOfTimeError
        self.measured.append((config.preset, (spec.width, spec.height), num_streams))
        trial = Trial(config, spec, num_streams)
        if config.vcodec in self.broken:
            return trial.with_report(TrialReport('no such thing'))
        cpu_ms = self.costs_ms[config.preset] * spec.width / 640
        return Trial(config, spec, num_streams, cpu_ms=cpu_ms, frame_bytes=20_000)


@pytest.fixture(autouse=True)
def paper_hardware(monkeypatch):
    """Let libav list encoders whose device files exist."""
    monkeypatch.setattr(choice_module, 'is_registered', BUILT.__contains__)
    monkeypatch.setattr(choice_module, 'with_fitting_pix_fmt', lambda config: config)
    monkeypatch.setattr(choice_module, 'encoders_of', lambda settings: frozenset(['h264_vaapi']))
    monkeypatch.setattr(choice_module, 'has_device', lambda config: True)


def choose(needs=None, *, meter=None, speeds=None, cores=2, receipt=0.2, head_room=2.0):
    """Choose with encoders of each speed in frames per second, or with a problem."""
    tried = []

    def try_one(config, spec, *, num_streams, stop):
        tried.append(config.vcodec)
        outcome = (speeds or {}).get(config.vcodec, 'no device')
        given = {'problem': outcome} if isinstance(outcome, str) else {'frames_per_s': outcome}
        return Trial(config, spec, num_streams, **given)

    made = choose_encoders(
        needs or dict.fromkeys(('front', 'left', 'right'), CameraNeed(AUTO, SPEC)),
        meter or PaperMeter(),
        wanted_head_room=head_room,
        receipt_cores=lambda: receipt,
        num_cores=cores,
        try_one=try_one,
    )
    return made, tried


@pytest.mark.parametrize(
    ('cores', 'expected', 'head_room'),
    [(16, SVT, 5.0), (4, VERYFAST, 4.2), (2, VERYFAST, 2.1), (1, ULTRAFAST, 2.6)],
)
def test_the_best_that_leaves_half_of_the_cores_is_taken(cores, expected, head_room):
    made, _ = choose(cores=cores)
    assert list(made.level.encoders.values()) == [expected] * 3
    assert made.head_room == pytest.approx(head_room, abs=0.05)
    assert made.fits


def test_receipt_and_the_wanted_head_room_count():
    assert choose(receipt=0.3)[0].level.encoders['front'] == SUPERFAST
    assert choose(head_room=4)[0].level.encoders['front'] == ULTRAFAST
    assert choose(head_room=1)[0].level.encoders['front'] == VERYFAST


def test_the_reasons_are_said():
    made, _ = choose()
    assert str(made).startswith(
        'auto took h264 veryfast, crf 17 for 3 cameras: 0.95 of 2 cores with receipt, head-room '
        '2.1, about 5.4 GB an hour; for more quality in the same size, libsvtav1 12, crf 30 needs '
        '3.20 of 2 cores with receipt (encoder.head_room is 2); h264_nvenc does not work: no '
        'device'
    )
    assert str(made).endswith(f'{NOT_BUILT}: h264_videotoolbox, hevc_videotoolbox, h264_vaapi')


def test_the_last_rung_is_taken_even_if_it_falls_behind():
    slow = {preset: 20 * cost for preset, cost in COSTS_MS.items()}
    made, _ = choose(meter=PaperMeter(slow))
    assert made.level.encoders['front'] == ULTRAFAST
    assert not made.fits
    assert 'this is too much: record fewer or smaller pictures' in str(made)


def test_without_time_to_measure_the_cheapest_is_taken():
    made, _ = choose(meter=PaperMeter(num_in_time=0))
    assert made.level.encoders == dict.fromkeys(('front', 'left', 'right'), ULTRAFAST)
    assert 'the cheapest: there was no time to measure any' in str(made)
    assert made.fits


def test_a_rung_that_could_not_be_measured_in_time_is_not_taken():
    made, _ = choose(meter=PaperMeter(num_in_time=2), cores=16)
    assert made.level.encoders['front'] == SUPERFAST
    assert 'there was no time to measure h264 veryfast, crf 17' in str(made)


def test_all_cameras_count_together_at_their_own_sizes():
    by_name = EncoderConfig('h264', preset='superfast')
    large = VideoSpec(1280, 480, 25)
    needs = {
        'front': CameraNeed(AUTO, SPEC),
        'left': CameraNeed(AUTO, large),
        'right': CameraNeed(AUTO, large),
        'top': CameraNeed(by_name, SPEC),
        'wrist': CameraNeed(EncoderConfig('h264_nvenc'), SPEC),
    }
    meter = PaperMeter()
    made, _ = choose(needs, meter=meter, cores=4)
    assert meter.measured[:3] == [
        ('ultrafast', (640, 480), 1),
        ('ultrafast', (1280, 480), 2),
        ('superfast', (640, 480), 1),
    ]
    assert made.level.encoders == {
        'front': VERYFAST,
        'left': VERYFAST,
        'right': VERYFAST,
        'top': by_name,
        'wrist': EncoderConfig('h264_nvenc'),
    }
    assert made.level.cores == pytest.approx(25 * (10 + 2 * 20 + 5) / 1000)


@pytest.mark.parametrize(
    ('codec', 'expected'), [('av1', SVT), ('h264', VERYFAST), ('hevc', AUTO.on_rung(HEVC_RUNG))]
)
def test_a_dataset_that_has_a_codec_keeps_it(codec, expected):
    made, tried = choose({'front': CameraNeed(AUTO, SPEC, codec)}, cores=16)
    assert made.level.encoders == {'front': expected}
    assert tried == [one for one in BUILT if one.startswith(codec)]
    assert lowest_encoder(CameraNeed(AUTO, SPEC, codec)).codec == codec


def test_a_codec_that_is_too_slow_is_told():
    made, _ = choose({'front': CameraNeed(AUTO, SPEC, 'av1')}, cores=1)
    assert (made.level.encoders['front'], made.fits) == (SVT, False)
    assert 'auto took libsvtav1 12, crf 30 for 1 camera: 1.20 of 1 cores' in str(made)


def test_a_quality_that_is_set_by_hand_stays():
    made, _ = choose({'front': CameraNeed(EncoderConfig('auto', crf=60, g=5), SPEC)}, cores=1)
    assert made.level.encoders['front'].crf == 51
    assert made.level.encoders['front'].g == 5


def test_software_that_does_not_work_is_passed_over():
    made, _ = choose(meter=PaperMeter(broken=('libsvtav1',)), cores=16)
    assert made.level.encoders['front'] == VERYFAST
    with pytest.raises(CodecError, match='it does not work here: no such thing'):
        choose(meter=PaperMeter(broken=('libsvtav1', 'h264')))


# --- hardware --------------------------------------------------------------------------------


def test_the_first_hardware_that_keeps_up_is_taken():
    config = EncoderConfig('auto', crf=20, g=5)
    meter = PaperMeter()
    made, tried = choose(
        {'front': CameraNeed(config, SPEC)},
        meter=meter,
        speeds={'hevc_nvenc': 75, 'h264_qsv': 500},
    )
    assert made.level.encoders == {'front': EncoderConfig('hevc_nvenc', crf=20, g=5)}
    assert tried == ['h264_nvenc', 'hevc_nvenc']
    assert meter.measured == []
    assert str(made) == (
        'auto took hevc_nvenc: 75 frames per second at 640x480 (cameras at once: 1), 3.0 times '
        'the rate needed; h264_nvenc does not work: no device; not in this build of FFmpeg: '
        'h264_videotoolbox, hevc_videotoolbox'
    )


def test_hardware_that_falls_behind_is_not_taken():
    needs = dict.fromkeys(('front', 'left'), CameraNeed(AUTO, SPEC))
    made, _ = choose(needs, speeds={'h264_nvenc': 49})
    assert made.level.encoders['front'] == VERYFAST
    assert 'h264_nvenc is too slow: 49 frames per second' in str(made)


def test_hardware_without_its_device_is_not_even_tried(monkeypatch):
    monkeypatch.setattr(choice_module, 'has_device', lambda config: config.device == 'qsv')
    made, tried = choose()
    assert tried == ['h264_qsv']
    assert f'{NO_DEVICE}: h264_nvenc, hevc_nvenc' in str(made)


@pytest.mark.parametrize(
    ('vcodec', 'file', 'is_there'),
    [
        ('h264_nvenc', 'nvidia0', True),
        ('h264_nvenc', 'nvhost-msenc', True),
        ('h264_nvenc', 'dri/renderD128', False),
        ('h264_vaapi', 'dri/renderD128', True),
        ('h264_qsv', 'dri/card0', False),
        ('h264_v4l2m2m', 'null', True),
    ],
)
def test_devices_are_known_by_their_files(tmp_path, vcodec, file, is_there):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    assert has_device(EncoderConfig(vcodec, backend='ffmpeg'), tmp_path) == is_there


def test_the_ffmpeg_program_is_asked_what_it_has_and_software_needs_none():
    auto = EncoderConfig('auto', backend='ffmpeg')
    made, tried = choose({'front': CameraNeed(auto, SPEC)}, cores=16)
    assert tried == ['h264_vaapi']
    assert made.level.encoders == {'front': SVT}
    made, _ = choose({'front': CameraNeed(auto, SPEC)}, speeds={'h264_vaapi': 99})
    assert made.level.encoders == {'front': EncoderConfig('h264_vaapi', backend='ffmpeg')}


# --- measurements on this machine ------------------------------------------------------------


def test_a_measurement_is_made_once_for_this_machine(tmp_path):
    kept, small = tmp_path / 'new' / 'costs.json', VideoSpec(64, 48, 30)
    config = ULTRAFAST.with_threads(1)
    with CostMeter(budget_s=60, kept=kept) as meter:
        first = meter.measure(config, small, 2)
    assert first.works
    assert first.cpu_ms > 0
    assert first.frame_bytes > 100
    with CostMeter(budget_s=0, kept=kept) as meter:
        again = meter.measure(config, small, 2)
        assert again.cpu_ms == pytest.approx(first.cpu_ms, abs=0.001)
        with pytest.raises(OutOfTimeError):
            meter.measure(config, small, 3)
    with CostMeter(budget_s=0, kept=kept, is_fresh=True) as meter, pytest.raises(OutOfTimeError):
        meter.measure(config, small, 2)


def test_the_time_begins_with_the_first_measurement(monkeypatch):
    clock = SimpleNamespace(now_s=1000.0)
    monkeypatch.setattr('time.monotonic', lambda: clock.now_s)
    with CostMeter(budget_s=30) as meter:
        clock.now_s += 60
        assert meter.measure(ULTRAFAST, VideoSpec(64, 48, 30), 1).works
        clock.now_s += 60
        with pytest.raises(OutOfTimeError):
            meter.measure(ULTRAFAST, VideoSpec(64, 48, 30), 2)


@pytest.mark.parametrize('text', ['', '[1]', '{"a": 1}'])
def test_a_damaged_file_of_costs_is_replaced(tmp_path, text):
    kept = tmp_path / 'costs.json'
    kept.write_text(text)
    with CostMeter(budget_s=60, kept=kept) as meter:
        assert meter.measure(ULTRAFAST, VideoSpec(64, 48, 30), 1).works
    assert any('ultrafast' in name for name in json.loads(kept.read_text()))


def test_costs_that_cannot_be_kept_are_measured(tmp_path):
    (tmp_path / 'file').touch()
    with CostMeter(budget_s=60, kept=tmp_path / 'file' / 'costs.json') as meter:
        assert meter.measure(ULTRAFAST, VideoSpec(64, 48, 30), 1).works


def test_an_encoder_that_does_not_work_is_no_cost(tmp_path):
    odd = EncoderConfig('h264', pix_fmt='yuv420p')
    with CostMeter(budget_s=60, kept=tmp_path / 'costs.json') as meter:
        trial = meter.measure(odd, VideoSpec(65, 48, 30), 1)
        assert trial.problem
        # The next one gets a child process that works.
        assert meter.measure(odd, VideoSpec(64, 48, 30), 1).works


# --- what is listed --------------------------------------------------------------------------


def test_an_ffmpeg_program_lists_more_than_lerobot_knows(monkeypatch):
    has = frozenset(['libx264', 'h264_v4l2m2m', 'av1_rkmpp', 'h264_nvenc', 'vp9_vaapi', 'libvpx'])
    monkeypatch.setattr(choice_module, 'encoders_of', lambda settings: has)
    listed = listed_encoders(EncoderConfig('auto', backend='ffmpeg'))
    assert [one.vcodec for one, is_built in listed if is_built] == [
        'h264',
        'h264_nvenc',
        'av1_rkmpp',
        'h264_v4l2m2m',
    ]
    assert {one.vcodec for one, _ in listed} > set(HARDWARE_VCODECS)


def test_pixels_are_put_in_the_order_that_hardware_takes(monkeypatch):
    # This is about the encoders that libav really has.
    monkeypatch.undo()
    if not is_registered('h264_qsv'):
        pytest.skip('not in this build of libav')
    listed = {one.vcodec: one for one, _ in listed_encoders(EncoderConfig('auto'))}
    assert (listed['h264_qsv'].pix_fmt, listed['h264'].pix_fmt) == ('nv12', 'yuv420p')
