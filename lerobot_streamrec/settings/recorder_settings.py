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
"""The recorder's configuration from parameters; its classes define the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
import os
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.features import ACTION
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import Option, option
from lerobot_streamrec.recording.config import DiskConfig, Limits, RecorderConfig
from lerobot_streamrec.recording.operating.config import AutomaticConfig, OperatingConfig
from lerobot_streamrec.recording.operating.cues import CuesConfig
from lerobot_streamrec.settings.hil_settings import PAUSE_AT_TAKEOVER, read_intervention
from lerobot_streamrec.settings.parameter_file import parameters_of
from lerobot_streamrec.settings.parameter_reader import METADATA, ParameterReader
from lerobot_streamrec.settings.stream_settings import read_cameras, read_encoder, Source
from lerobot_streamrec.settings.teleop_settings import JOY_TYPE, read_teleop, TeleopSettings
from lerobot_streamrec.settings.topic_names import full_topic_name
from lerobot_streamrec.settings.transports import PICTURE_TYPES
from lerobot_streamrec.settings.vector_settings import (
    LoadFields,
    read_vectors,
    TypeOf,
    vector_sources,
    VectorSettings,
)

NODE_NAME = 'episode'
"""The name of the recorder's node."""

_CLOCK = Option('sync.clock', '', 'Camera whose frames are the rows; empty: rows are 1/fps apart')
_GRAPH_TIMEOUT = Option(
    'graph_timeout_s',
    30.0,
    'Longest time to wait at the start for a publisher of a topic without a type, in seconds',
    0.0,
    86400.0,
)
_REPO_ID = Option('repo_id', '', 'Name of the dataset on the Hub, owner/name')
_ROOT = Option('root', '', "Folder of the dataset; empty: LeRobot's default folder for repo_id")


@dataclass(frozen=True, slots=True)
class PreviewConfig:
    """The rate and the size of previews."""

    rate_hz: float = option(
        5.0,
        'Rate of the previews on ~/preview/..., which are made only while somebody subscribes to '
        'them, in messages per second; 0: there are none',
        0.0,
        30.0,
    )
    width: int = option(320, "Width of the cameras' previews, in pixels", 32, 1920)


@dataclass(frozen=True, slots=True)
class Settings:
    """
    All settings of the user.

    :param recorder: configuration of the recorder
    :param sources: one source for each stream of the recorder, in the same order
    :param rules: rules against slips, and automatic episodes
    :param cues: the operator's cues
    :param teleop: buttons and topics that give commands
    :param previews: small live pictures and numbers for people
    """

    recorder: RecorderConfig
    sources: tuple[Source, ...]
    rules: OperatingConfig = field(default_factory=OperatingConfig)
    cues: CuesConfig = field(default_factory=CuesConfig)
    teleop: TeleopSettings = field(default_factory=TeleopSettings)
    previews: PreviewConfig = field(default_factory=PreviewConfig)

    @property
    def action_keys(self) -> frozenset[str]:
        """The keys of the streams that make up the action."""
        return frozenset(one.stream.key for one in self.sources if one.stream.feature == ACTION)


