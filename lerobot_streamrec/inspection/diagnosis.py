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
"""The doctor's remarks on the topics of a parameter file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from lerobot_streamrec.inspection.arrivals import span_text, Stamps
from lerobot_streamrec.inspection.observation import IMAGES_PROFILE, Observation
from lerobot_streamrec.recording.config import DEFAULT_MAX_LATENESS_S
from lerobot_streamrec.recording.streams.clock_offsets import ClockReading, off_clocks
from lerobot_streamrec.settings.stream_settings import HEADER


class Level(IntEnum):
    """The severity of a remark, from best to worst; a note does not change the verdict."""

    OK = 0
    NOTE = 1
    WARNING = 2
    PROBLEM = 3

    @property
    def word(self) -> str:
        """The level's name for people."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Remark:
    """
    One fact that the user should know.

    :param level: severity
    :param text: the fault, and advice
    """

    level: Level
    text: str


def worst(remarks: Iterable[Remark]) -> Level:
    """Return the verdict that follows from remarks."""
    level = max((one.level for one in remarks), default=Level.OK)
    return Level.OK if level is Level.NOTE else level


# The default size of a process's shared memory in Fast DDS, which loses larger messages.
_SEGMENT_BYTES = 500_000
_SLOW = 0.9
# A single late stamp within a few seconds does not show a trend.
_MISSING_SHARE = 0.02
_MISSING_MIN = 2
# With a larger share of gaps, the rows show too little of the scene.
_UNFIT_SHARE = 0.2
_RARE_SHARE = 0.1


def judge(
    seen: Observation,
    others: Sequence[Observation],
    fps: int,
    max_lateness_s: float = DEFAULT_MAX_LATENESS_S,
) -> tuple[Remark, ...]:
    """
    Return the faults of a topic; none if it is fit to record.

    :param seen: the topic
    :param others: the other topics of the file
    :param fps: rows per second
    :param max_lateness_s: time that rows wait for a late stream, in seconds
    """
    if not seen.offered:
        return (Remark(Level.PROBLEM, _nobody(seen)),)
    remarks = list(_obstacles(seen))
    if not seen.heard.num_messages:
        if not remarks:
            remarks.append(Remark(Level.PROBLEM, _silence(seen)))
        return tuple(remarks)
    remarks += _sharing(seen)
    remarks += _content(seen)
    remarks += _stamps(seen, others, max_lateness_s)
    remarks += _rate(seen, fps)
    remarks += _other_host(seen)
    return tuple(remarks)


def _nobody(seen: Observation) -> str:
    text = f'nobody publishes {seen.topic}: start its driver, or correct {seen.parameter}.topic'
    return f'{text}; did you mean {" or ".join(seen.alike)}?' if seen.alike else text


def _obstacles(seen: Observation) -> Iterator[Remark]:
    if seen.message_type in seen.types:
        todo = f'set {seen.parameter}.qos: auto'
    elif seen.is_camera:
        todo = f'set {seen.parameter}.topic to a topic with images'
    else:
        todo = f'set {seen.parameter}.type to that type, or choose another topic'
    for one in seen.obstacles:
        yield Remark(Level.PROBLEM, f'cannot be read: {one}; {todo}')


def _sharing(seen: Observation) -> Iterator[Remark]:
    # Readiness already reports publishers that send the same data in turn.
    if len(seen.offered) > 1 and not seen.readiness:
        nodes = ', '.join(one.partition(':')[0] for one in seen.offered)
        text = (
            f'{len(seen.offered)} publishers ({nodes}) share the topic; only one of them may '
            f'send the data that {seen.parameter} records'
        )
        if seen.is_unsure:
            text += ', and this middleware cannot tell their messages apart'
        yield Remark(Level.WARNING if seen.is_unsure else Level.NOTE, text)


def _silence(seen: Observation) -> str:
    if seen.ignored:
        return (
            f'its messages cannot be recorded: none has any of the selected names '
            f'({seen.ignored}); correct {seen.parameter}.names, or choose another topic'
        )
    text = f'{seen.offered[0].partition(":")[0]} publishes {seen.topic}, but no message came'
    if seen.is_camera:
        return f'{text}: check that the camera runs, and {IMAGES_PROFILE}'
    return f'{text}: check that its driver runs'


