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
"""From ROS parameters to the recorder's configuration. Defaults are the configuration's own."""

from __future__ import annotations

from dataclasses import dataclass, fields
import os
from pathlib import Path
from typing import Any

from lerobot_streamrec.conversions.vector import JOINT_FIELDS, JOINT_STATE, MESSAGE_TYPES
from lerobot_streamrec.dataset.features import check_feature_key
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.parameters import ParameterReader, Spec
from lerobot_streamrec.recording.config import ON_SHUTDOWN, RecorderConfig, StreamConfig
from lerobot_streamrec.video.config import EncoderConfig, VCODECS

HEADER = 'header'
RECEIVE = 'receive'
_STAMPS = (HEADER, RECEIVE)


def _defaults(config: type) -> dict[str, Any]:
    """Return the defaults of a configuration class: they stand there and nowhere else."""
    return {one.name: one.default for one in fields(config)}


_RECORDER = _defaults(RecorderConfig)
_ENCODER = _defaults(EncoderConfig)
_STREAM = _defaults(StreamConfig)


@dataclass(frozen=True, slots=True)
class Source:
    """
    How a stream's messages are read.

    :param parameter: prefix of its parameters, such as ``camera.front``
    :param stream: what becomes of them
    :param stamp: ``header`` or ``receive``
    :param message_type: of a vector
    :param field: of a joint state
    """

    parameter: str
    stream: StreamConfig
    stamp: str
    message_type: str = ''
    field: str = ''


@dataclass(frozen=True, slots=True)
class Settings:
    """
    All that the user has set.

    :param recorder: for the core
    :param sources: one for each of its streams, in the same order
    """

    recorder: RecorderConfig
    sources: tuple[Source, ...]


def read_settings(reader: ParameterReader) -> Settings:
    """
    Read every parameter.

    :raise ConfigError: naming the first that cannot be used
    """
    names = reader.read(Spec('cameras', [], 'Names of the cameras; see camera.<name>.topic'))
    sources = [_camera(reader, name) for name in names]
    sources += [one for key in ('state', 'action') if (one := _vector(reader, key)) is not None]
    encoder = _encoder(reader)
    repo_id = reader.read(Spec('repo_id', '', 'Name of the dataset on the Hub, owner/name'))
    root = reader.read(
        Spec('root', '', "Folder of the dataset; empty: LeRobot's own place for repo_id")
    )
    robot_type = reader.read(Spec('robot_type', '', 'Kind of robot, free text'))
    recorder = RecorderConfig(
        root=_root(root, repo_id),
        streams=tuple(source.stream for source in sources),
        fps=reader.read(Spec('fps', _RECORDER['fps'], 'Rows and frames per second', 1, 1000)),
        robot_type=robot_type or None,
        task=reader.read(
            Spec(
                'task',
                _RECORDER['task'],
                'What the robot is to do, in a sentence',
                read_only=False,
            )
        ),
        resume=reader.read(
            Spec('resume', _RECORDER['resume'], 'Append to the dataset at root if there is one')
        ),
        encoder=encoder,
        max_lateness_s=reader.read(
            Spec(
                'sync.max_lateness_s',
                _RECORDER['max_lateness_s'],
                'How long rows wait for a stream that stays behind the others, seconds',
                0.0,
                60.0,
            )
        ),
        queue_mib=reader.read(
            Spec(
                'queue_mib',
                _RECORDER['queue_mib'],
                'Memory for pictures that wait for encoders, all cameras, MiB',
                1,
                1 << 20,
            )
        ),
        max_pending_episodes=reader.read(
            Spec(
                'max_pending_episodes',
                _RECORDER['max_pending_episodes'],
                'Saved episodes that may be on their way to the disk at once',
                1,
                100,
            )
        ),
        save_timeout_s=reader.read(
            Spec(
                'save_timeout_s',
                _RECORDER['save_timeout_s'],
                'How long the encoders may take to finish after a save, seconds',
                1.0,
                86400.0,
            )
        ),
        on_shutdown=reader.read(
            Spec(
                'on_shutdown',
                _RECORDER['on_shutdown'],
                f'What becomes of a running episode at the end: {" or ".join(ON_SHUTDOWN)}',
            )
        ),
    )
    reader.refuse_unknown()
    return Settings(recorder, tuple(sources))


def _camera(reader: ParameterReader, name: str) -> Source:
    key = check_feature_key('cameras', f'observation.images.{name}')
    prefix = f'camera.{name}'
    topic = reader.read(Spec(f'{prefix}.topic', '', 'Topic of sensor_msgs/msg/Image'))
    if not topic:
        raise ConfigError(f'{prefix}.topic', topic, f'the camera {name} needs a topic')
    return Source(
        prefix, StreamConfig(key, topic, (), _max_age(reader, prefix)), _stamp(reader, prefix)
    )


