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

from dataclasses import fields, replace
from typing import Any

from lerobot_streamrec.errors import CodecError, ConfigError
from lerobot_streamrec.nodes.parameters.parameter_reader import ParameterReader
from lerobot_streamrec.option import Option, options_of
from lerobot_streamrec.video.codecs.config import EncoderConfig, FfmpegSettings, max_crf
from lerobot_streamrec.video.codecs.depth_config import DepthConfig

_DEPTH = Option('depth', False, 'Pictures are depth: 16UC1, mono16 or 32FC1')
_ENCODER = 'encoder'
_FFMPEG = 'ffmpeg'
_INHERITED = 'as of all cameras'


def read_depth(reader: ParameterReader, prefix: str) -> DepthConfig | None:
    """
    Read the parameters of a camera's depth.

    :param prefix: prefix of the camera's parameters
    :return: None if its pictures are colours
    :raise ConfigError: naming the first that cannot be used
    """
    is_depth = reader.read(_DEPTH, prefix)
    values = reader.read_fields(DepthConfig, prefix)
    if not is_depth:
        return None
    try:
        return DepthConfig(**values)
    except ConfigError as error:
        # It names its own fields, and the user knows parameters.
        name = options_of(DepthConfig)[error.name].below(prefix).name
        raise ConfigError(name, error.value, error.allowed) from error


def read_encoder(reader: ParameterReader) -> EncoderConfig:
    """
    Read the parameters of the encoder of all cameras.

    :raise ConfigError: naming the first that cannot be used
    """
    own = reader.read_fields(EncoderConfig, _ENCODER)
    program = reader.read_fields(FfmpegSettings, f'{_ENCODER}.{_FFMPEG}')
    return _config(own, FfmpegSettings(**program), _ENCODER)


def read_camera_encoder(
    reader: ParameterReader, prefix: str, of_all: EncoderConfig
) -> EncoderConfig | None:
    """
    Read the parameters by which a camera's encoder differs from that of all cameras.

    :param prefix: prefix of the camera's parameters
    :param of_all: settings of all cameras
    :return: None if there is no difference
    :raise ConfigError: naming the first that cannot be used
    """
    prefix = f'{prefix}.{_ENCODER}'
    own = _given(reader, EncoderConfig, prefix)
    program = _given(reader, FfmpegSettings, f'{prefix}.{_FFMPEG}')
    if not own and not program:
        return None
    inherited = {one.name: getattr(of_all, one.name) for one in fields(EncoderConfig)}
    ffmpeg = replace(inherited.pop(_FFMPEG), **program)
    vcodec = own.get('vcodec', of_all.vcodec)
    if vcodec != of_all.vcodec:
        # They mean something else to another encoder.
        crf = min(of_all.crf, max_crf(vcodec))
        inherited |= {'preset': None, 'extra_options': {}, 'crf': crf}
    return _config(inherited | own, ffmpeg, prefix)


def _given(reader: ParameterReader, config: type, prefix: str) -> dict[str, Any]:
    """Read the parameters of a dataclass that the user has set for one camera."""
    given: dict[str, Any] = {}
    for field, option in options_of(config).items():
        is_number = option.low is not None
        nothing = option.kind(-1) if is_number else option.kind()
        text = f'{option.description}; {"-1" if is_number else "empty"}: {_INHERITED}'
        low = nothing if is_number else None
        value = reader.read(replace(option, default=nothing, description=text, low=low), prefix)
        if value == nothing:
            continue
        if is_number and value < option.low:
            name = option.below(prefix).name
            raise ConfigError(name, value, f'{option.allowed}, or -1: {_INHERITED}')
        given[field] = tuple(value) if option.kind is list else value
    return given


def _config(values: dict[str, Any], ffmpeg: FfmpegSettings, prefix: str) -> EncoderConfig:
    """
    Make settings of the values of parameters.

    :raise CodecError: naming the parameter
    """
    if not isinstance(values['extra_options'], dict):
        values['extra_options'] = _options(prefix, values['extra_options'])
    values['preset'] = values['preset'] if values['preset'] != '' else None
    try:
        return EncoderConfig(**values, ffmpeg=ffmpeg)
    except CodecError as error:
        # It names settings as those of all cameras.
        name = error.name.replace(_ENCODER, prefix, 1)
        raise CodecError(name, error.value, error.allowed) from error


def _options(prefix: str, pairs: tuple[str, ...]) -> dict[str, str]:
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition('=')
        if not equals or not name:
            raise ConfigError(f'{prefix}.extra_options', pair, 'write each as name=value')
        options[name] = value
    return options
