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
"""A dataset of an older version of the format gets the same right advice from every tool."""

from __future__ import annotations

import json

from command_line import streamrec
import pytest

CONVERT = 'python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=OWNER/NAME --root={root}'
FIRST = 'python -m lerobot.datasets.v21.convert_dataset_v20_to_v21'
TOOLS = [
    ['check', 'ROOT', '--json'],
    ['check', 'ROOT', '--repair', '--yes'],
    ['compact', 'ROOT'],
    ['delete', 'ROOT', '--episodes', '0'],
    ['encode', 'ROOT'],
    ['frames', 'ROOT', '--episode', '0', '--output', 'OUT'],
    ['merge', 'OUT', 'ROOT'],
    ['reencode', 'ROOT', '--vcodec', 'h264'],
]


@pytest.fixture
def make_old(tmp_path):
    """Make what LeRobot wrote then, as far as a tool looks at it."""

    def make(version):
        root = tmp_path / 'old'
        info = {
            'codebase_version': version,
            'robot_type': 'so100',
            'total_episodes': 1,
            'total_frames': 3,
            'total_tasks': 1,
            'total_videos': 0,
            'total_chunks': 1,
            'chunks_size': 1000,
            'fps': 30,
            'splits': {'train': '0:1'},
            'data_path': 'data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet',
            'video_path': None,
            'features': {'action': {'dtype': 'float32', 'shape': [1], 'names': ['x']}},
        }
        for name, text in {
            'meta/info.json': json.dumps(info),
            'meta/tasks.jsonl': '{"task_index": 0, "task": "pick"}',
            'meta/episodes.jsonl': '{"episode_index": 0, "tasks": ["pick"], "length": 3}',
            'data/chunk-000/episode_000000.parquet': 'PAR1',
        }.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root

    return make


@pytest.mark.parametrize('tool', TOOLS, ids=lambda words: '-'.join(words[:3:2]))
def test_every_tool_names_the_command_that_converts(tool, make_old, tmp_path):
    root = make_old('v2.1')
    before = {path: path.read_bytes() for path in root.rglob('*') if path.is_file()}
    names = {'ROOT': root, 'OUT': tmp_path / 'out'}
    done = streamrec(*(names.get(word, word) for word in tool))
    said = ' '.join((done.stdout + done.stderr).split())
    assert done.returncode == 1, said
    assert 'v2.1' in said
    assert CONVERT.format(root=root) in said
    assert FIRST not in said
    assert before == {path: path.read_bytes() for path in before}


def test_what_is_older_has_two_steps(make_old):
    root = make_old('v2.0')
    for words in (['check', root], ['compact', root]):
        said = ' '.join(streamrec(*words).stdout.split()) + streamrec(*words).stderr
        assert said.index(FIRST) < said.index('convert_dataset_v21_to_v30')
