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
"""The elements of a vector, found before the first message since a dataset fixes its features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import re

from lerobot_streamrec.conversions.leaves import (
    element_names,
    expand,
    Leaf,
    quaternion_offsets,
)
from lerobot_streamrec.conversions.message_types import (
    default_selectors,
    JOINT_FIELDS,
)
from lerobot_streamrec.conversions.paths import Definitions, Shape, type_shape
from lerobot_streamrec.conversions.reader import SelectorReader, TrajectoryReader
from lerobot_streamrec.conversions.selector import parse_selectors, Selector
from lerobot_streamrec.errors import ConfigError, VectorError

_TYPE = re.compile(r'[A-Za-z]\w*/msg/[A-Za-z]\w*')


@dataclass(frozen=True, slots=True)
class Elements:
    """
    The elements of a vector.

    :param selectors: selectors in the order of the vector
    :param names: names of the vector's numbers
    :param quaternions: indices in the vector at which x, y, z, w of a quaternion begin
    """

    selectors: tuple[Selector, ...]
    names: tuple[str, ...]
    quaternions: tuple[int, ...] = ()

    @property
    def is_timed(self) -> bool:
        """True if the numbers come from a trajectory and are interpolated by time."""
        return any(one.trajectory is not None for one in self.selectors)

    def make_reader(self) -> SelectorReader | TrajectoryReader:
        """Return a new reader that takes the numbers from messages, for use by one thread."""
        kind = TrajectoryReader if self.is_timed else SelectorReader
        return kind(self.selectors, self.names)


def find_elements(
    parameter: str,
    message_type: str,
    selectors: Sequence[str] = (),
    names: Sequence[str] = (),
    field: str = JOINT_FIELDS[0],
    definitions: Definitions = lambda _: None,
) -> Elements:
    """
    Return the elements of a vector, which are found without a message.

    :param parameter: prefix of the settings, such as ``state``, for error messages
    :param message_type: type of the messages, such as ``geometry_msgs/msg/Twist``
    :param selectors: selectors; if empty, the defaults of the message type
    :param names: names of the numbers; if empty, they are derived from the selectors
    :param field: joint field that is read if there are no selectors
    :param definitions: function that returns the fields of message types; without it, no type is
        known, and the numbers need names
    :raise ConfigError: if a setting is not allowed, a selector does not fit the type, or names are
        missing
    """
    if len(set(names)) < len(names):
        raise ConfigError(f'{parameter}.names', list(names), 'every name may occur only once')
    if field not in JOINT_FIELDS:
        raise ConfigError(f'{parameter}.field', field, f'allowed are {", ".join(JOINT_FIELDS)}')
    if not _TYPE.fullmatch(message_type):
        raise ConfigError(
            f'{parameter}.type', message_type, 'a type is written as sensor_msgs/msg/JointState'
        )
    chosen = (
        parse_selectors(f'{parameter}.selectors', selectors)
        if selectors
        else _defaults(parameter, message_type, names, field)
    )
    shape = type_shape(message_type, definitions)
    leaves = [leaf for one in chosen for leaf in _expand(parameter, one, shape)]
    counts = _counts(parameter, message_type, leaves, names)
    try:
        all_names = tuple(names) or element_names(leaves, counts)
    except VectorError as error:
        texts = [one.text for one in chosen]
        raise ConfigError(f'{parameter}.selectors', texts, f'{error}') from error
    elements = Elements(chosen, all_names, quaternion_offsets(leaves, counts))
    if elements.quaternions and elements.is_timed:
        raise ConfigError(
            f'{parameter}.selectors',
            list(selectors),
            'rotations cannot be interpolated: choose a point by its number instead of [time]',
        )
    return elements


def _defaults(
    parameter: str, message_type: str, names: Sequence[str], field: str
) -> tuple[Selector, ...]:
    chosen = default_selectors(message_type, names, field)
    if chosen is None:
        raise ConfigError(
            f'{parameter}.selectors',
            [],
            f'{message_type} is not among the types that are read without selectors (see '
            f'docs/selectors.md): select its numbers, such as pose.position.x',
        )
    if not chosen:
        raise ConfigError(
            f'{parameter}.names', [], f'name the joints of {message_type} to record, in order'
        )
    return chosen


def _expand(parameter: str, selector: Selector, shape: Shape) -> tuple[Leaf, ...]:
    try:
        return expand(selector, shape)
    except VectorError as error:
        why = str(error).removeprefix(f'{selector.text}: ')
        raise ConfigError(f'{parameter}.selectors', selector.text, why) from error


def _counts(
    parameter: str, message_type: str, leaves: Sequence[Leaf], names: Sequence[str]
) -> tuple[int, ...]:
    # Names tell the length of one open leaf. With several open ones, the counts are not used:
    # there are names for all numbers, and no quaternion.
    counts = [leaf.count for leaf in leaves]
    num_known = sum(count for count in counts if count is not None)
    open_ones = [str(leaf) for leaf, count in zip(leaves, counts, strict=True) if count is None]
    if not open_ones:
        if names and len(names) != num_known:
            raise ConfigError(
                f'{parameter}.names',
                list(names),
                f'{num_known} names are needed, for {", ".join(map(str, leaves))}',
            )
    elif not names:
        raise ConfigError(
            f'{parameter}.names',
            [],
            f'{message_type} does not tell how many numbers {" and ".join(open_ones)} will have: '
            f'name them in order, or select them one by one or as a slice such as data[0:6]',
        )
    elif len(names) < num_known + len(open_ones):
        raise ConfigError(
            f'{parameter}.names',
            list(names),
            f'at least {num_known + len(open_ones)} names are needed, '
            f'for {", ".join(map(str, leaves))}',
        )
    elif len(open_ones) > 1 and quaternion_offsets(leaves, [count or 0 for count in counts]):
        raise ConfigError(
            f'{parameter}.selectors',
            [str(leaf) for leaf in leaves],
            f'beside a quaternion, give {" and ".join(open_ones)} a length, as in data[0:6]',
        )
    rest = len(names) - num_known
    return tuple(rest if count is None else count for count in counts)
