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
Additions to a dataset by others: an annotation tool, a model's loader, and people.

``annotate`` adds them; ``annotations`` reads back the data that every tool must preserve.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SUBTASK, LANGUAGE = 'subtask_index', 'language_persistent'
FEATURES = {
    SUBTASK: {'dtype': 'int64', 'shape': [1], 'names': None},
    LANGUAGE: {'dtype': 'language', 'shape': [1], 'names': None},
}
TOOLS = [{'type': 'function', 'function': {'name': 'grip', 'parameters': {'force': 1.5}}}]
KEYS = {'tools': TOOLS, 'somebody': {'says': ['this', None, 2]}}
FILES = {
    'README.md': b'# What we did',
    'images/setup.jpg': b'a picture of the table',
    'notes/day 1/operator.txt': b'the gripper squeaks',
    'meta/modality.json': b'{"state": {"start": 0}}',
}
_UTTERANCE = pa.struct(
    [
        ('role', pa.string()),
        ('content', pa.string()),
        ('style', pa.string()),
        ('timestamp', pa.float32()),
        ('camera', pa.string()),
        ('tool_calls', pa.list_(pa.string())),
    ]
)


def annotate(root, subtasks=('reach', 'grasp', 'lift'), files=FILES, keys=KEYS):
    """Add columns, a table that one of them refers to, keys and files to a whole dataset."""
    numbers = [_add_columns(path, subtasks) for path in sorted(root.glob('data/*/*'))]
    of_episode = pd.concat(numbers).groupby('episode_index')[SUBTASK].apply(np.array)
    for path in sorted(root.glob('meta/episodes/*/*')):
        _add_to_episodes(path, of_episode)
    table = pd.DataFrame({SUBTASK: range(len(subtasks))}, pd.Index(subtasks, name='subtask'))
    table.to_parquet(root / 'meta/subtasks.parquet')
    tasks = pd.read_parquet(root / 'meta/tasks.parquet')
    difficulty = [f'difficulty of {task}' for task in tasks.index]
    tasks.assign(difficulty=difficulty).to_parquet(root / 'meta/tasks.parquet')
    _edit(root / 'meta/info.json', lambda info: _add_to_info(info, keys))
    statistics = _statistics(np.concatenate([one[SUBTASK] for one in numbers]))
    _edit(root / 'meta/stats.json', lambda stats: stats.update({SUBTASK: statistics}))
    for relative, content in files.items():
        (root / relative).parent.mkdir(parents=True, exist_ok=True)
        (root / relative).write_bytes(content)


def _add_columns(path, subtasks):
    table = pq.ParquetFile(path).read()
    rows = table.select(['episode_index', 'frame_index']).to_pandas()
    rows[SUBTASK] = (rows['episode_index'] + rows['frame_index'] // 2) % len(subtasks)
    said = [
        [_utterance(subtasks[number], frame) for frame in range(1 + number % 2)]
        for number in rows[SUBTASK]
    ]
    table = table.append_column(SUBTASK, pa.array(rows[SUBTASK], pa.int64()))
    table = table.append_column(LANGUAGE, pa.array(said, pa.list_(_UTTERANCE)))
    pq.write_table(table, path)
    return rows


def _utterance(text, frame):
    calls = ['{"name": "grip"}'] if frame else []
    return {
        'role': 'assistant',
        'content': f'now {text}',
        'style': 'subtask',
        'timestamp': frame / 8,
        'camera': None,
        'tool_calls': calls,
    }


def _add_to_episodes(path, of_episode):
    table = pq.ParquetFile(path).read()
    indices = table.column('episode_index').to_pylist()
    found = [_statistics(of_episode[index]) for index in indices]
    for name in found[0]:
        values = pa.array([one[name] for one in found])
        table = table.append_column(f'stats/{SUBTASK}/{name}', values)
    annotators = pa.array([f'annotator {index}' for index in indices])
    pq.write_table(table.append_column('annotator', annotators), path)


def _add_to_info(info, keys):
    info.update(keys)
    info['features'] = {
        **{key: {**one, 'unit': 'SI'} for key, one in info['features'].items()},
        **FEATURES,
    }


def _statistics(values):
    values = np.asarray(values, np.float64)
    found = {name: [float(getattr(values, name)())] for name in ('min', 'max', 'mean', 'std')}
    for number in (1, 10, 50, 90, 99):
        found[f'q{number:02d}'] = [float(np.quantile(values, number / 100))]
    return {**found, 'count': [len(values)]}


def _edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def annotations(root):
    """Return the additions to each episode, independent of the numbers that refer to them."""
    rows = pa.concat_tables([pq.ParquetFile(one).read() for one in sorted(root.glob('data/*/*'))])
    subtasks = pd.read_parquet(root / 'meta/subtasks.parquet')
    assert subtasks[SUBTASK].tolist() == list(range(len(subtasks)))
    tasks = pd.read_parquet(root / 'meta/tasks.parquet')
    assert tasks['difficulty'].tolist() == [f'difficulty of {task}' for task in tasks.index]
    meta = pd.concat(map(pd.read_parquet, sorted(root.glob('meta/episodes/*/*'))))
    found = []
    for index, annotator in zip(meta['episode_index'], meta['annotator'], strict=True):
        own = rows.filter(pc.equal(rows.column('episode_index'), index))
        found.append(
            {
                'annotator': annotator,
                'subtasks': subtasks.index[own.column(SUBTASK).to_pylist()].tolist(),
                'language': own.column(LANGUAGE).to_pylist(),
                'tasks': tasks.index[own.column('task_index').to_pylist()].tolist(),
            }
        )
    return found


def foreign_content(root):
    """Return the added files that ``FILES`` names, and the added keys of info.json."""
    info = json.loads((root / 'meta/info.json').read_text())
    return (
        {name: (root / name).read_bytes() for name in FILES if (root / name).is_file()},
        {name: info.get(name) for name in KEYS},
        {key: one.get('unit') for key, one in info['features'].items()},
    )
