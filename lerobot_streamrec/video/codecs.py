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
"""From encoder settings to FFmpeg's options."""

from __future__ import annotations

import os

from lerobot_streamrec.video.config import EncoderConfig

# SVT-AV1 prints a page about itself for every episode and camera; 1 leaves it errors only.
os.environ.setdefault('SVT_LOG', '1')

_FFMPEG_NAMES = {'libsvtav1': 'libsvtav1', 'h264': 'libx264', 'hevc': 'libx265'}

# SVT-AV1 3, which LeRobot's own environment has, takes preset 12 and encodes with preset 10. From
# SVT-AV1 4 on, presets 11 and above are encoders of their own, and wrong here: in key frame
# distances as short as LeRobot's they leave blocks of the frame before in every other frame
# (docs/encoding.md has the measurement). So what LeRobot gets is asked for by its real number.
_FASTEST_SVT_PRESET = 10

# Without loss there is no rate to control, and nothing to look ahead for. Small blocks take half
# the time, and make files of depth a little smaller.
_LOSSLESS = 'rc-lookahead=0:ctu=16:max-tu-size=8:rd=1'


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
        # With key frames so close, looking further ahead gains nothing, and what the codec holds
        # back is lost in a crash: up to 30 frames with its own 20.
        theirs = options.get('x265-params', '')
        effort = _LOSSLESS if 'lossless=1' in theirs.split(':') else 'rc-lookahead=10'
        ours = f'log-level=error:open-gop=0:bframes=0:{effort}'
        options['x265-params'] = f'{ours}:{theirs}' if theirs else ours
    return options
