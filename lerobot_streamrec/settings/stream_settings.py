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
"""Parameters of streams: topic, QoS and time of each, encoder and depth of cameras."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from lerobot_streamrec.conversions.condition import Condition
from lerobot_streamrec.conversions.elements import Elements
from lerobot_streamrec.dataset.format.features import check_feature_key, IMAGES
from lerobot_streamrec.errors import CodecError, ConfigError
from lerobot_streamrec.option import Option, option, options_of
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.settings.parameter_reader import ParameterReader
from lerobot_streamrec.settings.topic_names import topic_name_problem
from lerobot_streamrec.settings.transports import AUTO, TRANSPORTS
from lerobot_streamrec.sync.row_clock import Policy
from lerobot_streamrec.video.codecs.config import AUTO as AUTO_ENCODER
from lerobot_streamrec.video.codecs.config import EncoderConfig, FfmpegSettings
from lerobot_streamrec.video.codecs.depth_config import DepthConfig

HEADER = 'header'
RECEIVE = 'receive'
_STAMPS = (HEADER, RECEIVE)

QOS_FROM_PUBLISHER = 'auto'
QOS_RELIABLE = 'reliable'
QOS_CHOICES = (QOS_FROM_PUBLISHER, 'best_effort', QOS_RELIABLE)
"""The allowed settings for the reliability of a subscription."""

_CAMERAS = Option('cameras', (), 'Names of the cameras; each needs camera.<name>.topic')
_TOPIC = Option('topic', '', 'Base topic, sensor_msgs/msg/Image or CompressedImage')
_CAMERA_INFO = Option(
    'camera_info',
    '',
    'Topic of the calibration, sensor_msgs/msg/CameraInfo; empty: camera_info beside the images',
)
_DEPTH = Option('depth', False, 'true: the images are depth, 16UC1, mono16 or 32FC1')
_ENCODER = 'encoder'
_FFMPEG = 'ffmpeg'
_INHERITED = 'the value for all cameras'


def read_depth(reader: ParameterReader, prefix: str) -> DepthConfig | None:
    """
    Read the parameters of a camera's depth.

    :param prefix: prefix of the camera's parameters
    :return: None for a colour camera
    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    is_depth = reader.read(_DEPTH, prefix)
    values = reader.read_fields(DepthConfig, prefix)
    if not is_depth:
        return None
    try:
        return DepthConfig(**values)
    except ConfigError as error:
        # The error names a field, but the user knows the parameter.
        name = options_of(DepthConfig)[error.name].below(prefix).name
        raise ConfigError(name, error.value, error.allowed) from error


def read_encoder(reader: ParameterReader) -> EncoderConfig:
    """
    Read the parameters of the encoder of all cameras.

    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    own = reader.read_fields(EncoderConfig, _ENCODER)
    program = reader.read_fields(FfmpegSettings, f'{_ENCODER}.{_FFMPEG}')
    return _config({**own, _FFMPEG: FfmpegSettings()}, program, _ENCODER)


def read_camera_encoder(
    reader: ParameterReader, prefix: str, of_all: EncoderConfig
) -> EncoderConfig | None:
    """
    Read the parameters by which a camera's encoder differs from that of all cameras.

    :param prefix: prefix of the camera's parameters
    :param of_all: settings of all cameras
    :return: None if there is no difference
    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    prefix = f'{prefix}.{_ENCODER}'
    own = _given(reader, EncoderConfig, prefix)
    program = _given(reader, FfmpegSettings, f'{prefix}.{_FFMPEG}')
    if not own and not program:
        return None
    inherited = {one.name: getattr(of_all, one.name) for one in fields(EncoderConfig)}
    vcodec = own.setdefault('vcodec', AUTO_ENCODER if 'profile' in own else of_all.vcodec)
    if vcodec != of_all.vcodec:
        inherited |= of_all.changes_for(vcodec)
    return _config(inherited | own, program, prefix)


def _given(reader: ParameterReader, config: type, prefix: str) -> dict[str, Any]:
    """Read the parameters of a dataclass that the user has set for one camera."""
    given: dict[str, Any] = {}
    for field, setting in options_of(config).items():
        is_number = setting.low is not None
        nothing = setting.kind(-1) if is_number else setting.kind()
        text = f'{setting.description}; {"-1" if is_number else "empty"}: {_INHERITED}'
        low = nothing if is_number else None
        value = reader.read(replace(setting, default=nothing, description=text, low=low), prefix)
        if value == nothing:
            continue
        if is_number and value < setting.low:
            name = setting.below(prefix).name
            raise ConfigError(name, value, f'{setting.allowed}, or -1: {_INHERITED}')
        given[field] = value
    return given


