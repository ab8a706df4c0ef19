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
"""The recorder's configuration from ROS parameters; its classes define the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import os
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.takes.salvage import RECOVERIES
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.qos import COMPRESSED_TYPE, RAW_TYPE
from lerobot_streamrec.nodes.parameters.encoder_settings import read_encoder
from lerobot_streamrec.nodes.parameters.operating_settings import OperatingSettings, read_operating
from lerobot_streamrec.nodes.parameters.parameter_reader import defaults_of, ParameterReader, Spec
from lerobot_streamrec.nodes.parameters.stream_settings import read_cameras, Source
from lerobot_streamrec.nodes.parameters.vector_settings import (
    ACTION,
    read_vectors,
    TypeOf,
    vector_sources,
    VectorSettings,
)
from lerobot_streamrec.nodes.teleop.teleop_settings import JOY_TYPE, read_teleop, TeleopSettings
from lerobot_streamrec.recording.config import (
    DEFERRED_FORMATS,
    DiskConfig,
    Limits,
    ON_SHUTDOWN,
    RecorderConfig,
)

_RECORDER = defaults_of(RecorderConfig)

_OPTIONS = {
    'fps': Spec('fps', _RECORDER['fps'], 'Rows and frames per second', 1, 1000),
    'task': Spec(
        'task', _RECORDER['task'], 'What the robot has to do, in one sentence', read_only=False
    ),
    'operator': Spec(
        'operator',
        _RECORDER['operator'],
        'Name of the person who teaches, free text',
        read_only=False,
    ),
    'resume': Spec(
        'resume',
        _RECORDER['resume'],
        'true: append to an existing dataset of the same kind; false: refuse any existing dataset',
    ),
    'max_lateness_s': Spec(
        'sync.max_lateness_s',
        _RECORDER['max_lateness_s'],
        'Longest time that rows wait for a stream that lags behind the others, in seconds',
        0.0,
        60.0,
    ),
    'queue_mib': Spec(
        'queue_mib',
        _RECORDER['queue_mib'],
        'Memory for the frames of all cameras that wait for an encoder, in MiB',
        1,
        1 << 20,
    ),
    'spill_mib': Spec(
        'spill_mib',
        _RECORDER['spill_mib'],
        'Disk space for the frames of all cameras that wait for an encoder, in MiB; 0: none',
        0,
        1 << 24,
    ),
    'encode': Spec(
        'encode',
        _RECORDER['encode'],
        'When frames are encoded: as they arrive (streaming) or after the episode (deferred)',
    ),
    'encode_batch_size': Spec(
        'encode_batch_size',
        _RECORDER['encode_batch_size'],
        'Number of waiting episodes at which deferred encoding starts; 0: it starts when the '
        'dataset is finalized',
        0,
        1_000_000,
    ),
    'deferred_format': Spec(
        'deferred_format',
        _RECORDER['deferred_format'],
        f'How deferred encoding stores the frames on the disk: {" or ".join(DEFERRED_FORMATS)}',
    ),
    'max_pending_episodes': Spec(
        'max_pending_episodes',
        _RECORDER['max_pending_episodes'],
        'Largest number of saved episodes that are being written to the disk at once',
        1,
        100,
    ),
    'save_timeout_s': Spec(
        'save_timeout_s',
        _RECORDER['save_timeout_s'],
        'Longest time after a save that the encoders may make no progress, in seconds',
        1.0,
        86400.0,
    ),
    'on_shutdown': Spec(
        'on_shutdown',
        _RECORDER['on_shutdown'],
        f'What happens to a running episode at shutdown: {" or ".join(ON_SHUTDOWN)}',
    ),
    'compact_at_finalize': Spec(
        'compact_at_finalize',
        _RECORDER['compact_at_finalize'],
        "Merge small files up to LeRobot's file sizes when the dataset is finalized",
    ),
    'preroll_s': Spec(
        'preroll_s',
        _RECORDER['preroll_s'],
        'Time before its start that becomes part of an episode, in seconds',
        0.0,
        60.0,
    ),
    'preroll_mib': Spec(
        'preroll_mib',
        _RECORDER['preroll_mib'],
        'Memory for the frames of all cameras during preroll_s, in MiB; if it does not suffice, '
        'the preroll is shorter',
        1,
        1 << 20,
    ),
    'recovery': Spec(
        'recovery',
        _RECORDER['recovery'],
        f'What happens to an episode that a crash interrupted: {", ".join(RECOVERIES)}',
    ),
}
_DISK = defaults_of(DiskConfig)
_DISK_OPTIONS = {
    'reserve_mib': Spec(
        'disk.reserve_mib',
        _DISK['reserve_mib'],
        'Disk space that is kept free, in MiB; a running episode is saved when no more is left',
        1,
        1 << 30,
    ),
    'min_start_s': Spec(
        'disk.min_start_s',
        _DISK['min_start_s'],
        'An episode does not start if the disk would be full sooner than this, in seconds',
        0.0,
        86400.0,
    ),
    'warn_minutes': Spec(
        'disk.warn_minutes',
        _DISK['warn_minutes'],
        'Warn if the disk will be full sooner than this, in minutes',
        0.0,
        100_000.0,
    ),
}
_LIMITS = defaults_of(Limits)
_LIMIT_OPTIONS = {
    'max_repeated_fraction': Spec(
        'limits.max_repeated_fraction',
        _LIMITS['max_repeated_fraction'],
        "Largest share of a camera's frames that may repeat the previous frame; an episode with "
        'more goes to quarantine; repeats because a camera is slower than fps do not count',
        0.0,
        1.0,
    ),
    'max_skew_ms': Spec(
        'limits.max_skew_ms',
        _LIMITS['max_skew_ms'],
        'Longest time between a sample and the instant of its row, in milliseconds; an episode '
        'with more goes to quarantine; 0: no limit; streams whose max_age_s is 0 are exempt',
        0.0,
        1e6,
    ),
}
_CLOCK = Spec('sync.clock', '', 'Camera whose frames are the rows; empty: rows are 1/fps apart')
_KEY_FIRST = Spec(
    'sync.start_at_key_frame',
    _RECORDER['is_key_first'],
    'true: row 0 waits for a key frame of a clock camera that sends H.264, H.265 or AV1, so that '
    'its packets can be copied',
)
_PER_ROW = Spec(
    'provenance.per_row',
    _RECORDER['is_per_row'],
    'true: store the instants of every row and of its samples in .streamrec/row_stamps',
)
_GRAPH_TIMEOUT = Spec(
    'graph_timeout_s',
    30.0,
    'Longest time to wait at the start for a publisher of a topic without a type, in seconds',
    0.0,
    86400.0,
)
_PICTURES = (RAW_TYPE, COMPRESSED_TYPE)
_REPO_ID = Spec('repo_id', '', 'Name of the dataset on the Hub, owner/name')
_ROOT = Spec('root', '', "Folder of the dataset; empty: LeRobot's default folder for repo_id")
_ROBOT_TYPE = Spec('robot_type', '', 'Kind of robot, free text')


@dataclass(frozen=True, slots=True)
class Settings:
    """
    All settings of the user.

    :param recorder: configuration of the recorder
    :param sources: one source for each stream of the recorder, in the same order
    :param operating: rules and cues for the operator
    :param teleop: buttons and topics that give commands
    """

    recorder: RecorderConfig
    sources: tuple[Source, ...]
    operating: OperatingSettings = field(default_factory=OperatingSettings)
    teleop: TeleopSettings = field(default_factory=TeleopSettings)

    @property
    def action_keys(self) -> frozenset[str]:
        """The keys of the streams that make up the action."""
        return frozenset(
            one.stream.key for one in self.sources if one.stream.feature == ACTION
        )


@dataclass(frozen=True, slots=True)
class GivenSettings:
    """
    The values of the parameters, before the types of topics are looked up in the graph.

    :param cameras: all cameras
    :param vectors: all topics of numbers
    :param options: options of ``RecorderConfig`` other than the streams
    :param graph_timeout_s: longest time to wait for a publisher of a topic whose type is not set
    :param operating: rules and cues for the operator
    :param teleop: buttons and topics that give commands
    """

    cameras: tuple[Source, ...]
    vectors: tuple[VectorSettings, ...]
    options: Mapping[str, Any]
    graph_timeout_s: float
    operating: OperatingSettings
    teleop: TeleopSettings

    def complete(self, type_of: TypeOf, full_name: Callable[[str], str] = str) -> Settings:
        """
        Look up the types that are not set, and return complete settings.

        :param type_of: function that returns the type of a topic
        :param full_name: function that resolves a topic name; the default leaves names unchanged
        :raise ConfigError: if a parameter cannot be used; the error names the first one
        """
        sources = (*self.cameras, *vector_sources(self.vectors, type_of))
        _refuse_two_types(sources, self.teleop, full_name)
        streams = tuple(source.stream for source in sources)
        settings = Settings(
            RecorderConfig(streams=streams, **self.options), sources, self.operating, self.teleop
        )
        if self.operating.rules.automatic.is_by_motion and not settings.action_keys:
            raise ConfigError(
                'auto.start_on_motion or auto.save_after_still_s',
                'set',
                'these parameters watch the action, so action.topic has to be set too',
            )
        return settings


def read_settings(reader: ParameterReader) -> GivenSettings:
    """
    Read every parameter.

    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    encoder = read_encoder(reader)
    cameras, vectors = read_cameras(reader, encoder), read_vectors(reader)
    repo_id, root = reader.read(_REPO_ID), reader.read(_ROOT)
    options = {name: reader.read(spec) for name, spec in _OPTIONS.items()}
    disk = {name: reader.read(spec) for name, spec in _DISK_OPTIONS.items()}
    limits = {name: reader.read(spec) for name, spec in _LIMIT_OPTIONS.items()}
    options |= {
        'robot_type': reader.read(_ROBOT_TYPE) or None,
        'encoder': encoder,
        'disk': DiskConfig(**disk),
        'limits': Limits(**limits),
        'clock': _clock(reader.read(_CLOCK), cameras),
        'is_key_first': reader.read(_KEY_FIRST),
        'is_per_row': reader.read(_PER_ROW),
    }
    graph_timeout_s = reader.read(_GRAPH_TIMEOUT)
    teleop = read_teleop(reader)
    operating = read_operating(reader, teleop.debounce_s)
    reader.refuse_unknown()
    options['root'] = _root(root, repo_id)
    return GivenSettings(cameras, vectors, options, graph_timeout_s, operating, teleop)


