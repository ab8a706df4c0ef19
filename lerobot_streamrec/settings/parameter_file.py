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
Parameter files of ROS 2 (YAML), read without ROS and as a node reads them.

A file has sections for nodes, such as ``/**``, ``episode``, ``/left/episode`` or ``/*/episode``;
each gives values of parameters below ``ros__parameters``. In their names ``*`` stands for one part
and ``**`` for any number of parts. All sections that match a node count, in the order in which the
file names them first: a later one replaces values of an earlier one, however specific that is.

Sources: ``get_value`` of rcl_yaml_param_parser (``parse.c``) for the types of values, and
``_populate_node_parameters_from_rcl_params`` of rclpy (``node.cpp``) for the order;
``test/nodes/parameters/test_parameter_files.py`` holds this module against both.
"""

from __future__ import annotations

from collections.abc import Iterator
import math
from pathlib import Path
import re
from typing import Any

from lerobot_streamrec.errors import ConfigError
import yaml

PARAMETERS = 'ros__parameters'
BEGINNING = f'a parameter file begins with "/**/episode:", then "  {PARAMETERS}:"'

_TRUE = ('Y', 'y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON')
_FALSE = ('N', 'n', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF')
_TEXT_TAG = 'tag:yaml.org,2002:str'
_INTEGER = re.compile(r'[+-]?(?:(0[xX][0-9a-fA-F]+)|(0[0-7]*)|[1-9][0-9]*)')
_REAL = re.compile(r'[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?')
_SPECIAL = re.compile(r'[+-]?(?:\.(?:inf|Inf|INF)|(?i:inf|infinity|nan))|\.(?:nan|NaN|NAN)')


class _Loader(yaml.BaseLoader):  # type: ignore[misc]
    """A loader that tells a tag from none, since types are not those of YAML, without aliases."""

    def resolve(self, _kind: type, _value: Any, _implicit: Any) -> str:
        """Return the tag of a node that is written without one."""
        return ''

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse what ROS refuses."""
        if self.check_event(yaml.AliasEvent):
            place = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem='ROS reads no aliases', problem_mark=place)
        return super().compose_node(parent, index)


def parameters_of(path: Path, node_name: str) -> dict[str, Any]:
    """
    Return the parameters that a file sets for a node.

    :param node_name: full name of the node, such as ``/left/episode``
    :return: values by the full name of the parameter: bool, int, float, text, or a list of one of
        these, with the types that a node would give them; an empty list is ``[]``
    :raise ConfigError: if the file cannot be read, or sets nothing for the node
    """
    sections: dict[str, dict[str, Any]] = {}
    for name, section in _sections(path):
        values = sections.setdefault(name, {})
        if is_for(name, node_name):
            _add(path, values, section)
    matching = [values for name, values in sections.items() if is_for(name, node_name)]
    if not matching:
        raise ConfigError('PARAMS', str(path), f'it {sets_nothing(tuple(sections), node_name)}')
    return {name: value for values in matching for name, value in values.items()}


def node_names(path: Path) -> tuple[str, ...]:
    """
    Return the names in a file that stand for nodes, as absolute names with their wildcards.

    :return: the names; none if it is not a parameter file, which is told when it is read
    """
    try:
        return tuple(dict.fromkeys(name for name, _ in _sections(path)))
    except ConfigError:
        return ()


def only_node(path: Path) -> str:
    """
    Return the full name of the single node that a parameter file is for.

    :return: the name; empty if the file names none or several nodes, or has wildcards in the name
    """
    names = node_names(path)
    return names[0] if len(names) == 1 and '*' not in names[0] else ''


def is_for(name: str, node_name: str) -> bool:
    """Return True if a name from a parameter file, which may have wildcards, matches a node."""
    tokens = {'**': '(/[^/]+)*', '*': '/[^/]+'}
    pattern = ''.join(tokens.get(one, f'/{re.escape(one)}') for one in name.split('/')[1:])
    return re.fullmatch(pattern, node_name) is not None


def sets_nothing(names: tuple[str, ...], node_name: str) -> str:
    """
    Say of a file that it sets nothing for a node, and for which nodes it is.

    :param names: what ``node_names`` returns of the file
    """
    others = f'is for {", ".join(names)}' if names else 'names no node'
    return (
        f'sets nothing for the node {node_name}: it {others}; the key '
        f'/**/{node_name.rpartition("/")[2]} stands for the node in any namespace'
    )


