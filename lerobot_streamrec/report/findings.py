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
"""
What looks wrong in an episode: the kinds of findings, and those on pictures, records and lengths.

docs/report.md explains each rule and each threshold; ``motion_findings.py`` has the rules on state
and action.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from lerobot_streamrec.dataset.about.robot_files import names_in, PARAMETERS, Slot, slot_of
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow, ROBOT_FILES
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.report.episode_facts import EpisodeFacts
from lerobot_streamrec.report.summary import short_name
import numpy as np
import numpy.typing as npt

DARK_BRIGHTNESS = 12.0
"""Mean brightness (0 to 255) up to which a picture counts as dark."""
BRIGHT_PIXEL = 250.0
"""Brightness (0 to 255) from which a pixel counts as white."""
OVER_EXPOSED_SHARE = 0.5
"""Share of white pixels from which a picture is over-exposed."""
STATIC_CHANGE = 2.0
"""Change of brightness (0 to 255) of a tile of the picture below which a camera is static."""
TILES = (12, 16)
"""Rows and columns of tiles into which a picture is divided, to find changes."""
REPEATED_SHARE = 0.05
"""Share of rows with a repeated picture from which an episode is worth a look."""
LENGTH_FACTOR = 1.5
"""Factor by which the length of an outlier differs at least from the median of its task."""
LENGTH_DEVIATIONS = 3.5
"""Number of standard deviations, estimated robustly, by which an outlier differs at least."""
LENGTH_EPISODES = 5
"""Number of episodes of a task from which their lengths are compared."""


class Rule(Enum):
    """A kind of finding: its title, and what it may mean or what to do about it."""

    UNREADABLE = 'Cannot be read', f'`{streamrec_command("check", "ROOT")}` names the fault.'
    DARK = 'Dark camera', 'Look for a lens cap, a lamp or the exposure.'
    OVER_EXPOSED = 'Over-exposed camera', 'Reduce exposure or light.'
    STATIC = 'Static camera', 'The robot moves: the driver may repeat one picture.'
    REPEATED = 'Many repeated frames', 'The camera was slower than its rate, or blocked.'
    NO_MOTION = 'Action without motion', 'Look for an emergency stop or switched-off motors.'
    FROZEN = 'Frozen joint', 'It moves in other episodes: look for a lost motor, encoder or cable.'
    APART = 'Leader and follower apart', 'The distance is constant: calibrate both arms again.'
    JUMP = 'Jump', 'Look for lost messages, a wrap of an angle or a bad contact.'
    IDLE = 'Idle time', 'A policy learns to wait: cut the episode, or start later.'
    DUPLICATE = 'Near-duplicate episodes', 'One of them may be a copy.'
    SET_UP = 'Changed set-up', 'What uses a calibration needs that of each episode (meta/robot).'
    LENGTH = 'Unusual length', 'Look whether the task was done as in the others.'

    def __init__(self, title: str, advice: str) -> None:
        self.title = title
        self.advice = advice

    @property
    def is_serious(self) -> bool:
        """True if the data are probably bad, False if they are only unusual."""
        return self not in (Rule.JUMP, Rule.IDLE, Rule.DUPLICATE, Rule.SET_UP, Rule.LENGTH)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something that looks wrong in one episode.

    :param rule: the kind of finding
    :param subject: camera, or elements of state or action; empty: the episode as a whole
    :param text: what was found, with its figures: a sentence without a full stop
    :param rows: first and last row that show it; None for the whole episode
    :param other: number of another episode that it concerns
    """

    rule: Rule
    subject: str
    text: str
    rows: tuple[int, int] | None = None
    other: int | None = None


