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
Selectors, which are short paths that choose the numbers of a message for a vector.

::

    pose.position.x                       fields
    axes[1]   points[-1]                  an element by number, from the end if negative
    data[0:6]   data[2:]   data[:]        a slice of an array, which ends the selector
    points[0:64].z                        a field of points of a cloud
    position[elbow]   position["0"]       an element by its name in the message's list of names
    transforms[child_frame_id=tool0]      an element by the value of one of its fields
    points[time]                          the points of a trajectory, by time
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import re

from lerobot_streamrec.errors import ConfigError

_FIELD = r'[A-Za-z][A-Za-z0-9_]*'
_FIELD_AT = re.compile(_FIELD)
# Text in brackets that needs no quotes: without these signs, and without blanks around it.
_BARE = re.compile(r'(?! )[^\[\]"\'=]+(?<! )')
_BRACKET_AT = re.compile(
    rf"""\[\ *
    (?:(?P<field>{_FIELD}(?:\.{_FIELD})*)\ *=\ *)?
    (?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>(?:{_BARE.pattern.replace(' ', '[ ]')})?))
    \ *\]""",
    re.VERBOSE,
)
_INDEX = re.compile(r'-?[0-9]+')
_SLICE = re.compile(r'(-?[0-9]+)?:(-?[0-9]+)?')
_NUMBER = re.compile(r'[+-]?[0-9.]+([eE][+-]?[0-9]+)?')
_TIME = 'time'

_FORMS = (
    'a selector is fields joined by dots, a list followed by [3], [0:6], [joint_name], '
    '[field=value] or [time], such as pose.position.x or position[elbow]'
)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message."""

    name: str

    def __str__(self) -> str:
        return f'.{self.name}'


@dataclass(frozen=True, slots=True)
class Index:
    """An element of a list by its number; negative ones count from the end."""

    place: int

    def __str__(self) -> str:
        return f'[{self.place}]'


@dataclass(frozen=True, slots=True)
class Slice:
    """Elements of an array, as in Python, except that missing elements are an error."""

    start: int | None
    stop: int | None

    def __str__(self) -> str:
        start, stop = ('' if end is None else end for end in (self.start, self.stop))
        return f'[{start}:{stop}]'


@dataclass(frozen=True, slots=True)
class ByName:
    """The element of a list whose name is at the same place in the list of names."""

    name: str

    def __str__(self) -> str:
        return f'[{self.name if _is_plain(self.name) else _quoted(self.name)}]'


@dataclass(frozen=True, slots=True)
class ByValue:
    """
    The element of a list of messages in which a field has a certain value.

    :param field: dotted path of the field
    :param value: value of the field as text
    """

    field: str
    value: str

    def __str__(self) -> str:
        value = self.value if _BARE.fullmatch(self.value) else _quoted(self.value)
        return f'[{self.field}={value}]'


@dataclass(frozen=True, slots=True)
class ByTime:
    """The points of a trajectory, which are interpolated by time."""

    def __str__(self) -> str:
        return f'[{_TIME}]'


Step = Field | Index | Slice | ByName | ByValue | ByTime
Steps = tuple[Step, ...]


def text_of(steps: Steps) -> str:
    """Return steps as the text of a selector."""
    return ''.join(map(str, steps)).removeprefix('.')


@dataclass(frozen=True, slots=True)
class Selector:
    """
    A path into a message.

    :param text: text as the user wrote it
    :param steps: steps from the message to the selected value
    """

    text: str
    steps: Steps

    @property
    def trajectory(self) -> Steps | None:
        """Steps to the list whose points are chosen by time; None if there is no such list."""
        for place, step in enumerate(self.steps):
            if isinstance(step, ByTime):
                return self.steps[:place]
        return None


def parse_selectors(parameter: str, texts: Sequence[str]) -> tuple[Selector, ...]:
    """
    Parse the selectors of one vector.

    :param parameter: name of their setting, for error messages
    :raise ConfigError: if a text is not a selector, or two of them follow different trajectories
    """
    selectors = tuple(parse_selector(parameter, text) for text in texts)
    followed = {text_of(one.trajectory) for one in selectors if one.trajectory is not None}
    if len(followed) > 1:
        raise ConfigError(
            parameter,
            list(texts),
            f'[{_TIME}] may only follow one list of a vector, not '
            f'{" and ".join(sorted(followed))}',
        )
    return selectors


def parse_selector(parameter: str, text: str) -> Selector:
    """
    Parse a selector.

    :param parameter: name of its setting, for the error message
    :raise ConfigError: naming the first wrong character, counted from 1
    """
    return _Parser(parameter, text).parse()


def _is_plain(text: str) -> bool:
    # A name that looks like a number, a slice or the word time needs quotes.
    meant = text == _TIME or _NUMBER.fullmatch(text) or _SLICE.fullmatch(text)
    return not meant and _BARE.fullmatch(text) is not None


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


class _Parser:
    def __init__(self, parameter: str, text: str) -> None:
        self._parameter = parameter
        self._text = text
        self._place = 0
        self._steps: list[Step] = []

    def parse(self) -> Selector:
        self._read_field()
        while self._place < len(self._text):
            if self._text[self._place] != '.':
                raise self._error(f'a dot is needed, not {self._text[self._place]!r}')
            self._place += 1
            self._read_field()
        if isinstance(self._steps[-1], ByTime):
            raise self._error(f'a field of the points has to follow [{_TIME}]')
        return Selector(self._text, tuple(self._steps))

    def _read_field(self) -> None:
        field = _FIELD_AT.match(self._text, self._place)
        if field is None:
            raise self._error('the name of a field is needed')
        self._steps.append(Field(field[0]))
        self._place = field.end()
        if self._text.startswith('[', self._place):
            bracket = _BRACKET_AT.match(self._text, self._place)
            if bracket is None:
                raise self._error('this bracket is not closed, or cannot be read')
            self._steps.append(self._bracket_step(bracket))
            self._place = bracket.end()

    def _bracket_step(self, bracket: re.Match[str]) -> Step:
        quoted = bracket['double'] if bracket['double'] is not None else bracket['single']
        text: str = bracket['bare'] if quoted is None else quoted
        if not text:
            raise self._error('there is nothing between the brackets')
        if bracket['field'] is not None:
            return ByValue(bracket['field'], text)
        if quoted is not None or _is_plain(text):
            return ByName(text)
        if text == _TIME:
            if not all(isinstance(step, Field) for step in self._steps):
                raise self._error(f'[{_TIME}] has to be the first bracket')
            return ByTime()
        if _INDEX.fullmatch(text):
            return Index(int(text))
        if ends := _SLICE.fullmatch(text):
            return self._slice(text, *(None if end is None else int(end) for end in ends.groups()))
        raise self._error(f'{text} is no place in a list; if it is a name, quote it: ["{text}"]')

    def _slice(self, text: str, start: int | None, stop: int | None) -> Slice:
        first = start or 0
        if stop is not None and (first < 0) == (stop < 0) and first >= stop:
            raise self._error(f'{text} selects nothing')
        return Slice(start, stop)

    def _error(self, what: str) -> ConfigError:
        return ConfigError(
            self._parameter, self._text, f'at character {self._place + 1}: {what}; {_FORMS}'
        )
