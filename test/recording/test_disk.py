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
A disk that is full, broken or read-only costs no saved episode, and recording goes on afterwards.

On real file systems of a few MB, which are made for the test and need the right to mount.
"""

from __future__ import annotations

from contextlib import suppress
import errno
import os
import shutil
import subprocess
import threading

from lerobot_streamrec.dataset.format.take_record import parse_take_record, video_name
from lerobot_streamrec.dataset.takes.journal import read_journal
from lerobot_streamrec.errors import CommitError, ConfigError, DiskFullError, EpisodeError
from lerobot_streamrec.recording.config import DiskConfig, MIB
from lerobot_streamrec.recording.disk_watch import DiskWatch
from lerobot_streamrec.recording.status import RecorderState
from lerobot_streamrec.video.mp4.frame_decoder import decode_rgb
import pytest
from waiting import wait_for

WAIT_S = 120
SIZE_MIB = 8


class SmallDisk:
    """A file system of a few MB."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / 'dataset'
        self._ballast = folder / 'ballast'
        folder.mkdir()
        self._mount('-t', 'tmpfs', '-o', f'size={SIZE_MIB}m', 'tmpfs')

    def _mount(self, *options):
        subprocess.run(['mount', *options, str(self.folder)], check=True, capture_output=True)

    def fill(self, free_bytes=0):
        """Take up all room but so much."""
        size = shutil.disk_usage(self.folder).free - free_bytes
        # Whoever else writes may have taken some of it meanwhile.
        with suppress(OSError), self._ballast.open('ab', buffering=0) as ballast:
            ballast.write(bytes(size))

    def free(self):
        self._ballast.unlink(missing_ok=True)

    def set_read_only(self, is_read_only):
        self._mount('-o', f'remount,{"ro" if is_read_only else "rw"}')

    def unmount(self):
        subprocess.run(['umount', '--lazy', str(self.folder)], check=False, capture_output=True)


@pytest.fixture
def disk(tmp_path):
    try:
        small = SmallDisk(tmp_path / 'disk')
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        pytest.skip(f'no file system can be mounted here: {error}')
    yield small
    small.unmount()


@pytest.fixture
def start_rig(disk, make_rig):
    """Start a recorder on the small disk that has saved an episode already."""

    def start(reserve_mib=2):
        rig = make_rig(
            root=disk.root,
            disk=DiskConfig(reserve_mib=reserve_mib, min_start_s=0, warn_minutes=0),
            save_timeout_s=WAIT_S,
        )
        rig.run(1)
        rig.record()
        return rig

    return start


def check_saved(rig, read_dataset, num_episodes):
    dataset = read_dataset(rig.config.root)
    assert dataset.info['total_episodes'] == num_episodes
    for index in range(num_episodes):
        rig.check(dataset, index)


def test_an_episode_is_saved_before_the_reserve_is_gone(disk, start_rig, read_dataset):
    rig = start_rig()
    rig.recorder.start()
    rig.run(2)
    disk.fill(free_bytes=MIB)
    wait_for(lambda: rig.recorder.status().disk.is_at_reserve)
    rig.run(0.2)
    status = rig.recorder.status()
    assert status.state is RecorderState.IDLE
    assert 'MiB are free on the disk of' in status.disk.problem
    wait_for(lambda: rig.recorder.status().num_saved == 2)
    with pytest.raises(DiskFullError, match=r'disk.reserve_mib is 2.*free some space'):
        rig.recorder.start()
    check_saved(rig, read_dataset, 2)
    disk.free()
    wait_for(lambda: not rig.recorder.status().disk.problem)
    rig.run(1)
    assert rig.recorder.start() == 2
    rig.run(1)
    rig.save()
    check_saved(rig, read_dataset, 3)


def test_a_save_that_the_disk_refuses_is_told_and_the_next_one_works(
    disk, start_rig, read_dataset
):
    rig = start_rig(reserve_mib=1)
    rig.recorder.start()
    rig.run(1)
    # Whoever fills a disk in a moment is quicker than any watch: let the watch see nothing.
    rig.recorder._disk.close()
    disk.fill()
    with pytest.raises((CommitError, EpisodeError), match='No space left'):
        rig.recorder.save().result(WAIT_S)
    check_saved(rig, read_dataset, 1)
    disk.free()
    rig.run(1)
    rig.record()
    check_saved(rig, read_dataset, 2)