def picture_findings(
    key: str, frames: npt.NDArray[np.uint8], *, is_depth: bool, moves: bool
) -> Iterator[Finding]:
    """
    Yield what looks wrong in the pictures of one camera of an episode.

    :param key: feature of the camera
    :param frames: a few frames of the episode, ``(n, height, width, 3)`` uint8 RGB
    :param is_depth: True for a depth camera, which is neither dark nor over-exposed
    :param moves: True if the robot moves in this episode, as far as that is known
    """
    name = short_name(key)
    gray = frames.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    brightness = float(np.median(gray.mean(axis=(1, 2))))
    white = float(np.median((gray >= BRIGHT_PIXEL).mean(axis=(1, 2))))
    if brightness <= DARK_BRIGHTNESS and not is_depth:
        text = f'The camera {name} is dark: its mean brightness is {brightness:.0f} of 255'
        yield Finding(Rule.DARK, name, text)
    elif white >= OVER_EXPOSED_SHARE and not is_depth:
        text = f'The camera {name} is over-exposed: {white:.0%} of its pixels are white'
        yield Finding(Rule.OVER_EXPOSED, name, text)
    elif moves and len(frames) > 1 and _change(gray) < STATIC_CHANGE:
        # A black or white picture does not change either, but that is not its fault.
        text = f'The camera {name} shows the same picture in the whole episode'
        yield Finding(Rule.STATIC, name, text)


def _change(gray: npt.NDArray[np.float32]) -> float:
    """Return the largest change of a tile's brightness between any two pictures."""
    down, across = (
        np.linspace(0, size, num, endpoint=False).astype(int)
        for size, num in zip(gray.shape[1:], TILES, strict=True)
    )
    sums = np.add.reduceat(np.add.reduceat(gray, down, axis=1), across, axis=2)
    heights = np.diff([*down, gray.shape[1]])[:, None]
    widths = np.diff([*across, gray.shape[2]])[None]
    return float(np.ptp(sums / (heights * widths), axis=0).max())


def record_findings(facts: EpisodeFacts) -> Iterator[Finding]:
    """Yield what looks wrong in the recorder's own record of an episode."""
    for one in facts.streams:
        share = (one.repeated or 0) / facts.row.length
        if share > REPEATED_SHARE:
            name = short_name(one.key)
            frames = f'{one.repeated:.0f} of {facts.row.length} frames'
            text = f'The camera {name} repeats {frames} ({share:.0%})'
            yield Finding(Rule.REPEATED, name, text)


def length_findings(episodes: Sequence[EpisodeFacts]) -> dict[int, Finding]:
    """
    Return the episodes whose length differs much from others of the same task, by their index.

    Lengths are compared as logarithms, so that half and double the length are equally unusual.
    """
    of_task: dict[tuple[str, ...], list[EpisodeFacts]] = {}
    for one in episodes:
        of_task.setdefault(one.row.tasks, []).append(one)
    found = {}
    for group in of_task.values():
        if len(group) < LENGTH_EPISODES:
            continue
        logs = np.log([one.seconds for one in group])
        median = float(np.median(logs))
        deviation = 1.4826 * float(np.median(np.abs(logs - median)))
        limit = max(np.log(LENGTH_FACTOR), LENGTH_DEVIATIONS * deviation)
        for one, distance in zip(group, logs - median, strict=True):
            if abs(distance) > limit:
                kind = 'short' if distance < 0 else 'long'
                text = (
                    f'{one.seconds:.1f} s is {kind}: the median of its task is '
                    f'{np.exp(median):.1f} s'
                )
                found[one.index] = Finding(Rule.LENGTH, '', text)
    return found


def set_up_findings(rows: Iterable[EpisodeRow]) -> dict[int, Finding]:
    """
    Return the episodes from which on a calibration, transforms or the description are others.

    :param rows: all episodes of the dataset, in order
    """
    found: dict[int, Finding] = {}
    before: dict[Slot, tuple[int, set[str]]] = {}
    for row in rows:
        present: dict[Slot, set[str]] = {}
        for name in names_in(row.texts.get(ROBOT_FILES, '')):
            if (slot := slot_of(name)).kind != PARAMETERS:
                present.setdefault(slot, set()).add(name)
        # A change during an episode is known from its second file.
        changes = [
            f'{slot} changed since episode {before[slot][0]}'
            for slot, names in present.items()
            if slot in before and not names <= before[slot][1]
        ]
        if changes:
            found[row.episode_index] = Finding(Rule.SET_UP, '', '; '.join(changes))
        before |= {slot: (row.episode_index, names) for slot, names in present.items()}
    return found
