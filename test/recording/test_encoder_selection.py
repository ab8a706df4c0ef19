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
An episode starts with encoders that were tried at the size of its pictures, or not at all.

Hardware is simulated: what trials say is written down in ``Machine``. That an encoder which is
listed and has no device is refused, is tried with the real h264_nvenc.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
import json
import logging
import threading
from types import SimpleNamespace

from lerobot_streamrec.errors import CodecError, DatasetMismatchError, StreamsNotReadyError
from lerobot_streamrec.frame import EncodedPacket
from lerobot_streamrec.recording import auto_encoders as auto_module
from lerobot_streamrec.recording import encoder_selection as encoder_choice
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.encoder_selection import EncoderChoices
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.video.codecs.config import EncoderConfig, LADDER
from lerobot_streamrec.video.codecs.depth_config import DepthConfig
from lerobot_streamrec.video.codecs.settings_check import is_registered
from lerobot_streamrec.video.trials import auto_select as choice_module
from lerobot_streamrec.video.trials.trial import Trial, TrialCancelledError
import numpy as np
import pytest
from waiting import wait_for

FRONT, TOP = 'observation.images.front', 'observation.images.top'
H264 = EncoderConfig(vcodec='h264', preset='ultrafast', encoder_threads=1)
AUTO = EncoderConfig('auto', encoder_threads=1)
SVT, VERYFAST, _, ULTRAFAST = LADDER
NVENC = EncoderConfig('h264_nvenc', encoder_threads=1)
USUAL, SMALL, LARGE = (640, 480), (64, 48), (1920, 1080)
WAIT_S = 120


class Machine:
    """What trials say on a machine that exists on paper."""

    def __init__(self):
        self.widest = {}
        self.tried = []
        # Milliseconds of CPU time per frame, by preset.
        self.costs_ms = {12: 1.0, 'veryfast': 0.5, 'superfast': 0.4, 'ultrafast': 0.3}
        self.measured = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def _wait(self, stop):
        while not self.may_answer.wait(0.005):
            if stop.is_set():
                raise TrialCancelledError

    @contextmanager
    def meter(self, stop, *, kept):
        def measure(config, spec, num_streams):
            self.measured.append((config.vcodec, (spec.width, spec.height), num_streams))
            self._wait(stop)
            cpu_ms = self.costs_ms[config.preset]
            return Trial(config, spec, num_streams, cpu_ms=cpu_ms, frame_bytes=1000)

        yield SimpleNamespace(measure=measure)

    def known_trial(self, config, spec, *, num_streams, stop):
        self.tried.append((config.vcodec, (spec.width, spec.height), num_streams))
        self._wait(stop)
        works = spec.width <= self.widest.get(config.vcodec, 0)
        said = {'frames_per_s': 500.0} if works else {'problem': 'no device'}
        return Trial(config, spec, num_streams, **said)


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(encoder_choice, 'known_trial', machine.known_trial)
    monkeypatch.setattr(auto_module, 'known_trial', machine.known_trial)
    monkeypatch.setattr(auto_module, 'CostMeter', machine.meter)
    monkeypatch.setattr(choice_module, 'has_device', lambda config: True)
    monkeypatch.setattr(encoder_choice, 'check_before_trial', lambda config: None)
    built = ('h264_nvenc', 'hevc_nvenc')
    monkeypatch.setattr(choice_module, 'is_registered', built.__contains__)
    monkeypatch.setattr(choice_module, 'with_fitting_pix_fmt', lambda config: config)
    yield machine
    machine.may_answer.set()


@pytest.fixture
def choose(tmp_path):
    """Make the choices of a recorder that is not there; closed when the test has ended."""
    made = []

    def make(*cameras, encoder=H264):
        streams = cameras or (StreamConfig(FRONT, '/front'), StreamConfig(TOP, '/top'))
        config = RecorderConfig(tmp_path, streams, encoder=encoder)
        made.append(EncoderChoices(config))
        return made[-1]

    yield make
    for choices in made:
        assert choices.close(WAIT_S)


def showing(*size, key=FRONT):
    """Return a camera that shows a picture of a size."""
    stream = Stream(StreamConfig(key, '/topic'))
    stream.push(0, picture(*size), 0, is_recording=False)
    return [stream]


def picture(width, height):
    """Return a picture of a size."""
    return SimpleNamespace(width=width, height=height)


def decided(choices, streams):
    """Return what is settled as soon as it is."""
    found = []

    def ask():
        try:
            found.append(choices.settled(streams))
        except StreamsNotReadyError:
            return False
        return True

    wait_for(ask)
    return found[0]


def test_encoders_that_every_pyav_brings_need_no_trial(machine, choose):
    choices = choose()
    assert choices.settled(showing(*LARGE)) == {FRONT: H264}
    assert machine.tried == []


def test_an_encoder_by_name_is_tried_with_all_cameras_that_share_it(machine, choose):
    machine.widest['h264_nvenc'] = 640
    cameras = (
        StreamConfig(FRONT, '/front'),
        StreamConfig(TOP, '/top', encoder=NVENC),
        StreamConfig('observation.images.left', '/left', encoder=NVENC),
        StreamConfig('observation.images.depth', '/depth', depth=DepthConfig(), encoder=NVENC),
    )
    choices = choose(*cameras)
    assert set(machine.tried) == {('h264_nvenc', USUAL, 2)}
    assert choices.encoder(FRONT) == H264
    assert choices.encoder(TOP) == NVENC
    assert choices.encoder('observation.images.depth').vcodec == 'hevc'
    assert choices.summary.startswith(
        f'{TOP}: h264_nvenc encodes 500 frames per second at 640x480 (cameras at once: 2), '
        '8.3 times the rate needed'
    )


def test_an_encoder_by_name_that_does_not_work_is_refused(machine, choose):
    with pytest.raises(CodecError, match=r'640x480 pixels.*no device') as caught:
        choose(encoder=NVENC)
    assert (caught.value.name, caught.value.value) == ('encoder.vcodec', 'h264_nvenc')


def test_start_waits_for_the_trial_at_the_real_size(machine, choose):
    machine.widest['h264_nvenc'] = 1920
    choices = choose(encoder=NVENC)
    machine.may_answer.clear()
    choices.note_picture(FRONT, picture(*LARGE))
    with pytest.raises(StreamsNotReadyError) as caught:
        choices.settled(showing(*LARGE))
    assert caught.value.problems == [
        f'the encoder of {FRONT} (h264_nvenc) is still being tried at 1920x1080'
    ]
    machine.may_answer.set()
    assert decided(choices, showing(*LARGE)) == {FRONT: NVENC}
    assert machine.tried.count(('h264_nvenc', LARGE, 2)) == 1


def test_start_tells_why_an_encoder_does_not_work_at_the_real_size(machine, choose):
    machine.widest['h264_nvenc'] = 640
    choices = choose(encoder=NVENC)
    choices.note_picture(FRONT, picture(*LARGE))
    with pytest.raises(CodecError, match='1920x1080 pixels of observation'):
        decided(choices, showing(*LARGE))
    # A camera that is set to another mode gets another chance.
    assert decided(choices, showing(*SMALL)) == {FRONT: NVENC}


def chosen(choices, **sizes):
    """Show a picture of each camera, and return the choice of auto once there is one."""
    for key, size in sizes.items():
        choices.note_picture({'front': FRONT, 'top': TOP}[key], picture(*size))
    wait_for(lambda: choices.summary)
    return {key: choices.encoder(key) for key in (FRONT, TOP)}


def test_auto_is_chosen_for_all_cameras_once_their_pictures_are_known(machine, choose):
    choices = choose(encoder=AUTO)
    choices.note_picture(FRONT, picture(*USUAL))
    assert machine.measured == []
    assert chosen(choices, top=LARGE) == dict.fromkeys((FRONT, TOP), AUTO.on_rung(SVT))
    assert machine.measured[:2] == [('h264', USUAL, 1), ('h264', LARGE, 1)]
    assert machine.measured[-2:] == [('libsvtav1', USUAL, 1), ('libsvtav1', LARGE, 1)]
    assert choices.summary.startswith('auto took libsvtav1 12, crf 30 for 2 cameras: ')


def test_auto_takes_hardware_at_the_real_size(machine, choose):
    machine.widest |= {'h264_nvenc': 640, 'hevc_nvenc': 9999}
    choices = choose(encoder=AUTO)
    hevc = replace(AUTO.with_vcodec('hevc_nvenc'), encoder_threads=1)
    nvenc = replace(hevc, vcodec='h264_nvenc')
    assert chosen(choices, front=LARGE, top=USUAL) == {FRONT: hevc, TOP: nvenc}
    assert choices.summary.startswith('auto took hevc_nvenc: 500 frames per second')


def test_a_camera_that_changes_its_size_is_chosen_for_again(machine, choose):
    choices = choose(encoder=AUTO)
    chosen(choices, front=USUAL, top=USUAL)
    machine.costs_ms[12] = 9999
    assert chosen(choices, front=LARGE) == dict.fromkeys((FRONT, TOP), AUTO.on_rung(VERYFAST))


def test_an_episode_that_begins_before_the_choice_gets_the_cheapest_and_its_codec_stays(
    machine, choose, caplog
):
    machine.may_answer.clear()
    choices = choose(encoder=AUTO)
    choices.note_picture(TOP, picture(*USUAL))
    early = choices.settled(showing(*USUAL))
    assert early == {FRONT: AUTO.on_rung(ULTRAFAST)}
    choices.begin({FRONT: early[FRONT], TOP: early[FRONT]})
    assert f'{FRONT} is encoded with h264 ultrafast, crf 19, because auto was' in caplog.text
    machine.may_answer.set()
    # On this machine AV1 would have fitted.
    assert chosen(choices) == dict.fromkeys((FRONT, TOP), AUTO.on_rung(VERYFAST))


def test_the_codec_of_the_first_episode_stays_when_the_size_changes(machine, choose):
    choices = choose(encoder=AUTO)
    choices.begin(chosen(choices, front=USUAL, top=USUAL))
    machine.costs_ms |= dict.fromkeys(machine.costs_ms, 99999)
    assert chosen(choices, front=LARGE)[FRONT].codec == 'av1'
    assert 'too much' in choices.summary


def test_cameras_whose_packets_are_copied_cost_nothing(machine, choose):
    choices = choose(encoder=AUTO)
    packet = EncodedPacket(np.zeros(9, np.uint8), 'h264', height=480, width=640)
    choices.note_picture(TOP, packet)
    chosen(choices, front=SMALL)
    assert set(machine.measured) == {('h264', SMALL, 1), ('libsvtav1', SMALL, 1)}


def test_deferred_encoding_has_time_for_the_best(machine, tmp_path):
    streams = (StreamConfig(FRONT, '/front'),)
    choices = EncoderChoices(RecorderConfig(tmp_path, streams, encoder=AUTO, encode='deferred'))
    choices.note_picture(FRONT, picture(*USUAL))
    assert choices.settled(showing(*USUAL)) == {FRONT: AUTO.on_rung(SVT)}
    assert machine.measured == []
    assert choices.close(WAIT_S)


def test_settings_beside_auto_are_checked_at_once(choose):
    with pytest.raises(CodecError, match=r'encoder\.pix_fmt'):
        choose(encoder=EncoderConfig('auto', pix_fmt='nonsense'))


def test_a_trial_in_progress_is_given_up_at_the_end(machine, choose):
    machine.widest['h264_nvenc'] = 1920
    choices = choose(encoder=NVENC)
    machine.may_answer.clear()
    choices.note_picture(FRONT, picture(*LARGE))
    wait_for(lambda: ('h264_nvenc', LARGE, 2) in machine.tried)
    assert choices.close(WAIT_S)
    choices.note_picture(FRONT, picture(*SMALL))
    assert ('h264_nvenc', SMALL, 2) not in machine.tried


# --- with a recorder and real videos ---------------------------------------------------------


def test_each_camera_is_recorded_by_its_own_encoder(machine, make_rig, with_stream, read_dataset):
    rig = make_rig(with_stream(TOP, encoder=AUTO))
    rig.run(1)
    wait_for(lambda: rig.recorder.status().encoders)
    # The camera whose encoder is set by name counts too.
    assert machine.measured[-2:] == [('h264', SMALL, 1), ('libsvtav1', SMALL, 1)]
    rig.start()
    rig.run(1)
    rig.save()
    dataset = read_dataset(rig.config.root)
    infos = {key: dataset.info['features'][key]['info'] for key in (FRONT, TOP)}
    assert [infos[key]['video.codec'] for key in (FRONT, TOP)] == ['h264', 'av1']
    assert [infos[key]['video.preset'] for key in (FRONT, TOP)] == ['ultrafast', 12]
    rig.check(dataset, 0)


