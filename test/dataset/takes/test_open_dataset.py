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
A root is opened only if recording there can do no harm, and otherwise says why.

Guards a dataset against a second recorder, against settings that are not its own, and folders
of somebody else's against any recorder at all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import subprocess
import sys

from lerobot_streamrec.dataset.format.features import camera_feature, vector_feature
from lerobot_streamrec.dataset.rebuild.merge import check_roots
from lerobot_streamrec.errors import (
    ConfigError,
    DatasetCorruptError,
    DatasetExistsError,
    DatasetLockedError,
    DatasetMismatchError,
    DatasetUnsupportedError,
)
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
NAMES = ('shoulder', 'elbow', 'wrist')

HOLD_LOCK = """
import pathlib, signal, sys
from lerobot_streamrec.dataset.format.files import DatasetLock
lock = DatasetLock(pathlib.Path(sys.argv[1]))
print('locked', flush=True)
signal.pause()
"""


@pytest.fixture
def committed(open_writer, make_draft):
    """A closed dataset of one episode; the value is its root."""
    writer = open_writer()
    draft = make_draft()
    writer.commit(draft)
    writer.remove(draft.videos[FRONT].path.parent)
    writer.close()
    return writer.root


@pytest.mark.parametrize('resume', [True, False])
def test_a_new_dataset_shows_nothing_before_its_first_episode(resume, open_writer, snapshot):
    writer = open_writer(resume=resume)
    assert snapshot() == {}
    assert writer.info.total_episodes == 0
    writer.close()
    assert open_writer(resume=resume).info.total_episodes == 0


def test_an_empty_folder_is_as_good_as_none(open_writer, root, make_draft, read_dataset):
    root.mkdir()
    open_writer(resume=False).commit(make_draft())
    assert read_dataset(root).info['total_episodes'] == 1


def test_a_dataset_is_not_appended_to_unasked(committed, open_writer, snapshot):
    before = snapshot()
    with pytest.raises(DatasetExistsError, match=r'1 episodes.*resume'):
        open_writer(resume=False)
    assert snapshot() == before
    assert open_writer(resume=True).info.total_episodes == 1


@pytest.mark.parametrize(
    ('changes', 'ours', 'theirs'),
    [
        ({'fps': 30}, 'fps is 20', '30 now'),
        ({'robot_type': 'aloha'}, "robot_type is 'so101'", "'aloha' now"),
        ({'robot_type': None}, "robot_type is 'so101'", 'None now'),
        ({FRONT: None}, f'{FRONT} is not recorded now', 'in the dataset'),
        ({'action': None}, 'action is not recorded now', 'in the dataset'),
        ({'wrist.camera': camera_feature()}, 'wrist.camera is recorded now', 'not in the dataset'),
        ({'action': vector_feature(NAMES[:2])}, 'shape (3,) in the dataset', '(2,) now'),
        ({'action': vector_feature(NAMES[::-1])}, f'names {NAMES}', f'{NAMES[::-1]} now'),
        ({'action': camera_feature()}, 'dtype float32 in the dataset', 'video now'),
        ({FRONT: camera_feature(50, 64)}, 'shape (48, 64, 3) in the dataset', '(50, 64, 3) now'),
    ],
)
def test_another_kind_of_dataset_is_refused_with_both_sides(
    changes, ours, theirs, committed, open_writer, features, snapshot
):
    settings = {key: changes[key] for key in ('fps', 'robot_type') if key in changes}
    merged = {**features, **{key: changes[key] for key in changes if key not in settings}}
    wanted = {key: spec for key, spec in merged.items() if spec is not None}
    before = snapshot()
    with pytest.raises(DatasetMismatchError) as caught:
        open_writer(features=wanted, **settings)
    (difference,) = caught.value.differences
    assert ours in difference
    assert theirs in difference
    assert difference in str(caught.value)
    assert str(committed) in str(caught.value)
    assert snapshot() == before
    assert open_writer().info.total_episodes == 1, 'a refusal leaves the dataset unlocked'


def test_all_differences_are_told_at_once(committed, open_writer, features):
    wanted = {key: features[key] for key in features if key != TOP}
    with pytest.raises(DatasetMismatchError) as caught:
        open_writer(fps=30, robot_type='aloha', features=wanted)
    assert len(caught.value.differences) == 3


def test_another_version_of_the_format_is_refused(committed, open_writer):
    path = committed / 'meta/info.json'
    info = json.loads(path.read_text())
    path.write_text(json.dumps({**info, 'codebase_version': 'v2.1'}))
    with pytest.raises(DatasetUnsupportedError, match=r"'v2\.1'.*v3\.0"):
        open_writer()


@pytest.mark.parametrize('name', ['notes.txt', 'data/mine.csv', 'meta/stats.json', '.git/config'])
def test_a_folder_of_somebody_elses_is_refused_and_left_alone(name, root, open_writer, snapshot):
    path = root / name
    path.parent.mkdir(parents=True)
    path.write_text('mine')
    with pytest.raises(DatasetExistsError, match=name.partition('/')[0]):
        open_writer()
    assert snapshot() == {name: b'mine'}
    assert not (root / '.streamrec').exists()


