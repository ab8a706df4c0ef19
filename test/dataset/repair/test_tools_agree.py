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
Tools agree with each other: what one leaves is whole for all others, and nothing is left behind.

Random sequences of tools work on a dataset of ours and on one that others wrote, both with files,
keys, columns and tables that no tool knows. After each step, every row still says what it said,
a check finds nothing, and a repair has nothing to do.
"""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import module_from_spec, spec_from_file_location
import os
from pathlib import Path
import shutil
import subprocess
from tempfile import TemporaryDirectory

from annotations import annotate, annotations, foreign_content
from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.dataset.rebuild.reencode import reencode_dataset
from lerobot_streamrec.dataset.repair.repair import repair_dataset
from lerobot_streamrec.dataset.takes.open_dataset import open_as_it_is
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.tools.reencode import reencode_video
import pandas as pd
import pytest
from thoroughness import examples

LENGTHS = (5, 4, 6)
TIMEOUT_S = 300


@pytest.fixture(scope='module')
def templates(tmp_path_factory):
    """Annotated datasets of both kinds, and beside each the same with other subtasks."""
    return tmp_path_factory.mktemp('templates')


def _twin(root):
    """Make a dataset of the same kind, in whose table other things have the same numbers."""
    twin = root.with_name(f'{root.name} twin')
    shutil.copytree(root, twin)
    path = twin / 'meta/subtasks.parquet'
    table = pd.read_parquet(path)
    table.index = pd.Index(['lift', 'reach', 'wipe'], name='subtask')
    table.to_parquet(path)


@pytest.fixture
def ours(templates, open_writer, make_draft, root):
    if not (templates / 'ours').exists():
        writer = open_writer()
        for number, length in enumerate(LENGTHS):
            draft = make_draft(length, f'task {number % 2}')
            writer.commit(draft)
            writer.remove(next(iter(draft.videos.values())).path.parent)
        writer.close()
        annotate(root)
        shutil.copytree(root, templates / 'ours')
        _twin(templates / 'ours')
    return templates / 'ours'


@pytest.fixture
def theirs(templates):
    if not (templates / 'theirs').exists():
        path = Path(__file__).parents[1] / 'check/conftest.py'
        spec = spec_from_file_location('check_conftest', path)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        module.ForeignDataset(templates / 'theirs', LENGTHS, 512).write()
        annotate(templates / 'theirs')
        _twin(templates / 'theirs')
    return templates / 'theirs'


@pytest.fixture
def of_lerobot(templates):
    """Written by the real LeRobot, in its own environment."""
    python = os.environ.get('STREAMREC_CONFORMANCE_PYTHON')
    if not python:
        pytest.skip('STREAMREC_CONFORMANCE_PYTHON names no environment with LeRobot')
    root = templates / 'of lerobot'
    writer = Path(__file__).parents[2] / 'conformance/write_dataset.py'
    subprocess.run([python, writer, root, *map(str, LENGTHS)], check=True, timeout=TIMEOUT_S)
    annotate(root)
    _twin(root)
    return root


def _encode(root, g):
    """Encode every file as a whole: with one key frame, none of them can be cut any more."""
    for path in root.glob('videos/*/*/*'):
        whole = path.with_name('whole.mp4')
        config = EncoderConfig(vcodec='h264', preset='ultrafast', crf=18, g=g)
        reencode_video(path, whole, config)
        whole.replace(path)


class Tools:
    """
    A dataset, and what it must hold.

    :param folder: is empty
    :param template: a dataset, which stays as it is
    """

    def __init__(self, folder, template):
        self.root = folder / 'dataset'
        self._folder = folder
        self._template = template
        shutil.copytree(template, self.root)
        self._episodes = annotations(self.root)
        self._foreign = foreign_content(self.root)
        self._num_merged = 0

    def delete(self, number):
        if len(self._episodes) > 1:
            place = number % len(self._episodes)
            delete_episodes(self.root, [place])
            del self._episodes[place]

    def compact(self, _):
        compact_dataset(self.root)

    def finalize(self, _):
        writer, _ = open_as_it_is(self.root)
        writer.compact()
        writer.close()

    def reencode(self, number):
        g = (1, 2, 100)[number % 3]
        config = EncoderConfig(vcodec='h264', preset='ultrafast', crf=18, g=g)
        reencode_dataset(self.root, config)

    def encode_whole_files(self, _):
        _encode(self.root, 100)

    def merge(self, number):
        twin = self._template.with_name(f'{self._template.name} twin')
        self._num_merged += 1
        out = self._folder / f'merged {self._num_merged}'
        roots = [self.root, twin] if number % 2 else [self.root]
        merge_datasets(out, roots)
        self._episodes += annotations(twin) if number % 2 else []
        self.root = out

    def look(self):
        """Fail if anything was lost or mixed up, or if tools do not agree that all is well."""
        assert annotations(self.root) == self._episodes
        assert foreign_content(self.root) == self._foreign
        assert check_dataset(self.root).findings == ()
        assert repair_dataset(self.root).plan is None


STEPS = st.tuples(
    st.sampled_from(
        ['delete', 'delete', 'compact', 'finalize', 'reencode', 'encode_whole_files', 'merge']
    ),
    st.integers(0, 11),
)


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(examples(300))
@pytest.mark.parametrize('kind', ['ours', 'theirs'])
@settings(
    max_examples=examples(4),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=1, max_size=4))
def test_any_sequence_of_tools_keeps_everything(kind, steps, request):
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        tools = Tools(folder, request.getfixturevalue(kind))
        tools.look()
        for name, number in steps:
            getattr(tools, name)(number)
            tools.look()


@pytest.mark.parametrize('kind', ['ours', 'theirs'])
def test_one_tool_after_the_other_keeps_everything(kind, request, tmp_path):
    tools = Tools(tmp_path / 'work', request.getfixturevalue(kind))
    tools.merge(1)
    tools.encode_whole_files(0)
    tools.delete(1)
    tools.look()
    tools.finalize(0)
    tools.delete(0)
    tools.reencode(1)
    tools.look()


@pytest.mark.conformance
@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_S + 60)
def test_what_lerobot_wrote_is_kept_by_one_tool_after_the_other(of_lerobot, tmp_path):
    tools = Tools(tmp_path / 'work', of_lerobot)
    for name, number in (
        ('delete', 1),
        ('merge', 1),
        ('finalize', 0),
        ('delete', 0),
        ('reencode', 1),
        ('merge', 0),
    ):
        getattr(tools, name)(number)
        tools.look()