def _sections(path: Path) -> Iterator[tuple[str, yaml.MappingNode]]:
    """Yield the name and the parameters of each section of a file."""
    try:
        roots = list(yaml.compose_all(path.read_bytes(), _Loader))
    except OSError as error:
        raise ConfigError('PARAMS', str(path), f'{error.strerror or error}') from error
    except yaml.YAMLError as error:
        why = ' '.join(str(error).split())
        raise ConfigError('PARAMS', str(path), f'ROS cannot read this YAML: {why}') from error
    for root in roots:
        yield from _sections_below(path, root, '')


def _sections_below(
    path: Path, node: yaml.Node, begin: str
) -> Iterator[tuple[str, yaml.MappingNode]]:
    for key, value in _pairs(path, node):
        if key != PARAMETERS:
            part = key.strip('/')
            yield from _sections_below(path, value, f'{begin}/{part}' if part else begin)
        elif begin and isinstance(value, yaml.MappingNode):
            yield begin, value
        else:
            raise _unlike(path, value)


def _pairs(path: Path, node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the keys and values of a mapping."""
    if not isinstance(node, yaml.MappingNode):
        raise _unlike(path, node)
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or not key.value:
            raise _unlike(path, key)
        yield key.value, value


def _unlike(path: Path, node: yaml.Node) -> ConfigError:
    line = node.start_mark.line + 1
    return ConfigError('PARAMS', str(path), f'line {line} is not as ROS wants it; {BEGINNING}')


def _values(path: Path, mapping: yaml.Node, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the names and values of parameters, whose names may be nested or dotted."""
    for key, value in _pairs(path, mapping):
        name = f'{prefix}{key}'
        if isinstance(value, yaml.ScalarNode):
            yield name, _scalar(path, name, value)
        elif isinstance(value, yaml.SequenceNode):
            yield name, _list(path, name, value)
        elif value.value:
            yield from _values(path, value, f'{name}.')
        else:
            # ROS takes braces with nothing in them for an empty list.
            yield name, []


def _add(path: Path, values: dict[str, Any], section: yaml.MappingNode) -> None:
    """Add what a section says to what earlier ones of the same name say."""
    for name, value in _values(path, section):
        before = values.setdefault(name, value)
        if type(before) is not type(value) or (isinstance(value, list) and before != value):
            # Of two types, ROS prefers one whatever the order, and an empty list to nothing.
            raise ConfigError(name, value, f'{path} also says {before!r}: leave one of them out')
        values[name] = value


def _list(path: Path, name: str, node: yaml.SequenceNode) -> list[Any]:
    where = f'line {node.start_mark.line + 1} of {path}'
    if not all(isinstance(one, yaml.ScalarNode) for one in node.value):
        raise ConfigError(name, 'a list of lists', f'a list holds single values ({where})')
    values = [_scalar(path, name, one) for one in node.value]
    if len(set(map(type, values))) > 1:
        why = f'all values of a list need the same type: quote texts, write 1.0 for 1 ({where})'
        raise ConfigError(name, values, why)
    return values


def _scalar(path: Path, name: str, node: yaml.ScalarNode) -> bool | int | float | str:
    """Return a single value with the type that ROS gives it, which differs from YAML's."""
    text: str = node.value
    if node.style in ('"', "'") or node.tag == _TEXT_TAG:
        return text
    if not text:
        where = f'line {node.start_mark.line + 1} of {path}'
        raise ConfigError(name, '', f"there is no value; an empty text is '' ({where})")
    if text in _TRUE + _FALSE:
        return text in _TRUE
    whole = _whole_number(text)
    number = _real_number(text) if whole is None else whole
    return text if number is None else number


def _whole_number(text: str) -> int | None:
    """Return a number as ``strtol`` reads it, perhaps after 0x or 0; None: another value."""
    found = _INTEGER.fullmatch(text)
    if found is None:
        return None
    value = int(text, 16 if found[1] else 8 if found[2] else 10)
    return value if -(2**63) <= value < 2**63 else None


def _real_number(text: str) -> float | None:
    """Return a number as ``strtod`` reads it; None: another value, or none that a double holds."""
    if _SPECIAL.fullmatch(text):
        return float(text.replace('.', ''))
    if not _REAL.fullmatch(text):
        return None
    value = float(text)
    is_lost = not value and re.search('[1-9]', re.split('[eE]', text)[0])
    return None if math.isinf(value) or is_lost else value
