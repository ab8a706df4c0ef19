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
Episodes whose pictures are kept as they are, and encoded after it.

Guards promises 1 and 2 where a computer is too weak to encode while it records: a save is durable
before anything is encoded, an interruption at any instant loses nothing, and what comes into the
dataset is what an encoder would have made of it at once.
"""

from __future__ import annotations

from functools import partial
import shutil
import threading

from command_line import streamrec
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.take_record import read_take_record, RECORD
from lerobot_streamrec.dataset.takes import deferred as deferred_takes
from lerobot_streamrec.dataset.takes import whole_videos
from lerobot_streamrec.dataset.takes.journal import read_journal
from lerobot_streamrec.errors import DatasetMismatchError, EncoderError, EpisodeStateError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.recording.saving import deferred_encoder as late_encoder
from numbered_pictures import numbered_frame
import pytest
from waiting import wait_for

FRONT, TOP = 'observation.images.front', 'observation.images.top'
WAIT_S = 120


def num_saved(rig):
    return rig.recorder.status().num_saved


def staged(root):
    """Return what lies in the staging folder, but for files on their way."""
    folder = root / '.streamrec/staging'
    return sorted(one.name for one in folder.glob('*') if not one.name.startswith('.'))


@pytest.fixture
def late(monkeypatch):
    """Hold up who encodes later, until the test lets it go on."""

    class Gate:
        def __init__(self):
            self.is_open = threading.Event()
            self.has_begun = threading.Event()

    gate = Gate()

    def held_up(folder, num_rows, tell):
        gate.has_begun.set()
        while not gate.is_open.wait(0.01):
            tell(0)
        return deferred_takes.encode_take(folder, num_rows, tell)

    monkeypatch.setattr(late_encoder, 'encode_take', held_up)
    yield gate
    gate.is_open.set()


@pytest.fixture
def make_deferring(make_rig):
    def make(**changes):
        rig = make_rig(encode='deferred', **changes)
        rig.run(1)
        return rig

    return make


@pytest.mark.parametrize('deferred_format', ['raw', 'png'])
def test_what_was_kept_becomes_the_episode_that_was_recorded(
    deferred_format, make_deferring, read_dataset
):
    rig = make_deferring(deferred_format=deferred_format, is_per_row=True)
    said = str(rig.record(2))
    assert said.startswith('episode 0: ')
    assert '2 videos to be encoded' in said
    assert '1 saved episode not encoded yet' in said
    rig.run(1)
    rig.record(1)
    wait_for(lambda: num_saved(rig) == 2)
    dataset = read_dataset(rig.config.root)
    rig.check(dataset, 0)
    rig.check(dataset, 1)
    wait_for(lambda: not staged(rig.config.root))
    assert rig.record_of(0)['streams'][FRONT]['rows_undecodable'] == 0
    assert (rig.config.root / '.streamrec/row_stamps/episode-000001.parquet').is_file()
    assert 'encoded episode 1' in rig.recorder.status().last_result


def test_a_save_is_answered_before_anything_is_encoded(make_deferring, late):
    rig = make_deferring()
    rig.record(1)
    assert late.has_begun.wait(WAIT_S)
    status = rig.recorder.status()
    assert (status.num_saved, status.num_deferred, status.episode_index) == (0, 1, 1)
    assert 'encoding a saved episode: 0 %' in status.activity
    # The next one is recorded meanwhile, and gets the next number.
    assert str(rig.record(1)).startswith('episode 1: ')
    assert staged(rig.config.root) == ['take-000001', 'take-000002']
    late.is_open.set()
    wait_for(lambda: num_saved(rig) == 2)
    assert rig.recorder.status().num_deferred == 0


def test_a_batch_is_encoded_when_it_is_full(make_deferring, read_dataset):
    rig = make_deferring(encode_batch_size=3)
    for _ in range(2):
        rig.record(1)
        rig.run(0.5)
    assert rig.recorder.status().activity == ''
    assert num_saved(rig) == 0
    rig.record(1)
    wait_for(lambda: num_saved(rig) == 3)
    dataset = read_dataset(rig.config.root, is_kept=False)
    for index in range(3):
        rig.check(dataset, index)


def test_finalizing_encodes_what_waits_and_merges_it(make_deferring, read_dataset):
    rig = make_deferring(encode_batch_size=0)
    for _ in range(3):
        rig.record(1)
        rig.run(0.5)
    finalized = rig.recorder.finalize().result(WAIT_S)
    assert finalized.info.total_episodes == 3
    assert finalized.remark == ''
    assert len(list(rig.config.root.glob('videos/*/*/*.mp4'))) == 2
    dataset = read_dataset(rig.config.root, is_kept=False)
    for index in range(3):
        rig.check(dataset, index)


def test_what_is_not_encoded_at_the_end_is_encoded_at_the_next_start(
    make_deferring, make_rig, read_dataset
):
    rig = make_deferring(encode_batch_size=0)
    rig.record(2)
    rig.run(0.5)
    rig.record(1)
    assert rig.recorder.close(WAIT_S)
    assert staged(rig.config.root) == ['take-000001', 'take-000002']
    # A recorder that streams takes care of them as well, before its own.
    again = make_rig()
    again.run(1)
    assert again.recorder.start() == 2
    again.recorder.discard()
    wait_for(lambda: num_saved(again) == 2)
    dataset = read_dataset(again.config.root, is_kept=False)
    again.sent = rig.sent
    again.check(dataset, 0)
    again.check(dataset, 1)


def test_an_episode_that_is_streamed_comes_after_those_that_wait(
    make_deferring, make_rig, late, read_dataset
):
    rig = make_deferring(encode_batch_size=0)
    rig.record(1)
    rig.recorder.close(WAIT_S)
    again = make_rig()
    again.run(1)
    assert late.has_begun.wait(WAIT_S)
    said = str(again.record(1))
    assert said.startswith('episode 1: ')
    assert '2 saved episodes not encoded yet' in said
    late.is_open.set()
    wait_for(lambda: num_saved(again) == 2)
    dataset = read_dataset(again.config.root, is_kept=False)
    again.check(dataset, 1)
    again.sent = rig.sent
    again.check(dataset, 0)


def test_a_kill_while_it_is_encoded_loses_nothing(make_deferring, make_rig, late, tmp_path):
    """A kill is a copy of what is on the disk; before the first frame is encoded, and after."""
    rig = make_deferring()
    rig.record(1)
    assert late.has_begun.wait(WAIT_S)
    shutil.copytree(rig.config.root, tmp_path / 'before')
    # A file that was begun, and not ended.
    begun = tmp_path / f'before/.streamrec/staging/take-000001/whole-{FRONT}.mp4'
    begun.write_bytes(b'\0' * 100)
    late.is_open.set()
    wait_for(lambda: num_saved(rig) == 1)
    again = make_rig(root=tmp_path / 'before')
    wait_for(lambda: num_saved(again) == 1)
    assert again.record_of(0)['length'] == rig.record_of(0)['length']
    assert 'recovered' not in again.record_of(0)


def test_a_kill_while_it_is_recorded_loses_what_was_not_written(
    make_deferring, make_rig, tmp_path, read_dataset
):
    rig = make_deferring()
    rig.recorder.start()
    rig.run(2)
    rows = rig.recorder.status().num_rows

    def is_written():
        shutil.rmtree(tmp_path / 'copy', ignore_errors=True)
        shutil.copytree(rig.config.root, tmp_path / 'copy')
        folder = tmp_path / 'copy/.streamrec/staging/take-000001'
        # A thread of its own writes the rows, and may have been late for this copy.
        written = [0]
        if (folder / RECORD).is_file():
            written = [read_journal(folder, read_take_record(folder))[0]]
        written += [whole_videos.count_spooled(folder / f'{key}.spool', 0) for key in (FRONT, TOP)]
        return set(written) == {rows}

    wait_for(is_written)
    again = make_rig(root=tmp_path / 'copy')
    assert 'an interrupted take' in again.recorder.status().last_result
    wait_for(lambda: num_saved(again) == 1)
    dataset = read_dataset(tmp_path / 'copy')
    again.sent = rig.sent
    again.check(dataset, 0)
    assert again.record_of(0)['recovered'] is True


def test_the_last_one_is_undone_while_it_is_encoded(make_deferring, late, read_dataset):
    rig = make_deferring()
    rig.record(1)
    rig.run(0.5)
    rig.record(2)
    assert late.has_begun.wait(WAIT_S)
    assert rig.recorder.undo().result(WAIT_S).startswith('undid episode 1: ')
    assert rig.recorder.undo().result(WAIT_S).startswith('undid episode 0: ')
    status = rig.recorder.status()
    assert (status.num_deferred, status.episode_index) == (0, 0)
    with pytest.raises(EpisodeStateError, match='no saved episode'):
        rig.recorder.undo().result(WAIT_S)
    late.is_open.set()
    rig.record(1)
    wait_for(lambda: num_saved(rig) == 1)
    rig.check(read_dataset(rig.config.root, is_kept=False), 0)


def test_what_is_said_of_one_that_waits_stands_in_its_record(make_deferring, late):
    rig = make_deferring()
    rig.record(1)
    assert late.has_begun.wait(WAIT_S)
    said = rig.recorder.annotate('verdict', 'success').result(WAIT_S)
    assert said == "verdict of episode 0: 'success'"
    late.is_open.set()
    wait_for(lambda: num_saved(rig) == 1)
    assert rig.record_of(0)['metadata'] == {'verdict': 'success'}


def test_one_that_cannot_be_encoded_stays_and_keeps_no_other_from_it(
    make_deferring, make_rig, monkeypatch, read_dataset
):
    rig = make_deferring(encode_batch_size=2)
    rig.record(1)
    rig.run(0.5)
    with monkeypatch.context() as context:

        def refuse(folder, num_rows, tell):
            if folder.name == 'take-000001':
                raise EncoderError('the codec is not here')
            return deferred_takes.encode_take(folder, num_rows, tell)

        context.setattr(late_encoder, 'encode_take', refuse)
        rig.record(1)
        wait_for(lambda: num_saved(rig) == 1)
    wait_for(lambda: staged(rig.config.root) == ['take-000001'])
    assert rig.recorder.close(WAIT_S)
    again = make_rig(resume=True)
    wait_for(lambda: num_saved(again) == 2)
    dataset = read_dataset(again.config.root, is_kept=False)
    # The one that could be encoded came first.
    again.sent = rig.sent
    again.check(dataset, 0)
    again.check(dataset, 1)
    assert again.record_of(0)['start_stamp_ns'] > again.record_of(1)['start_stamp_ns']


def test_a_broken_record_costs_what_comes_after_it_and_is_told(make_deferring, make_rig):
    rig = make_deferring(encode_batch_size=0)
    rig.record(2)
    rig.recorder.close(WAIT_S)
    spool = rig.config.root / f'.streamrec/staging/take-000001/{FRONT}.spool'
    content = bytearray(spool.read_bytes())
    content[len(content) * 3 // 4] ^= 255
    spool.write_bytes(content)
    again = make_rig()
    wait_for(lambda: num_saved(again) == 1)
    assert 'rows were incomplete on the disk' in again.recorder.status().last_result
    record = again.record_of(0)
    assert record['rows_lost'] > 0
    assert 10 <= record['length'] < 20


def test_cameras_have_one_size_before_there_is_a_dataset(make_deferring, make_rig):
    rig = make_deferring(encode_batch_size=0)
    rig.record(1)
    rig.draw[TOP] = partial(numbered_frame, height=96)
    rig.run(1)
    with pytest.raises(DatasetMismatchError, match=f'{TOP} has shape'):
        rig.recorder.start()
    # Once there is no such episode any more, it may be any.
    rig.recorder.undo().result(WAIT_S)
    rig.record(1)
    rig.recorder.close(WAIT_S)
    again = make_rig()
    again.run(1)
    with pytest.raises(DatasetMismatchError, match=f'{TOP} has shape'):
        again.recorder.start()


def test_a_disk_that_refuses_the_pictures_fails_the_save(make_deferring, monkeypatch):
    rig = make_deferring()
    rig.recorder.start()
    rig.run(1)

    def refuse(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('os.pwrite', refuse)
    rig.run(1)
    wait_for(lambda: rig.recorder.status().failure)
    with pytest.raises(Exception, match='No space left'):
        rig.save()


@pytest.mark.parametrize('num_before', [0, 1])
def test_the_command_line_encodes_what_waits(num_before, make_deferring, read_dataset):
    """With no episode before, there is not even a dataset yet."""
    rig = make_deferring(encode_batch_size=0, robot_type='so101')
    if num_before:
        rig.record(1)
        rig.run(0.5)
        rig.recorder.finalize().result(WAIT_S)
    rig.record(2)
    rig.run(0.5)
    rig.record(1)
    rig.recorder.close(WAIT_S)
    root = rig.config.root
    if num_before:
        kinds = [one.kind.code for one in check_dataset(root).findings]
        assert kinds == ['unencoded-episode'] * 2
        refused = streamrec('compact', root)
        assert refused.returncode == 1
        assert f'`{streamrec_command("encode", root)}`' in refused.stderr
    done = streamrec('encode', root)
    assert (done.returncode, done.stderr) == (0, '')
    assert f'encoded episode {num_before}: 20 rows' in done.stdout
    assert f'encoded episode {num_before + 1}: ' in done.stdout
    dataset = read_dataset(root)
    for index in range(num_before + 2):
        rig.check(dataset, index)
    assert dataset.info['robot_type'] == 'so101'
    assert list(dataset.info['features'])[:3] == [one.key for one in rig.config.streams]
    again = streamrec('encode', root)
    assert (again.returncode, again.stdout) == (0, f'no episode of {root} waits to be encoded\n')


def test_the_command_line_says_what_cannot_be_encoded(make_deferring, tmp_path):
    nothing = streamrec('encode', tmp_path)
    assert nothing.returncode == 1
    assert 'nor a take that could become an episode' in nothing.stderr
    rig = make_deferring(encode_batch_size=0)
    rig.record(1)
    rig.recorder.close(WAIT_S)
    root = rig.config.root
    (root / f'.streamrec/staging/take-000001/{TOP}.spool').write_bytes(b'')
    done = streamrec('encode', root)
    assert done.returncode == 1
    assert f'0 of {TOP}' in done.stderr
    assert '1 episode could not be encoded' in done.stderr
    # It would never be whole: it stands in nobody's way.
    assert 'It can never become an episode and was moved to' in done.stderr
    assert staged(root) == []
    assert (root / '.streamrec/quarantine/unencodable-take-000001/take.json').is_file()