def _content(seen: Observation) -> Iterator[Remark]:
    is_rare = seen.num_rejected <= _RARE_SHARE * seen.heard.num_messages
    # The check of the stamps already reports messages rejected for a zero stamp.
    is_zero = seen.heard.stamps is Stamps.ZERO and seen.stamp == HEADER
    if seen.num_rejected and not is_zero:
        share = f'{seen.num_rejected} of {seen.heard.num_messages}'
        yield Remark(
            Level.WARNING if is_rare else Level.PROBLEM,
            f'{share} messages cannot be recorded: {seen.rejection}',
        )
    if seen.readiness and is_rare:
        yield Remark(Level.PROBLEM, f'an episode would not start: {seen.readiness}')
    if seen.picture_problem:
        yield Remark(Level.PROBLEM, seen.picture_problem)


def _stamps(
    seen: Observation, others: Sequence[Observation], max_lateness_s: float
) -> Iterator[Remark]:
    if seen.stamp != HEADER:
        return
    trouble = seen.instants.stamp_trouble
    readings = [ClockReading(one.key, _lag_s(one), one.offset_ms) for one in (seen, *others)]
    off = off_clocks(readings, max_lateness_s).get(seen.key)
    todo = f'set {seen.parameter}.stamp: receive'
    if seen.heard.stamps is Stamps.ZERO:
        yield Remark(Level.PROBLEM, f'{trouble}; {todo}')
    elif off is not None:
        if off.offset_ms is not None:
            trouble = off.trouble
            todo = f'set {seen.parameter}.offset_ms: {off.offset_ms}, or {todo}'
        level = Level.PROBLEM if off.is_unfit else Level.WARNING
        yield Remark(level, f'{trouble}; synchronise the clocks, or {todo}')
    elif seen.instants.stamps is Stamps.LATE:
        yield Remark(Level.WARNING, f'{trouble}; synchronise the clocks, or {todo}')
    elif trouble:
        yield Remark(
            Level.WARNING,
            f'{trouble}. All topics use that clock, so the rows fit together; if it is the clock '
            'of a simulation, set use_sim_time: true',
        )


# A clock that is ahead by less may still be synchronised.
_AHEAD_S = 0.005


def _other_host(seen: Observation) -> Iterator[Remark]:
    """Tell how far the clock of a publisher's host may be off, as far as its stamps tell."""
    quickest_s = seen.heard.min_delay_s
    if not seen.is_elsewhere or quickest_s is None or seen.stamp != HEADER:
        return
    if quickest_s < -_AHEAD_S:
        text = (
            'it comes from another host, whose clock is at least '
            f'{span_text(-quickest_s)} ahead of this computer, since messages arrive before their '
            'stamps; synchronise the clocks (chrony or PTP, docs/hosts.md)'
        )
        yield Remark(Level.WARNING, text)
        return
    text = (
        'it comes from another host, whose clock is at most '
        f'{span_text(max(0.0, quickest_s))} behind this computer: that was the shortest time '
        'from a stamp to the arrival of its message, way included'
    )
    yield Remark(Level.NOTE, text)


def _lag_s(seen: Observation) -> float | None:
    """Return the topic's lag behind this computer's clock, in seconds; None if it is unknown."""
    if seen.stamp == HEADER:
        return seen.instants.delay_s
    return -seen.offset_ms / 1000 if seen.heard.num_messages else None


def _rate(seen: Observation, fps: int) -> Iterator[Remark]:
    heard = seen.heard
    if 0 < heard.rate_hz < _SLOW * fps and not heard.is_lossy:
        what = 'picture' if seen.is_camera else 'numbers'
        yield Remark(
            Level.WARNING,
            f'sends {heard.rate_hz:.1f} messages per second but fps is {fps}: '
            f'{1 - heard.rate_hz / fps:.0%} of the rows repeat the {what} of the previous row',
        )
    missing = max(heard.num_missing, heard.num_lost)
    if missing >= max(_MISSING_MIN, _MISSING_SHARE * heard.num_messages):
        text = f'{missing} of {heard.num_messages + missing} messages are missing'
        if heard.num_lost:
            text += f', of which {heard.num_lost} were lost in transport'
        if seen.size_bytes > _SEGMENT_BYTES:
            text += f'; pictures of {seen.size_bytes / 1e6:.1f} MB need room: {IMAGES_PROFILE}'
        is_worse = missing > _UNFIT_SHARE * (heard.num_messages + missing)
        yield Remark(Level.PROBLEM if is_worse else Level.WARNING, text)
