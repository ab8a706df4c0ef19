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
from lerobot_streamrec.dataset.format.features import camera_feature, FeatureSpec, vector_feature
from lerobot_streamrec.dataset.takes.salvage import RECOVERIES, SAVE
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import check_choices, option, options_of
from lerobot_streamrec.sync.row_clock import NS_PER_S, POLICIES, Policy
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.depth_config import DEPTH_ENCODER, DepthConfig
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
MIB = 1024 * 1024
NS_PER_MS = 1_000_000
DEFAULT_MAX_LATENESS_S = 0.5
DTYPES = ('float32', 'float64', 'int64', 'bool')
"""The dtypes of a vector's column."""


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """
    One topic that becomes a feature or a part of one; fields made by ``option`` say what they are.

    :param key: unique name of the stream: the feature of a camera, such as
        ``observation.images.front``; a vector may have any name
    :param topic: topic of its messages
    :param names: names of a vector's elements; empty: a camera
    :param quaternions: index of the first of four elements x, y, z, w, for each orientation
    :param part_of: feature of a vector, which may have several streams; empty: the key
    :param depth: quantisation of a depth camera; None: a colour camera
    :param encoder: encoder settings of a colour camera; None: those of the recorder
    :param is_stamped_here: True if this computer stamps messages on arrival; False if the
        publisher stamps them
    :param message_type: type of a vector's messages, for a replay; empty: unknown
    :param selectors: places of the elements in a message, for a replay
    """

    key: str
    topic: str
    names: tuple[str, ...] = ()
    # A row that shows an older sample counts as stale, and an episode waits for a newer one.
    max_age_s: float = option(
        1.0, 'Age at which a sample counts as stale, in seconds; 0: never', 0.0, 1e6
    )
    offset_ms: float = option(
        0.0,
        'Added to every stamp, in milliseconds: -30 for a camera that stamps 30 ms too late',
        -60_000.0,
        60_000.0,
    )
    policy: Policy = option(
        Policy.HOLD,
        'The sample that a row shows: the newest (hold), the nearest, or a value between two '
        'samples (interpolate)',
        choices=POLICIES,
        shown=Policy.HOLD.value,
    )
    quaternions: tuple[int, ...] = ()
    part_of: str = ''
    dtype: str = option('float32', f'Type of the column: {", ".join(DTYPES)}', choices=DTYPES)
    depth: DepthConfig | None = None
    encoder: EncoderConfig | None = None
    is_stamped_here: bool = False
    message_type: str = ''
    selectors: tuple[str, ...] = ()

    @property
    def is_camera(self) -> bool:
        """Whether the stream is a camera."""
        return not self.names

    @property
    def kind(self) -> str:
        """What the stream is, for people: ``camera``, ``depth`` or ``vector``."""
        if not self.is_camera:
            return 'vector'
        return 'camera' if self.depth is None else 'depth'

    @property
    def offset_ns(self) -> int:
        """``offset_ms`` in nanoseconds."""
        return round(self.offset_ms * NS_PER_MS)

    @property
    def max_age_ns(self) -> int:
        """``max_age_s`` in nanoseconds."""
        return round(self.max_age_s * NS_PER_S)

    @property
    def feature(self) -> str:
        """The feature that the stream is, or is a part of."""
        return self.part_of or self.key


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
            _check_parts(feature, parts)
        for stream in self.streams:
            _check_policy(stream)
        cameras = [stream.key for stream in self.cameras]
        if self.clock and self.clock not in cameras:
            raise ConfigError(
                'sync.clock', self.clock, f'name a camera ({", ".join(cameras)}), or nothing'
            )
        check_choices(self)
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
        return encoder.with_threads(threads or cores_each(len(self.cameras)))

    def features(self) -> dict[str, FeatureSpec]:
        """Describe all features, without the sizes of cameras."""
        return {key: self._feature(parts) for key, parts in self.parts().items()}

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
        return vector_feature(tuple(name for one in parts for name in one.names), parts[0].dtype)


def _check_parts(feature: str, parts: list[StreamConfig]) -> None:
    """Refuse streams that cannot be one feature; the ConfigError names the feature."""
    names = [name for one in parts for name in one.names]
    if len(parts) > 1 and any(one.is_camera for one in parts):
        raise ConfigError(feature, [one.topic for one in parts], 'a camera is one topic')
    if len({one.dtype for one in parts}) > 1:
        raise ConfigError(feature, [one.dtype for one in parts], 'its parts need one dtype')
    if not parts[0].is_camera and parts[0].dtype not in DTYPES:
        raise ConfigError(feature, parts[0].dtype, f'allowed are {", ".join(DTYPES)}')
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(feature, name, 'every element needs a name of its own')


def _check_policy(stream: StreamConfig) -> None:
    """Refuse to interpolate what has nothing in between; the ConfigError names the stream."""
    is_float = not stream.is_camera and stream.dtype.startswith('float')
    if stream.policy is Policy.INTERPOLATE and not is_float:
        raise ConfigError(
            f'policy of {stream.key}',
            stream.policy.value,
            'there is nothing between two pictures, whole numbers or flags: take hold or nearest',
        )
