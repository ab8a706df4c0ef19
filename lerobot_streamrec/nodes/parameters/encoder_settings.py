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
"""Parameters of encoders, depth included."""

from __future__ import annotations

from typing import Any

from lerobot_streamrec.errors import CodecError, ConfigError
from lerobot_streamrec.nodes.parameters.parameter_reader import defaults_of, ParameterReader, Spec
from lerobot_streamrec.video.codecs.config import (
    BACKENDS,
    EncoderConfig,
    FfmpegSettings,
    max_crf,
    VCODECS,
)
from lerobot_streamrec.video.codecs.depth_config import DepthConfig

_DEPTH = defaults_of(DepthConfig)
_FARTHEST_M = 10_000.0

_NAMES = {
    'depth_min': 'depth_min',
    'depth_max': 'depth_max',
    'shift': 'depth_shift',
    'use_log': 'depth_use_log',
}


def read_depth(reader: ParameterReader, prefix: str) -> DepthConfig | None:
    """
    Read the parameters of a camera's depth.

    :param prefix: prefix of the camera's parameters
    :return: None if its pictures are colours
    :raise ConfigError: naming the first that cannot be used
    """
    is_depth = reader.read(
        Spec(f'{prefix}.depth', False, 'Pictures are depth: 16UC1, mono16 or 32FC1')
    )
    values = {name: reader.read(spec) for name, spec in _depth_options(prefix).items()}
    if not is_depth:
        return None
    try:
        return DepthConfig(**values)
    except ConfigError as error:
        # It names its own fields, and the user knows parameters.
        name = f'{prefix}.{_NAMES[error.name]}'
        raise ConfigError(name, error.value, error.allowed) from error


def _depth_options(prefix: str) -> dict[str, Spec]:
    """Return the parameters, by the field of the configuration."""
    described: dict[str, tuple[str, float | None, float | None]] = {
        'depth_min': ('Depth of the first of 4096 codes, metres', 0.0, _FARTHEST_M),
        'depth_max': ('Depth of the last of 4096 codes, metres', 0.0, _FARTHEST_M),
        'shift': ('Added to depth before the logarithm, metres', -_FARTHEST_M, _FARTHEST_M),
        'use_log': ('Steps between codes grow with depth; false: all are equal', None, None),
    }
    return {
        field: Spec(f'{prefix}.{_NAMES[field]}', _DEPTH[field], *texts_and_limits)
        for field, texts_and_limits in described.items()
    }


_ENCODER = defaults_of(EncoderConfig)
_FFMPEG = defaults_of(FfmpegSettings)

# Per parameter: its default, what it is, and its range; of a single camera also what stands for
# the value of all cameras. A number below that range does, or no text.
_Text = tuple[Any, str]
_Number = tuple[Any, str, float, float]

_TEXTS: dict[str, _Text] = {
    'vcodec': (_ENCODER['vcodec'], f'Encoder: {", ".join(VCODECS)}'),
    'pix_fmt': (_ENCODER['pix_fmt'], "FFmpeg's pixel format of the videos"),
    'preset': ('', "Speed against size, in the codec's words; empty: LeRobot's default"),
    'extra_options': ([], 'More FFmpeg options, each name=value'),
    'backend': (_ENCODER['backend'], f'What encodes: {" or ".join(BACKENDS)}'),
    'ffmpeg.executable': (_FFMPEG['executable'], 'Of the backend ffmpeg: the program'),
    'ffmpeg.input_args': ([], "The program's arguments before its input, such as a device"),
    'ffmpeg.filters': (_FFMPEG['filters'], "FFmpeg's filter chain before the encoder"),
}
_NUMBERS: dict[str, _Number] = {
    'g': (_ENCODER['g'], 'Distance of key frames in frames', 1, 100_000),
    'crf': (
        float(_ENCODER['crf']),
        'Constant rate factor: less is better and larger',
        0.0,
        63.0,
    ),
    'fast_decode': (_ENCODER['fast_decode'], 'How much to ease decoding', 0, 2),
    'encoder_threads': (
        _ENCODER['encoder_threads'],
        'Threads per camera; 0: the cores shared out over the cameras',
        0,
        1024,
    ),
    'ffmpeg.stall_timeout_s': (
        _FFMPEG['stall_timeout_s'],
        'How long the program may take and give nothing, seconds',
        0.1,
        86400.0,
    ),
}
_OF_ALL = 'encoder'
_INHERITED = 'as of all cameras'


