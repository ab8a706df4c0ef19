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
"""Verdicts and the rows that follow them, as an interrupted label may leave them."""

from __future__ import annotations

from lerobot_streamrec.dataset.format.features import SINGLE_FLAG, SUCCESS, vector_feature
from lerobot_streamrec.dataset.format.state import EpisodeDraft
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
import numpy as np
import pytest

STATE = 'observation.state'
FEATURES = {STATE: vector_feature(('x',)), SUCCESS: SINGLE_FLAG}


@pytest.mark.parametrize(
    ('verdict', 'is_from_a_topic', 'expected'),
    [
        ('failure', False, {('success-differs', 0)}),
        ('', False, {('success-differs', 0)}),
        ('success', False, set()),
        # The robot knows better when its task is done.
        ('failure', True, set()),
    ],
)
def test_a_verdict_that_the_rows_deny_is_found(root, edited, verdict, is_from_a_topic, expected):
    writer, _ = open_dataset(root, fps=10, robot_type=None, features=FEATURES, resume=True)
    streams = {key: {'feature': key} for key in (STATE, SUCCESS)[: 1 + is_from_a_topic]}
    vectors = {STATE: np.zeros((3, 1), np.float32)}
    if is_from_a_topic:
        vectors[SUCCESS] = np.array([[False], [False], [True]])
    record = {'metadata': {'verdict': 'success'}, 'streams': streams}
    writer.commit(EpisodeDraft(3, 'push', vectors, {}, record))
    writer.close()
    dataset = edited(root)
    path = 'meta/episodes/chunk-000/file-000.parquet'
    dataset.column(path, 'verdict', lambda _: [verdict])
    report = dataset.check()
    assert {(one.kind.code, one.episode_index) for one in report.findings} == expected