@dataclass(frozen=True, slots=True)
class GivenSettings:
    """
    The values of the parameters, before the types of topics are looked up in the graph.

    :param cameras: all cameras
    :param vectors: all topics of numbers
    :param options: options of ``RecorderConfig`` other than the streams
    :param graph_timeout_s: longest time to wait for a publisher of a topic whose type is not set
    :param rules: rules against slips, and automatic episodes
    :param cues: the operator's cues
    :param teleop: buttons and topics that give commands
    :param previews: small live pictures and numbers for people
    """

    cameras: tuple[Source, ...]
    vectors: tuple[VectorSettings, ...]
    options: Mapping[str, Any]
    graph_timeout_s: float
    rules: OperatingConfig
    cues: CuesConfig
    teleop: TeleopSettings
    previews: PreviewConfig

    def complete(
        self, type_of: TypeOf, load_fields: LoadFields, full_name: Callable[[str], str] = str
    ) -> Settings:
        """
        Look up the types that are not set, and return complete settings.

        :param type_of: function that returns the type of a topic
        :param load_fields: function that returns the fields of a message type
        :param full_name: function that resolves a topic name; the default leaves names unchanged
        :raise ConfigError: if a parameter cannot be used; the error names the first one
        """
        sources = (*self.cameras, *vector_sources(self.vectors, type_of, load_fields))
        _refuse_two_types(sources, self.teleop, full_name)
        streams = tuple(source.stream for source in sources)
        settings = Settings(
            RecorderConfig(streams=streams, **self.options),
            sources,
            self.rules,
            self.cues,
            self.teleop,
            self.previews,
        )
        if self.rules.automatic.is_by_motion and not settings.action_keys:
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
    cameras = read_cameras(reader, encoder)
    vectors, intervention = read_vectors(reader), read_intervention(reader)
    repo_id, root = reader.read(_REPO_ID), reader.read(_ROOT)
    options = reader.read_fields(RecorderConfig)
    if intervention and not options['is_hil']:
        topic = intervention[0].stream.topic
        raise ConfigError('hil.intervention', topic, 'it needs hil.enabled: true')
    options['robot_type'] = options['robot_type'] or None
    options['metadata'] = reader.read_texts(METADATA)
    options |= {
        'encoder': encoder,
        'disk': DiskConfig(**reader.read_fields(DiskConfig, 'disk')),
        'limits': Limits(**reader.read_fields(Limits, 'limits')),
        'clock': _clock(reader.read(_CLOCK), cameras),
    }
    graph_timeout_s = reader.read(_GRAPH_TIMEOUT)
    teleop = read_teleop(reader)
    rules = OperatingConfig(
        **reader.read_fields(OperatingConfig, 'limits'),
        debounce_s=teleop.debounce_s,
        pauses_at_takeover=reader.read(PAUSE_AT_TAKEOVER),
        automatic=AutomaticConfig(**reader.read_fields(AutomaticConfig, 'auto')),
    )
    cues = CuesConfig(**reader.read_fields(CuesConfig))
    previews = PreviewConfig(**reader.read_fields(PreviewConfig, 'preview'))
    reader.refuse_unknown()
    options['root'] = _root(root, repo_id)
    return GivenSettings(
        cameras, (*vectors, *intervention), options, graph_timeout_s, rules, cues, teleop, previews
    )


def recorder_node_name(namespace: str) -> str:
    """Return the full name of the recorder's node in a namespace, such as ``/left`` or ``/``."""
    return f'/{namespace.strip("/")}/{NODE_NAME}'.replace('//', '/')


def settings_of(
    path: Path,
    namespace: str,
    type_of: TypeOf,
    load_fields: LoadFields,
    replaced: Mapping[str, Any] | None = None,
) -> Settings:
    """
    Read the settings from a parameter file, as a recorder would that is started with it alone.

    :param path: path of the file
    :param namespace: namespace of the recorder, such as ``/left``; ``/`` if it has none
    :param type_of: function that returns the type of a topic, which it gets as the file names it
    :param load_fields: function that returns the fields of a message type
    :param replaced: values that replace those of the file, by the names of their parameters
    :raise ConfigError: if the file cannot be read, or a parameter cannot be used
    """
    full_name = partial(full_topic_name, node_name=recorder_node_name(namespace))
    given = given_settings_of(path, namespace, replaced)
    return given.complete(type_of, load_fields, full_name)


def given_settings_of(
    path: Path, namespace: str, replaced: Mapping[str, Any] | None = None
) -> GivenSettings:
    """
    Read a parameter file like ``settings_of``, but look up no types.

    :raise ConfigError: if the file cannot be read, or a parameter cannot be used
    """
    given = parameters_of(path, recorder_node_name(namespace))
    return read_settings(ParameterReader({**given, **(replaced or {})}))


def _refuse_two_types(
    sources: Sequence[Source], teleop: TeleopSettings, full_name: Callable[[str], str]
) -> None:
    """
    Refuse to read a topic as two types, which no middleware supports in one process.

    :raise ConfigError: if a topic has two types; the error names both parameters
    """
    first: dict[str, tuple[str, tuple[str, ...]]] = {}
    for one in sources:
        # The publisher of a camera decides which of these types is read.
        types = PICTURE_TYPES if one.stream.is_camera else (one.message_type,)
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
