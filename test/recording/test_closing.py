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
Closing saves or discards as it was told, waits for the disk, and says whether all is well.

Guards the exit status of the process: it is what a fleet of robots is looked after by.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import threading
from types import SimpleNamespace

from lerobot_streamrec.dataset.commit.writer import DatasetWriter
from lerobot_streamrec.errors import EpisodeStateError
from lerobot_streamrec.recording.status import RecorderState
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
WAIT_S = 120


def test_closing_saves_the_running_episode(rig, read_dataset):
    rig.recorder.start()
    rig.run(2)
    assert rig.recorder.close(WAIT_S) is True
    rig.check(read_dataset(rig.config.root), 0)


def test_closing_discards_the_running_episode_where_that_is_wanted(make_rig, read_dataset):
    rig = make_rig(on_shutdown='discard')
    rig.run(1)
    rig.recorder.start()
    rig.run(1)
    rig.save()
    rig.recorder.start()
    rig.run(1)
    assert rig.recorder.close(WAIT_S) is True
    assert read_dataset(rig.config.root).info['total_episodes'] == 1
    assert list((rig.config.root / '.streamrec/staging').glob('*')) == []


def test_closing_waits_for_episodes_on_their_way_to_the_disk(rig, encoders, read_dataset):
    encoders.is_shut.add(TOP)
    rig.recorder.start()
    rig.run(1)
    future = rig.recorder.save()
    rig.recorder.start()
    rig.run(1)
    at_the_end = rig.recorder.end()
    assert not future.done()
    encoders.open()
    assert at_the_end.result(WAIT_S).total_episodes == 2
    assert rig.recorder.close(WAIT_S) is True
    dataset = read_dataset(rig.config.root)
    for episode_index in range(2):
        rig.check(dataset, episode_index)


def test_an_episode_without_a_row_is_nothing_lost(rig):
    rig.recorder.start()
    assert rig.recorder.close(WAIT_S) is True
    assert not (rig.config.root / 'meta').exists()


def test_a_running_episode_that_cannot_be_saved_is_something_lost(rig):
    rig.recorder.start()
    rig.run(1)
    rig.push(TOP, rig.now_ns, height=96)
    assert rig.recorder.close(WAIT_S) is False


@pytest.fixture
def disk(monkeypatch):
    """Commit nothing until it may; all that comes before a commit is done when it is reached."""
    disk = SimpleNamespace(is_reached=threading.Event(), may_commit=threading.Event())
    commit = DatasetWriter.commit

    def wait_and_commit(*arguments):
        disk.is_reached.set()
        assert disk.may_commit.wait(WAIT_S)
        return commit(*arguments)

    monkeypatch.setattr(DatasetWriter, 'commit', wait_and_commit)
    yield disk
    disk.may_commit.set()


def test_what_there_was_no_time_to_save_is_told_with_the_command_that_saves_it(
    rig, disk, caplog, tmp_path, read_dataset
):
    rig.recorder.start()
    rig.run(1)
    saving = rig.recorder.save()
    assert disk.is_reached.wait(WAIT_S)
    assert rig.recorder.close(0.01) is False
    staging = rig.config.root / '.streamrec/staging'
    (said,) = [one.getMessage() for one in caplog.records if one.levelname == 'ERROR']
    assert said.startswith('1 episode is not saved yet because the time ran out: ')
    assert f'the part on the disk is in {staging}, and the next start, or ' in said
    command = said.rpartition(' or ')[2].removesuffix(', saves it')
    # The process would end now: what another one finds there is what it has left.
    left = tmp_path / 'left'
    shutil.copytree(rig.config.root, left)
    disk.may_commit.set()
    ended = subprocess.run(
        shlex.split(command.replace(str(rig.config.root), str(left))),
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    assert ended.returncode == 0, ended.stderr
    assert rig.recorder.close(WAIT_S) is True
    assert read_dataset(left).info['total_frames'] == saving.result().episode.num_rows
    rig.check(read_dataset(rig.config.root), 0)


@pytest.mark.parametrize(
    ('recovery', 'fate'),
    [
        ('quarantine', 'saves it; the next start moves it to quarantine, as recovery says'),
        ('discard', 'saves it; the next start deletes it, as recovery says'),
    ],
)
def test_a_next_start_that_would_not_save_is_told(make_rig, encoders, caplog, recovery, fate):
    rig = make_rig(recovery=recovery)
    rig.run(1)
    encoders.is_shut.add(TOP)
    rig.recorder.start()
    rig.run(1)
    assert rig.recorder.close(0.01) is False
    assert caplog.messages[-1].endswith(fate)
    encoders.open()
    assert rig.recorder.close(WAIT_S) is True


def test_a_discarded_episode_that_is_not_deleted_yet_is_nothing_lost(rig, encoders, caplog):
    encoders.is_shut.add(TOP)
    rig.recorder.start()
    rig.run(1)
    rig.recorder.discard()
    assert rig.recorder.close(0.0) is True
    encoders.open()
    assert rig.recorder.close(WAIT_S) is True


def test_every_verb_is_refused_after_the_end_and_closing_twice_does_no_harm(rig, make_rig):
    rig.recorder.end().result(WAIT_S)
    verbs = (rig.recorder.start, rig.recorder.save, rig.recorder.discard, rig.recorder.finalize)
    for verb in verbs:
        with pytest.raises(EpisodeStateError, match='closed'):
            verb()
    assert rig.recorder.status().state is RecorderState.CLOSED
    assert rig.recorder.close(WAIT_S) is True
    assert rig.recorder.close(WAIT_S) is True
    make_rig()


def test_a_recorder_goes_on_in_the_dataset_of_the_one_before(rig, make_rig, read_dataset):
    rig.recorder.start()
    rig.run(1)
    rig.save()
    rig.recorder.close(WAIT_S)
    again = make_rig(resume=True)
    again.run(1)
    assert again.recorder.start() == 1
    again.run(1)
    again.save()
    again.check(read_dataset(again.config.root), 1)
