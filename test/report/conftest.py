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
"""Datasets of the simulated arm for the report: a clean one, and a function that plants faults."""

from __future__ import annotations

from arm_dataset import Plan, write_dataset
from lerobot_streamrec.report.build import build_report
import pytest


@pytest.fixture(scope='session')
def clean_root(tmp_path_factory):
    """Return a dataset of six clean episodes, which tests only read."""
    return write_dataset(tmp_path_factory.mktemp('clean') / 'clean', [Plan() for _ in range(6)])


@pytest.fixture
def report_of(tmp_path):
    """Return a function that writes a dataset of plans, and returns the report on it."""

    def make(*plans, **settings):
        return build_report(write_dataset(tmp_path / 'dataset', plans, **settings))

    return make
