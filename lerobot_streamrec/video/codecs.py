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
"""From encoder settings to FFmpeg's options, and whether this machine accepts them."""

from __future__ import annotations

from fractions import Fraction
import os

import av
from av.codec.codec import UnknownCodecError
from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.config import EncoderConfig

# SVT-AV1 prints a page about itself for every episode and camera; 1 leaves it errors only.
os.environ.setdefault('SVT_LOG', '1')

_FFMPEG_NAMES = {'libsvtav1': 'libsvtav1', 'h264': 'libx264', 'hevc': 'libx265'}
_CRF_RANGES = {'libsvtav1': (0, 63), 'h264': (0, 51), 'hevc': (0, 51)}
_PROBE_SIZE = 128

# SVT-AV1 3, which LeRobot's own environment has, takes preset 12 and encodes with preset 10. From
# SVT-AV1 4 on, presets 11 and above are encoders of their own, and wrong here: in key frame
# distances as short as LeRobot's they leave blocks of the frame before in every other frame
# (docs/encoding.md has the measurement). So what LeRobot gets is asked for by its real number.
_FASTEST_SVT_PRESET = 10


def ffmpeg_encoder(config: EncoderConfig) -> str:
    """Return FFmpeg's name of the encoder."""
    return _FFMPEG_NAMES[config.vcodec]


def codec_options(config: EncoderConfig) -> dict[str, str]:
    """
    Return the options that FFmpeg's encoder is opened with.

    The mapping per codec is LeRobot's. Where a codec could make frames that lean on later ones
    over a key frame, it is told not to: such files cannot be sought in by every reader, nor be
    read when they were cut short.
    """
    options = {'g': str(config.g), 'crf': f'{config.crf:g}'}
    preset = config.preset
    if config.vcodec == 'libsvtav1' and isinstance(preset, int):
        preset = min(preset, _FASTEST_SVT_PRESET)
    if preset is not None:
        options['preset'] = str(preset)
    if config.vcodec == 'libsvtav1':
        parameters = [f'fast-decode={config.fast_decode}']
        if config.encoder_threads:
            parameters.append(f'lp={config.encoder_threads}')
        options['svtav1-params'] = ':'.join(parameters)
    else:
        if config.fast_decode:
            options['tune'] = 'fastdecode'
        if config.encoder_threads:
            options['threads'] = str(config.encoder_threads)
    for name, value in config.extra_options.items():
        options.setdefault(name, value)
    if config.vcodec == 'h264':
        options.setdefault('bf', '0')
    if config.vcodec == 'hevc':
        ours = 'log-level=error:open-gop=0:bframes=0'
        theirs = options.get('x265-params')
        options['x265-params'] = f'{ours}:{theirs}' if theirs else ours
    return options


def check_encoder(config: EncoderConfig) -> None:
    """
    Encode two frames, to know before an episode that the settings work on this machine.

    :raise CodecError: naming the setting and what is allowed
    """
    name = ffmpeg_encoder(config)
    try:
        codec = av.Codec(name, 'w')
    except UnknownCodecError as error:
        raise CodecError(
            'encoder.vcodec',
            config.vcodec,
            f'this build of FFmpeg has no encoder {name}; choose another of '
            f'{", ".join(_FFMPEG_NAMES)} or install a PyAV that has it',
        ) from error
    formats = [one.name for one in codec.video_formats or ()]
    if formats and config.pix_fmt not in formats:
        allowed = f'{name} accepts {", ".join(formats)}'
        raise CodecError('encoder.pix_fmt', config.pix_fmt, allowed)
    low, high = _CRF_RANGES[config.vcodec]
    if not low <= config.crf <= high:
        raise CodecError('encoder.crf', config.crf, f'{name} accepts {low} to {high}')
    if config.vcodec == 'libsvtav1' and not float(config.crf).is_integer():
        raise CodecError('encoder.crf', config.crf, f'{name} accepts whole numbers')
    _encode_two_frames(config, name)


def _encode_two_frames(config: EncoderConfig, name: str) -> None:
    context = av.CodecContext.create(name, 'w')
    assert isinstance(context, av.VideoCodecContext)
    context.width = context.height = _PROBE_SIZE
    context.pix_fmt = config.pix_fmt
    context.time_base = Fraction(1, 30)
    context.framerate = Fraction(30)
    context.options = codec_options(config)
    num_packets = 0
    try:
        for pts in range(2):
            frame = av.VideoFrame(_PROBE_SIZE, _PROBE_SIZE, config.pix_fmt)
            frame.pts = pts
            num_packets += len(context.encode(frame))
        num_packets += len(context.encode(None))
    except (av.FFmpegError, ValueError) as error:
        raise CodecError(
            'encoder',
            ' '.join(f'{key}={value}' for key, value in codec_options(config).items()),
            f'{name} does not start with these options ({error}); '
            'see encoder.preset and encoder.extra_options',
        ) from error
    if num_packets != 2:
        raise CodecError('encoder.vcodec', config.vcodec, f'{name} lost frames in a trial')
