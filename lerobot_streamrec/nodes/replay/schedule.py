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
"""The parameters of a replay, and its schedule: when which row is published, and its stamps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from lerobot_streamrec.dataset.rebuild.played_episode import PlayedEpisode
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import Option, option
from lerobot_streamrec.playback.streams import PlayedStream
from lerobot_streamrec.settings.parameter_reader import ParameterReader
from lerobot_streamrec.settings.recorder_settings import absolute_path
from lerobot_streamrec.sync.row_clock import NS_PER_S, Policy
import numpy as np
import numpy.typing as npt

NOW = 'now'
RECORDED = 'recorded'
_STAMPS = (NOW, RECORDED)

_ROOT = Option('root', '', 'Folder of the dataset')


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """
    The settings of a replay.

    :param root: folder of the dataset
    """

    root: Path
    episode: int = option(
        -1,
        'Number of the episode; negative numbers count from the end, -1 is the last one',
        -(2**31),
        2**31,
    )
    rate: float = option(1.0, 'Speed relative to the recording', 0.01, 100.0)
    is_endless: bool = option(
        False, 'true: start again at the end of the episode, until asked to end', name='loop'
    )
    stamp: str = option(
        NOW,
        'Stamps of the messages: the present time (now), or the recorded stamps, with the '
        'recorded time on /clock (recorded)',
        choices=_STAMPS,
    )
    prefix: str = option(
        '', 'Prefix of the name of every topic, such as /replay', name='topics_prefix'
    )
    streams: tuple[str, ...] = option(
        (), 'Features to replay, by key or by the last part of it; empty: all'
    )
    lead_s: float = option(
        0.0, 'How long row 0 is repeated before the episode, in seconds', 0.0, 3600.0
    )
    hold_last_s: float = option(
        0.0, 'How long the last row is repeated after the episode, in seconds', 0.0, 3600.0
    )
    is_forced: bool = option(
        False, 'true: publish even if other nodes publish on the same topics', name='force'
    )


def read_replay_settings(reader: ParameterReader) -> ReplaySettings:
    """
    Read every parameter.

    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    root: str = reader.read(_ROOT)
    settings = reader.read_fields(ReplaySettings)
    reader.refuse_unknown()
    if not root:
        raise ConfigError('root', root, 'set root to the folder of a dataset')
    return ReplaySettings(root=absolute_path('root', root), **settings)


Instants = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Step:
    """
    One publication of one row.

    :param row: number of the row
    :param turn: number of complete rounds of the episode before this one
    :param shift_ns: offset to add to the instants of the row
    :param is_repeat: True if the row is repeated before or after the episode
    """

    row: int
    turn: int
    shift_ns: int
    is_repeat: bool


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """
    All steps of a replay; instants are nanoseconds since row 0, in the time of the stamps.

    Each round begins one period after the end of the round before, so time never runs backwards.

    :param rows_ns: instants of the rows, ``(rows,)``
    :param period_ns: time between two rows
    :param pace: speed at which the instants pass, relative to the steady clock
    :param begin_ns: the recorded instant of row 0; None: the time at which row 0 is published
    :param is_endless: True if the first row follows the last one again
    :param lead: number of times that row 0 is published before its instant
    :param hold: number of times that the last row is published after its instant
    """

    rows_ns: Instants
    period_ns: int
    pace: float = 1.0
    begin_ns: int | None = None
    is_endless: bool = False
    lead: int = 0
    hold: int = 0

    @property
    def lead_ns(self) -> int:
        """The time from the first step to the instant of row 0."""
        return self.lead * self.period_ns

    def steps(self) -> Iterator[Step]:
        """Yield the steps in order."""
        for number in range(self.lead, 0, -1):
            yield Step(0, 0, -number * self.period_ns, is_repeat=True)
        round_ns = int(self.rows_ns[-1]) + self.period_ns
        for turn in count() if self.is_endless else range(1):
            for row in range(len(self.rows_ns)):
                yield Step(row, turn, turn * round_ns, is_repeat=False)
        for number in range(1, self.hold + 1):
            yield Step(len(self.rows_ns) - 1, 0, number * self.period_ns, is_repeat=True)

    def due_ns(self, instant_ns: int) -> int:
        """Return the time from the first step to an instant, on the steady clock."""
        return round((instant_ns + self.lead_ns) / self.pace)


def schedule_of(episode: PlayedEpisode, settings: ReplaySettings) -> Schedule:
    """
    Make the schedule of an episode.

    With present stamps, rows are whole periods apart, and a period is rounded down to nanoseconds.
    The stamps therefore keep their phase, and none of them is later than the row of a recorder
    that started with the first one.

    :raise ConfigError: if the recorded stamps are requested but not stored
    """
    fps, length = episode.info.fps, episode.row.length
    begin_ns, pace, period_ns = None, 1.0, int(NS_PER_S / (fps * settings.rate))
    rows_ns = np.arange(length, dtype=np.int64) * period_ns
    if settings.stamp == RECORDED:
        instants_ns = episode.instants_ns()
        if instants_ns is None:
            raise ConfigError(
                'stamp',
                RECORDED,
                f'the dataset does not say when episode {episode.row.episode_index} was recorded: '
                'set stamp to now',
            )
        begin_ns, pace, period_ns = int(instants_ns[0]), settings.rate, NS_PER_S // fps
        rows_ns = instants_ns - begin_ns
    per_s = pace * NS_PER_S / period_ns
    return Schedule(
        rows_ns=rows_ns,
        period_ns=period_ns,
        pace=pace,
        begin_ns=begin_ns,
        is_endless=settings.is_endless,
        lead=round(settings.lead_s * per_s),
        hold=round(settings.hold_last_s * per_s),
    )


def stream_instants(
    stream: PlayedStream, schedule: Schedule, episode: PlayedEpisode, *, is_between: bool
) -> Instants:
    """
    Return the instants of a stream's samples, ``(rows,)``; equal instants mean the same sample.

    :param is_between: True if the rows of a recorder will lie midway between two images
    """
    if schedule.begin_ns is None:
        # A row takes the nearest sample or interpolates, so a sample has to lie at its instant.
        is_at_row = stream.policy is Policy.HOLD or stream.is_camera or not is_between
        return schedule.rows_ns + (0 if is_at_row else schedule.period_ns // 2)
    is_own = stream.policy is not Policy.INTERPOLATE and not stream.is_timed
    if is_own and stream.key in episode.stamps:
        return episode.stamps[stream.key] - schedule.begin_ns
    return schedule.rows_ns
