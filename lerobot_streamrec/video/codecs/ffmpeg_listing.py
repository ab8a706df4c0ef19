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
"""The encoders and options that an ffmpeg program lists."""

from __future__ import annotations

from functools import cache
import re
import shlex
import subprocess

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.codecs.codecs import ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import EncoderConfig, FfmpegSettings

_TIMEOUT_S = 20.0
# A row of ``ffmpeg -encoders``: six flags, of which the first is V for video, then the name.
_VIDEO_ENCODER = re.compile(r'^ V[A-Z.]{5} ([^\s=]+)', re.MULTILINE)
# A row of ``ffmpeg -h``: an option, its type in angle brackets, its description.
_OPTION = re.compile(r'^ +-(\S+) +<[a-z0-9_]+>', re.MULTILINE)
_TITLE = 'AVCodecContext AVOptions:'


@cache
def encoders_of(settings: FfmpegSettings, timeout_s: float = _TIMEOUT_S) -> frozenset[str]:
    """
    Return the video encoders that a program was built with; they need not work.

    :param settings: settings that name the program
    :param timeout_s: longest time that the program may take
    :raise CodecError: if the program cannot be run
    """
    return frozenset(_VIDEO_ENCODER.findall(_told(settings, '-encoders', timeout_s=timeout_s)))


def unknown_options(config: EncoderConfig) -> list[str]:
    """
    Return those of ``extra_options`` that the program's encoder lacks and would ignore.

    :param config: settings of the backend ffmpeg, with an encoder that the program has
    :raise CodecError: if the program cannot be run
    """
    if not config.extra_options:
        return []
    own = _told(config.ffmpeg, '-h', f'encoder={ffmpeg_encoder(config)}')
    everything = _told(config.ffmpeg, '-h', 'full')
    # The options of all codecs are listed in one paragraph of the full help.
    general = everything.partition(_TITLE)[2].partition('\n\n')[0]
    known = {*_OPTION.findall(own), *_OPTION.findall(general)}
    return [name for name in config.extra_options if name not in known]


def _told(settings: FfmpegSettings, *question: str, timeout_s: float = _TIMEOUT_S) -> str:
    command = [settings.executable, '-hide_banner', *question]
    name, told = 'encoder.ffmpeg.executable', settings.executable
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors='replace',
            timeout=timeout_s,
            check=True,
        ).stdout
    except OSError as error:
        allowed = f'{error.strerror}; install FFmpeg or name a program that can be run'
        raise CodecError(name, told, allowed) from error
    except subprocess.TimeoutExpired as error:
        allowed = f'{shlex.join(command)} did not end within {timeout_s:g} s'
        raise CodecError(name, told, allowed) from error
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:]
        allowed = f'{shlex.join(command)} failed: {"".join(last)}'
        raise CodecError(name, told, allowed) from error
