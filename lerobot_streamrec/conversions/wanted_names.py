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
"""The names by which a vector finds out which messages of a shared topic are meant for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from lerobot_streamrec.conversions.leaves import NAME_LISTS
from lerobot_streamrec.conversions.selector import (
    ByName,
    ByTime,
    ByValue,
    Field,
    Index,
    Selector,
    Step,
    Steps,
)


class WantedNames:
    """
    The names by which selectors look up their numbers.

    :param selectors: selectors of one vector; those with neither a name nor a value in brackets
        do not look anything up
    """

    def __init__(self, selectors: Sequence[Selector]) -> None:
        places = [(one, _first_place(one.steps)) for one in selectors]
        self._wanted: tuple[tuple[Steps, Step], ...] = tuple(
            (one.steps[:place], one.steps[place]) for one, place in places if place is not None
        )

    def are_absent(self, message: Any) -> bool:
        """
        Return whether names are wanted and a message has none of them, or no numbers for them.

        Several publishers may share a topic: each may publish joints or frames of its own, or one
        may publish positions and another one velocities of the same joints.
        """
        return bool(self._wanted) and not any(
            _is_there(message, steps, step) for steps, step in self._wanted
        )


def _first_place(steps: Steps) -> int | None:
    """Return the place of the first step that looks up a name or a value."""
    return next((at for at, one in enumerate(steps) if isinstance(one, ByName | ByValue)), None)


def _is_there(message: Any, steps: Steps, step: Step) -> bool:
    """Return whether a message has what a step looks up, or is laid out in another way."""
    owners: list[Any] = []
    try:
        for value, taken in _walk(message, (*steps, step)):
            if isinstance(taken, ByValue):
                value_of = attrgetter(taken.field)
                return any(str(value_of(one)) == taken.value for one in value)
            if isinstance(taken, Field):
                owners.append(value)
        if not len(value):
            return False
    except IndexError:
        # A list on the way is empty, but the names above it count all the same.
        pass
    except (AttributeError, TypeError):
        return True
    return isinstance(step, ByName) and step.name in _names_above(owners)


def _names_above(owners: Sequence[Any]) -> Sequence[str]:
    """Return the nearest list of names, by the same rule that readers follow."""
    for owner in reversed(owners):
        for name in NAME_LISTS:
            names = getattr(owner, name, None)
            if isinstance(names, Sequence) and not isinstance(names, str):
                return names
    return ()


def _walk(message: Any, steps: Steps) -> Iterator[tuple[Any, Step]]:
    """Yield each value along a path together with the step that is taken from it."""
    value = message
    for step in steps:
        yield value, step
        match step:
            case Field(name=name):
                value = getattr(value, name)
            case Index(place=place):
                value = value[place]
            case ByTime():
                value = value[0]
