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
An encoder that fails in the middle costs no frame, repeats none and shifts none.

Guards against devices that get lost, programs that crash, hang or lie, and against giving up a
file that can be read for one that cannot be yet. Programs named fake are scripts of these tests.
"""

from __future__ import annotations

import errno
from fractions import Fraction
import re
import threading

from ffmpeg_programs import children, fake_program, ffmpeg_config, PROGRAMS
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.video.codecs.config import BUNDLED_VCODECS, EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.encoder_thread import EncoderThread
from lerobot_streamrec.video.encode.fallback_encoder import (
    EncoderChoice,
    FallbackEncoder,
    open_with_fallback,
)
from lerobot_streamrec.video.encode.ffmpeg_encoder import open_file_encoder
from lerobot_streamrec.video.encode.mp4_encoder import EncoderAccount, Mp4Encoder
from lerobot_streamrec.video.encode.spool import Spool
from lerobot_streamrec.video.mp4.packet_index import survey_video
from numbered_pictures import number_in, numbered_frame
import pytest
from waiting import wait_for

FPS = 30
HEIGHT, WIDTH = 96, 128
FRAME_BYTES = HEIGHT * WIDTH * 3 // 2
QUICK = EncoderConfig(vcodec='h264', preset='ultrafast', encoder_threads=1)
HERE = r'h264 \(backend pyav\)'


@pytest.fixture(autouse=True)
def _programs_end():
    yield
    assert children() == []


@pytest.fixture
def open_safely(tmp_path):
    """Begin a video that survives its encoder; it is aborted if the test leaves it open."""
    made = []

    def make(config):
        account = EncoderAccount()
        path = tmp_path / 'video.mp4'
        encoder = open_with_fallback(path, config, VideoSpec(WIDTH, HEIGHT, FPS), account)
        made.append(encoder)
        return encoder, account

    yield make
    for encoder in made:
        encoder.abort()


def picture(number):
    return numbered_frame(number, HEIGHT, WIDTH)


def encode_numbers(encoder, numbers):
    for number in numbers:
        encoder.encode(picture(number))


@pytest.fixture
def shown(tmp_path, decode):
    """Return the numbers that a file shows, which stand at their places."""

    def read(path=None):
        path = path or tmp_path / 'video.mp4'
        frames = decode(path)
        assert [one.at for one in frames] == [Fraction(k, FPS) for k in range(len(frames))]
        return [number_in(one.pixels) for one in frames]

    return read


def check(video, shown, num_frames):
    """Look whether the video is whole, and the only file there is."""
    assert video.num_frames == num_frames
    assert shown(video.path) == list(range(num_frames))
    assert survey_video(video.path, FPS).num_frames == num_frames
    assert [one.name for one in video.path.parent.glob('*.mp4')] == ['video.mp4']


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
@pytest.mark.parametrize('name', PROGRAMS)
def test_a_program_that_is_killed_costs_no_frame(name, vcodec, open_safely, shown):
    if PROGRAMS[name] is None:
        pytest.skip('there is no ffmpeg program on the PATH: apt-get install ffmpeg')
    encoder, account = open_safely(ffmpeg_config(vcodec, PROGRAMS[name]))
    encode_numbers(encoder, range(80))
    wait_for(lambda: encoder.num_written >= 12)
    # With the next frame, it forgets those that are written.
    encoder.encode(picture(80))
    children()[0].kill()
    # The pipe takes some frames as long as not every thread of the program has ended.
    while not account.trouble:
        encoder.encode(picture(encoder.num_frames))
    encode_numbers(encoder, range(encoder.num_frames, 200))
    assert 'was killed by SIGKILL before all frames were written to it' in account.trouble
    video = encoder.finish()
    check(video, shown, 200)
    assert video.trouble == account.trouble
    assert video.trouble.startswith(f'{vcodec} (backend ffmpeg) failed at frame ')
    assert f'were encoded twice, the rest with {vcodec} (backend pyav)' in video.trouble
    assert video.encoder_info == ffmpeg_config(vcodec).in_software().as_info()
    assert account.num_again >= 4


def test_repeats_are_kept_too(open_safely, shown):
    encoder, _ = open_safely(ffmpeg_config())
    expected = []
    for number in range(60):
        if number == 30:
            children()[0].kill()
        if number % 3:
            encoder.repeat()
        else:
            encoder.encode(picture(number))
        expected.append(number - number % 3)
    assert encoder.num_frames == 60
    assert shown(encoder.finish().path) == expected


def test_a_program_that_hangs_costs_its_deadline_and_no_frame(open_safely, shown):
    encoder, _ = open_safely(ffmpeg_config(stall_timeout_s=0.3))
    encode_numbers(encoder, range(20))
    children()[0].suspend()
    # More than pipes hold.
    encode_numbers(encoder, range(20, 120))
    video = encoder.finish()
    check(video, shown, 120)
    assert 'read no input and wrote no output for 0.3 s' in video.trouble


def test_a_program_that_hangs_at_its_end_costs_no_frame(open_safely, shown):
    encoder, _ = open_safely(ffmpeg_config(stall_timeout_s=0.3))
    encode_numbers(encoder, range(20))
    children()[0].suspend()
    video = encoder.finish()
    check(video, shown, 20)
    assert 'h264 (backend ffmpeg) failed at the end of the video' in video.trouble


RELAY = (
    'real = subprocess.Popen([REAL, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n'
)
FAKES = {
    'exits at once': ('sys.stderr.write("no device\\n"); sys.exit(1)', 'status 1.*no device'),
    'ends well too early': ('stdin.read(5000); sys.exit(0)', 'exit status 0 before all frames'),
    'prints garbage': (
        'stdout.write(b"garbage " * 100000); stdout.flush()\nwhile stdin.read(65536): pass',
        'packets for 60 frames|cannot be read|exit status',
    ),
    'gives nothing': ('while stdin.read(65536): pass', '0 packets for 60 frames'),
    'swallows the last frames': (
        RELAY + f'real.stdin.write(stdin.read({FRAME_BYTES * 47})); real.stdin.close()\n'
        'stdout.write(real.stdout.read()); stdout.flush()\n'
        'real.wait()\nwhile stdin.read(65536): pass',
        '47 packets for 60 frames',
    ),
    'swallows a frame': (
        RELAY + f'data = stdin.read()\nframe = {FRAME_BYTES}\n'
        'real.stdin.write(data[:20 * frame] + data[21 * frame:]); real.stdin.close()\n'
        'stdout.write(real.stdout.read()); stdout.flush(); real.wait()',
        '59 packets for 60 frames',
    ),
    'breaks off in a packet': (
        RELAY + 'real.stdin.write(stdin.read()); real.stdin.close()\ndata = real.stdout.read()\n'
        'stdout.write(data[:len(data) // 2]); stdout.flush(); real.wait(); sys.exit(1)',
        'exit status 1',
    ),
}


@pytest.mark.parametrize('fake', FAKES)
def test_a_fake_program_that_fails_or_lies_costs_no_frame(fake, open_safely, shown, tmp_path):
    body, reason = FAKES[fake]
    encoder, _ = open_safely(ffmpeg_config(executable=fake_program(tmp_path, body)))
    encode_numbers(encoder, range(60))
    video = encoder.finish()
    check(video, shown, 60)
    assert video.trouble.startswith('h264 (backend ffmpeg) failed at ')
    assert re.search(reason, video.trouble)


def test_a_program_that_takes_frames_for_ever_is_found_out(open_safely, shown, tmp_path):
    program = fake_program(tmp_path, 'while stdin.read(65536): pass')
    encoder, account = open_safely(ffmpeg_config(executable=program))
    encode_numbers(encoder, range(256))
    assert account.trouble == ''
    encode_numbers(encoder, range(256, 270))
    reason = 'it took 257 frames and wrote none of the last 257'
    assert f'failed at frame 256 ({reason}); all' in account.trouble
    check(encoder.finish(), shown, 270)


def test_a_program_that_is_not_there_costs_no_frame(open_safely, shown):
    encoder, account = open_safely(ffmpeg_config(executable='/usr/bin/no-ffmpeg'))
    assert account.trouble == (
        'h264 (backend ffmpeg) cannot be opened (/usr/bin/no-ffmpeg cannot be started '
        '(No such file or directory)); all frames with h264 (backend pyav)'
    )
    encode_numbers(encoder, range(20))
    check(encoder.finish(), shown, 20)


def test_software_in_this_process_has_no_second_encoder(open_safely):
    encoder, _ = open_safely(QUICK)
    assert isinstance(encoder, Mp4Encoder)


class FakeDevice(Mp4Encoder):
    """An encoder in this process that gets lost at a frame, or at its end."""

    def __init__(self, path, fail_at, error):
        super().__init__(path, QUICK, VideoSpec(WIDTH, HEIGHT, FPS))
        self._fail_at = fail_at
        self._error = error

    def encode(self, frame):
        if self.num_frames == self._fail_at:
            raise self._error
        super().encode(frame)

    def finish(self):
        if self._fail_at is None:
            raise self._error
        return super().finish()


def fake_second(path, fail_at=-1):
    return FakeDevice(path, fail_at, OSError('no memory'))


@pytest.fixture
def open_fakes(tmp_path):
    """Put a fake device before an encoder that may fail as well."""
    made = []

    def make(fail_at, error=None, *, second=fake_second):
        encoder = FallbackEncoder(
            tmp_path / 'video.mp4',
            EncoderChoice(
                ffmpeg_config(),
                lambda path: FakeDevice(path, fail_at, error or OSError('device lost')),
            ),
            EncoderChoice(QUICK, second),
            fps=FPS,
            account=EncoderAccount(),
        )
        made.append(encoder)
        return encoder

    yield make
    for encoder in made:
        encoder.abort()


@pytest.mark.parametrize('fail_at', [0, 1, 8, 30, 59, None])
def test_a_fake_device_may_get_lost_at_any_frame(fail_at, open_fakes, shown):
    encoder = open_fakes(fail_at)
    encode_numbers(encoder, range(60))
    video = encoder.finish()
    check(video, shown, 60)
    assert 'device lost' in video.trouble


def test_what_the_trouble_says_is_so(open_fakes):
    encoder = open_fakes(30)
    encode_numbers(encoder, range(60))
    said = re.fullmatch(
        r'h264 \(backend ffmpeg\) failed at frame 30 \(device lost\); '
        rf'frames 0 to (\d+) were encoded twice, the rest with {HERE}',
        encoder.finish().trouble,
    )
    # x264 with one thread holds hardly anything back; eight frames more are kept in memory.
    assert 16 <= int(said[1]) <= 22


@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EROFS])
def test_what_the_disk_says_is_not_the_encoders_fault(code, open_fakes):
    def refuse(path):
        pytest.fail('another encoder has no more room on the disk')

    encoder = open_fakes(5, OSError(code, 'of the disk'), second=refuse)
    with pytest.raises(OSError, match='of the disk'):
        encode_numbers(encoder, range(60))


@pytest.mark.parametrize(('second_fails_at', 'fail_in'), [(10, 'encoding again'), (50, 'later')])
def test_when_both_fail_both_are_told_and_the_longer_file_stays(
    second_fails_at, fail_in, open_fakes, shown
):
    encoder = open_fakes(40, second=lambda path: fake_second(path, second_fails_at))
    with pytest.raises(EncoderError) as caught:
        encode_numbers(encoder, range(60))
    assert re.fullmatch(
        rf'{HERE}: no memory; it had replaced h264 \(backend ffmpeg\), which had failed: '
        'device lost',
        str(caught.value),
    )
    encoder.abort()
    assert len(shown()) >= 38, fail_in
    assert shown() == list(range(len(shown())))


def test_the_new_file_takes_the_place_of_the_old_one_once_there_is_more_in_it(
    open_fakes, shown, tmp_path
):
    encoder = open_fakes(40)
    encode_numbers(encoder, range(41))
    again = tmp_path / 'video.again.mp4'
    for number in range(41, 120):
        assert len(shown()) >= 38
        encoder.encode(picture(number))
    assert not again.exists()
    assert len(shown()) > 80
    check(encoder.finish(), shown, 120)


def test_frames_that_the_broken_file_lost_are_counted(open_fakes, tmp_path):
    def break_off(path):
        # As if the device had written nothing whole.
        (tmp_path / 'video.mp4').write_bytes(b'')
        return open_file_encoder(path, ffmpeg_config(), VideoSpec(WIDTH, HEIGHT, FPS))

    encoder = open_fakes(40, second=break_off)
    with pytest.raises(EncoderError, match=r'the last (\d+) of \1 frames cannot be decoded'):
        encode_numbers(encoder, range(60))
    assert children() == []


@pytest.mark.parametrize('second_fails_at', [0, 10, 33, 38, 50])
def test_it_knows_how_many_frames_stand_in_the_file_when_both_have_failed(
    second_fails_at, open_fakes, shown
):
    encoder = open_fakes(40, second=lambda path: fake_second(path, second_fails_at))
    with pytest.raises(EncoderError):
        encode_numbers(encoder, range(60))
    encoder.abort()
    assert encoder.num_written == len(shown())


class FakeProgram(Mp4Encoder):
    """Tells what it has written when it is given up, and holds a frame up until then."""

    def __init__(self, path):
        super().__init__(path, QUICK, VideoSpec(WIDTH, HEIGHT, FPS))
        self.is_parked = threading.Event()
        self._is_given_up = False

    @property
    def num_written(self):
        return super().num_written if self._is_given_up else 0

    def encode(self, frame):
        super().encode(frame)
        assert self.num_frames < 30 or self.is_parked.wait(30)

    def abort(self):
        super().abort()
        self._is_given_up = True


def test_what_a_program_wrote_meanwhile_is_not_parked_as_well(tmp_path, shown):
    encoder = FakeProgram(tmp_path / 'video.mp4')
    rest, waiting = tmp_path / 'rest.spool', Spool(tmp_path / 'waiting.spool')
    thread = EncoderThread(
        'front', lambda: encoder, max_queue_bytes=1 << 26, spool=waiting, rest_path=rest
    )
    for number in range(50):
        thread.push(picture(number))
    wait_for(lambda: encoder.num_frames == 30)
    thread.park()
    future = thread.finish()
    encoder.is_parked.set()
    video = future.result(30)
    in_file = shown()
    assert in_file == list(range(encoder.num_written))
    assert (video.num_frames, video.num_spooled) == (50, 50 - len(in_file))
