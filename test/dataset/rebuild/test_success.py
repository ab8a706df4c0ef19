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
``next.success`` in the data follows the verdicts, however late they are given.

Guards against datasets whose column says one thing and whose verdict another, and against
statistics that still count the old value.
"""

from __future__ import annotations

import json

from fault_at import killed_at_each_replacement
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.format.features import DONE, SINGLE_FLAG, SUCCESS, vector_feature
from lerobot_streamrec.dataset.format.state import EpisodeDraft
from lerobot_streamrec.dataset.rebuild import label
from lerobot_streamrec.dataset.rebuild.label import label_episodes
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
import numpy as np
import pyarrow.parquet as pq
import pytest

STATE = 'observation.state'
FEATURES = {STATE: vector_feature(('x',)), SUCCESS: SINGLE_FLAG, DONE: SINGLE_FLAG}
LENGTHS = (3, 2, 4)


def opened(root):
    writer, _ = open_dataset(root, fps=10, robot_type=None, features=FEATURES, resume=True)
    return writer


def save(writer, *verdicts, streams=(), values=None):
    for verdict, length in zip(verdicts, LENGTHS, strict=False):
        record = {
            'metadata': {'verdict': verdict} if verdict else {},
            'streams': {key: {'feature': key} for key in (STATE, *streams)},
        }
        vectors = {STATE: np.arange(length, dtype=np.float32)[:, None], **(values or {})}
        writer.commit(EpisodeDraft(length, 'push', vectors, {}, record))


def successes(root):
    """Return whether the last row of each episode is a success; no other row may be."""
    found = []
    for path in sorted(root.glob('data/*/*.parquet')):
        table = pq.read_table(path)
        for index in dict.fromkeys(table.column('episode_index').to_pylist()):
            own = np.array(table.column('episode_index').to_pylist()) == index
            flags = np.array(table.column(SUCCESS).to_pylist())[own]
            assert not flags[:-1].any()
            found.append(bool(flags[-1]))
    return found


def mean_success(root):
    return json.loads((root / 'meta/stats.json').read_text())[SUCCESS]['mean'][0]


def assert_sound(root, capsys):
    assert main(['check', str(root), '--json']) == 0
    assert json.loads(capsys.readouterr().out)['findings'] == []


@pytest.mark.parametrize('is_compact', [False, True])
def test_a_late_verdict_reaches_the_rows_and_the_statistics(root, is_compact, capsys):
    writer = opened(root)
    save(writer, 'success', '', 'failure')
    writer.close()
    assert successes(root) == [True, False, False]
    if is_compact:
        assert main(['compact', str(root)]) == 0
    label_episodes(root, [0, 2], {'verdict': 'failure'})
    label_episodes(root, [1], {'verdict': 'success'})
    capsys.readouterr()
    assert successes(root) == [False, True, False]
    assert mean_success(root) == pytest.approx(1 / 9)
    assert_sound(root, capsys)
    label_episodes(root, [1], {'notes': 'fine'})
    assert successes(root) == [False, True, False]


def test_a_running_recorder_does_the_same_and_goes_on(root, capsys):
    writer = opened(root)
    save(writer, '', '')
    writer.annotate({'verdict': 'success'}, 0)
    assert mean_success(root) == pytest.approx(1 / 5)
    save(writer, 'success')
    assert mean_success(root) == pytest.approx(2 / 8)
    writer.annotate({'verdict': ''}, 0)
    writer.undo()
    assert mean_success(root) == 0.0
    assert successes(root) == [False, False]
    writer.close()
    assert_sound(root, capsys)


def test_a_column_of_the_robot_is_left_alone(root):
    """A topic may say when the task is done, on any row."""
    writer = opened(root)
    flags = np.array([[False], [True], [False]])
    save(writer, '', streams=(SUCCESS,), values={SUCCESS: flags})
    writer.close()
    label_episodes(root, [0], {'verdict': 'success'})
    (path,) = root.glob('data/*/*.parquet')
    assert pq.read_table(path).column(SUCCESS).to_pylist() == [False, True, False]
    assert mean_success(root) == pytest.approx(1 / 3)


def test_after_a_kill_the_same_label_mends_everything(root, monkeypatch, capsys):
    writer = opened(root)
    save(writer, 'success', '', '')
    writer.close()
    num_kills = 0

    def change():
        label_episodes(root, [0, 1], {'verdict': 'failure'})

    for _ in killed_at_each_replacement(root, label, change, monkeypatch):
        num_kills += 1
        # Nothing but the statistics and the verdict of one episode may be behind.
        main(['check', str(root), '--json'])
        codes = {one['code'] for one in json.loads(capsys.readouterr().out)['findings']}
        assert codes <= {'success-differs', 'wrong-statistics'}
        change()
        assert successes(root) == [False, False, False]
        assert mean_success(root) == 0.0
        assert_sound(root, capsys)
    # The data of episode 0, both episodes files and records, the statistics, and the card.
    assert num_kills >= 7