def say_channels_first(path):
    """Describe cameras as older datasets do."""
    info = json.loads(path.read_text())
    for key in (FRONT, TOP):
        height, width, channels = info['features'][key]['shape']
        info['features'][key]['shape'] = [channels, height, width]
        info['features'][key]['names'] = ['channels', 'height', 'width']
    path.write_text(json.dumps(info))


def recorded(make_rig, **settings):
    """Record an episode of h264, and return nothing but the dataset."""
    rig = make_rig(**settings)
    rig.run(1)
    rig.record()
    rig.recorder.close(WAIT_S)


@pytest.mark.parametrize('order', ['height first', 'channels first'])
def test_auto_keeps_the_codec_and_knows_the_size_of_a_dataset(machine, make_rig, root, order):
    recorded(make_rig)
    if order == 'channels first':
        say_channels_first(root / 'meta' / 'info.json')
    rig = make_rig(encoder=AUTO, resume=True)
    rig.run(1)
    wait_for(lambda: rig.recorder.status().encoders)
    assert {name for name, *_ in machine.tried} == {'h264_nvenc'}
    assert set(machine.measured) == {('h264', SMALL, 2)}
    assert rig.recorder.start() == 1
    rig.run(1)
    rig.save()
    info = json.loads((root / 'meta' / 'info.json').read_text())
    assert info['features'][FRONT]['info']['video.codec'] == 'h264'


def test_before_any_picture_the_dataset_tells_the_size(machine, make_rig, root):
    recorded(make_rig)
    config = make_rig(encoder=AUTO, resume=True).config
    choices = EncoderChoices(config)
    choice = choices.choose_now()
    assert set(machine.measured) == {('h264', SMALL, 2)}
    assert choice.level.encoders[FRONT].codec == 'h264'
    assert choices.close(WAIT_S)


def test_a_codec_that_is_not_the_datasets_is_refused_at_start(make_rig, caplog):
    recorded(make_rig)
    with caplog.at_level(logging.WARNING):
        rig = make_rig(encoder=EncoderConfig('hevc', preset='ultrafast'), resume=True)
    said = f'{FRONT}: the dataset stores it as h264, but encoder.vcodec produces hevc'
    assert said in caplog.text
    rig.run(1)
    with pytest.raises(DatasetMismatchError) as caught:
        rig.recorder.start()
    assert caught.value.differences == [
        f'{key} has video.codec h264 in the dataset, hevc now (encoder.vcodec)'
        for key in (FRONT, TOP)
    ]


@pytest.mark.skipif(not is_registered('h264_nvenc'), reason='not in this build of libav')
def test_hardware_without_its_device_is_refused_before_the_dataset_is_touched(make_rig, root):
    with pytest.raises(CodecError, match='h264_nvenc'):
        make_rig(encoder=NVENC)
    assert not root.exists()


@pytest.mark.parametrize(
    ('vcodec', 'threads', 'alone', 'together'),
    # x264 makes other pictures with another number of threads.
    [('libsvtav1', 0, 6, 2), ('hevc', 0, 6, 2), ('h264', 0, 6, 6), ('libsvtav1', 5, 5, 5)],
)
def test_recorders_that_encode_at_once_share_the_cores_unless_that_changes_pictures(
    vcodec, threads, alone, together, tmp_path, monkeypatch
):
    monkeypatch.setattr('lerobot_streamrec.video.codecs.scheduling.usable_cores', lambda: 12)
    cameras = tuple(StreamConfig(key, f'/{key}') for key in (FRONT, TOP))
    encoder = EncoderConfig(vcodec, encoder_threads=threads)
    config = RecorderConfig(tmp_path, cameras, encoder=encoder)
    assert config.encoder_of(cameras[0]).encoder_threads == alone
    config = replace(config, num_recorders=3)
    assert config.encoder_of(cameras[0]).encoder_threads == together
