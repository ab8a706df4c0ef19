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
"""Episodes by a table: a CSV file with a row for each."""

from __future__ import annotations

from collections.abc import Sequence
import csv
from datetime import datetime, timezone
from decimal import Decimal
from itertools import pairwise
from pathlib import Path, PurePath
import re
from typing import NamedTuple

from lerobot_streamrec.dataset.format.episode_table import (
    checked_text,
    NOTES,
    OPERATOR,
    refuse_text_name,
    VERDICT,
)
from lerobot_streamrec.errors import ConfigError, EpisodeError
from lerobot_streamrec.fleet.planning.bag_spans import Span
from lerobot_streamrec.fleet.reading.bag_reader import Bag
from lerobot_streamrec.sync.row_clock import NS_PER_S

_START, _END, _TASK, _BAG = 'start', 'end', 'task', 'bag'
_KNOWN = (_START, _END, _TASK, _BAG, VERDICT, NOTES, OPERATOR)
_NUMBER = re.compile(r'\d+(?:\.\d*)?|\.\d+')
_MOMENT = re.compile(
    r'(?P<second>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?P<fraction>\.\d{1,9})?'
    r'(?P<zone>Z|[+-]\d\d:\d\d)?',
    re.IGNORECASE,
)
# Tables are made by hand, with times that are rounded.
_ROUNDED_NS = NS_PER_S
# Smaller numbers are no nanoseconds since 1970, but seconds.
_LEAST_NS = 10**12
_FORMS = (
    'allowed are seconds since the begin of the bag, such as 12.5, seconds or nanoseconds since '
    '1970, and times with a zone, such as 2026-11-27T08:13:20.5Z'
)


class _Row(NamedTuple):
    """
    A row of a table.

    :param place: the file and the line
    :param cells: texts by column
    """

    place: str
    cells: dict[str, str]

    def error(self, column: str, allowed: str) -> ConfigError:
        return ConfigError(f'{self.place}, column {column}', self.cells[column], allowed)


def spans_of_table(path: Path, bag: Bag, *, has_others: bool) -> list[Span]:
    """
    Return the episodes of a bag that a table has.

    :param path: the CSV file
    :param bag: the bag
    :param has_others: True if other bags are imported by the same table
    :raise ConfigError: if the table cannot be used, with file, line, column, value and what is
        allowed
    """
    rows = _rows(path)
    if _BAG in rows[0].cells:
        names = sorted({one.cells[_BAG] for one in rows})
        rows = [one for one in rows if _is_of(bag, one)]
        if not rows:
            allowed = f'the bag is {bag.path.resolve().name}'
            raise ConfigError(f'{path}, column {_BAG}', names, allowed)
    elif has_others:
        why = f'for several bags it needs a column {_BAG}, with the name of each folder or file'
        raise ConfigError('--episodes', str(path), why)
    found = sorted(((_span(one, bag), one) for one in rows), key=lambda pair: pair[0].begin_ns)
    for (before, earlier), (after, later) in pairwise(found):
        if after.begin_ns < before.end_ns:
            raise later.error(_START, f'the episode of {earlier.place} ends later than this')
    return [span for span, _ in found]


def _rows(path: Path) -> list[_Row]:
    """Return the rows, at least one; raise a ConfigError if they are not those of a table."""
    try:
        with path.open(encoding='utf-8-sig', newline='') as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, [one.strip() for one in cells]) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError('--episodes', str(path), f'it cannot be read as CSV: {error}') from error
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if len(filled) < 2:
        why = f'it has no episode: the first line is a header such as {_START},{_END},{_TASK}'
        raise ConfigError('--episodes', str(path), f'{why}, and each further line an episode')
    (first, header), *others = filled
    _check_header(f'{path}, line {first}', header)
    rows = []
    for number, cells in others:
        place = f'{path}, line {number}'
        if len(cells) != len(header):
            why = f'it has {len(cells)} cells, and the header has {len(header)}'
            raise ConfigError(place, ','.join(cells), f'{why}: {",".join(header)}')
        rows.append(_Row(place, dict(zip(header, cells, strict=True))))
    return rows


