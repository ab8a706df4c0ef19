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
"""What looks wrong in the state and the action of an episode, compared with all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import math

from lerobot_streamrec.dataset.format.features import ACTION, STATE
from lerobot_streamrec.report.findings import Finding, Rule
from lerobot_streamrec.report.motion_survey import MotionSurvey
from lerobot_streamrec.report.series import Values
from lerobot_streamrec.report.summary import short_name
import numpy as np

STILL_SHARE = 0.01
"""Share of its range over the dataset within which an element counts as still."""
MOVING_SHARE = 0.1
"""Share of its range over the dataset beyond which an element counts as moving."""
FOLLOWING_SHARE = 0.1
"""Share of the action's motion that the state has to follow at least."""
APART_SHARE = 0.05
"""Share of its range by which leader and follower are apart at least."""
ALIKE_CORRELATION = 0.9
"""Correlation from which an element of the action is the goal of the state of the same name."""
MAX_DELAY_S = 0.5
"""Longest delay of a follower; what it explains is no distance."""
JUMP_SHARE = 0.2
"""Share of its range that an element jumps at least from one row to the next."""
JUMP_FACTOR = 8.0
"""Factor by which a jump is larger than the usual step of the rows around it."""
JUMP_ROWS = 5
"""Number of rows before and after a jump with which it is compared."""
IDLE_SHARE = 0.02
"""Share of its range that an element moves at least, so that the robot is not idle."""
IDLE_S = 2.0
"""Longest time at the beginning or the end of an episode in which nothing moves."""
DUPLICATE_DISTANCE = 0.01
"""Mean distance, as a share of the ranges, below which two motions are the same."""
DUPLICATE_LENGTH = 0.05
"""Largest relative difference in length of two episodes with the same motion."""

_TURNS = (2 * math.pi, 360.0)
_TURN_TOLERANCE = 0.05


def motion_findings(
    survey: MotionSurvey, episode_index: int, values: Mapping[str, Values], fps: int
) -> list[Finding]:
    """
    Return what looks wrong in the motion of an episode.

    :param survey: the figures of all episodes, including this one
    :param episode_index: number of the episode in the dataset
    :param values: finite ``(rows, d)`` of state and action
    :param fps: rows per second
    """
    number = survey.numbers[episode_index]
    found = [*_jumps(survey, values)]
    if not moves(survey, number):
        seconds = len(next(iter(values.values()))) / fps
        if seconds > IDLE_S and len(survey.numbers) > 1:
            text = f'Nothing moves in the whole episode ({seconds:.1f} s)'
            found.append(Finding(Rule.IDLE, 'whole episode', text))
        return found
    left_behind = list(_left_behind(survey, number))
    found += _no_motion(survey, number, left_behind)
    found += _frozen(survey, number, without=left_behind)
    found += _apart(survey, values, fps)
    found += _idle(survey, values, fps)
    return found


def moves(survey: MotionSurvey, number: int) -> bool:
    """Return whether anything of state or action moves in the n-th episode of a survey."""
    return any(
        bool((survey.travels[key][number] > STILL_SHARE * survey.spans[key]).any())
        for key in survey.names
    )


def _frozen(survey: MotionSurvey, number: int, without: Sequence[int]) -> Iterator[Finding]:
    for key, names in survey.names.items():
        span, travels = survey.spans[key], survey.travels[key]
        still = (travels[number] < STILL_SHARE * span) & (span > 0)
        elsewhere = (travels > MOVING_SHARE * span).any(axis=0)
        for at in np.flatnonzero(still & elsewhere):
            if key == STATE and at in without:
                continue
            share = float(travels[number][at] / span[at])
            what = f'{names[at]} of {short_name(key)}'
            text = f'The element {what} does not move ({share:.1%} of its range over the dataset)'
            yield Finding(Rule.FROZEN, what, text)


def _left_behind(survey: MotionSurvey, number: int) -> Iterator[int]:
    """Yield the elements of the state that do not follow the action of the same name."""
    for state, action in survey.pairs:
        wanted = survey.travels[ACTION][number][action]
        done = survey.travels[STATE][number][state]
        if wanted > MOVING_SHARE * survey.spans[ACTION][action] and (
            done < FOLLOWING_SHARE * wanted
        ):
            yield state


def _no_motion(survey: MotionSurvey, number: int, left_behind: Sequence[int]) -> Iterator[Finding]:
    names = survey.names.get(STATE, ())
    action_of = dict(survey.pairs)
    for at in left_behind:
        done = survey.travels[STATE][number][at]
        wanted = survey.travels[ACTION][number][action_of[at]]
        text = f'The state of {names[at]} moves by {done:.3g}, and its action by {wanted:.3g}'
        yield Finding(Rule.NO_MOTION, names[at], text)
    if not survey.pairs and len(survey.names) == 2:
        # State and action have different elements, so only all of them together can be compared.
        still = survey.travels[STATE][number] <= STILL_SHARE * survey.spans[STATE]
        wanted = survey.travels[ACTION][number] > MOVING_SHARE * survey.spans[ACTION]
        if still.all() and wanted.any():
            yield Finding(Rule.NO_MOTION, 'state', 'The action changes, and the state does not')


