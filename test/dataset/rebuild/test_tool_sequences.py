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
Sequences of tools on a dataset that tells the whole story: texts, robot files, interventions,
success, subtasks and windows stay with their episode.

Guards against a tool that keeps what it was written for and loses what came later.
"""

from __future__ import annotations

from dataclasses import replace
import itertools
import json
import shutil

from hypothesis import given, HealthCheck, Phase, settings
from hypothesis import strategies as st
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.about.robot_files import (
    CALIBRATION,
    file_name,
    keep_robot_files,
)
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.features import (
    DONE,
    INTERVENTION,
    LANGUAGE,
    SINGLE_FLAG,
    SUBTASK_FEATURES,
    SUBTASK_INDEX,
    SUCCESS,
    vector_feature,
)
from lerobot_streamrec.dataset.format.layout import DATA_PATH, STAGING
from lerobot_streamrec.errors import EpisodeStateError
import numpy as np
from older_datasets import episodes_files
import pandas as pd
import pyarrow.parquet as pq
import pytest
from thoroughness import examples

CALIBRATIONS = {file_name(CALIBRATION, 'front', one): one for one in (b'first', b'second')}
WRENCH, NUM_ROWS, FPS = 'observation.wrench', 5, 20
STORY = {
    WRENCH: vector_feature(('x', 'z'), window=3),
    **dict.fromkeys((INTERVENTION, SUCCESS, DONE), SINGLE_FLAG),
    **SUBTASK_FEATURES,
}
NAMES = ('verdict', 'notes', 'object_set', 'place', 'robot_files')
VALUES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(NAMES, st.sampled_from(['a', 'é "b"'])),
        'verdict': st.sampled_from(['success', 'failure']),
        'robot_files': st.sampled_from([*CALIBRATIONS, ' '.join(CALIBRATIONS)]),
    },
)
STEPS = st.one_of(
    st.tuples(st.just('save'), VALUES),
    st.tuples(st.just('label'), st.integers(0, 9), VALUES.filter(bool)),
    st.tuples(st.just('delete'), st.integers(0, 9)),
    *(st.tuples(st.just(one)) for one in ('compact', 'merge', 'reencode', 'repair', 'undo')),
)


def wrench_of(number):
    """Return the windows of an episode, ``(rows, 3, 2)``."""
    return (100 * number + np.arange(NUM_ROWS * 6, dtype=np.float32)).reshape(NUM_ROWS, 3, 2)


def flags_of(number):
    return np.arange(NUM_ROWS) % (number + 2) == 0


def subtasks_of(number):
    """Return the subtasks of an episode by their first row."""
    return {1: f'reach {number % 3}', 3: 'grasp'} if number % 4 else {}


class Model:
    """A dataset under the tools, and the story that each of its episodes has to tell."""

    def __init__(self, root, open_writer, make_draft):
        self.root, self._open_writer, self._make_draft = root, open_writer, make_draft
        self._numbers = itertools.count()
        # The number of each episode decides what is in its rows.
        self.numbers = []
        self.texts = []

    def save(self, *texts):
        writer = self._open_writer()
        keep_robot_files(writer.files, CALIBRATIONS)
        for one in texts:
            number = next(self._numbers)
            draft = self._make_draft(num_rows=NUM_ROWS)
            begun = [{'row': row, 'text': text} for row, text in subtasks_of(number).items()]
            record = {**draft.record, 'metadata': one, 'subtasks': begun}
            vectors = {**draft.vectors, WRENCH: wrench_of(number).reshape(NUM_ROWS, -1)}
            vectors[INTERVENTION] = flags_of(number)[:, None]
            writer.commit(replace(draft, vectors=vectors, record=record))
            shutil.rmtree(self.root / STAGING)
            self.numbers.append(number)
        writer.close()
        self.texts += texts

    def label(self, at, texts):
        at %= len(self.texts)
        arguments = [
            f'--{name}={text}' if name in ('notes', 'verdict') else f'--set={name}={text}'
            for name, text in texts.items()
        ]
        assert main(['label', str(self.root), '--episodes', str(at), *arguments]) == 0
        self.texts[at] = {**self.texts[at], **texts}

    def delete(self, at):
        at %= len(self.texts)
        if len(self.texts) > 1:
            assert main(['delete', str(self.root), '--episodes', str(at), '--yes']) == 0
            del self.texts[at], self.numbers[at]

    def compact(self):
        assert main(['compact', str(self.root)]) == 0

    def merge(self):
        out, again = self.root.parent / 'merged', self.root.parent / 'again'
        shutil.copytree(self.root, again)
        assert main(['merge', str(out), str(self.root), str(again)]) == 0
        shutil.rmtree(again)
        shutil.rmtree(self.root)
        out.rename(self.root)
        self.texts *= 2
        self.numbers *= 2

    def reencode(self):
        arguments = ['--vcodec', 'h264', '--crf', '40', '--preset', 'ultrafast']
        assert main(['reencode', str(self.root), *arguments]) == 0

    def repair(self):
        path = self.root / 'meta' / 'info.json'
        info = json.loads(path.read_bytes())
        path.write_text(json.dumps({**info, 'total_frames': info['total_frames'] + 1}))
        assert main(['check', '--repair', '--yes', str(self.root)]) == 0

    def undo(self):
        writer = self._open_writer()
        try:
            if len(self.texts) > 1:
                writer.undo()
                self.texts.pop()
                self.numbers.pop()
        except EpisodeStateError:
            # The last episode shares its files after a merge.
            pass
        finally:
            writer.close()


def rows_of(root, one, texts):
    """Return what the rows of an episode tell."""
    table = pq.read_table(root / one.data_file.path(DATA_PATH))
    rows = table.filter(np.asarray(table['episode_index']) == one.episode_index).to_pydict()
    (said,) = {json.dumps(line) for line in rows[LANGUAGE]}
    return {
        'wrench': rows[WRENCH],
        'flags': rows[INTERVENTION],
        'done': rows[DONE],
        'success': rows[SUCCESS],
        'subtasks': [texts[number] for number in rows[SUBTASK_INDEX]],
        'said': [(one['content'], round(one['timestamp'], 3)) for one in json.loads(said)],
    }


def expected_rows(number, texts):
    begun, subtasks = subtasks_of(number), ['']
    for row in range(NUM_ROWS):
        subtasks.append(begun.get(row, subtasks[-1]))
    last = [False] * (NUM_ROWS - 1)
    return {
        'wrench': wrench_of(number).tolist(),
        'flags': flags_of(number).tolist(),
        'done': [*last, True],
        'success': [*last, texts.get('verdict') == 'success'],
        'subtasks': subtasks[1:],
        'said': [(text, row / FPS) for row, text in begun.items()],
    }


def assert_story(model):
    root = model.root
    episodes = read_catalog(root).episodes
    told = [
        {name: text for name, text in one.texts.items() if text and name in NAMES}
        for one in episodes
    ]
    assert told == model.texts
    subtasks = pd.read_parquet(root / 'meta/subtasks.parquet').index
    for one, number, texts in zip(episodes, model.numbers, model.texts, strict=True):
        assert rows_of(root, one, subtasks) == expected_rows(number, texts)
    # LeRobot takes the columns from the first file, and allows no others in later ones.
    first, *others = (set(pq.read_schema(path).names) for path in episodes_files(root))
    assert all(other <= first for other in others)
    report = check_dataset(root)
    assert report.is_whole
    # An episode finds the files about the robot that it names, and its verdict is in its rows.
    codes = {one.kind.code for one in report.warnings}
    assert not codes & {'missing-robot-file', 'changed-robot-file', 'success-differs'}


@pytest.mark.slow
@settings(
    max_examples=examples(10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
@given(steps=st.lists(STEPS, min_size=2, max_size=6))
def test_every_tool_keeps_the_story_of_each_episode(
    root, features, open_writer, make_draft, steps
):
    shutil.rmtree(root, ignore_errors=True)

    def open_one():
        return open_writer(features={**features, **STORY})

    model = Model(root, open_one, make_draft)
    model.save({'notes': 'a', 'verdict': 'success'}, {'object_set': 'b'}, {})
    for name, *values in steps:
        getattr(model, name)(*values)
        assert_story(model)
