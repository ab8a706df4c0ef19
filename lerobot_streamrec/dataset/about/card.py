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
The dataset card: README.md in the form that the Hub shows.

Source: the dataset card specification of huggingface_hub, and LeRobot's ``card_template.md``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
import hashlib
import json
from pathlib import PurePosixPath
import re

from lerobot_streamrec.dataset.about.robot_files import FOLDER as ROBOT
from lerobot_streamrec.dataset.about.robot_files import names_in, slot_of
from lerobot_streamrec.dataset.format.catalog import Catalog, read_catalog
from lerobot_streamrec.dataset.format.data_rows import vector_keys
from lerobot_streamrec.dataset.format.episode_table import (
    OPERATOR,
    RECORDED_AT,
    RECORDER,
    ROBOT_FILES,
    VERDICT,
    VERDICTS,
)
from lerobot_streamrec.dataset.format.features import VIDEO_CODEC
from lerobot_streamrec.dataset.format.files import Files

CARD = PurePosixPath('README.md')
UNKNOWN_LICENSE = 'unknown'

_SECONDS_PER_MINUTE, _MOST_MINUTES = 60, 120
_MOST_TASKS = 50
# The mark holds a checksum of all lines before it, so that an edited card is known as such.
_MARK = re.compile(r'<!-- lerobot_streamrec wrote this card ([0-9a-f]{64}) -->\n')
_LICENSE = re.compile(r'^license: "?([^"\n]+)"?$', re.MULTILINE)


def write_card(files: Files, license_id: str = '') -> bool:
    """
    Write the card of a dataset, unless somebody else wrote or edited the present one.

    :param files: the access to the disk
    :param license_id: the Hub's name of the license; empty: that of the present card
    :return: False if the present card was left as it is
    :raise DatasetError: if the dataset cannot be read, or the card cannot be written
    """
    present = files.content(CARD)
    if present is not None and not is_generated(present):
        return False
    if not license_id:
        found = _LICENSE.search((present or b'').decode())
        license_id = found[1] if found else UNKNOWN_LICENSE
    text = '\n'.join(_lines(read_catalog(files.root), license_id)) + '\n'
    content = f'{text}<!-- lerobot_streamrec wrote this card {_checksum(text)} -->\n'.encode()
    if content != present:
        files.replace(CARD, content)
    return True


def refresh_card(files: Files) -> None:
    """
    Write the card again after a change of the dataset, if there is one of this module.

    :raise DatasetError: as ``write_card``
    """
    if files.content(CARD) is not None:
        write_card(files)


def is_generated(content: bytes) -> bool:
    """Return whether a card was written by this module, and is as it was written."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    found = list(_MARK.finditer(text))
    if not found or found[-1].end() != len(text):
        return False
    return found[-1][1] == _checksum(text[: found[-1].start()])


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _lines(catalog: Catalog, license_id: str) -> Iterator[str]:
    robot = str(catalog.info.robot_type or '')
    yield '---'
    yield f'license: {json.dumps(license_id)}'
    yield 'task_categories:'
    yield '- robotics'
    yield 'tags:'
    yield from (f'- {json.dumps(tag)}' for tag in ('LeRobot', 'ROS 2', robot) if tag)
    yield 'configs:'
    yield '- config_name: default'
    yield '  data_files: data/*/*.parquet'
    yield '---'
    yield ''
    yield f'# {_cell(catalog.root.name)}'
    yield ''
    yield 'Demonstrations of a robot in the LeRobot v3.0 format, recorded from ROS 2.'
    yield ''
    yield from _table(('', ''), _facts(catalog, robot))
    yield ''
    yield '## Tasks'
    yield ''
    yield from _table(('task', 'episodes'), _tasks(catalog))
    yield ''
    yield '## Cameras'
    yield ''
    yield from _table(('feature', 'pictures', 'codec'), _cameras(catalog))
    yield ''
    yield '## Numbers'
    yield ''
    yield from _table(('feature', 'type', 'elements'), _vectors(catalog))
    yield ''
    yield '## How it was recorded'
    yield ''
    yield (
        f'Each row holds what every sensor had sent by one instant, {catalog.info.fps} times a '
        'second; each row has exactly one frame of every camera. `.streamrec/episodes` has the '
        'topics, rates and repeated frames of each episode.'
    )
    yield ''
    yield '```python'
    yield 'from lerobot.datasets.lerobot_dataset import LeRobotDataset'
    yield ''
    yield f'dataset = LeRobotDataset({json.dumps(catalog.root.name)}, root="...")'
    yield '```'
    yield ''


def _facts(catalog: Catalog, robot: str) -> Iterator[Sequence[str]]:
    info, episodes = catalog.info, catalog.episodes
    verdicts = Counter(one.texts.get(VERDICT, '') for one in episodes)
    said = ', '.join(f'{verdicts[one]} {one}' for one in VERDICTS if verdicts[one])
    yield 'episodes', f'{len(episodes)} ({said})' if said else f'{len(episodes)}'
    minutes = info.total_frames / info.fps / _SECONDS_PER_MINUTE
    time = f'{minutes:.1f} min' if minutes < _MOST_MINUTES else f'{minutes / 60:.1f} h'
    yield 'duration', f'{time}, {info.total_frames} rows at {info.fps} per second'
    yield 'robot', robot or 'not stated'
    days = sorted({one.texts.get(RECORDED_AT, '')[:10] for one in episodes} - {''})
    if days:
        yield 'recorded', days[0] if len(days) == 1 else f'{days[0]} to {days[-1]}'
    for title, name in (('operators', OPERATOR), ('recorders', RECORDER)):
        found = dict.fromkeys(one.texts.get(name, '') for one in episodes)
        if names := ', '.join(filter(None, found)):
            yield title, names
    named = {name for one in episodes for name in names_in(one.texts.get(ROBOT_FILES, ''))}
    if named:
        slots = dict.fromkeys(str(slot_of(name)) for name in sorted(named))
        yield 'set-up', f'{", ".join(slots)} ({ROBOT})'


def _tasks(catalog: Catalog) -> Iterator[Sequence[str]]:
    counts = Counter(task for one in catalog.episodes for task in one.tasks).most_common()
    yield from ((task, str(count)) for task, count in counts[:_MOST_TASKS])
    if len(counts) > _MOST_TASKS:
        yield f'and {len(counts) - _MOST_TASKS} more', ''


def _cameras(catalog: Catalog) -> Iterator[Sequence[str]]:
    for key in catalog.info.video_keys:
        spec = catalog.info.features[key]
        height, width = (spec.picture_shape or (0, 0))[:2]
        yield key, f'{width} x {height}', str(spec.info.get(VIDEO_CODEC) or 'not stated')


def _vectors(catalog: Catalog) -> Iterator[Sequence[str]]:
    for key in vector_keys(catalog.info):
        spec = catalog.info.features[key]
        shape = ' x '.join(map(str, spec.shape or ()))
        yield key, f'{shape} {spec.dtype}', ', '.join(map(str, spec.names or ()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    cells = [*rows] or [('none', *('' for _ in head[1:]))]
    yield f'| {" | ".join(head)} |'
    yield f'|{"---|" * len(head)}'
    yield from (f'| {" | ".join(map(_cell, row))} |' for row in cells)


def _cell(text: str) -> str:
    """Return a text that is neither markup nor the end of a cell."""
    return re.sub(r'([\\|<>*_`#\[\]])', r'\\\1', ' '.join(text.split()))