def read_encoder(reader: ParameterReader) -> EncoderConfig:
    """
    Read the parameters of the encoder of all cameras.

    :raise ConfigError: naming the first that cannot be used
    """
    values = {
        name: reader.read(Spec(f'{_OF_ALL}.{name}', default, text))
        for name, (default, text) in _TEXTS.items()
    }
    for name, (default, text, low, high) in _NUMBERS.items():
        values[name] = reader.read(Spec(f'{_OF_ALL}.{name}', default, text, low, high))
    values['extra_options'] = _options(_OF_ALL, values['extra_options'])
    return _config(values, _OF_ALL)


def read_camera_encoder(
    reader: ParameterReader, prefix: str, of_all: EncoderConfig
) -> EncoderConfig | None:
    """
    Read what a camera's encoder has that the others do not.

    :param prefix: prefix of the camera's parameters
    :param of_all: for what is not said
    :return: None if nothing is said
    :raise ConfigError: naming the first that cannot be used
    """
    prefix = f'{prefix}.{_OF_ALL}'
    given: dict[str, Any] = {}
    for name, (default, text) in _TEXTS.items():
        nothing = type(default)()
        value = reader.read(Spec(f'{prefix}.{name}', nothing, f'{text}; empty: {_INHERITED}'))
        # A list of one empty text is how parameter files write an empty one.
        if value not in (nothing, ['']):
            given[name] = value
    for name, (default, text, low, high) in _NUMBERS.items():
        nothing = type(default)(-1)
        spec = Spec(f'{prefix}.{name}', nothing, f'{text}; -1: {_INHERITED}', nothing, high)
        value = reader.read(spec)
        if value != nothing:
            given[name] = _within(spec.name, value, low, high)
    if not given:
        return None
    if 'extra_options' in given:
        given['extra_options'] = _options(prefix, given['extra_options'])
    return _config({**_values(of_all, given.get('vcodec')), **given}, prefix)


def _within(name: str, value: float, low: float, high: float) -> float:
    if value < low:
        raise ConfigError(name, value, f'allowed is {low:g} to {high:g}, or -1: {_INHERITED}')
    return value


def _values(config: EncoderConfig, vcodec: str | None) -> dict[str, Any]:
    """Return settings by their parameters, as far as they mean the same to an encoder."""
    values = {name: getattr(config, name) for name in (*_TEXTS, *_NUMBERS) if '.' not in name}
    for name in (*_TEXTS, *_NUMBERS):
        if '.' in name:
            values[name] = getattr(config.ffmpeg, name.partition('.')[2])
    if vcodec not in (None, config.vcodec):
        values |= {'preset': None, 'extra_options': {}}
        values['crf'] = min(values['crf'], max_crf(vcodec))
    return values


def _config(values: dict[str, Any], prefix: str) -> EncoderConfig:
    """
    Make settings of the values of parameters.

    :raise CodecError: naming the parameter
    """
    own = {name: value for name, value in values.items() if '.' not in name}
    ffmpeg = {name.partition('.')[2]: value for name, value in values.items() if '.' in name}
    ffmpeg['input_args'] = tuple(filter(None, ffmpeg['input_args']))
    own['preset'] = own['preset'] if own['preset'] != '' else None
    try:
        return EncoderConfig(**own, ffmpeg=FfmpegSettings(**ffmpeg))
    except CodecError as error:
        # It names settings as those of all cameras.
        name = error.name.replace(_OF_ALL, prefix, 1)
        raise CodecError(name, error.value, error.allowed) from error


def _options(prefix: str, pairs: list[str]) -> dict[str, str]:
    options = {}
    # Parameter files cannot hold an empty list; a list of one empty text stands for it.
    for pair in filter(None, pairs):
        name, equals, value = pair.partition('=')
        if not equals or not name:
            raise ConfigError(f'{prefix}.extra_options', pair, 'write each as name=value')
        options[name] = value
    return options