def _refuse_two_types(
    sources: Sequence[Source], teleop: TeleopSettings, full_name: Callable[[str], str]
) -> None:
    """
    Refuse to read a topic as two types, which no middleware supports in one process.

    :raise ConfigError: if a topic has two types; the error names both parameters
    """
    first: dict[str, tuple[str, tuple[str, ...]]] = {}
    for one in sources:
        # The publisher of a camera decides which of the two image types is read.
        types = _PICTURES if one.stream.is_camera else (one.message_type,)
        topic = full_name(one.stream.topic)
        parameter, others = first.setdefault(topic, (one.parameter, types))
        if not set(types) & set(others):
            raise ConfigError(
                f'{one.parameter}.topic',
                topic,
                f'{one.parameter} would read it as {types[0]}, but {parameter} reads it as '
                f'{others[0]}, and a topic has only one type',
            )
    gamepad = full_name(teleop.joy_topic)
    if teleop.bindings and gamepad in first and JOY_TYPE not in first[gamepad][1]:
        parameter, others = first[gamepad]
        raise ConfigError(
            'teleop.joy.topic',
            gamepad,
            f'{parameter} reads it as {others[0]}, but a gamepad publishes {JOY_TYPE}',
        )


def _clock(name: str, cameras: Sequence[Source]) -> str:
    """Return the stream key of the clock camera; empty if the name is empty."""
    if not name:
        return ''
    keys = {source.parameter.partition('.')[2]: source.stream.key for source in cameras}
    if name not in keys:
        raise ConfigError('sync.clock', name, f'allowed are {", ".join(keys)}, or an empty text')
    return keys[name]


def _root(root: str, repo_id: str) -> Path:
    if root:
        return absolute_path('root', root)
    if not repo_id:
        raise ConfigError('root', root, 'set root to a folder, or repo_id to owner/name')
    parts = repo_id.split('/')
    if not all(part and part.strip('.') and '\\' not in part for part in parts):
        raise ConfigError('repo_id', repo_id, 'a name like owner/name is needed')
    # LeRobot looks up these variables in the same order.
    home = os.environ.get('HF_HOME') or '~/.cache/huggingface'
    lerobot_home = os.environ.get('HF_LEROBOT_HOME') or f'{home}/lerobot'
    return absolute_path('HF_LEROBOT_HOME', lerobot_home) / repo_id


def absolute_path(name: str, folder: str) -> Path:
    """
    Return the absolute path of a folder, with ~ and ~user expanded.

    :param name: parameter or variable that names the folder, for the error
    :param folder: path of the folder
    :raise ConfigError: if the home folder of the user cannot be determined
    """
    try:
        return Path(folder).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigError(
            name, folder, 'there is no home folder of this user: give an absolute path'
        ) from error
