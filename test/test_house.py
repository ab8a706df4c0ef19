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
"""The figures of the house may only improve."""

from __future__ import annotations

from pathlib import Path
import re
import subprocess
import sys

import pytest

from tools import house

ROOT = Path(__file__).resolve().parents[1]


def test_no_figure_is_worse_than_its_limit():
    command = [sys.executable, str(ROOT / 'tools' / 'house.py')]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, f'\n{run.stdout}{run.stderr}'
    assert run.stdout.count('ok ') >= 7


def test_every_wish_leads_somewhere():
    text = (ROOT / 'CONTRIBUTING.md').read_text('utf-8')
    table = text[text.index('## I want to') : text.index('## Style')]
    paths = re.findall(r'`([\w/]+/(?:\w+\.py)?)`', table)
    assert len(paths) >= 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


SOURCE = '''\
# A header.
"""A docstring
of two lines."""

import math  # with a comment

# A comment.
def area(
    radius: float,
) -> float:
    """Return it."""

    return math.pi * radius**2
'''


def test_code_is_what_is_left_without_headers_blanks_docstrings_and_comments():
    assert house.num_code_lines(SOURCE) == 5


@pytest.mark.parametrize(
    ('source', 'found'),
    [
        ('import a.b', {'a.b'}),
        ('from a import b, c', {'a.b'}),
        ('from a.b import Thing', {'a.b'}),
        ('from . import b', set()),
        ('import os', set()),
    ],
)
def test_imports_are_found_however_they_are_written(source, found):
    assert set(house.imported_by(source, {'a', 'a.b'})) == found


def test_a_circle_of_imports_is_found():
    down = {'a': frozenset({'b', 'c'}), 'b': frozenset({'c'})}
    assert house.cycle(down) == []
    assert set(house.cycle({**down, 'c': frozenset({'a'})})) >= {'a', 'c'}


def test_a_figure_beyond_its_limit_is_told():
    assert house.Figure('files', 3, 3, 1).is_kept
    assert not house.Figure('files', 4, 3, 1).is_kept
    assert not house.Figure('median', 2, 3, 4, is_minimum=True).is_kept
    assert str(house.Figure('files', 4, 3, 1)).startswith('EXCEEDS')