def test_a_disk_that_is_filled_in_an_episode_costs_no_saved_one(
    disk, start_rig, read_dataset, make_rig
):
    rig = start_rig(reserve_mib=1)
    rig.recorder._disk.close()
    rig.recorder.start()
    rig.run(1)
    disk.fill()
    rig.run(4)
    with pytest.raises((CommitError, EpisodeError), match='No space left'):
        rig.recorder.save().result(WAIT_S)
    check_saved(rig, read_dataset, 1)
    disk.free()
    rig.run(1)
    rig.record()
    check_saved(rig, read_dataset, 2)
    rig.recorder.close(WAIT_S)
    again = make_rig(root=disk.root, resume=True)
    assert again.recorder.status().num_saved in (2, 3)
    assert read_dataset(disk.root).info['total_episodes'] == again.recorder.status().num_saved


def test_a_disk_that_is_full_at_the_start_is_told_and_the_next_episode_works(
    disk, start_rig, read_dataset
):
    rig = start_rig(reserve_mib=1)
    rig.recorder._disk.close()
    disk.fill()
    rig.recorder.start()
    rig.run(2)
    with pytest.raises((CommitError, EpisodeError), match='No space left'):
        rig.recorder.save().result(WAIT_S)
    check_saved(rig, read_dataset, 1)
    disk.free()
    rig.run(1)
    rig.record()
    check_saved(rig, read_dataset, 2)


@pytest.mark.parametrize('num_saved', [0, 1])
def test_a_disk_that_cannot_be_written_to_is_told_before_anything_is_recorded(
    num_saved, disk, start_rig, make_rig, read_dataset
):
    if num_saved:
        start_rig().recorder.close(WAIT_S)
    disk.set_read_only(True)
    with pytest.raises(ConfigError, match='Read-only file system'):
        make_rig(root=disk.root, resume=True)
    if num_saved:
        assert read_dataset(disk.root).info['total_episodes'] == num_saved
    disk.set_read_only(False)
    assert make_rig(root=disk.root, resume=True).recorder.status().num_saved == num_saved


def test_an_episode_that_the_disk_had_no_room_for_is_kept_as_a_whole(
    disk, start_rig, read_dataset, make_rig
):
    """Videos that were placed already are with the rest of it again."""
    rig = start_rig(reserve_mib=1)
    rig.recorder._disk.close()
    rig.recorder.start()
    rig.run(2)
    rows = rig.recorder.status().num_rows
    wait_for(lambda: not any(one.queue.num_queued for one in rig.recorder.status().streams))
    gate = threading.Event()
    rig.recorder._committer._jobs.put(lambda: gate.wait(WAIT_S))
    save = rig.recorder.save()
    disk.fill()
    gate.set()
    with pytest.raises(CommitError, match='No space left'):
        save.result(WAIT_S)
    folder = disk.root / '.streamrec/quarantine/unsaved-take-000002'
    record = parse_take_record((folder / 'take.json').read_bytes(), folder)
    kept_rows, _ = read_journal(folder, record)
    frames = [sum(1 for _ in decode_rgb(folder / video_name(key))) for key in record.cameras]
    num_whole = min(kept_rows, *frames)
    assert num_whole > rows // 2
    # Back in the staging folder, the next recorder makes an episode of it.
    disk.free()
    rig.recorder.close(WAIT_S)
    folder.rename(disk.root / '.streamrec/staging/unsaved')
    again = make_rig(root=disk.root, resume=True)
    assert 'recovered episode 1' in again.recorder.status().last_result
    dataset = read_dataset(disk.root)
    assert dataset.episodes['length'].tolist()[1] == num_whole
    rig.check(dataset, 1)


