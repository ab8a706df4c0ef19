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
A crash in an episode costs its last rows, and nothing else.

A crash is a copy of what is on disk while the recorder goes on: that is what a kill leaves.
"""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import threading

from lerobot_streamrec.dataset.commit.writer import DatasetWriter
from lerobot_streamrec.dataset.format.take_record import parse_take_record
from lerobot_streamrec.dataset.takes.journal import Journal, read_journal
from lerobot_streamrec.errors import DatasetError
from lerobot_streamrec.recording.episode.journal_thread import JournalThread
import pytest
from staged_takes import journal_rows
from waiting import wait_for

FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
WAIT_S = 120
# Frames that an encoder of these tests holds back, and those of a fragment that is not written.
HELD_BACK = 4


def crashed_copy(rig, to):
    """Return what a kill would leave when all that was pushed is encoded and written down."""
    rows = rig.recorder.status().num_rows
    wait_for(lambda: journal_rows(rig.config.root) == rows)
    wait_for(lambda: all(one.queue.num_queued == 0 for one in rig.recorder.status().streams))
    shutil.copytree(rig.config.root, to)
    return rows


@pytest.mark.parametrize('num_before', [0, 1])
def test_a_running_episode_is_there_after_a_crash(
    num_before, rig, make_rig, encoders, tmp_path, read_dataset
):
    for _ in range(num_before):
        rig.recorder.start()
        rig.run(1)
        rig.save()
    rig.recorder.start()
    rig.run(3)
    encoders.wait_for(TOP, 25)
    take = f'take-{num_before + 1:06d}'
    rows = rig.recorder.status().num_rows
    wait_for(lambda: journal_rows(rig.config.root, take) == rows)
    wait_for(lambda: not any(one.queue.num_queued for one in rig.recorder.status().streams))
    shutil.copytree(rig.config.root, tmp_path / 'copy')
    if num_before:
        # Before anything was repaired, readers see what was saved and nothing else.
        dataset = read_dataset(tmp_path / 'copy', with_statistics=False)
        assert dataset.info['total_episodes'] == num_before
    again = make_rig(root=tmp_path / 'copy', resume=num_before > 0)
    assert f'recovered episode {num_before} after a crash' in again.recorder.status().last_result
    dataset = read_dataset(tmp_path / 'copy')
    assert rows - HELD_BACK <= dataset.episodes.loc[num_before, 'length'] <= rows
    again.sent = rig.sent
    again.check(dataset, num_before)
    assert again.record_of(num_before)['recovered'] is True
    again.run(1)
    assert again.recorder.start() == num_before + 1


def test_a_discarded_episode_does_not_come_back(rig, make_rig, tmp_path, monkeypatch):
    """The answer comes before everything is deleted, but not before it is sure to be."""
    monkeypatch.setattr(DatasetWriter, 'remove', lambda writer, folder: None)
    rig.recorder.start()
    rig.run(2)
    crashed_copy(rig, tmp_path / 'before')
    rig.recorder.discard().result(WAIT_S)
    shutil.copytree(rig.config.root, tmp_path / 'after')
    assert (tmp_path / 'after/.streamrec/staging/take-000001/discarded.json').is_file()
    monkeypatch.undo()
    assert make_rig(root=tmp_path / 'after').recorder.status().num_saved == 0
    assert make_rig(root=tmp_path / 'before', resume=True).recorder.status().num_saved == 1


def test_an_episode_in_quarantine_still_tells_what_it_is(rig, encoders, no_spool):
    """Whoever wants what a failed save left finds its rows beside its videos."""
    encoders.errors[FRONT] = RuntimeError('the encoder broke')
    rig.recorder.start()
    rig.run(2)
    with pytest.raises(Exception, match='the encoder broke'):
        rig.save()
    rig.recorder.finalize().result(WAIT_S)
    folder = rig.config.root / '.streamrec/quarantine/unsaved-take-000001'
    record = parse_take_record((folder / 'take.json').read_bytes(), folder)
    assert record.task == 'pick the cube'
    num_rows, vectors = read_journal(folder, record)
    assert num_rows > 0
    assert vectors[STATE].shape == (num_rows, 2)


def test_a_take_left_by_a_crash_is_not_written_over(make_rig, root, monkeypatch):
    """As when it could not be moved away."""
    left = root / '.streamrec/staging/take-000001'
    rig = make_rig()
    left.mkdir(parents=True)
    (left / 'rows.arrows').write_bytes(b'of another life')
    rig.run(1)
    rig.recorder.start()
    rig.run(1)
    rig.save()
    assert (left / 'rows.arrows').read_bytes() == b'of another life'


class UnwillingJournal:
    """Refuses while the disk is full."""

    def __init__(self):
        self.is_full = True
        self.rows = []
        self.attempted = threading.Event()
        self.taken = threading.Event()

    def append(self, rows):
        self.attempted.set()
        if self.is_full:
            raise DatasetError('no space left')
        self.rows += rows
        self.taken.set()

    def sync(self):
        pass

    def discard(self):
        raise DatasetError('no space left')

    def close(self):
        pass


def test_a_disk_that_refuses_rows_is_tried_again_and_no_row_is_lost(caplog):
    journal = UnwillingJournal()
    thread = JournalThread(lambda: journal)
    try:
        thread.push({'row': 0})
        assert journal.attempted.wait(WAIT_S)
        wait_for(lambda: thread.error == 'no space left')
        thread.push({'row': 1})
        journal.is_full = False
        assert journal.taken.wait(WAIT_S)
        wait_for(lambda: thread.error == '')
    finally:
        thread.finish()
        assert thread.join(WAIT_S)
    assert journal.rows == [{'row': 0}, {'row': 1}]
    assert caplog.text.count('is not protected against a crash: no space left') == 1
    assert 'is protected against a crash again' in caplog.text


def test_a_journal_that_cannot_be_discarded_ends_all_the_same(caplog):
    journal = UnwillingJournal()
    journal.is_full = False
    thread = JournalThread(lambda: journal)
    thread.push({'row': 0})
    assert journal.taken.wait(WAIT_S)
    thread.discard()
    assert thread.ended.result(WAIT_S) is None
    assert thread.join(WAIT_S)
    assert 'no space left' in caplog.text


def test_a_journal_that_cannot_be_opened_does_not_stop_the_recording(
    rig, monkeypatch, read_dataset, caplog
):
    def refuse(self, *arguments):
        raise DatasetError('cannot write the journal')

    monkeypatch.setattr(Journal, '__init__', refuse)
    rig.recorder.start()
    rig.run(2)
    rig.save()
    rig.check(read_dataset(rig.config.root), 0)
    assert 'is not protected against a crash' in caplog.text


def test_rows_are_synced_while_the_episode_runs(rig, monkeypatch):
    """A power loss takes what was not synced."""
    synced = threading.Event()
    fsync = os.fsync

    def note(descriptor):
        if Path(f'/proc/self/fd/{descriptor}').readlink().name == 'rows.arrows':
            synced.set()
        fsync(descriptor)

    monkeypatch.setattr('os.fsync', note)
    rig.recorder.start()
    rig.run(1)
    assert synced.wait(WAIT_S)