def _config(values: dict[str, Any], program: dict[str, Any], prefix: str) -> EncoderConfig:
    """
    Make encoder settings from the values of parameters.

    :param values: values by field of ``EncoderConfig``
    :param program: values by field of ``FfmpegSettings`` that replace those in ``values``
    :param prefix: prefix of the parameters
    :raise CodecError: if a value is not allowed; the error names the parameter
    """
    if not isinstance(values['extra_options'], dict):
        values['extra_options'] = _options(prefix, values['extra_options'])
    values['preset'] = values['preset'] if values['preset'] != '' else None
    try:
        values[_FFMPEG] = replace(values[_FFMPEG], **program)
        return EncoderConfig(**values)
    except CodecError as error:
        # The error names the parameters of all cameras.
        name = error.name.replace(_ENCODER, prefix, 1)
        raise CodecError(name, error.value, error.allowed) from error


def _options(prefix: str, pairs: tuple[str, ...]) -> dict[str, str]:
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition('=')
        if not equals or not name:
            raise ConfigError(f'{prefix}.extra_options', pair, 'write each option as name=value')
        options[name] = value
    return options


@dataclass(frozen=True, slots=True)
class Source:
    """
    A stream and the settings by which its messages are read.

    :param parameter: prefix of its parameters, such as ``camera.front``
    :param stream: configuration of the stream
    :param message_type: type of a vector's messages; empty for a camera
    :param elements: elements of a vector; None for a camera
    :param condition: condition on the only element, whose truth is recorded instead; None: none
    :param camera_info: topic of a camera's calibration; empty: beside its pictures
    """

    parameter: str
    stream: StreamConfig
    stamp: str = option(
        HEADER,
        'The instant of a message: header (its stamp) or receive (its arrival)',
        choices=_STAMPS,
    )
    qos: str = option(
        QOS_FROM_PUBLISHER,
        'Reliability of the subscription: best_effort, reliable, or that of the publishers (auto)',
        choices=QOS_CHOICES,
    )
    message_type: str = ''
    elements: Elements | None = None
    condition: Condition | None = None
    transport: str = option(
        AUTO,
        f'Raw or compressed images: {", ".join(TRANSPORTS)}',
        choices=TRANSPORTS,
    )
    camera_info: str = ''


def read_topic(reader: ParameterReader, setting: Option, prefix: str) -> str:
    """
    Read the name of a topic.

    :param setting: the parameter, named without the prefix
    :param prefix: prefix of the parameter, such as ``camera.front``
    :raise ConfigError: if the value is not a topic name
    """
    topic: str = reader.read(setting, prefix)
    if topic:
        check_topic(f'{prefix}.{setting.name}', topic)
    return topic


def check_topic(parameter: str, topic: str) -> None:
    """
    Check the name of a topic.

    :param parameter: parameter that holds the name, for the error
    :raise ConfigError: if it is not a topic name
    """
    problem = topic_name_problem(topic)
    if problem:
        raise ConfigError(parameter, topic, f'invalid topic name: {problem}')


def read_stream(
    reader: ParameterReader, prefix: str, key: str, topic: str, stamp: str
) -> StreamConfig:
    """
    Read the time settings that every stream has.

    :param prefix: prefix of the stream's parameters, such as ``camera.front``
    :param key: key of the stream
    :param topic: name of its topic
    :param stamp: ``HEADER`` or ``RECEIVE``
    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    values = reader.read_fields(StreamConfig, prefix, 'max_age_s', 'offset_ms', 'policy')
    values['policy'] = Policy(values['policy'])
    return StreamConfig(key=key, topic=topic, is_stamped_here=stamp == RECEIVE, **values)


def read_cameras(reader: ParameterReader, encoder: EncoderConfig) -> tuple[Source, ...]:
    """
    Read the parameters of all cameras.

    :param encoder: settings for cameras that have none of their own
    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    return tuple(_camera(reader, name, encoder) for name in reader.read(_CAMERAS))


def _camera(reader: ParameterReader, name: str, encoder: EncoderConfig) -> Source:
    key = check_feature_key('cameras', IMAGES + name)
    prefix = f'camera.{name}'
    topic = read_topic(reader, _TOPIC, prefix)
    if not topic:
        raise ConfigError(f'{prefix}.topic', topic, f'the camera {name} needs a topic')
    reading = reader.read_fields(Source, prefix, 'stamp', 'qos', 'transport')
    stream = replace(
        read_stream(reader, prefix, key, topic, reading['stamp']),
        depth=read_depth(reader, prefix),
        encoder=read_camera_encoder(reader, prefix, encoder),
    )
    return Source(
        prefix, stream, **reading, camera_info=read_topic(reader, _CAMERA_INFO, prefix)
    )
