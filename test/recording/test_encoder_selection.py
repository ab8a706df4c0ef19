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

from dataclasses import replace
import json
import logging
import threading
from types import SimpleNamespace

from lerobot_streamrec.errors import CodecError, DatasetMismatchError, StreamsNotReadyError
from lerobot_streamrec.recording import encoder_selection as encoder_choice
from lerobot_streamrec.recording.config import RecorderConfig, StreamConfig
from lerobot_streamrec.recording.encoder_selection import EncoderChoices
from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.depth_config import DepthConfig
from lerobot_streamrec.video.codecs.settings_check import is_registered
from lerobot_streamrec.video.trials import auto_select as choice_module
from lerobot_streamrec.video.trials.trial import Trial, TrialCancelledError
import pytest
from waiting import wait_for

FRONT, TOP = 'observation.images.front', 'observation.images.top'
H264 = EncoderConfig(vcodec='h264', preset='ultrafast', encoder_threads=1)
AUTO = EncoderConfig('auto', encoder_threads=1)
NVENC = EncoderConfig('h264_nvenc', encoder_threads=1)
USUAL, SMALL, LARGE = (640, 480), (64, 48), (1920, 1080)
WAIT_S = 120


class Machine:
    """What trials say on a machine that exists on paper."""

    def __init__(self):
        self.widest = {'h264': 9999, 'libsvtav1': 9999, 'hevc': 9999}
        self.tried = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def known_trial(self, config, spec, *, num_streams, stop):
        self.tried.append((config.vcodec, (spec.width, spec.height), num_streams))
        while not self.may_answer.wait(0.005):
            if stop.is_set():
                raise TrialCancelledError
        works = spec.width <= self.widest.get(config.vcodec, 0)
        said = {'frames_per_s': 500.0} if works else {'problem': 'no device'}
        return Trial(config, spec, num_streams, **said)


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(encoder_choice, 'known_trial', machine.known_trial)
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
    picture = SimpleNamespace(width=size[0], height=size[1])
    stream.push(0, picture, 0, is_recording=False)
    return [stream]


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
    assert choices.sentences[0] == (
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
    choices.note_size(FRONT, *LARGE)
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
    choices.note_size(FRONT, *LARGE)
    with pytest.raises(CodecError, match='1920x1080 pixels of observation'):
        decided(choices, showing(*LARGE))
    # A camera that is set to another mode gets another chance.
    assert decided(choices, showing(*SMALL)) == {FRONT: NVENC}


def test_auto_takes_the_next_at_the_real_size(machine, choose):
    machine.widest |= {'h264_nvenc': 640, 'hevc_nvenc': 9999}
    choices = choose(encoder=AUTO)
    assert choices.encoder(FRONT) == NVENC
    assert choices.sentences[0].startswith(f'{FRONT}: auto took h264_nvenc: 500 frames per second')
    hevc = replace(NVENC, vcodec='hevc_nvenc')
    assert decided(choices, showing(*LARGE)) == {FRONT: hevc}
    assert decided(choices, showing(*USUAL, key=TOP)) == {TOP: NVENC}


def test_a_trial_in_progress_is_given_up_at_the_end(machine, choose):
    machine.widest['h264_nvenc'] = 1920
    choices = choose(encoder=NVENC)
    machine.may_answer.clear()
    choices.note_size(FRONT, *LARGE)
    wait_for(lambda: ('h264_nvenc', LARGE, 2) in machine.tried)
    assert choices.close(WAIT_S)
    choices.note_size(FRONT, *SMALL)
    assert ('h264_nvenc', SMALL, 2) not in machine.tried


# --- with a recorder and real videos ---------------------------------------------------------


def test_each_camera_is_recorded_by_its_own_encoder(machine, make_rig, with_stream, read_dataset):
    rig = make_rig(with_stream(TOP, encoder=AUTO))
    rig.run(1)
    assert ('libsvtav1', USUAL, 1) in machine.tried
    rig.start()
    assert ('libsvtav1', SMALL, 1) in machine.tried
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
    assert {(name, size) for name, size, _ in machine.tried} == {
        ('h264_nvenc', SMALL),
        ('h264', SMALL),
    }
    num_tried = len(machine.tried)
    rig.run(1)
    assert rig.recorder.start() == 1
    assert len(machine.tried) == num_tried
    rig.run(1)
    rig.save()
    info = json.loads((root / 'meta' / 'info.json').read_text())
    assert info['features'][FRONT]['info']['video.codec'] == 'h264'


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