def _apart(survey: MotionSurvey, values: Mapping[str, Values], fps: int) -> Iterator[Finding]:
    if not survey.pairs:
        return
    state, action = survey.paired(values)
    for place, (at, to) in enumerate(survey.pairs):
        span = survey.spans[ACTION][to]
        if survey.correlations[place] < ALIKE_CORRELATION or span <= 0:
            continue
        apart = _delayed_distance(state[:, place], action[:, place], fps)
        middle = float(np.median(apart))
        spread = float(np.subtract(*np.quantile(apart, (0.9, 0.1))))
        if abs(middle) > APART_SHARE * span and spread < abs(middle):
            name = survey.names[STATE][at]
            text = f'The action of {name} is {middle:+.3g} away from its state in most rows'
            yield Finding(Rule.APART, name, text)


def _delayed_distance(state: Values, action: Values, fps: int) -> Values:
    """Return action minus state, ``(n,)``, at the delay of the state at which it is smallest."""
    delays = range(min(round(MAX_DELAY_S * fps), len(state) - 1) + 1)
    distances = (action[: len(action) - delay] - state[delay:] for delay in delays)
    return min(distances, key=lambda one: float(np.abs(one).mean()))


def _jumps(survey: MotionSurvey, values: Mapping[str, Values]) -> Iterator[Finding]:
    for key, names in survey.names.items():
        steps = np.abs(np.diff(values[key], axis=0))
        large = steps > JUMP_SHARE * survey.spans[key]
        for at in np.flatnonzero(large.any(axis=0)):
            if survey.switches[key][at]:
                continue
            rows = [
                int(row)
                for row in np.flatnonzero(large[:, at])
                if steps[row, at] > JUMP_FACTOR * _usual_step(steps[:, at], int(row))
            ]
            if rows:
                what = f'{names[at]} of {short_name(key)}'
                yield _jump(what, float(steps[rows[0], at]), rows)


def _usual_step(steps: Values, row: int) -> float:
    around = steps[max(0, row - JUMP_ROWS) : row + JUMP_ROWS + 1]
    return float(np.median(around))


def _jump(what: str, step: float, rows: Sequence[int]) -> Finding:
    is_turn = any(abs(step / turn - 1) < _TURN_TOLERANCE for turn in _TURNS)
    wrap = ', a full turn' if is_turn else ''
    more = f', the first of {len(rows)} jumps' if len(rows) > 1 else ''
    text = f'The element {what} jumps by {step:.3g}{wrap} at frame {rows[0] + 1}{more}'
    return Finding(Rule.JUMP, what, text, (rows[0], rows[0] + 1))


def _idle(survey: MotionSurvey, values: Mapping[str, Values], fps: int) -> Iterator[Finding]:
    whole = np.concatenate([values[key] for key in survey.names], axis=1)
    limit = IDLE_SHARE * np.concatenate([survey.spans[key] for key in survey.names])
    last = len(whole) - 1
    for place, anchor, text in (
        ('beginning', 0, 'Nothing moves in the first {:.1f} s'),
        ('end', last, 'Nothing moves in the last {:.1f} s'),
    ):
        moved = np.flatnonzero((np.abs(whole - whole[anchor]) > limit).any(axis=1))
        if not len(moved):
            continue
        rows = (0, int(moved[0])) if anchor == 0 else (int(moved[-1]), last)
        seconds = (rows[1] - rows[0]) / fps
        if seconds > IDLE_S:
            yield Finding(Rule.IDLE, place, text.format(seconds), rows)


def duplicate_findings(survey: MotionSurvey, lengths: Mapping[int, int]) -> dict[int, Finding]:
    """
    Return the episodes whose motion is that of an earlier one, by their index.

    :param survey: the figures of all episodes
    :param lengths: number of rows of each episode, by its index
    """
    found: dict[int, Finding] = {}
    if not survey.names or len(survey.numbers) < 2:
        return found
    indices = list(survey.numbers)
    close = np.argwhere(np.triu(survey.distances < DUPLICATE_DISTANCE, 1))
    for first, second in close.tolist():
        one, other = indices[first], indices[second]
        differs = abs(lengths[one] / lengths[other] - 1) > DUPLICATE_LENGTH
        if differs or other in found or not moves(survey, second):
            continue
        share = survey.distances[first, second]
        text = f'It moves as episode {one} does (mean distance {share:.2%} of the ranges)'
        found[other] = Finding(Rule.DUPLICATE, '', text, other=one)
    return found