@pytest.mark.parametrize('name', ['x', 'data/x', f'videos/{FRONT}/x', '.streamrec/x'])
def test_a_new_dataset_in_another_one_is_refused(name, committed, open_writer, snapshot, tmp_path):
    """The other one's next recorder moved its files to quarantine."""
    before = snapshot()
    link, circle = tmp_path / 'link', tmp_path / 'circle'
    link.symlink_to(committed)
    circle.symlink_to(circle)
    with pytest.raises(ConfigError, match='choose a folder that can be written to'):
        open_writer(root=circle / name)
    for root in (committed / name, link / name):
        with pytest.raises(DatasetExistsError, match=f'lies in the dataset at {committed.parent}'):
            open_writer(root=root)
    with pytest.raises(DatasetExistsError, match='lies in the dataset at'):
        check_roots(committed / name, [])
    assert snapshot() == before
    assert not (committed / name).exists()


@pytest.mark.parametrize('kind', ['file', 'below a file', 'below /proc'])
def test_a_root_that_cannot_be_written_to_is_a_setting_to_mend(kind, tmp_path, open_writer):
    file = tmp_path / 'file'
    file.write_text('mine')
    path = {'file': file, 'below a file': file / 'x', 'below /proc': Path('/proc/nobody/x')}[kind]
    with pytest.raises(ConfigError) as caught:
        open_writer(root=path)
    assert caught.value.name == 'root'
    assert str(path) in str(caught.value)
    assert file.read_text() == 'mine'


def test_a_second_recorder_in_this_process_is_refused(open_writer):
    writer = open_writer()
    with pytest.raises(DatasetLockedError, match=f'process {os.getpid()} '):
        open_writer()
    writer.close()
    writer.close()
    open_writer()


def test_another_process_is_named_and_its_death_unlocks(open_writer, root):
    open_writer().close()
    with subprocess.Popen(
        [sys.executable, '-c', HOLD_LOCK, root], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout.readline() == 'locked\n'
            with pytest.raises(DatasetLockedError, match=f'process {other.pid} on .* since 20'):
                open_writer()
        finally:
            other.kill()
    open_writer()


def rewrite(path, **changes):
    """Change columns of a parquet file; None takes one away."""
    table = pq.read_table(path)
    for name, values in changes.items():
        at = table.column_names.index(name)
        table = table.remove_column(at)
        if values is not None:
            table = table.add_column(at, name, pa.array(values))
    pq.write_table(table, path)


def spoil_rows(root):
    path = root / 'meta/info.json'
    path.write_text(path.read_text().replace('"total_frames": 5', '"total_frames": 6'))


def spoil_episode_count(root):
    path = root / 'meta/info.json'
    path.write_text(path.read_text().replace('"total_episodes": 1', '"total_episodes": 2'))


EPISODES = 'meta/episodes/chunk-000/file-000.parquet'


@pytest.mark.parametrize(
    ('spoil', 'named'),
    [
        (lambda root: (root / 'meta/info.json').write_text('{'), 'info.json'),
        (lambda root: (root / 'meta/info.json').write_text('[]'), 'info.json'),
        (lambda root: (root / 'meta/tasks.parquet').unlink(), 'tasks.parquet'),
        (lambda root: (root / 'meta/tasks.parquet').write_bytes(b'PAR1'), 'tasks.parquet'),
        (lambda root: rewrite(root / 'meta/tasks.parquet', task_index=[7]), 'tasks.parquet'),
        (lambda root: (root / EPISODES).unlink(), 'found 0 episodes, expected 1'),
        (lambda root: (root / EPISODES).write_bytes(b'PAR1'), 'file-000.parquet'),
        (lambda root: rewrite(root / EPISODES, episode_index=[3]), 'episode 3 is at the position'),
        (lambda root: rewrite(root / EPISODES, length=None), 'file-000.parquet'),
        (spoil_rows, '6 rows'),
        (spoil_episode_count, 'found 1 episodes, expected 2'),
    ],
)
def test_a_dataset_that_is_not_whole_is_refused_with_what_is_wrong(
    spoil, named, committed, open_writer, snapshot
):
    spoil(committed)
    before = snapshot()
    with pytest.raises(DatasetCorruptError, match=named):
        open_writer()
    assert snapshot() == before


@pytest.mark.parametrize('folder', ['data', f'videos/{FRONT}', f'videos/{TOP}'])
def test_a_dataset_without_a_file_that_an_episode_refers_to_is_not_whole(
    folder, committed, open_writer
):
    # Otherwise the next episode gets the missing file's name, and both episodes its content.
    (path,) = (committed / folder).rglob('file-000.*')
    path.unlink()
    with pytest.raises(DatasetCorruptError, match=path.name):
        open_writer()


def test_a_task_that_an_episode_has_is_never_cut_off(committed, open_writer, snapshot):
    info = json.loads((committed / 'meta/info.json').read_text())
    info['total_tasks'] = 0
    (committed / 'meta/info.json').write_text(json.dumps(info))
    before = snapshot()
    with pytest.raises(DatasetCorruptError, match='tasks'):
        open_writer()
    assert snapshot() == before


@pytest.mark.parametrize('is_there', [False, True], ids=['gone', 'a folder'])
def test_a_lost_info_is_not_taken_for_a_first_save(open_writer, make_draft, root, is_there):
    """Its episodes would go to the quarantine folder as what a crash left."""
    writer = open_writer()
    for _ in range(2):
        draft = make_draft()
        writer.commit(draft)
        writer.remove(next(iter(draft.videos.values())).path.parent)
    writer.close()
    (root / 'meta/info.json').unlink()
    if is_there:
        (root / 'meta/info.json').mkdir()
    before = sorted(root.rglob('*'))
    with pytest.raises(DatasetCorruptError, match=r'info\.json'):
        open_writer()
    assert sorted(root.rglob('*')) == before
