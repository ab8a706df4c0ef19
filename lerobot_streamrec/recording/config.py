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
"""Everything that can be set, in one place: the defaults of the ROS parameters are these."""

from __future__ import annotations

from dataclasses import dataclass, field
import os
from pathlib import Path

from lerobot_streamrec.dataset.format.features import camera_feature, FeatureSpec, vector_feature
from lerobot_streamrec.dataset.takes.salvage import RECOVERIES, SAVE
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.sync.row_clock import NS_PER_S, Policy
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.depth_config import DEPTH_ENCODER, DepthConfig

ON_SHUTDOWN = ('save', 'discard')
STREAMING = 'streaming'
DEFERRED = 'deferred'
ENCODE = (STREAMING, DEFERRED)
"""When pictures are encoded: as they come, or after the episode."""
RAW = 'raw'
PNG = 'png'
DEFERRED_FORMATS = (RAW, PNG)
"""How pictures wait that are encoded after the episode."""
MIB = 1024 * 1024
NS_PER_MS = 1_000_000
DEFAULT_MAX_LATENESS_S = 0.5
DTYPES = ('float32', 'float64', 'int64', 'bool')
"""What the column of a vector may hold."""


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """
    One topic that becomes a feature, or a part of one.

    :param key: unlike that of any other stream: a camera's feature, such as
        ``observation.images.front``; of a vector, whatever names it in messages
    :param topic: where its messages come from
    :param names: elements of a vector; empty: a camera
    :param max_age_s: a row that shows an older sample counts as stale, and an episode does not
        start while the newest sample is older; 0: no sample is too old
    :param offset_ms: added to every stamp, milliseconds: less than 0 for a camera whose stamps
        are so much later than its pictures
    :param policy: rule by which a row shows one of the samples
    :param quaternions: where four elements of a vector begin that are an orientation x, y, z, w
    :param part_of: feature of a vector; the streams of one are put together in their order;
        empty: the key
    :param dtype: type of a vector's column, one of ``DTYPES``
    :param depth: how a depth camera's pictures are quantised; None: it is one of colours
    :param encoder: settings for a camera's colours; None: those of the recorder
    :param is_stamped_here: True if this computer's clock stamps messages as they arrive; False:
        the publisher stamps them
    :param message_type: type of a vector's messages, which a replay needs; empty: not known
    :param selectors: places of the elements in a message, which a replay needs as well
    """

    key: str
    topic: str
    names: tuple[str, ...] = ()
    max_age_s: float = 1.0
    offset_ms: float = 0.0
    policy: Policy = Policy.HOLD
    quaternions: tuple[int, ...] = ()
    part_of: str = ''
    dtype: str = 'float32'
    depth: DepthConfig | None = None
    encoder: EncoderConfig | None = None
    is_stamped_here: bool = False
    message_type: str = ''
    selectors: tuple[str, ...] = ()

    @property
    def is_camera(self) -> bool:
        """Whether the stream brings pictures."""
        return not self.names

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
        """Which feature it is, or is a part of."""
        return self.part_of or self.key


