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
Fakes of hardware encoders, which the child process of a trial loads.

There is no such hardware where tests run. The fakes hang, crash or lie like drivers, and the good
one encodes in software.
"""

from __future__ import annotations

from dataclasses import replace
import os
import signal
import subprocess
import sys
import threading

import av
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
import numpy as np

QUICK = EncoderConfig('h264', preset='ultrafast')


class Fake(Mp4Encoder):
    """A fake that works, and counts its pictures."""

    def __init__(self, path, config, spec):
        super().__init__(path, QUICK, spec)
        self.index = -1

    def encode(self, picture):
        self.index += 1
        self.take(picture)

    def take(self, picture):
        super().encode(picture)


class Slow(Fake):
    """Takes a fifth of a second for a frame."""

    def take(self, picture):
        super().take(picture)
        threading.Event().wait(0.2)


class Talkative(Fake):
    """Prints to the stream of the report, as some drivers do."""

    def take(self, picture):
        sys.stdout.write('{"opened": "in blocking mode"}\n')
        sys.stdout.flush()
        super().take(picture)


class Hanging(Fake):
    """Never returns from the seventh frame."""

    def take(self, picture):
        if self.index == 6:
            threading.Event().wait()
        super().take(picture)


class HangingProgram(Fake):
    """Starts a program that hangs, prints its process number, and hangs too."""

    def take(self, picture):
        program = subprocess.Popen(['sleep', '600'])
        sys.stderr.write(f'program {program.pid}\n')
        sys.stderr.flush()
        threading.Event().wait()


class HangingAtEnd(Fake):
    """Takes all frames, and hangs before returning the last ones."""

    def finish(self):
        threading.Event().wait()


class Crashing(Fake):
    """Ends the process with a segmentation fault."""

    def take(self, picture):
        if self.index == 6:
            os.kill(os.getpid(), signal.SIGSEGV)
        super().take(picture)


class Aborting(Fake):
    """Ends the process as a failed assertion in C does."""

    def take(self, picture):
        sys.stderr.write('NVMAP: assertion failed\n')
        sys.stderr.flush()
        os.abort()


class Leaving(Fake):
    """Ends the process with the status of success."""

    def take(self, picture):
        os._exit(0)


class Dropping(Fake):
    """Loses every fifth frame silently."""

    def take(self, picture):
        if self.index % 5 != 4:
            super().take(picture)


class Green(Fake):
    """Makes a video of empty pictures."""

    def take(self, picture):
        super().take(Frame(np.zeros_like(picture.pixels), 'rgb24'))


class Late(Fake):
    """Shows each picture one frame late."""

    def take(self, picture):
        before, self.before = getattr(self, 'before', picture), picture
        super().take(before)


class Small(Fake):
    """Makes a video of another size."""

    def __init__(self, path, config, spec):
        super().__init__(
            path, config, replace(spec, width=spec.width // 2, height=spec.height // 2)
        )

    def take(self, picture):
        super().take(Frame(np.ascontiguousarray(picture.pixels[::2, ::2]), 'rgb24'))


class Refusing(Fake):
    """Fails with an error at the second frame."""

    def take(self, picture):
        if self.index == 1:
            raise EncoderError('no capture buffer') from av.FFmpegError(5, 'ioctl failed')
        super().take(picture)


class SecondRefused(Fake):
    """Opens once in a process, as hardware with few sessions does."""

    is_open = threading.Lock()

    def __init__(self, path, config, spec):
        if not self.is_open.acquire(blocking=False):
            raise EncoderError('out of sessions')
        super().__init__(path, config, spec)
