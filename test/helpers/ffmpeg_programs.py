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
"""The real ffmpeg programs of this machine, and fakes that call one of them."""

from __future__ import annotations

from pathlib import Path
import shutil
import sys

import imageio_ffmpeg
from lerobot_streamrec.video.codecs.config import EncoderConfig, FFMPEG, FfmpegSettings
import psutil

# The bundled one, from the package index, is the same on every machine.
BUNDLED = imageio_ffmpeg.get_ffmpeg_exe()
SYSTEM = shutil.which('ffmpeg')
PROGRAMS = {'bundled': BUNDLED, 'system': SYSTEM}
FASTEST = {'libsvtav1': None, 'h264': 'ultrafast', 'hevc': 'ultrafast'}


def ffmpeg_config(vcodec='h264', executable=BUNDLED, stall_timeout_s=20.0, **changes):
    """Return the fastest settings of a codec for the backend ffmpeg."""
    settings = {
        'vcodec': vcodec,
        'preset': FASTEST[vcodec],
        'encoder_threads': 1,
        'backend': FFMPEG,
        'ffmpeg': FfmpegSettings(str(executable), stall_timeout_s=stall_timeout_s),
        **changes,
    }
    return EncoderConfig(**settings)


def fake_program(folder: Path, body: str) -> Path:
    """
    Write a fake ffmpeg: Python code with its ``arguments`` and the path ``REAL`` of a real ffmpeg.

    :param folder: folder for the program
    :param body: lines of the program
    """
    path = folder / 'fake-ffmpeg'
    lines = (
        f'#!{sys.executable} -S',
        'import os, subprocess, sys, time',
        f'REAL = {BUNDLED!r}',
        'arguments = sys.argv[1:]',
        'stdin, stdout = sys.stdin.buffer, sys.stdout.buffer',
        body,
    )
    path.write_text('\n'.join(lines))
    path.chmod(0o755)
    return path


def children():
    """
    Return the ffmpeg programs below this process that run, or that nobody has waited for.

    Tests before in the same process may have left others, as the daemon of ``ros2``.
    """
    below = psutil.Process().children(recursive=True)
    return [one for one in below if 'ffmpeg' in one.name()]
