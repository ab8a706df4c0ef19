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
"""New values of `offset_ms` in a parameter file, whose other lines and comments stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.settings.checked_file import write_checked
import yaml

_TOPIC, _OFFSET = 'topic', 'offset_ms'


def offset_lines(offsets_ms: Mapping[str, float]) -> list[str]:
    """
    Return lines that can be put below ``ros__parameters``.

    :param offsets_ms: value for each camera, by its name, in milliseconds
    """
    return [f'camera.{name}.{_OFFSET}: {value:.1f}' for name, value in offsets_ms.items()]


def write_offsets(
    path: Path, offsets_ms: Mapping[str, float], read: Callable[[Path], Mapping[str, float]]
) -> None:
    """
    Put offsets into a parameter file, durably; what else it holds stays.

    :param path: path of the file
    :param offsets_ms: value for each camera, by its name, in milliseconds
    :param read: function that returns the offsets that the recorder would read from a file, by
        the name of the camera
    :raise ConfigError: if the file cannot be written, or the recorder would not read these values
        from it; it is then as it was
    """
    # A link to the file stays a link.
    path = path.resolve()

    def check(file: Path) -> None:
        found = read(file)
        for name, value in offsets_ms.items():
            there = found.get(name)
            if there != value:
                (line,) = offset_lines({name: value})
                allowed = f'the recorder would still read {there} from it; put in by hand: {line}'
                raise ConfigError('PARAMS', str(path), allowed)

    try:
        text = with_offsets(path.read_text('utf-8'), offsets_ms)
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise ConfigError('PARAMS', str(path), f'it cannot be changed: {error}') from error
    write_checked(path, text, check, force=True, name='PARAMS')


def with_offsets(text: str, offsets_ms: Mapping[str, float]) -> str:
    """
    Return a parameter file with these offsets, and otherwise unchanged.

    :param text: the file, with nested or dotted names, in lines or in braces
    :param offsets_ms: value for each camera, by its name, in milliseconds
    :raise yaml.YAMLError: if the text is no YAML
    """
    entries = list(_entries(yaml.compose(text)))
    changes: dict[tuple[int, int], str] = {}
    for name, value in offsets_ms.items():
        prefix = f'camera.{name}.'
        present = [one for one in entries if one.name == prefix + _OFFSET]
        for one in present:
            changes[one.begin, one.end] = f'{value:.1f}'
        for one in () if present else entries:
            if one.name == prefix + _TOPIC:
                added = f'{one.key.removesuffix(_TOPIC)}{_OFFSET}: {value:.1f}'
                end = one.end if one.is_in_braces else _line_end(text, one.end)
                changes[end, end] = f', {added}' if one.is_in_braces else f'\n{one.indent}{added}'
    for (begin, end), new in sorted(changes.items(), reverse=True):
        text = text[:begin] + new + text[end:]
    return text


class _Entry(NamedTuple):
    """
    A value in the file.

    :param name: whole name of its parameter
    :param key: its key as it is written
    :param indent: blanks before the key
    :param begin: place of its first character in the text
    :param end: place after its last character
    :param is_in_braces: True if it is written in braces, perhaps among others in one line
    """

    name: str
    key: str
    indent: str
    begin: int
    end: int
    is_in_braces: bool


def _entries(root: yaml.Node | None) -> Iterator[_Entry]:
    """Yield the parameters of all nodes that a file names."""
    pending = [('', root)]
    while pending:
        prefix, mapping = pending.pop()
        if not isinstance(mapping, yaml.MappingNode):
            continue
        for key, value in mapping.value:
            name = f'{prefix}{key.value}'
            pending.append((f'{name}.', value))
            yield _Entry(
                # A file may sort its nodes into namespaces.
                name.rpartition('ros__parameters.')[2],
                str(key.value),
                ' ' * key.start_mark.column,
                value.start_mark.index,
                value.end_mark.index,
                bool(mapping.flow_style),
            )


def _line_end(text: str, place: int) -> int:
    end = text.find('\n', place)
    return len(text) if end < 0 else end
