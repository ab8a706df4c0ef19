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
"""Tasks in processes and on a real Ray: equal results, and workers and commands that die."""

from __future__ import annotations

from functools import partial
import json
from multiprocessing.context import SpawnProcess
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys

from arm_dataset import Plan, write_dataset
import distant_tasks
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.dataset.rebuild.new_files import make_files, NewFile
from lerobot_streamrec.dataset.rebuild.new_tree import DISK, NewTree
from lerobot_streamrec.dataset.rebuild.reencode import reencode_dataset
from lerobot_streamrec.errors import ConfigError, WorkerError
from lerobot_streamrec.report.build import build_report
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.workers import HERE, Processes, Task, Workers
import psutil
import pytest
from waiting import wait_for

pytest.importorskip('ray', reason='Ray has no wheel for this Python')
ENGINES = ('processes', pytest.param('ray', marks=pytest.mark.slow))
MPEG4 = EncoderConfig(vcodec='h264', preset='ultrafast', crf=40, encoder_threads=1)


@pytest.fixture(scope='module', params=ENGINES)
def workers(request):
    """Return two processes or a Ray with two processors, which all tests share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PYTHONPATH', str(Path(distant_tasks.__file__).parent))
        with distant_tasks.workers_of(request.param) as made:
            yield made


@pytest.fixture(scope='module')
def roots(tmp_path_factory):
    """Return two datasets; the videos of the second are of a kind that cannot be joined."""
    folder = tmp_path_factory.mktemp('roots')
    one = write_dataset(folder / 'one', [Plan(1.0), Plan(1.5, 'push'), Plan(1.0)])
    two = write_dataset(folder / 'two', [Plan(1.0, 'lift'), Plan(1.2, 'push')])
    reencode_dataset(two, EncoderConfig(vcodec='h264', preset='medium', g=5, encoder_threads=1))
    return [one, two]


def files_of(root):
    """Return the content of all files; owner.json tells which process held the lock."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob('*'))
        if path.is_file() and path.name != 'owner.json'
    }


def test_a_merge_elsewhere_makes_the_same_files(workers, roots, tmp_path):
    merge_datasets(tmp_path / 'here', roots)
    told = []
    merge_datasets(
        tmp_path / 'there', roots, workers=workers, progress=lambda *one: told.append(one)
    )
    assert files_of(tmp_path / 'there') == files_of(tmp_path / 'here')
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


def test_check_report_and_reencode_elsewhere_tell_the_same(workers, roots, tmp_path):
    here, there = tmp_path / 'here/data', tmp_path / 'there/data'
    for root in (here, there):
        shutil.copytree(roots[0], root)
        video = root / 'videos/observation.images.front/chunk-000/file-001.mp4'
        content = bytearray(video.read_bytes())
        content[-400:] = bytes(400)
        video.write_bytes(content)
        (root / 'videos/observation.images.wrist/chunk-000/file-002.mp4').unlink()
    found = check_dataset(here).findings
    assert {'missing-file', 'frame-count'} <= {one.kind.code for one in found}
    assert check_dataset(there, workers=workers).findings == found
    page = build_report(here)
    assert sum(len(one.sheets) for one in page.episodes) == 4
    assert build_report(here, workers=workers).episodes == page.episodes
    for root, who in ((here, None), (there, workers)):
        shutil.rmtree(root)
        shutil.copytree(roots[0], root)
        reencode_dataset(root, MPEG4, workers=who)
    changed = [files_of(root / 'videos') for root in (here, there)]
    assert changed[1] == changed[0] != files_of(roots[0] / 'videos')


def test_results_are_in_order_and_of_other_processes(workers):
    tasks = [Task(f'{n}', partial(distant_tasks.square, n)) for n in range(20)]
    found = list(workers.run(tasks))
    assert [square for _, square in found] == [n * n for n in range(20)]
    assert os.getpid() not in {pid for pid, _ in found}


def test_a_task_whose_process_dies_is_done_again(workers, tmp_path):
    tasks = [Task(f'{n}', partial(distant_tasks.square, n)) for n in range(6)]
    tasks.insert(3, Task('it', partial(distant_tasks.die, tmp_path / 'lives', 2)))
    found = list(workers.run(tasks))
    assert found.pop(3) == 3
    assert [square for _, square in found] == [n * n for n in range(6)]


def test_a_task_that_always_kills_its_process_is_named(workers, tmp_path):
    tasks = [Task('the fatal file', partial(distant_tasks.die, tmp_path / 'lives', 99))]
    with pytest.raises(WorkerError, match=r'the fatal file was begun 4 times'):
        list(workers.run(tasks))
    assert (tmp_path / 'lives').stat().st_size == 4
    (found,) = workers.run([Task('next', partial(distant_tasks.square, 3))])
    assert found[1] == 9


def test_errors_come_as_they_were_raised(workers, monkeypatch):
    cancelled = []
    monkeypatch.setattr('ray.cancel', lambda ref, **_: cancelled.append(ref))
    with pytest.raises(ConfigError, match='only red') as caught:
        list(workers.run([Task('it', distant_tasks.refuse)]))
    assert caught.value.value == 'mauve'
    with pytest.raises(WorkerError, match='_OddError: an oddity'):
        list(workers.run([Task('it', distant_tasks.fail_oddly)]))
    # Ray aborts a process that cancels a task whose result has just come.
    assert cancelled == []


class Kept(Workers):
    """Keeps tasks for later, as if their process were slow."""

    def run(self, tasks):
        self.tasks = tasks
        raise KeyboardInterrupt

    def close(self):
        pass


def test_a_task_of_an_earlier_command_writes_nothing(tmp_path):
    old, tree = Kept(), tmp_path / 'tree'
    files = [NewFile(Path('data/a.parquet'), partial(Path.write_text, data='old'), 0)]
    with pytest.raises(KeyboardInterrupt):
        list(make_files(NewTree(tree, DISK), files, old))
    (task,) = old.tasks
    shutil.rmtree(tree)
    files = [NewFile(Path('data/a.parquet'), lambda path: path.write_text('new'), 0)]
    list(make_files(NewTree(tree, DISK), files, HERE))
    with pytest.raises(WorkerError, match='all hosts of a cluster need the folder'):
        task.work()
    assert [path.read_text() for path in tree.rglob('*') if path.is_file()] == ['new']


@pytest.mark.parametrize('engine', ENGINES)
def test_a_command_that_is_killed_leaves_nothing_and_can_be_run_again(engine, roots, tmp_path):
    out = tmp_path / 'out'
    line = [sys.executable, distant_tasks.__file__, engine, str(out), *map(str, roots)]
    with subprocess.Popen(line, start_new_session=True) as command:
        wait_for(lambda: any(tmp_path.glob('.out.streamrec-rebuild/.streamrec/work-*/*')))
        family = psutil.Process(command.pid).children(recursive=True)
        crew = [one for one in family if not is_agent(one)]
        assert crew
        command.send_signal(signal.SIGKILL)
    assert not out.exists()
    left = next(tmp_path.glob('.out.streamrec-rebuild/.streamrec/work-*'))
    merge_datasets(out, roots)
    wait_for(lambda: not any(is_alive(one) for one in crew))
    assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == ['out']
    merge_datasets(tmp_path / 'whole', roots)
    assert files_of(out) == files_of(tmp_path / 'whole')
    info = json.loads((out / 'meta/info.json').read_text())
    assert info['total_episodes'] == 5


def is_agent(process):
    """Tell Ray's agents, which do no task and end a minute after the others."""
    try:
        return 'Agent' in ' '.join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def is_alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_cluster_at_which_nobody_answers_is_refused_at_once(monkeypatch):
    from lerobot_streamrec.fleet.ray_workers import RayWorkers

    # That of other tests may still run.
    monkeypatch.setattr('ray.is_initialized', lambda: False)
    with pytest.raises(ConfigError, match=r'--address .*nobody answers there'):
        RayWorkers('127.0.0.1:1', 2)


def test_an_interrupt_while_a_process_is_started_ends_the_command(monkeypatch):
    start = SpawnProcess.start

    def start_and_interrupt(process):
        start(process)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(SpawnProcess, 'start', start_and_interrupt)
    with Processes(1, here_s=0.0) as workers, pytest.raises(KeyboardInterrupt):
        list(workers.run([Task('x', os.getpid)]))
