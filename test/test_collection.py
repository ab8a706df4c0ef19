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
All tests can be collected where a ROS installation adds plugins to pytest.

``colcon test`` runs pytest with launch_testing, which imports every test file once more, by its
bare name (pytest's mode ``prepend``), and so stops at the second file of one name.
"""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Does to test files what launch_testing.pytest.hooks does.
PLUGIN = """
from _pytest.pathlib import import_path
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path, parent):
    import_path(module_path, root=parent.config.rootpath, consider_namespace_packages=False)
"""
TIMEOUT_S = 900

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT_S + 20)]


def test_all_tests_are_collected_beside_a_plugin_that_imports_them_by_name(tmp_path):
    (tmp_path / 'imports_by_name.py').write_text(PLUGIN)
    code = f'import sys, pytest; sys.path.insert(0, {str(tmp_path)!r}); sys.exit(pytest.main())'
    options = ['-p', 'imports_by_name', '-p', 'no:cacheprovider', '--collect-only', '-qq', 'test']
    run = subprocess.run(
        [sys.executable, '-c', code, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout
