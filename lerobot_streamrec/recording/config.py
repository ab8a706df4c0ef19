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
"""The configuration of the recorder. ROS parameters get name, default and text from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lerobot_streamrec.dataset.format.episode_table import refuse_text_name
from lerobot_streamrec.dataset.format.features import (
    camera_feature,
    DONE,
    FeatureSpec,
    INTERVENTION,
    LANGUAGE,
    SINGLE_FLAG,
    SUBTASK_FEATURES,
    SUBTASK_INDEX,
    SUCCESS,
    vector_feature,
)
from lerobot_streamrec.dataset.takes.salvage import RECOVERIES, SAVE
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import check_choices, option, options_of
from lerobot_streamrec.recording.stream_config import check_parts, check_policy, StreamConfig
from lerobot_streamrec.sync.row_clock import NS_PER_S
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.depth_config import DEPTH_ENCODER
from lerobot_streamrec.video.codecs.scheduling import cores_each

ON_SHUTDOWN = ('save', 'discard')
STREAMING = 'streaming'
DEFERRED = 'deferred'
ENCODE = (STREAMING, DEFERRED)
"""When frames are encoded: as they arrive, or after the episode."""
RAW = 'raw'
PNG = 'png'
DEFERRED_FORMATS = (RAW, PNG)
"""The format of frames on the disk that are encoded after the episode."""
NO_SUBTASKS = 'none'
SUBTASKS: Mapping[str, tuple[str, ...]] = {
    NO_SUBTASKS: (),
    'language': (LANGUAGE,),
    'index': (SUBTASK_INDEX,),
    'both': (SUBTASK_INDEX, LANGUAGE),
}
"""The features in which subtasks are stored, by the value of the parameter."""
MIB = 1024 * 1024
DEFAULT_MAX_LATENESS_S = 0.5


@dataclass(frozen=True, slots=True)
class DiskConfig:
    """The free space at which the disk counts as full."""

    reserve_mib: int = option(
        512,
        'Disk space that is kept free, in MiB; a running episode is saved when no more is left',
        1,
        1 << 30,
    )
    min_start_s: float = option(
        60.0,
        'An episode does not start if the disk would be full sooner than this, in seconds',
        0.0,
        86400.0,
    )
    warn_minutes: float = option(
        10.0, 'Warn if the disk will be full sooner than this, in minutes', 0.0, 100_000.0
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Limits beyond which an episode is put into quarantine instead of the dataset.

    :raise ConfigError: at construction, if a value is not allowed
    """

    max_repeated_fraction: float = option(
        1.0,
        "Largest share of a camera's frames that may repeat the previous frame; an episode with "
        'more goes to quarantine; repeats because a camera is slower than fps do not count',
        0.0,
        1.0,
    )
    max_skew_ms: float = option(
        0.0,
        'Longest time between a sample and the instant of its row, in milliseconds; an episode '
        'with more goes to quarantine; 0: no limit; streams whose max_age_s is 0 are exempt',
        0.0,
        1e6,
    )

    def __post_init__(self) -> None:
        for name, setting in options_of(Limits).items():
            setting.below('limits').check(getattr(self, name))


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """
    All settings of a recorder; fields made by ``option`` say what they are.

    :param root: folder of the dataset
    :param streams: cameras and vectors
    :param encoder: encoder settings of cameras that have none of their own
    :param disk: free space at which the disk counts as full
    :param limits: limits of a good episode
    :param metadata: further texts about each episode, by column of meta/episodes
    :param clock: video key of the camera whose frames are the rows; empty: rows are 1/fps apart
    :param num_recorders: recorders that encode at once and share the cores of this machine
    :param park_after_s: time from the request to end until encoders leave their frames on the disk
    :param abort_timeout_s: longest time to wait for an aborted encoder or journal
    :raise ConfigError: at construction, if a value is not allowed
    """

    root: Path
    streams: tuple[StreamConfig, ...]
    fps: int = option(30, 'Rows and frames per second', 1, 1000)
    robot_type: str | None = option(None, 'Kind of robot, free text', shown='')
    task: str = option('', 'What the robot has to do, in one sentence', is_live=True)
    operator: str = option('', 'Name of the person who teaches, free text', is_live=True)
    metadata: Mapping[str, str] = field(default_factory=dict)
    license: str = option(
        '', "License in the dataset's card, a name of the Hub such as apache-2.0; empty: unknown"
    )
    modality: bool = option(
        False, "true: finalize also writes GR00T's meta/modality.json, if there is none"
    )
    robot_files: bool = option(
        True,
        'true: keep calibrations, static transforms, robot description, parameters in meta/robot',
    )
    resume: bool = option(
        True,
        'true: append to an existing dataset of the same kind; false: refuse any existing dataset',
    )
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    disk: DiskConfig = field(default_factory=DiskConfig)
    limits: Limits = field(default_factory=Limits)
    is_hil: bool = option(
        False,
        'true: the columns of human-in-the-loop training: intervention, next.success, next.done',
        name='hil.enabled',
    )
    subtasks: str = option(
        NO_SUBTASKS,
        f'How subtasks are stored: {", ".join(SUBTASKS)}; language for LeRobot 0.6, index for 0.4',
        choices=tuple(SUBTASKS),
    )
    clock: str = ''
    is_key_first: bool = option(
        False,
        'true: row 0 waits for a key frame of a clock camera that sends H.264, H.265 or AV1, so '
        'that its packets can be copied',
        name='sync.start_at_key_frame',
    )
    is_per_row: bool = option(
        False,
        'true: store the instants of every row and of its samples in .streamrec/row_stamps',
        name='provenance.per_row',
    )
    max_lateness_s: float = option(
        DEFAULT_MAX_LATENESS_S,
        'Longest time that rows wait for a stream that lags behind the others, in seconds',
        0.0,
        60.0,
        name='sync.max_lateness_s',
    )
    queue_mib: int = option(
        256, 'Memory for the frames of all cameras that wait for an encoder, in MiB', 1, 1 << 20
    )
    spill_mib: int = option(
        8192,
        'Disk space for the frames of all cameras that wait for an encoder, in MiB; 0: none',
        0,
        1 << 24,
    )
    encode: str = option(
        STREAMING,
        'When frames are encoded: as they arrive (streaming) or after the episode (deferred)',
        choices=ENCODE,
    )
    head_room: float = option(
        2.0,
        'Usable cores for each core that encoding and receipt keep busy, which encoder.vcodec '
        'auto leaves at least',
        1.0,
        100.0,
        name='encoder.head_room',
    )
    encode_batch_size: int = option(
        1,
        'Number of waiting episodes at which deferred encoding starts; 0: it starts when the '
        'dataset is finalized',
        0,
        1_000_000,
    )
    deferred_format: str = option(
        RAW,
        f'How deferred encoding stores the frames on the disk: {" or ".join(DEFERRED_FORMATS)}',
        choices=DEFERRED_FORMATS,
    )
    max_pending_episodes: int = option(
        3, 'Largest number of saved episodes that are being written to the disk at once', 1, 100
    )
    save_timeout_s: float = option(
        60.0,
        'Longest time after a save that the encoders may make no progress, in seconds',
        1.0,
        86400.0,
    )
    on_shutdown: str = option(
        'save',
        f'What happens to a running episode at shutdown: {" or ".join(ON_SHUTDOWN)}',
        choices=ON_SHUTDOWN,
    )
    recovery: str = option(
        SAVE,
        f'What happens to an episode that a crash interrupted: {", ".join(RECOVERIES)}',
        choices=RECOVERIES,
    )
    compact_at_finalize: bool = option(
        True, "Merge small files up to LeRobot's file sizes when the dataset is finalized"
    )
    preroll_s: float = option(
        0.0, 'Time before its start that becomes part of an episode, in seconds', 0.0, 60.0
    )
    preroll_mib: int = option(
        256,
        'Memory for the frames of all cameras during preroll_s, in MiB; if it does not suffice, '
        'the preroll is shorter',
        1,
        1 << 20,
    )
    num_recorders: int = 1
    park_after_s: float = 2.0
    abort_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= 1000:
            raise ConfigError('fps', self.fps, 'allowed is 1 to 1000, a whole number')
        if not self.streams:
            raise ConfigError(
                'cameras',
                [],
                'there is nothing to record: set cameras, state.topic or action.topic',
            )
        for name in self.metadata:
            refuse_text_name('metadata', name)
        keys = [stream.key for stream in self.streams]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigError('cameras', key, 'every camera needs a unique name')
        for feature, parts in self.parts().items():
            check_parts(feature, parts)
        for stream in self.streams:
            check_policy(stream)
        cameras = [stream.key for stream in self.cameras]
        if self.clock and self.clock not in cameras:
            raise ConfigError(
                'sync.clock', self.clock, f'name a camera ({", ".join(cameras)}), or nothing'
            )
        check_choices(self)
        self._check_own_features()
        if self.encode_batch_size < 0:
            raise ConfigError('encode_batch_size', self.encode_batch_size, 'allowed are 0 ...')

    @property
    def cameras(self) -> tuple[StreamConfig, ...]:
        """The streams of cameras."""
        return tuple(stream for stream in self.streams if stream.is_camera)

    @property
    def max_lateness_ns(self) -> int:
        """``max_lateness_s`` in nanoseconds."""
        return round(self.max_lateness_s * NS_PER_S)

    def bytes_per_camera(self, mib: int) -> int:
        """Return one camera's share, in bytes, of a bound in MiB for the frames of all cameras."""
        return mib * MIB // max(1, len(self.cameras))

    def encoder_of(self, stream: StreamConfig) -> EncoderConfig:
        """
        Return a camera's encoder settings with the cores shared out over the cameras.

        :param stream: one of the cameras
        """
        encoder = stream.encoder or self.encoder
        threads = encoder.encoder_threads
        if stream.depth is not None:
            encoder = DEPTH_ENCODER
        # x264 makes other pictures with another number of threads, the others the same ones.
        num_recorders = 1 if encoder.vcodec == 'h264' else self.num_recorders
        return encoder.with_threads(threads or cores_each(num_recorders * len(self.cameras)))

    def features(self) -> dict[str, FeatureSpec]:
        """Describe all features, without the sizes of cameras."""
        features = {key: self._feature(parts) for key, parts in self.parts().items()}
        flags = (INTERVENTION, SUCCESS, DONE) if self.is_hil else ()
        subtasks = {key: SUBTASK_FEATURES[key] for key in SUBTASKS[self.subtasks]}
        return {**features, **dict.fromkeys(flags, SINGLE_FLAG), **subtasks}

    def _check_own_features(self) -> None:
        """Refuse streams for a feature that the recorder makes itself."""
        own = dict.fromkeys(SUBTASKS[self.subtasks], f'subtasks: {self.subtasks}')
        if self.is_hil:
            own |= dict.fromkeys((SUCCESS, DONE), 'hil.enabled: true')
        for one in self.streams:
            if one.feature in own:
                why = f'{own[one.feature]} makes this feature: leave the topic out'
                raise ConfigError(f'feature.{one.feature}.topic', one.topic, why)
            if one.is_for_human and not self.is_hil:
                parameter = f'{one.feature}.when_intervening.topic'
                raise ConfigError(parameter, one.topic, 'it needs hil.enabled: true')
            if self.is_hil and one.is_intervention and (one.dtype, len(one.names)) != ('bool', 1):
                why = 'one number with dtype bool is needed; hil.intervention takes a condition'
                raise ConfigError(f'feature.{one.feature}.dtype', one.dtype, why)

    def parts(self) -> dict[str, list[StreamConfig]]:
        """Return the streams of each feature, in the order of the settings."""
        parts: dict[str, list[StreamConfig]] = {}
        for stream in self.streams:
            parts.setdefault(stream.feature, []).append(stream)
        return parts

    def _feature(self, parts: list[StreamConfig]) -> FeatureSpec:
        if parts[0].is_camera:
            depth = parts[0].depth
            return camera_feature(info=depth.as_info() if depth else None)
        names = tuple(name for one in parts if not one.is_for_human for name in one.names)
        return vector_feature(names, parts[0].dtype, parts[0].window)