def _vector(reader: ParameterReader, prefix: str) -> Source | None:
    key = {'state': 'observation.state', 'action': 'action'}[prefix]
    topic = reader.read(Spec(f'{prefix}.topic', '', f'Topic of {key}; empty: not recorded'))
    message_type = reader.read(
        Spec(f'{prefix}.type', JOINT_STATE, f'Type of its messages: {" or ".join(MESSAGE_TYPES)}')
    )
    names = reader.read(
        Spec(f'{prefix}.names', [], 'Joints to select, in order; names of the numbers of an array')
    )
    field = reader.read(
        Spec(
            f'{prefix}.field',
            JOINT_FIELDS[0],
            f'Which numbers of a joint state: {", ".join(JOINT_FIELDS)}',
        )
    )
    max_age_s, stamp = _max_age(reader, prefix), _stamp(reader, prefix)
    if not topic:
        return None
    if message_type not in MESSAGE_TYPES:
        raise ConfigError(
            f'{prefix}.type', message_type, f'allowed are {", ".join(MESSAGE_TYPES)}'
        )
    if not names:
        raise ConfigError(
            f'{prefix}.names', names, f'name the joints or numbers that {topic} brings, in order'
        )
    if len(set(names)) < len(names):
        raise ConfigError(f'{prefix}.names', names, 'every name may stand once')
    if field not in JOINT_FIELDS:
        raise ConfigError(f'{prefix}.field', field, f'allowed are {", ".join(JOINT_FIELDS)}')
    if message_type != JOINT_STATE:
        if stamp == HEADER and reader.is_given(f'{prefix}.stamp'):
            raise ConfigError(f'{prefix}.stamp', stamp, f'{message_type} has no header: receive')
        stamp = RECEIVE
    return Source(
        prefix, StreamConfig(key, topic, tuple(names), max_age_s), stamp, message_type, field
    )


def _max_age(reader: ParameterReader, prefix: str) -> float:
    value: float = reader.read(
        Spec(
            f'{prefix}.max_age_s',
            _STREAM['max_age_s'],
            'Age at which a sample counts as stale, seconds; 0: never',
            0.0,
            1e6,
        )
    )
    return value


def _stamp(reader: ParameterReader, prefix: str) -> str:
    name = f'{prefix}.stamp'
    value: str = reader.read(
        Spec(name, HEADER, f"A message's instant: {HEADER} (its stamp) or {RECEIVE} (its arrival)")
    )
    if value not in _STAMPS:
        raise ConfigError(name, value, f'allowed are {", ".join(_STAMPS)}')
    return value


def _encoder(reader: ParameterReader) -> EncoderConfig:
    return EncoderConfig(
        vcodec=reader.read(
            Spec('encoder.vcodec', _ENCODER['vcodec'], f'Codec: {", ".join(VCODECS)}')
        ),
        pix_fmt=reader.read(
            Spec('encoder.pix_fmt', _ENCODER['pix_fmt'], "FFmpeg's pixel format of the videos")
        ),
        g=reader.read(
            Spec('encoder.g', _ENCODER['g'], 'Distance of key frames in frames', 1, 100_000)
        ),
        crf=reader.read(
            Spec(
                'encoder.crf',
                float(_ENCODER['crf']),
                'Constant rate factor: less is better and larger',
                0.0,
                63.0,
            )
        ),
        preset=reader.read(
            Spec(
                'encoder.preset',
                '',
                "Speed against size, in the codec's words; empty: LeRobot's default",
            )
        )
        or None,
        fast_decode=reader.read(
            Spec('encoder.fast_decode', _ENCODER['fast_decode'], 'How much to ease decoding', 0, 2)
        ),
        encoder_threads=reader.read(
            Spec(
                'encoder.encoder_threads',
                _ENCODER['encoder_threads'],
                'Threads per camera; 0: the cores shared out over the cameras',
                0,
                1024,
            )
        ),
        extra_options=_options(
            reader.read(Spec('encoder.extra_options', [], 'More FFmpeg options, each name=value'))
        ),
    )


def _options(pairs: list[str]) -> dict[str, str]:
    options = {}
    # Parameter files cannot hold an empty list; a list of one empty text stands for it.
    for pair in filter(None, pairs):
        name, equals, value = pair.partition('=')
        if not equals or not name:
            raise ConfigError('encoder.extra_options', pair, 'write each as name=value')
        options[name] = value
    return options


def _root(root: str, repo_id: str) -> Path:
    if root:
        return Path(root).expanduser().absolute()
    if not repo_id:
        raise ConfigError('root', root, 'set root to a folder, or repo_id to owner/name')
    parts = repo_id.split('/')
    if not all(part and part.strip('.') and '\\' not in part for part in parts):
        raise ConfigError('repo_id', repo_id, 'owner/name is needed')
    # The order in which LeRobot itself looks.
    home = os.environ.get('HF_HOME') or '~/.cache/huggingface'
    lerobot_home = os.environ.get('HF_LEROBOT_HOME') or f'{home}/lerobot'
    return Path(lerobot_home).expanduser().absolute() / repo_id
