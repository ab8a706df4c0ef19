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
Encoders that are slow, hang or die cost pictures or an episode, never the alignment of rows.

Guards promise 1 under overload and promise 5 after a failure: the reason that the operator is
told is the encoder's own, and the next episode is recorded as if nothing had happened.
"""

from __future__ import annotations

import threading

from ffmpeg_programs import children, ffmpeg_config
from lerobot_streamrec.errors import CommitError, EpisodeError
from lerobot_streamrec.recording.status import RecorderState
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.encode import fallback_encoder
import pytest
from waiting import wait_for

FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
FRAME_BYTES = 48 * 64 * 3
MIB = 1024 * 1024
WAIT_S = 120
QUICK = EncoderConfig(vcodec='h264', preset='ultrafast', encoder_threads=1)


def quarantined_takes(rig):
    return sorted(path.name for path in (rig.config.root / '.streamrec/quarantine').iterdir())


def test_overload_repeats_pictures_and_keeps_every_row(
    make_rig, with_stream, encoders, read_dataset
):
    rig = make_rig(streams=with_stream(TOP)[1:], queue_mib=1, spill_mib=0)
    rig.run(1)
    encoders.is_shut.add(TOP)
    rig.recorder.start()
    rig.run(20)
    fitting = MIB // FRAME_BYTES
    queue = rig.stream(TOP).queue
    assert queue.size_bytes <= queue.peak_bytes == fitting * FRAME_BYTES
    assert queue.num_queued >= rig.recorder.status().num_rows - 1
    encoders.open()
    summary = rig.save()
    overloaded = rig.record_of(0)['streams'][TOP]['rows_overloaded']
    # One more than fits may have been in the encoder's hands.
    assert summary.episode.num_rows - overloaded in (fitting, fitting + 1)
    assert summary.num_repeated == overloaded
    (remark,) = summary.remarks
    assert remark.startswith(f'{TOP}: {overloaded} frames repeated because its encoder was too')
    dataset = read_dataset(rig.config.root)
    shown = rig.shown(dataset, 0, TOP)
    assert len(set(shown)) == len(shown) - overloaded
    assert shown == sorted(shown)
    states = rig.shown(dataset, 0, STATE)
    assert len(set(states)) == len(states), 'what needs no encoder lost nothing'


def test_pictures_that_an_encoder_has_no_time_for_wait_on_the_disk(
    make_rig, with_stream, encoders, read_dataset
):
    rig = make_rig(streams=with_stream(TOP)[1:], queue_mib=1)
    rig.run(1)
    encoders.is_shut.add(TOP)
    rig.recorder.start()
    for _ in range(40):
        rig.run(0.5)
        # At the pace of a camera the disk keeps up.
        wait_for(lambda: rig.stream(TOP).queue.size_bytes <= 0.6 * MIB)
    queue = rig.stream(TOP).queue
    assert queue.peak_bytes <= MIB
    assert queue.num_spilled > 100
    assert list(rig.config.root.glob(f'.streamrec/staging/*/{TOP}.spool'))
    encoders.open()
    summary = rig.save()
    assert (summary.num_repeated, summary.remarks) == (0, ())
    assert summary.episode.num_rows == 200
    rig.check(read_dataset(rig.config.root), 0)
    assert not list(rig.config.root.rglob('*.spool'))


def test_a_save_waits_for_an_encoder_that_is_far_behind_but_at_work(
    make_rig, encoders, read_dataset
):
    rig = make_rig(save_timeout_s=1.5)
    rig.run(1)
    encoders.delay_s = 0.04
    rig.recorder.start()
    rig.run(9)
    assert rig.save().episode.num_rows == 90
    rig.check(read_dataset(rig.config.root), 0)


def test_callbacks_go_on_while_an_encoder_hangs(rig, encoders):
    encoders.is_shut |= {FRONT, TOP}
    rig.recorder.start()
    rig.run(30)
    assert rig.recorder.status().num_rows == 299
    encoders.open()
    assert rig.save().num_repeated == 0


@pytest.mark.parametrize('num_good', [0, 1, 30])
def test_pictures_whose_encoder_fails_are_kept_and_encoded_later(
    num_good, rig, encoders, read_dataset
):
    encoders.ration()
    encoders.allow(num_good)
    rig.recorder.start()
    rig.run(4)
    if num_good:
        encoders.wait_for(TOP, num_good)
    encoders.errors[TOP] = RuntimeError('device lost')
    encoders.allow(10**6)
    wait_for(lambda: not rig.stream(TOP).queue.num_queued)
    assert rig.recorder.status().failure == ''
    rig.run(1)
    summary = rig.save()
    assert summary.num_deferred == 1
    (remark,) = summary.remarks
    assert remark.startswith(f'{TOP}: its encoder failed (device lost); the frames from ')
    assert summary.num_repeated == 0
    wait_for(lambda: rig.recorder.status().num_saved == 1)
    rig.check(read_dataset(rig.config.root, is_kept=False), 0)
    assert 'device lost' in rig.record_of(0)['streams'][TOP]['encoder_trouble']
    assert rig.record_of(0)['length'] == summary.episode.num_rows
    # The next one is as if nothing had happened.
    encoders.errors.clear()
    rig.recorder.start()
    rig.run(1)
    assert rig.save().remarks == ()
    rig.check(read_dataset(rig.config.root, is_kept=False), 1)


def test_an_encoder_that_dies_while_recording_fails_the_save_if_the_disk_does_too(
    rig, encoders, no_spool, read_dataset
):
    encoders.errors[TOP] = OSError('no space left on device')
    rig.recorder.start()
    rig.run(1)
    wait_for_threads(f'enc:{TOP}')
    rig.run(1)
    reason = f'encoder of {TOP}: no space left on device'
    assert reason in rig.recorder.status().failure
    with pytest.raises(EpisodeError, match=reason):
        rig.recorder.save()
    assert reason in rig.recorder.status().last_result
    assert rig.recorder.status().state is RecorderState.IDLE
    encoders.errors.clear()
    assert rig.recorder.start() == 0
    rig.run(1)
    rig.save()
    rig.check(read_dataset(rig.config.root), 0)
    assert quarantined_takes(rig) == ['unsaved-take-000001']


def wait_for_threads(name):
    """Join the threads of a name that are running now."""
    for thread in [one for one in threading.enumerate() if one.name == name]:
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_an_encoder_that_dies_after_the_save_fails_it_if_the_disk_does_too(
    rig, encoders, no_spool, read_dataset
):
    error = OSError('no space left on device')
    encoders.is_shut.add(TOP)
    encoders.errors[TOP] = error
    rig.recorder.start()
    rig.run(1)
    future = rig.recorder.save()
    encoders.open()
    with pytest.raises(CommitError, match=r'no space left on device.*is now in') as caught:
        future.result(WAIT_S)
    assert caught.value.__cause__.__cause__ is error
    assert str(caught.value) == rig.recorder.status().last_result
    encoders.errors.clear()
    assert rig.recorder.start() == 0
    rig.run(1)
    rig.save()
    rig.check(read_dataset(rig.config.root), 0)
    assert quarantined_takes(rig) == ['unsaved-take-000001']
    assert rig.recorder.close(WAIT_S) is False, 'an episode was lost'


@pytest.mark.parametrize('num_good', [0, 25])
def test_frames_of_an_encoder_that_hangs_are_encoded_later(
    num_good, make_rig, encoders, read_dataset
):
    rig = make_rig(save_timeout_s=0.5)
    rig.run(1)
    encoders.ration()
    encoders.allow(num_good)
    rig.recorder.start()
    rig.run(4)
    summary = rig.save()
    assert summary.num_deferred == 1
    remark = next(one for one in summary.remarks if one.startswith(FRONT))
    assert f'encoder of {FRONT} did not finish within 0.5 s, and encoded none of the ' in remark
    wait_for(lambda: rig.recorder.status().num_saved == 1)
    rig.check(read_dataset(rig.config.root, is_kept=False), 0)
    encoders.allow(10**6)
    wait_for_threads(f'enc:{FRONT}')
    rig.recorder.start()
    rig.run(1)
    assert rig.save().remarks == ()
    rig.check(read_dataset(rig.config.root, is_kept=False), 1)


def test_an_encoder_that_hangs_fails_the_save_and_not_the_next_if_the_disk_refuses_pictures(
    make_rig, encoders, no_spool, read_dataset
):
    rig = make_rig(save_timeout_s=2, abort_timeout_s=0.05)
    rig.run(1)
    encoders.is_shut.add(FRONT)
    rig.recorder.start()
    rig.run(1)
    with pytest.raises(CommitError, match='no room for pictures that wait'):
        rig.save()
    encoders.open()
    wait_for_threads(f'enc:{FRONT}')
    assert encoders.num_encoded[FRONT] <= 1, 'what it was at, and nothing after'
    rig.recorder.start()
    rig.run(1)
    assert rig.save().episode.episode_index == 0
    rig.check(read_dataset(rig.config.root), 0)


def test_an_encoder_that_cannot_be_opened_fails_the_save_if_the_disk_refuses_pictures(
    rig, monkeypatch, no_spool, read_dataset
):
    def refuse(*arguments, **settings):
        raise PermissionError('permission denied')

    with monkeypatch.context() as context:
        context.setattr(fallback_encoder, 'open_file_encoder', refuse)
        rig.recorder.start()
        rig.run(1)
        with pytest.raises((EpisodeError, CommitError), match='permission denied'):
            rig.save()
    rig.recorder.start()
    rig.run(1)
    rig.save()
    rig.check(read_dataset(rig.config.root), 0)


def test_a_program_that_dies_in_an_episode_costs_it_no_frame(make_rig, read_dataset):
    rig = make_rig(encoder=ffmpeg_config())
    rig.run(1)
    rig.start()
    rig.run(5)
    wait_for(lambda: len(children()) == 2)
    children()[0].kill()

    def troubles():
        return {one.key: one.trouble for one in rig.recorder.status().streams if one.trouble}

    while not troubles():
        rig.run(1)
    ((key, trouble),) = troubles().items()
    assert 'was killed by SIGKILL' in trouble
    assert rig.recorder.status().failure == ''
    rig.run(1)
    summary = rig.save()
    assert (summary.remarks, summary.num_repeated) == ((f'{key}: {trouble}',), 0)
    assert f'; {key}: h264 (backend ffmpeg) failed at frame' in rig.recorder.status().last_result
    streams = rig.record_of(0)['streams']
    assert {one: stream['encoder_trouble'] for one, stream in streams.items()} == {
        **dict.fromkeys((FRONT, TOP, STATE), ''),
        key: trouble,
    }
    assert not troubles()
    rig.recorder.start()
    rig.run(1)
    assert rig.save().remarks == ()
    dataset = read_dataset(rig.config.root)
    rig.check(dataset, 0)
    rig.check(dataset, 1)
    assert children() == []


def test_a_save_waits_for_what_is_encoded_again(make_rig, encoders, read_dataset):
    rig = make_rig(encoder=ffmpeg_config(), save_timeout_s=1.5)
    rig.run(1)
    rig.start()
    rig.run(8)
    encoders.wait_for(TOP, 70)
    encoders.errors[TOP] = OSError('device lost')
    encoders.delay_s = 0.03
    rig.run(1)
    (remark,) = rig.save().remarks
    assert 'device lost' in remark
    rig.check(read_dataset(rig.config.root), 0)


def test_an_encoder_that_fails_and_the_next_one_too_fail_the_save_with_both_reasons(
    make_rig, encoders, no_spool
):
    rig = make_rig(encoder=ffmpeg_config())
    rig.run(1)
    encoders.errors |= {TOP: OSError('device lost'), f'{TOP}.again': OSError('no memory')}
    rig.start()
    rig.run(1)
    with pytest.raises((EpisodeError, CommitError), match=r'no memory; .* failed: device lost'):
        rig.save()


def test_when_two_encoders_fail_the_pictures_are_kept(make_rig, encoders, read_dataset):
    rig = make_rig(encoder=ffmpeg_config())
    rig.run(1)
    rig.start()
    rig.run(3)
    encoders.wait_for(TOP, 20)
    encoders.errors |= {TOP: OSError('device lost'), f'{TOP}.again': OSError('no memory')}
    rig.run(2)
    (remark,) = rig.save().remarks
    assert 'no memory' in remark
    assert 'device lost' in remark
    wait_for(lambda: rig.recorder.status().num_saved == 1)
    rig.check(read_dataset(rig.config.root), 0)
