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
A program that encodes makes the same file as the codec in this process, whatever its version.

Guards against frames that a pipe, a program or its end swallows, against programs that outlive the
recorder or are ended with it before they have written their last packets, and against waiting for
one that hangs.
"""

from __future__ import annotations

import errno
from fractions import Fraction
import os
from pathlib import Path
import re
import signal
import subprocess
import sys

import av
from ffmpeg_programs import BUNDLED, children, fake_program, FASTEST, ffmpeg_config, PROGRAMS
from lerobot_streamrec.errors import EncoderError, EncoderProcessError
from lerobot_streamrec.video.codecs.config import BUNDLED_VCODECS, FfmpegSettings, VideoSpec
from lerobot_streamrec.video.encode.ffmpeg_encoder import encoder_command, open_file_encoder
from lerobot_streamrec.video.mp4.concat import concatenate, Segment
from lerobot_streamrec.video.mp4.packet_index import survey_video
from numbered_pictures import number_in, numbered_frame
import psutil
import pytest
from waiting import wait_for

FPS = 30
HEIGHT, WIDTH = 96, 128
NUM_FRAMES = 45
LEVELS_OFF = 3
WAIT_S = 120
WRITER = Path(__file__).parents[1] / 'killed_writer.py'
ROOT = Path(__file__).parents[3]


@pytest.fixture(params=PROGRAMS)
def program(request):
    if PROGRAMS[request.param] is None:
        pytest.skip('there is no ffmpeg program on the PATH: apt-get install ffmpeg')
    return PROGRAMS[request.param]


@pytest.fixture(autouse=True)
def _programs_end():
    yield
    assert children() == []


@pytest.fixture
def open_ffmpeg(tmp_path):
    """Make encoders with a program; those that are open at the end are aborted."""
    made = []

    def make(config, *, name='video.mp4', fps=FPS, height=HEIGHT, width=WIDTH):
        encoder = open_file_encoder(tmp_path / name, config, VideoSpec(width, height, fps))
        made.append(encoder)
        return encoder

    yield make
    for encoder in made:
        encoder.abort()


def encode_numbers(encoder, numbers, **size):
    for number in numbers:
        encoder.encode(numbered_frame(number, **{'height': HEIGHT, 'width': WIDTH, **size}))


def numbers(frames):
    return [number_in(frame.pixels) for frame in frames]


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
def test_every_frame_comes_out_at_its_place(vcodec, program, open_ffmpeg, decode):
    encoder = open_ffmpeg(ffmpeg_config(vcodec, program))
    encode_numbers(encoder, range(NUM_FRAMES))
    encoder.repeat()
    assert encoder.num_frames == NUM_FRAMES + 1
    video = encoder.finish()
    assert (video.num_frames, encoder.num_written) == (NUM_FRAMES + 1, NUM_FRAMES + 1)
    assert video.size_bytes == video.path.stat().st_size
    frames = decode(video.path)
    assert numbers(frames) == [*range(NUM_FRAMES), NUM_FRAMES - 1]
    assert [frame.at for frame in frames] == [Fraction(k, FPS) for k in range(NUM_FRAMES + 1)]
    assert {frame.duration for frame in frames} == {Fraction(1, FPS)}
    survey = survey_video(video.path, FPS)
    assert (survey.num_frames, survey.order) == (NUM_FRAMES + 1, tuple(range(NUM_FRAMES + 1)))
    assert video.path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize('fps', [1, 24, 7, 240])
def test_frames_stand_at_their_time_at_any_rate(fps, open_ffmpeg, decode):
    encoder = open_ffmpeg(ffmpeg_config(), fps=fps)
    encode_numbers(encoder, range(9))
    frames = decode(encoder.finish().path)
    assert [frame.at for frame in frames] == [Fraction(k, fps) for k in range(9)]


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
def test_colours_and_what_is_said_of_them_are_those_of_this_process(
    vcodec, program, open_ffmpeg, picture, decode
):
    shown, said = [], []
    for config in (ffmpeg_config(vcodec, program), ffmpeg_config(vcodec).in_software()):
        encoder = open_ffmpeg(config, name=f'{config.backend}.mp4')
        for rgb in ((200, 20, 20), (20, 200, 20), (20, 20, 200), (255, 255, 255), (7, 7, 7)):
            encoder.encode(picture(rgb, height=HEIGHT, width=WIDTH))
        path = encoder.finish().path
        shown.append([frame.colour for frame in decode(path)])
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            said.append(
                (context.pix_fmt, context.colorspace, context.color_range, stream.average_rate)
            )
    assert shown[0] == [pytest.approx(colour, abs=LEVELS_OFF) for colour in shown[1]]
    assert said == [('yuv420p', 6, 1, FPS)] * 2


def test_files_of_one_program_can_be_joined(program, open_ffmpeg, tmp_path, decode):
    segments = []
    for name, first in (('a.mp4', 0), ('b.mp4', 20)):
        encoder = open_ffmpeg(ffmpeg_config(executable=program), name=name)
        encode_numbers(encoder, range(first, first + 20))
        segments.append(Segment(survey_video(encoder.finish().path, FPS), 0, 20))
    assert concatenate(segments, tmp_path / 'joined.mp4') == 40
    assert numbers(decode(tmp_path / 'joined.mp4')) == list(range(40))


def test_odd_sizes_are_kept(open_ffmpeg, decode):
    size = {'height': HEIGHT + 3, 'width': WIDTH + 5}
    encoder = open_ffmpeg(ffmpeg_config('libsvtav1'), **size)
    encode_numbers(encoder, range(12), **size)
    frames = decode(encoder.finish().path)
    assert numbers(frames) == list(range(12))
    assert {frame.pixels.shape for frame in frames} == {(HEIGHT + 3, WIDTH + 5, 3)}


@pytest.mark.parametrize('pix_fmt', ['yuv444p', 'nv12', 'yuv420p10le'])
def test_other_pixel_formats_go_through_the_pipe(pix_fmt, open_ffmpeg, picture, decode):
    encoder = open_ffmpeg(ffmpeg_config(pix_fmt=pix_fmt), height=98, width=150)
    for number in range(5):
        encoder.encode(numbered_frame(number, 98, 150))
    encoder.encode(picture((200, 20, 20), height=98, width=150))
    *frames, red = decode(encoder.finish().path)
    assert numbers(frames) == list(range(5))
    assert red.colour == pytest.approx((200, 20, 20), abs=LEVELS_OFF)


def test_an_encoder_without_parameter_sets_in_its_header_makes_a_file_too(open_ffmpeg, decode):
    config = ffmpeg_config(extra_options={'flags': '-global_header'})
    encoder = open_ffmpeg(config)
    encode_numbers(encoder, range(20))
    assert numbers(decode(encoder.finish().path)) == list(range(20))


def test_filters_and_arguments_before_the_input_reach_the_program(open_ffmpeg, decode):
    settings = FfmpegSettings(BUNDLED, ('-loglevel', 'error'), 'format=yuv444p,format=yuv420p')
    encoder = open_ffmpeg(ffmpeg_config(ffmpeg=settings))
    (process,) = children()
    command = process.cmdline()
    assert command.index('error') < command.index('-i') < command.index('-vf')
    encode_numbers(encoder, range(5))
    assert numbers(decode(encoder.finish().path)) == list(range(5))


def test_colours_are_said_of_the_input_and_of_the_output():
    # The programs of these tests get along with either; ffmpeg 4 does not pass the first one on.
    command = encoder_command(ffmpeg_config(), VideoSpec(WIDTH, HEIGHT, FPS))
    said = ['-color_range', 'tv', '-colorspace', 'smpte170m']
    at = command.index('-i')
    assert command[at - 4 : at] == said == command[at + 2 : at + 6]


def test_the_program_has_a_session_of_its_own_and_gives_way(open_ffmpeg):
    encoder = open_ffmpeg(ffmpeg_config('libsvtav1'))
    encode_numbers(encoder, range(20))
    (process,) = children()
    assert os.getsid(process.pid) == process.pid
    assert process.nice() == os.getpriority(os.PRIO_PROCESS, 0)
    wait_for(lambda: encoder.num_written)
    status = Path(f'/proc/{process.pid}/status').read_text()
    # CAP_SYS_NICE, which SVT-AV1 would use.
    assert int(re.search(r'CapEff:\t(\w+)', status)[1], 16) >> 23 & 1 == 0
    policies = {os.sched_getscheduler(one.id) for one in process.threads()}
    assert policies == {os.SCHED_OTHER}


def test_a_program_that_is_not_there_is_named(open_ffmpeg):
    with pytest.raises(EncoderProcessError, match=r'no-ffmpeg cannot be started \(No such file'):
        open_ffmpeg(ffmpeg_config(executable='/usr/bin/no-ffmpeg'))


def test_a_program_that_dies_is_told_with_its_command_and_signal(open_ffmpeg, decode, tmp_path):
    encoder = open_ffmpeg(ffmpeg_config())
    encode_numbers(encoder, range(10))
    wait_for(lambda: encoder.num_written >= 3)
    children()[0].kill()
    with pytest.raises(EncoderProcessError) as caught:
        encode_numbers(encoder, range(10, 200))
    assert 'was killed by SIGKILL' in caught.value.reason
    assert f'called as: {BUNDLED} -hide_banner' in str(caught.value)
    encoder.abort()
    shown = numbers(decode(tmp_path / 'video.mp4'))
    assert shown == list(range(encoder.num_written))
    assert len(shown) >= 3


def test_a_program_that_refuses_is_told_with_its_words_and_status(open_ffmpeg):
    encoder = open_ffmpeg(ffmpeg_config(extra_options={'profile': 'impossible'}))
    with pytest.raises(EncoderProcessError, match=r'ended with exit status \d+') as caught:
        encode_numbers(encoder, range(200))
    assert 'impossible' in str(caught.value).partition('it said:')[2]


def test_a_program_that_fails_after_its_last_packet_is_an_error(open_ffmpeg, tmp_path):
    body = 'subprocess.run([REAL, *arguments]); sys.stderr.write("device lost\\n"); sys.exit(3)'
    encoder = open_ffmpeg(ffmpeg_config(executable=fake_program(tmp_path, body)))
    encode_numbers(encoder, range(5))
    with pytest.raises(EncoderProcessError, match=r'exit status 3.*device lost'):
        encoder.finish()


def test_what_a_program_says_takes_little_memory(open_ffmpeg, tmp_path):
    body = (
        'sys.stderr.write("x" * 1000000 + "\\n" + "warning\\n" * 100000); '
        'sys.stderr.flush(); sys.exit(1)'
    )
    encoder = open_ffmpeg(ffmpeg_config(executable=fake_program(tmp_path, body)))
    with pytest.raises(EncoderProcessError) as caught:
        encode_numbers(encoder, range(200))
    assert len(str(caught.value)) < 2000


def test_a_packet_that_breaks_off_does_not_stand_in_the_file(open_ffmpeg, tmp_path):
    def sizes(path):
        with av.open(str(path)) as container:
            return [packet.size for packet in container.demux(video=0) if packet.size]

    encoder = open_ffmpeg(ffmpeg_config(), name='whole.mp4')
    encode_numbers(encoder, range(60))
    whole = sizes(encoder.finish().path)
    body = (
        'data = subprocess.run([REAL, *arguments], input=stdin.read(), stdout=-1).stdout\n'
        'stdout.write(data[:len(data) * 5 // 9]); stdout.flush(); sys.exit(1)'
    )
    encoder = open_ffmpeg(ffmpeg_config(executable=fake_program(tmp_path, body)))
    encode_numbers(encoder, range(60))
    with pytest.raises(EncoderProcessError, match='exit status 1'):
        encoder.finish()
    encoder.abort()
    found = sizes(tmp_path / 'video.mp4')
    assert 20 < len(found) < 60
    assert found == whole[: len(found)]


def test_a_full_disk_is_told_as_such_with_one_of_the_next_frames(open_ffmpeg, tmp_path):
    (tmp_path / 'video.mp4').symlink_to('/dev/full')
    encoder = open_ffmpeg(ffmpeg_config())
    with pytest.raises(OSError, match='No space left') as caught:
        encode_numbers(encoder, range(3000))
    assert caught.value.errno == errno.ENOSPC


def test_a_program_that_hangs_at_its_end_is_an_error(open_ffmpeg):
    encoder = open_ffmpeg(ffmpeg_config(stall_timeout_s=0.3))
    encode_numbers(encoder, range(5))
    children()[0].suspend()
    with pytest.raises(EncoderProcessError, match=r'read no input and wrote no output for 0\.3 s'):
        encoder.finish()


def test_a_program_that_is_slow_but_at_work_is_waited_for(open_ffmpeg, tmp_path, decode):
    body = (
        'real = subprocess.Popen([REAL, *arguments], stdin=subprocess.PIPE)\n'
        f'while data := stdin.read({HEIGHT * WIDTH * 3 // 2 * 5}):\n'
        '    time.sleep(0.25); real.stdin.write(data)\n'
        'real.stdin.close(); sys.exit(real.wait())'
    )
    program = fake_program(tmp_path, body)
    encoder = open_ffmpeg(ffmpeg_config(executable=program, stall_timeout_s=2.0))
    encode_numbers(encoder, range(50))
    assert numbers(decode(encoder.finish().path)) == list(range(50))


def test_frames_that_come_in_another_order_are_refused(open_ffmpeg):
    encoder = open_ffmpeg(ffmpeg_config(g=12, preset='medium', extra_options={'bf': '2'}))
    encode_numbers(encoder, range(12))
    with pytest.raises(EncoderError, match=r'returned frame \d+ instead of frame \d+'):
        encoder.finish()


def test_it_can_be_given_up_at_any_time(open_ffmpeg):
    for num_frames in (0, 1, 20):
        encoder = open_ffmpeg(ffmpeg_config(), name=f'{num_frames}.mp4')
        encode_numbers(encoder, range(num_frames))
        encoder.abort()
        encoder.abort()
        assert children() == []
    with pytest.raises(EncoderError, match='no frame to encode'):
        open_ffmpeg(ffmpeg_config()).finish()


def test_there_is_nothing_to_repeat_before_the_first_frame(open_ffmpeg):
    with pytest.raises(EncoderError, match='no frame to repeat'):
        open_ffmpeg(ffmpeg_config()).repeat()


def test_children_that_hold_its_pipes_open_do_not_hold_the_encoder_up(open_ffmpeg, tmp_path):
    body = (
        'child = os.fork()\n'
        'if child: open(f"{sys.argv[0]}.pid", "w").write(str(child)); os._exit(1)\n'
        'os.setsid(); time.sleep(60)'
    )
    program = fake_program(tmp_path, body)
    encoder = open_ffmpeg(ffmpeg_config(executable=program, stall_timeout_s=0.5))
    with pytest.raises(EncoderProcessError):
        encode_numbers(encoder, range(200))
    encoder.abort()
    os.kill(int(Path(f'{program}.pid').read_text()), signal.SIGKILL)


@pytest.mark.parametrize('vcodec', FASTEST)
def test_what_it_has_given_can_be_read_when_the_recorder_was_killed(vcodec, tmp_path, decode):
    path = tmp_path / 'video.mp4'
    with subprocess.Popen(
        [sys.executable, WRITER, path, vcodec, '120', BUNDLED],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        try:
            assert writer.stdout.readline() == 'ready\n'
            (program,) = psutil.Process(writer.pid).children()
        finally:
            writer.kill()
    # Its input has ended.
    program.wait(WAIT_S)
    frames = decode(path)
    # What a program and its codec hold back at most, see the writer.
    assert 120 - 48 <= len(frames) <= 120
    assert [frame.at for frame in frames] == [Fraction(k, FPS) for k in range(len(frames))]
    shown = [frame.colour.mean() for frame in frames]
    assert shown == pytest.approx(range(len(frames)), abs=4)
