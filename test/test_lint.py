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
"""The linters are tests: whoever runs the suite has run them."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run_module(name, *arguments):
    pytest.importorskip(name, reason=f'{name} is not installed: requirements/dev.txt has it')
    return subprocess.run(
        [sys.executable, '-m', name, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    'arguments',
    [('ruff', 'check', '--no-fix', '--quiet', '--output-format=concise', '.'), ('mypy',)],
    ids=['ruff', 'mypy'],
)
# Without its cache mypy reads the types of numpy and all of the package anew.
@pytest.mark.timeout(300)
def test_linter_has_nothing_to_say(arguments):
    run = run_module(*arguments)
    if run.returncode != 0:
        pytest.fail(f'{" ".join(arguments)}:\n{run.stdout}', pytrace=False)
