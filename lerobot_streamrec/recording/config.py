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

from lerobot_streamrec.dataset.features import camera_feature, FeatureSpec, vector_feature
from lerobot_streamrec.dataset.takes.salvage import RECOVERIES, SAVE
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.sync.grid import NS_PER_S
from lerobot_streamrec.video.config import EncoderConfig

ON_SHUTDOWN = ('save', 'discard')
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """
    One topic that becomes one feature.

    :param key: of the feature, such as ``observation.images.front``
    :param topic: where its messages come from
    :param names: elements of a vector; empty: a camera
    :param max_age_s: a row that shows an older sample counts as stale, and an episode does not
        start while the newest sample is older; 0: no sample is too old
    """

    key: str
    topic: str
    names: tuple[str, ...] = ()
    max_age_s: float = 1.0

    @property
    def is_camera(self) -> bool:
        """Whether the stream brings pictures."""
        return not self.names

    def feature(self, size: tuple[int, int] | None = None) -> FeatureSpec:
        """
        Describe the feature.

        :param size: height and width of a camera's pictures; None: not known yet
        """
        return vector_feature(self.names) if self.names else camera_feature(*(size or ()))


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
class RecorderConfig:
    """
    What to record, and where to.

    :param root: the dataset's folder
    :param fps: rows per second
    :param robot_type: free text; None: unknown
    :param task: of every episode, until another is set
    :param operator: who teaches, until another is set; empty: not said
    :param resume: whether a dataset that is there may be appended to
    :param streams: cameras and vectors
    :param encoder: of all cameras
    :param disk: when the disk counts as full
    :param max_lateness_s: how far a stream may stay behind the newest before rows no longer
        wait for it
    :param queue_mib: memory for pictures that wait for an encoder, of all cameras together
    :param max_pending_episodes: saved episodes that may be on their way to the disk at once
    :param save_timeout_s: how long encoders may take to finish after a save
    :param on_shutdown: what becomes of a running episode, one of ``ON_SHUTDOWN``
    :param compact_at_finalize: whether finalizing merges small files
    :param recovery: what becomes of one that a crash interrupted, one of ``RECOVERIES``
    :raise ConfigError: at construction, if a value is not allowed
    """

    root: Path
    streams: tuple[StreamConfig, ...]
    fps: int = 30
    robot_type: str | None = None
    task: str = ''
    operator: str = ''
    resume: bool = False
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    disk: DiskConfig = field(default_factory=DiskConfig)
    max_lateness_s: float = 0.5
    queue_mib: int = 256
    max_pending_episodes: int = 3
    save_timeout_s: float = 60.0
    on_shutdown: str = 'save'
    recovery: str = SAVE
    compact_at_finalize: bool = True

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
        if self.on_shutdown not in ON_SHUTDOWN:
            raise ConfigError(
                'on_shutdown', self.on_shutdown, f'allowed are {", ".join(ON_SHUTDOWN)}'
            )
        if self.recovery not in RECOVERIES:
            raise ConfigError('recovery', self.recovery, f'allowed are {", ".join(RECOVERIES)}')

    @property
    def cameras(self) -> tuple[StreamConfig, ...]:
        """The streams that bring pictures."""
        return tuple(stream for stream in self.streams if stream.is_camera)

    @property
    def max_lateness_ns(self) -> int:
        """``max_lateness_s`` in nanoseconds."""
        return round(self.max_lateness_s * NS_PER_S)

    @property
    def queue_bytes_per_camera(self) -> int:
        """Bound of one camera's queue."""
        return self.queue_mib * MIB // max(1, len(self.cameras))

    def encoder_in_use(self) -> EncoderConfig:
        """Return the encoder settings with the cores shared out over the cameras."""
        if self.encoder.encoder_threads:
            return self.encoder
        cores = os.cpu_count() or 1
        return self.encoder.with_threads(max(1, cores // max(1, len(self.cameras))))

    def features(self) -> dict[str, FeatureSpec]:
        """Describe all features, without the sizes of cameras."""
        return {stream.key: stream.feature() for stream in self.streams}
