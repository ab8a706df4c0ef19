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
The numbers of a vector as Foxglove's message paths, which its plots read.

A slice in Foxglove includes its end, unlike one in a selector. Foxglove addresses elements of an
array only by number, a selector also by name: the place of a name is looked up in a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lerobot_streamrec.conversions.leaves import expand, Leaf
from lerobot_streamrec.conversions.message_types import definition, LoadClass
from lerobot_streamrec.conversions.paths import type_shape
from lerobot_streamrec.conversions.selector import (
    ByName,
    ByTime,
    ByValue,
    Field,
    Index,
    Selector,
    Slice,
    Step,
    Steps,
)

NameLists = Mapping[Steps, Sequence[str]]
"""The lists of names in a message, by the steps that lead to them."""

_WHOLE = '[:]'


@dataclass(frozen=True, slots=True)
class Series:
    """
    One path to plot.

    :param path: message path
    :param label: name of the number; empty for none
    :param is_array: True if the path has several numbers that cannot be told apart
    """

    path: str
    label: str = ''
    is_array: bool = False


def leaves_of(
    selectors: Sequence[Selector], message_type: str, load_class: LoadClass
) -> tuple[Leaf, ...]:
    """
    Return the numbers that selectors read from a message.

    :param selectors: selectors that fit the type
    :param load_class: function that returns the class of a type that has no built-in definition
    """
    shape = type_shape(message_type, lambda name: definition(name, load_class))
    return tuple(leaf for one in selectors for leaf in expand(one, shape))


def wanted_names(leaves: Sequence[Leaf]) -> dict[Steps, set[str]]:
    """Return the names that must be looked up, by the steps to their lists."""
    found: dict[Steps, set[str]] = {}
    for leaf in leaves:
        for place, step in enumerate(_steps(leaf)):
            if isinstance(step, ByName):
                found.setdefault(leaf.name_lists[place], set()).add(step.name)
    return found


def series_of(
    topic: str, leaves: Sequence[Leaf], names: Sequence[str], name_lists: NameLists
) -> tuple[Series, ...]:
    """
    Return the series to plot for a vector, in the vector's order.

    :param topic: full name of the topic
    :param leaves: the numbers that are read from its messages
    :param names: names of the numbers
    :param name_lists: the known lists of names
    """
    counts = [leaf.count for leaf in leaves]
    num_open = counts.count(None)
    rest = len(names) - sum(count or 0 for count in counts)
    if num_open == 1:
        counts = [rest if count is None else count for count in counts]
    found: dict[str, Series] = {}
    labels = iter(names)
    for leaf, count in zip(leaves, counts, strict=True):
        # With several arrays of unknown length, names cannot be assigned to numbers.
        known = [next(labels, '') for _ in range(count or 0)] if num_open <= 1 else []
        for one in _series(topic, leaf, count, known, name_lists):
            found.setdefault(one.path, one)
    return tuple(found.values())


def _steps(leaf: Leaf) -> Steps:
    return leaf.base if leaf.pick is None else (*leaf.base, leaf.pick)


def _series(
    topic: str, leaf: Leaf, count: int | None, labels: Sequence[str], name_lists: NameLists
) -> Iterator[Series]:
    if isinstance(leaf.pick, Slice) and count is not None:
        start = leaf.pick.start or 0
        picks: list[Steps] = [(*leaf.base, Index(start + k)) for k in range(count)]
    else:
        picks = [_steps(leaf)]
    for place, steps in enumerate(picks):
        texts = [_text(at, step, leaf, name_lists) for at, step in enumerate(steps)]
        is_array = _WHOLE in texts or isinstance(steps[-1], Slice)
        label = labels[place] if place < len(labels) and not is_array else ''
        yield Series(f'{topic}{"".join(texts)}', label, is_array)


def _text(place: int, step: Step, leaf: Leaf, name_lists: NameLists) -> str:
    match step:
        case Field(name=name):
            return f'.{name}'
        case Index(place=index):
            return f'[{index}]'
        case Slice(start=start, stop=stop):
            last = '' if stop in (None, 0) else (stop or 0) - 1
            return f'[{"" if start is None else start}:{last}]'
        case ByName(name=name):
            names = list(name_lists.get(leaf.name_lists[place], ()))
            return f'[{names.index(name)}]' if name in names else _WHOLE
        case ByValue(field=field, value=value):
            quote = "'" if '"' in value else '"'
            return f'{_WHOLE}{{{field}=={quote}{value}{quote}}}'
        case ByTime():
            # The recorded value lies between two points; the first point is the next one due.
            return '[0]'