@dataclass(frozen=True, slots=True)
class DiskConfig:
    """
    When the disk counts as full.

    :param reserve_mib: never recorded into: a running episode is saved when no more is left
    :param min_start_s: an episode does not start if the disk lasts for less, seconds
    :param warn_minutes: the operator is warned if the disk lasts for less
    """

    reserve_mib: int = 512
    min_start_s: float = 60.0
    warn_minutes: float = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """
    When an episode is put into quarantine instead of the dataset.

    :param max_repeated_fraction: share of a camera's frames that may repeat the one before, beyond
        those that the camera's own rate explains
    :param max_skew_ms: how far a sample may be from its row's instant, milliseconds; 0: any;
        streams without ``max_age_s`` hold their samples and are left out
    """

    max_repeated_fraction: float = 1.0
    max_skew_ms: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.max_repeated_fraction <= 1.0:
            raise ConfigError(
                'limits.max_repeated_fraction', self.max_repeated_fraction, 'allowed is 0 to 1'
            )
        if not self.max_skew_ms >= 0.0:
            raise ConfigError('limits.max_skew_ms', self.max_skew_ms, 'allowed is 0 or more')


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """
    What to record, and where to.

    :param root: the dataset's folder
    :param fps: rows per second
    :param robot_type: free text; None: unknown
    :param task: task of every episode, until another is set
    :param operator: the person who teaches, until another is set; empty: unknown
    :param resume: True: append to a dataset that exists; False: refuse it
    :param streams: cameras and vectors
    :param encoder: settings for cameras that have none of their own
    :param disk: when the disk counts as full
    :param limits: when an episode is not good enough
    :param clock: video key of the camera whose pictures are the rows; empty: a grid of its own
    :param is_key_first: True: row 0 waits for a key frame of the clock's camera, if that sends
        packets of a video codec
    :param is_per_row: True: the instants of all rows and the stamps of their samples are kept
    :param max_lateness_s: how far a stream may stay behind the newest before rows no longer
        wait for it
    :param queue_mib: memory for pictures that wait for an encoder, of all cameras together
    :param spill_mib: room on the disk for pictures that wait for an encoder, of all cameras
        together; 0: none
    :param encode: when pictures are encoded, one of ``ENCODE``
    :param encode_batch_size: with ``DEFERRED``, so many episodes are encoded as soon as they wait;
        0: when the dataset is finalized
    :param deferred_format: how ``DEFERRED`` keeps pictures, one of ``DEFERRED_FORMATS``
    :param max_pending_episodes: saved episodes that may be on their way to the disk at once
    :param save_timeout_s: how long encoders may make no progress after a save
    :param on_shutdown: fate of a running episode, one of ``ON_SHUTDOWN``
    :param compact_at_finalize: True: finalizing merges small files
    :param recovery: fate of an episode that a crash interrupted, one of ``RECOVERIES``
    :param preroll_s: time before its start that is part of an episode, seconds
    :param preroll_mib: memory for the pictures of that time, of all cameras together; if they
        need more, less of it is part of the episode
    :raise ConfigError: at construction, if a value is not allowed
    """

    root: Path
    streams: tuple[StreamConfig, ...]
    fps: int = 30
    robot_type: str | None = None
    task: str = ''
    operator: str = ''
    resume: bool = True
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    disk: DiskConfig = field(default_factory=DiskConfig)
    limits: Limits = field(default_factory=Limits)
    clock: str = ''
    is_key_first: bool = False
    is_per_row: bool = False
    max_lateness_s: float = DEFAULT_MAX_LATENESS_S
    queue_mib: int = 256
    spill_mib: int = 8192
    encode: str = STREAMING
    encode_batch_size: int = 1
    deferred_format: str = RAW
    max_pending_episodes: int = 3
    save_timeout_s: float = 60.0
    on_shutdown: str = 'save'
    recovery: str = SAVE
    compact_at_finalize: bool = True
    preroll_s: float = 0.0
    preroll_mib: int = 256

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= 1000:
            raise ConfigError('fps', self.fps, 'allowed is 1 to 1000, a whole number')
        if not self.streams:
            raise ConfigError(
                'cameras', [], 'nothing to record: name a camera, state.topic or action.topic'
            )
        keys = [stream.key for stream in self.streams]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigError('cameras', key, 'every camera needs a name of its own')
        for feature, parts in self.parts().items():
            _check_parts(feature, parts)
        for stream in self.streams:
            _check_policy(stream)
        cameras = [stream.key for stream in self.cameras]
        if self.clock and self.clock not in cameras:
            raise ConfigError(
                'sync.clock', self.clock, f'name a camera ({", ".join(cameras)}), or nothing'
            )
        self._check_choices()

    def _check_choices(self) -> None:
        for name, allowed in (
            ('on_shutdown', ON_SHUTDOWN),
            ('recovery', RECOVERIES),
            ('encode', ENCODE),
            ('deferred_format', DEFERRED_FORMATS),
        ):
            if getattr(self, name) not in allowed:
                raise ConfigError(name, getattr(self, name), f'allowed are {", ".join(allowed)}')
        if self.encode_batch_size < 0:
            raise ConfigError('encode_batch_size', self.encode_batch_size, 'allowed are 0 ...')

    @property
    def cameras(self) -> tuple[StreamConfig, ...]:
        """The streams that bring pictures."""
        return tuple(stream for stream in self.streams if stream.is_camera)

    @property
    def max_lateness_ns(self) -> int:
        """``max_lateness_s`` in nanoseconds."""
        return round(self.max_lateness_s * NS_PER_S)

    @property
    def preroll_bytes_per_camera(self) -> int:
        """Bound of one camera's pictures from before an episode."""
        return self.preroll_mib * MIB // max(1, len(self.cameras))

    @property
    def queue_bytes_per_camera(self) -> int:
        """Bound of one camera's queue."""
        return self.queue_mib * MIB // max(1, len(self.cameras))

    @property
    def spool_bytes_per_camera(self) -> int:
        """Bound of one camera's spool."""
        return self.spill_mib * MIB // max(1, len(self.cameras))

    def encoder_of(self, stream: StreamConfig) -> EncoderConfig:
        """
        Return a camera's encoder settings with the cores shared out over the cameras.

        :param stream: one of the cameras
        """
        encoder = stream.encoder or self.encoder
        threads = encoder.encoder_threads
        if stream.depth is not None:
            encoder = DEPTH_ENCODER
        cores = os.cpu_count() or 1
        return encoder.with_threads(threads or max(1, cores // max(1, len(self.cameras))))

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
    """
    Refuse streams that cannot be one feature.

    :raise ConfigError: naming the feature
    """
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
    """
    Refuse to interpolate what has nothing in between.

    :raise ConfigError: naming the stream
    """
    is_float = not stream.is_camera and stream.dtype.startswith('float')
    if stream.policy is Policy.INTERPOLATE and not is_float:
        raise ConfigError(
            f'policy of {stream.key}',
            stream.policy.value,
            'there is nothing between two pictures, whole numbers or flags: take hold or nearest',
        )
