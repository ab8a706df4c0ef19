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
"""Checks of encoder settings: known limits, and options that an encoder or a program lacks."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
import re
import shlex
import subprocess

import av
from av.codec.codec import Codec, UnknownCodecError
from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.codecs.codecs import codec_options, ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import (
    BUNDLED_VCODECS,
    EncoderConfig,
    FFMPEG,
    FfmpegSettings,
    max_crf,
    PYAV,
    SEMI_PLANAR,
)

OPENING_SIZE = 128
COLOUR_CHANNELS = 3
DEPTH_CHANNELS = 1

_SVT_PRESETS = range(-2, 14)
_WITHOUT_PRESETS = ('videotoolbox', 'vaapi')
# Options whose values the codec itself parses; it only warns of parameters that it does not know.
_FREE_TEXTS = ('x264-params', 'x265-params', 'svtav1-params')
# The default of depth cameras, which x265 is known to understand.
_LOSSLESS = 'lossless=1'
_NOT_UNDERSTOOD = ('Unknown option', 'Error parsing option', 'Invalid value')


def is_registered(vcodec: str) -> bool:
    """Return True if libav in this process knows an encoder, which need not work."""
    try:
        av.Codec(vcodec, 'w')
    except UnknownCodecError:
        return False
    return True


def check_settings(config: EncoderConfig, channels: int = COLOUR_CHANNELS) -> None:
    """
    Refuse settings that are known to be wrong, without opening the encoder.

    :param config: settings of an encoder, not of ``auto``
    :param channels: number of channels of a picture
    :raise CodecError: if a setting is wrong; it names the setting and the allowed values
    """
    _check_pix_fmt(config, channels)
    _check_quality(config)
    name = ffmpeg_encoder(config)
    if config.vcodec == 'libsvtav1' and config.preset not in _SVT_PRESETS:
        raise CodecError('encoder.preset', config.preset, f'{name} accepts -2 to 13')
    if config.preset is not None and config.device in _WITHOUT_PRESETS:
        raise CodecError('encoder.preset', config.preset, f'{name} has no presets; leave it empty')


def check_before_trial(config: EncoderConfig) -> None:
    """
    Raise an error for settings that are known to be wrong without a trial.

    An ffmpeg program would not report some of them, or only at length.

    :param config: settings of the encoder, not ``auto``
    :raise CodecError: if a setting is wrong, naming what is allowed
    """
    check_settings(config)
    if config.backend != FFMPEG:
        return
    name, program = ffmpeg_encoder(config), config.ffmpeg.executable
    if name not in encoders_of(config.ffmpeg):
        allowed = f'{program} was built without {name}; `{program} -encoders` lists its encoders'
        raise CodecError('encoder.vcodec', config.vcodec, allowed)
    refuse_unknown_options(
        config, {one: config.extra_options[one] for one in unknown_options(config)}
    )


def _check_pix_fmt(config: EncoderConfig, channels: int) -> None:
    try:
        num_components = len(av.VideoFormat(config.pix_fmt).components)
    except ValueError as error:
        allowed = "name one of FFmpeg's pixel formats, such as yuv420p"
        raise CodecError('encoder.pix_fmt', config.pix_fmt, allowed) from error
    if config.backend == PYAV:
        _check_pix_fmt_of(_known_codec(config), config)
    if num_components < channels:
        raise CodecError(
            'encoder.pix_fmt',
            config.pix_fmt,
            f'it holds {num_components} of the {channels} channels of a picture; use yuv420p',
        )


def _known_codec(config: EncoderConfig) -> Codec:
    name = ffmpeg_encoder(config)
    try:
        return av.Codec(name, 'w')
    except UnknownCodecError as error:
        raise CodecError(
            'encoder.vcodec',
            config.vcodec,
            f'this build of FFmpeg has no encoder {name}; choose another of '
            f'{", ".join(BUNDLED_VCODECS)}, install a PyAV that has it, or set encoder.backend to '
            f'{FFMPEG} if the ffmpeg program has it',
        ) from error


def _check_pix_fmt_of(codec: Codec, config: EncoderConfig) -> None:
    published = [one.name for one in codec.video_formats or ()]
    if not published or config.pix_fmt in published:
        return
    # Pixel formats without components are those of pictures in device memory.
    plain = [one for one in published if av.VideoFormat(one).components]
    allowed = f'{codec.name} accepts {", ".join(plain)}'
    if not plain:
        allowed = (
            f'{codec.name} accepts only pictures in device memory; set encoder.backend to '
            f'{FFMPEG}, and add an upload such as hwupload to encoder.ffmpeg.filters'
        )
    raise CodecError('encoder.pix_fmt', config.pix_fmt, allowed)


def _check_quality(config: EncoderConfig) -> None:
    crf, high, name = config.crf, max_crf(config.vcodec), ffmpeg_encoder(config)
    if crf is None or not config.has_quality:
        return
    if not 0 <= crf <= high:
        raise CodecError('encoder.crf', crf, f'{name} accepts 0 to {high}')
    takes_fractions = config.vcodec in ('h264', 'hevc') or config.device == 'videotoolbox'
    if not takes_fractions and crf != int(crf):
        raise CodecError('encoder.crf', crf, f'{name} accepts whole numbers')


def with_fitting_pix_fmt(config: EncoderConfig) -> EncoderConfig:
    """Return settings with the memory layout of the same pixels that the encoder accepts."""
    published = [one.name for one in av.Codec(ffmpeg_encoder(config), 'w').video_formats or ()]
    other = SEMI_PLANAR.get(config.pix_fmt, '')
    if config.pix_fmt in published or other not in published:
        return config
    return replace(config, pix_fmt=other)


def opened(
    config: EncoderConfig, fps: int, width: int = OPENING_SIZE, height: int = OPENING_SIZE
) -> av.VideoCodecContext:
    """
    Open an encoder of the backend pyav.

    :param config: settings of the encoder
    :param fps: frames per second
    :param width: width of pictures, in pixels
    :param height: height of pictures, in pixels
    :return: the open encoder; its ``options`` are those that it did not know
    :raise av.FFmpegError: if the encoder rejects its settings
    """
    context = av.CodecContext.create(ffmpeg_encoder(config), 'w')
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = width, height
    context.pix_fmt = config.pix_fmt
    context.time_base = Fraction(1, fps)
    context.framerate = Fraction(fps)
    context.options = codec_options(config)
    context.open()
    return context


def refuse_unknown_options(config: EncoderConfig, unknown: dict[str, str]) -> None:
    """
    Refuse options that an encoder did not read, because FFmpeg ignores them silently.

    :param config: settings with which the encoder was opened
    :param unknown: options that ``opened`` left unread
    :raise CodecError: if there are any; it names the first one
    """
    for name, value in unknown.items():
        asked = name in config.extra_options
        setting = 'encoder.extra_options' if asked else f'encoder.{name}'
        raise CodecError(
            setting,
            f'{name}={value}' if asked else value,
            f'{ffmpeg_encoder(config)} has no option {name}; '
            f'`ffmpeg -h encoder={ffmpeg_encoder(config)}` lists its options',
        )


def refuse_unread_parameters(config: EncoderConfig, fps: int) -> None:
    """
    Refuse parameters in options such as x264-params for which the codec only prints a warning.

    :param config: settings with which the encoder can be opened
    :param fps: frames per second
    :raise CodecError: if the codec warns; it quotes the warning
    """
    asked = config.extra_options
    free = [name for name in _FREE_TEXTS if asked.get(name, _LOSSLESS) != _LOSSLESS]
    if not free:
        return
    before = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as messages:
            opened(config, fps)
    finally:
        av.logging.set_level(before)
    for _, _, text in messages:
        if text.startswith(_NOT_UNDERSTOOD):
            value = f'{free[0]}={config.extra_options[free[0]]}'
            allowed = f'{ffmpeg_encoder(config)} says: {text.strip()}'
            raise CodecError('encoder.extra_options', value, allowed)


def guilty_option(config: EncoderConfig, fps: int) -> str:
    """
    Find the one option of ``extra_options`` without which the encoder opens.

    :param config: settings with which the encoder cannot be opened
    :param fps: frames per second
    :return: name of the option; empty if no single option is the cause
    """
    for name in config.extra_options:
        others = {key: value for key, value in config.extra_options.items() if key != name}
        try:
            opened(replace(config, extra_options=others), fps)
        except (av.FFmpegError, ValueError):
            continue
        return name
    return ''


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