def test_files_that_the_disk_has_no_room_to_merge_stay_as_they_are(
    disk, start_rig, read_dataset
):
    rig = start_rig(reserve_mib=1)
    rig.run(1)
    rig.record()
    disk.fill()
    finalized = rig.recorder.finalize().result(WAIT_S)
    assert 'files were not merged' in finalized.remark
    assert 'No space left' in finalized.remark or 'the disk is full' in finalized.remark
    check_saved(rig, read_dataset, 2)
    assert sorted(path.name for path in disk.folder.iterdir()) == ['ballast', 'dataset']
    disk.free()
    assert rig.recorder.finalize().result(WAIT_S).remark == ''
    check_saved(rig, read_dataset, 2)
    wait_for(lambda: not rig.recorder.status().disk.problem)
    rig.run(1)
    rig.record()
    check_saved(rig, read_dataset, 3)


class FakeDisk:
    """Tells what a test wants."""

    def __init__(self, free_mib):
        self.free_mib = free_mib
        self.error = None
        self.num_asked = 0

    def __call__(self, _root):
        self.num_asked += 1
        if self.error is not None:
            raise self.error
        return int(self.free_mib * MIB)

    def wait_for_a_look(self):
        seen = self.num_asked
        wait_for(lambda: self.num_asked > seen + 1)


class FakeTake:
    """Has written so much in so long."""

    def __init__(self, folder, size_bytes, seconds):
        self.folder, self.seconds = folder, seconds
        folder.mkdir()
        (folder / 'a.mp4').write_bytes(bytes(size_bytes))


@pytest.fixture
def watch(tmp_path):
    """Watch a fake disk; 100 MiB are kept free, 60 s are needed, 10 min are enough."""
    opened = []

    def open_one(ask):
        opened.append(DiskWatch(tmp_path, DiskConfig(100, 60.0, 10.0), ask))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    ('free_mib', 'seconds_left', 'problem', 'warning'),
    [
        (1300, 1200, '', ''),
        (400, 300, '', '400 MiB are free on the disk of'),
        (150, 50, '150 MiB are free on the disk of', ''),
        (100, 0, '100 MiB are free on the disk of', ''),
        (20, 0, '20 MiB are free on the disk of', ''),
    ],
)
def test_what_is_left_is_told_in_time(
    free_mib, seconds_left, problem, warning, watch, tmp_path
):
    disk = FakeDisk(free_mib)
    watched = watch(disk)
    watched.follow(FakeTake(tmp_path / 'take', 10 * MIB, 10.0))
    disk.wait_for_a_look()
    status = watched.status
    assert status.bytes_per_s == MIB
    assert status.seconds_left == seconds_left
    assert status.problem.startswith(problem)
    assert bool(status.problem) == bool(problem)
    assert status.warning.startswith(warning)
    assert bool(status.warning) == bool(warning)
    assert status.is_at_reserve == (seconds_left == 0)


def test_nothing_is_guessed_before_anything_was_recorded(watch, tmp_path):
    disk = FakeDisk(150)
    watched = watch(disk)
    assert watched.status.seconds_left is None
    assert watched.status.problem == ''
    watched.follow(FakeTake(tmp_path / 'take', 10 * MIB, 0.5))
    disk.wait_for_a_look()
    assert watched.status.seconds_left is None


def test_what_was_measured_stays_when_the_take_is_gone(watch, tmp_path):
    disk = FakeDisk(1300)
    watched = watch(disk)
    watched.follow(FakeTake(tmp_path / 'take', 10 * MIB, 10.0))
    disk.wait_for_a_look()
    shutil.rmtree(tmp_path / 'take')
    disk.wait_for_a_look()
    assert watched.status.bytes_per_s == MIB


def test_a_disk_that_does_not_tell_keeps_nobody_from_recording(watch, caplog):
    disk = FakeDisk(1300)
    watched = watch(disk)
    disk.error = OSError(errno.EIO, os.strerror(errno.EIO))
    disk.wait_for_a_look()
    disk.wait_for_a_look()
    assert watched.status.free_bytes is None
    assert watched.status.problem == ''
    assert caplog.text.count('cannot be determined') == 1