def _check_header(place: str, header: Sequence[str]) -> None:
    for name in header:
        if header.count(name) > 1:
            raise ConfigError(place, ','.join(header), f'the column {name!r} is there twice')
        if name not in _KNOWN:
            try:
                refuse_text_name(place, name)
            except ConfigError as error:
                allowed = f'{error.allowed}; allowed are also {", ".join(_KNOWN)}'
                raise ConfigError(f'{place}, a column', name, allowed) from error
    for name in (_START, _END):
        if name not in header:
            raise ConfigError(place, ','.join(header), f'the column {name} is missing')


def _is_of(bag: Bag, row: _Row) -> bool:
    parts = PurePath(row.cells[_BAG]).parts
    if not parts:
        raise row.error(_BAG, 'the name of a file or folder is missing')
    return bag.path.resolve().parts[-len(parts) :] == parts


def _span(row: _Row, bag: Bag) -> Span:
    begin_ns, end_ns = (_time_ns(row, column, bag) for column in (_START, _END))
    if end_ns <= begin_ns:
        raise row.error(_END, f'it has to be later than {_START}, {row.cells[_START]}')
    texts = {}
    for name, text in row.cells.items():
        if name not in (_START, _END, _TASK, _BAG) and text:
            try:
                texts[name] = checked_text(name, text)
            except EpisodeError as error:
                raise row.error(name, str(error)) from error
    return Span(begin_ns, end_ns, row.cells.get(_TASK, ''), texts)


def _time_ns(row: _Row, column: str, bag: Bag) -> int:
    """Return a time within the bag, in nanoseconds since 1970."""
    text, first_ns, last_ns = row.cells[column], bag.begin_ns or 0, bag.end_ns or 0
    meanings = _moment_ns(row, column)
    if _NUMBER.fullmatch(text):
        seconds_ns = int(Decimal(text) * NS_PER_S)
        meanings = {first_ns + seconds_ns, seconds_ns}
        if text.isdigit() and int(text) >= _LEAST_NS:
            meanings = {int(text)}
    if not meanings:
        raise row.error(column, _FORMS)
    fits = [
        one for one in meanings if first_ns - _ROUNDED_NS <= one <= last_ns + _ROUNDED_NS
    ]
    if not fits:
        raise row.error(
            column,
            f'the bag lasts from {_utc(first_ns)} to {_utc(last_ns)}, '
            f'which is {(last_ns - first_ns) / NS_PER_S:.3f} s; {_FORMS}',
        )
    if len(fits) > 1:
        raise row.error(
            column,
            f'{" and ".join(map(_utc, sorted(fits)))} are both within the bag, and it may mean '
            'seconds since its begin or since 1970: write a time with a zone',
        )
    return min(max(fits[0], first_ns), last_ns)


def _moment_ns(row: _Row, column: str) -> set[int]:
    """Return the time that is meant by a date and time of day; none if it is something else."""
    found = _MOMENT.fullmatch(row.cells[column])
    if found is None:
        return set()
    if found['zone'] is None:
        raise row.error(column, 'it has no zone: add Z for UTC, or an offset such as +02:00')
    zone = found['zone'].upper().replace('Z', '+00:00')
    try:
        moment = datetime.fromisoformat(found['second'].upper() + zone)
    except ValueError as error:
        raise row.error(column, f'{error}; {_FORMS}') from error
    second_ns = round(moment.timestamp()) * NS_PER_S
    return {second_ns + int(Decimal(found['fraction'] or 0) * NS_PER_S)}


def _utc(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // NS_PER_S, timezone.utc)
    return f'{moment:%Y-%m-%dT%H:%M:%S}.{time_ns % NS_PER_S // 1_000_000:03d}Z'
