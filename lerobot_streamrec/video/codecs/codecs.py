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
"""The mapping of encoder settings to FFmpeg's options."""

from __future__ import annotations

import os

from lerobot_streamrec.video.codecs.config import EncoderConfig, LIBAOM

# SVT-AV1 prints a page of information for every episode and camera; at 1 it prints errors only.
os.environ.setdefault('SVT_LOG', '1')

_FFMPEG_NAMES = {'h264': 'libx264', 'hevc': 'libx265'}

# SVT-AV1 3, which LeRobot's own environment has, accepts preset 12 but encodes with preset 10.
# Since SVT-AV1 4, presets 11 and above are separate encoders and wrong here: with key frames as
# close as LeRobot's, they leave blocks of the previous frame in every other frame
# (docs/encoding.md has the measurement). Preset 10 is therefore requested directly.
_FASTEST_SVT_PRESET = 10

# Lossless encoding has no rate to control and needs no lookahead. Small blocks take half the time
# and make depth files slightly smaller.
_LOSSLESS = 'rc-lookahead=0:ctu=16:max-tu-size=8:rd=1'

_SVT_PARAMETERS = 'svtav1-params'

# FF_QP2LAMBDA, by which the ffmpeg program multiplies its option -q:v.
_LAMBDA = 118


def ffmpeg_encoder(config: EncoderConfig) -> str:
    """Return FFmpeg's name of the encoder, which must not be ``auto``."""
    return _FFMPEG_NAMES.get(config.vcodec, config.vcodec)


def codec_options(config: EncoderConfig) -> dict[str, str]:
    """
    Return the options for opening FFmpeg's encoder.

    The mapping of each codec is LeRobot's. In addition, codecs are kept from making frames that
    depend on later ones across a key frame, because not every reader can seek in such files, and
    they cannot be read after being cut short.
    """
    options = {} if config.g is None else {'g': str(config.g)}
    options |= _of_device(config) if config.is_hardware else _of_software(config)
    for name, value in config.extra_options.items():
        if name == _SVT_PARAMETERS and name in options:
            value = _with_theirs(options.pop(name), value)
        options.setdefault(name, value)
    if config.vcodec == 'h264' or config.is_hardware:
        options.setdefault('bf', '0')
    if config.vcodec == 'hevc':
        # With key frames this close, a longer lookahead gains nothing, and frames that the codec
        # holds back are lost in a crash: up to 30 with its default lookahead of 20.
        theirs = options.get('x265-params', '')
        effort = _LOSSLESS if 'lossless=1' in theirs.split(':') else 'rc-lookahead=10'
        ours = f'log-level=error:open-gop=0:bframes=0:{effort}'
        options['x265-params'] = f'{ours}:{theirs}' if theirs else ours
    return options


# Each option makes an encoder return a picture's packet at once, or repeat the parameter sets.
_AT_ONCE = {
    'nvenc': {'delay': '0', 'zerolatency': '1', 'forced-idr': '1'},
    'qsv': {'async_depth': '1', 'forced_idr': '1'},
    'vaapi': {'async_depth': '1'},
    'videotoolbox': {'realtime': '1'},
}
_LOW_DELAY = 'pred-struct=1'
_X265_AT_ONCE = 'rc-lookahead=0:frame-threads=1:repeat-headers=1'


def live_options(config: EncoderConfig) -> dict[str, str]:
    """
    Return the options for an encoder whose packets are sent one by one while pictures come.

    They are those of ``codec_options``, and keep the encoder from holding back pictures. Users'
    own parameters come last, so they still count.
    """
    options = codec_options(config)
    if config.vcodec == 'h264':
        # x264 takes several tunings at once.
        options['tune'] = ','.join(filter(None, (options.get('tune'), 'zerolatency')))
    elif config.vcodec == 'hevc':
        ours, _, theirs = options['x265-params'].partition(':rc-lookahead=10')
        options['x265-params'] = f'{ours}:{_X265_AT_ONCE}{theirs}'
    elif config.vcodec == 'libsvtav1':
        options[_SVT_PARAMETERS] = f'{_LOW_DELAY}:{options[_SVT_PARAMETERS]}'
    elif config.vcodec == LIBAOM:
        options |= {'lag-in-frames': '0', 'usage': 'realtime'}
    return _AT_ONCE.get(config.device, {}) | options


def _of_software(config: EncoderConfig) -> dict[str, str]:
    options = {} if config.crf is None else {'crf': f'{config.crf:g}'}
    preset, threads = config.preset, config.encoder_threads
    if config.vcodec == 'libsvtav1' and isinstance(preset, int):
        preset = min(preset, _FASTEST_SVT_PRESET)
    if preset is not None:
        # libaom calls LeRobot's preset cpu-used, and FFmpeg would silently ignore preset.
        options['cpu-used' if config.vcodec == LIBAOM else 'preset'] = str(preset)
    if config.vcodec == 'libsvtav1':
        parameters = [f'fast-decode={config.fast_decode}']
        if threads:
            parameters.append(f'lp={threads}')
        options[_SVT_PARAMETERS] = ':'.join(parameters)
        return options
    if config.fast_decode and config.vcodec != LIBAOM:
        options['tune'] = 'fastdecode'
    if threads:
        options['threads'] = str(threads)
        if config.vcodec == LIBAOM:
            options['row-mt'] = '1'
    return options


def _with_theirs(ours: str, theirs: str) -> str:
    """Append the user's parameters of SVT-AV1, except those that the settings determine."""
    names = {one.partition('=')[0] for one in ours.split(':')}
    added = [one for one in theirs.split(':') if one.partition('=')[0] not in names]
    return ':'.join([ours, *added])


def _of_device(config: EncoderConfig) -> dict[str, str]:
    options = {}
    if config.crf is not None and config.has_quality:
        options = _quality(config.device, config.crf)
    if config.preset is not None:
        options['preset'] = str(config.preset)
    return options


def _quality(device: str, crf: float) -> dict[str, str]:
    level = f'{crf:g}'
    if device == 'nvenc':
        return {'rc': '0', 'qp': level}
    if device == 'qsv':
        return {'global_quality': level}
    if device == 'videotoolbox':
        # The equivalent of LeRobot's q:v, an option that only the ffmpeg program knows.
        quality = round(max(1, min(100, 100 - 2 * crf)))
        return {'flags': '+qscale', 'global_quality': str(quality * _LAMBDA)}
    return {'qp': level}
