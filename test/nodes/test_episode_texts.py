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
Texts about episodes from parameters and topics: columns that training can choose episodes by.

Guards against an operator's or a scene's name that changes during a session and reaches other
episodes.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from lerobot_streamrec.dataset.format.catalog import read_catalog
import pytest
from rclpy.qos import QoSProfile
from recorder_rig.parameters import SMALL
from recorder_rig.surroundings import wait_until

pytestmark = [pytest.mark.ros]


def test_texts_about_episodes_become_columns_and_change_between_them(rig, keep_dataset):
    rig.small_robot()
    texts = {'metadata.object_set': 'A', 'metadata.table': 3, 'operator': 'Ada'}
    rig.recorder({**SMALL, **texts})
    operator = rig.operator()
    operator.record(num_rows=5)
    assert operator.set_parameter('metadata.object_set', ' B ').successful
    assert not operator.set_parameter('metadata.object_set', 7).successful
    operator.record(num_rows=5)
    operator.publish_text('verdict', 'failure', QoSProfile(depth=1))
    columns = ('object_set', 'table', 'operator', 'verdict')

    def said():
        episodes = read_catalog(rig.root).episodes
        return [tuple(one.texts[name] for name in columns) for one in episodes]

    expected = [('A', '3', 'Ada', ''), ('B', '3', 'Ada', 'failure')]
    wait_until(lambda: said() == expected, 60.0, said)
    (first, _) = read_catalog(rig.root).episodes
    age = datetime.now(timezone.utc) - datetime.fromisoformat(first.texts['recorded_at'])
    assert timedelta(0) < age < timedelta(hours=1)
    keep_dataset(rig.root)
