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
The files about the robot in a running recorder: when they are kept, and when a change is told.

Guards against a calibration that reaches the episode before or after its own, and against a crash
after which an episode names a file that is not there.
"""

from __future__ import annotations

import logging
import shutil

from lerobot_streamrec.dataset.about.robot_files import (
    CALIBRATION,
    file_name,
    FOLDER,
    PARAMETERS,
    ROBOT_DESCRIPTION,
    Slot,
    TF_STATIC,
)
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.take_record import read_take_record
from lerobot_streamrec.dataset.takes.journal import read_journal
from lerobot_streamrec.recording.robot_files import RobotFiles
import pytest
from waiting import wait_for

FIRST, SECOND, URDF = b'first', b'second', b'<robot name="arm"/>'
ONE, OTHER = (file_name(CALIBRATION, 'front', one) for one in (FIRST, SECOND))
ARM = file_name(ROBOT_DESCRIPTION, '', URDF)
TOP = 'observation.images.top'
CHANGED = 'camera front: calibration changed since episode'
WAIT_S = 120


def named(root):
    return [set(one.texts['robot_files'].split()) for one in read_catalog(root).episodes]


def kept(root):
    return {path.name: path.read_bytes() for path in (root / FOLDER).glob('*')}


def warnings(caplog):
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def test_each_episode_names_what_held_during_it(rig, root, caplog):
    robot = rig.recorder.robot
    robot.put(CALIBRATION, 'front', FIRST)
    rig.record()
    # The description comes while an episode runs, and the calibration changes in the next one.
    rig.recorder.start()
    robot.put(ROBOT_DESCRIPTION, '', URDF)
    rig.run(1)
    rig.save()
    rig.recorder.start()
    rig.run(1)
    assert (warnings(caplog), rig.recorder.status().robot) == ([], ())
    robot.put(CALIBRATION, 'front', SECOND)
    sentence = f'{CHANGED} 1 (meta/robot/{ONE} held until then)'
    assert (warnings(caplog), rig.recorder.status().robot) == ([sentence], (sentence,))
    rig.save()
    assert rig.recorder.status().robot == ()
    rig.record()
    assert named(root) == [{ONE}, {ONE, ARM}, {ONE, OTHER, ARM}, {OTHER, ARM}]
    # Labels and repairs change the column alone, so the names are in no other place.
    assert 'robot_files' not in str(rig.record_of(0))
    assert kept(root) == {ONE: FIRST, OTHER: SECOND, ARM: URDF}
    assert warnings(caplog) == [sentence]


def test_a_change_is_told_to_the_next_session_before_it_records(rig, make_rig, root, caplog):
    rig.recorder.robot.put(CALIBRATION, 'front', FIRST)
    rig.recorder.robot.put(PARAMETERS, '1', FIRST)
    rig.record()
    rig.recorder.close(WAIT_S)
    again = make_rig()
    again.recorder.robot.put(CALIBRATION, 'front', FIRST)
    again.recorder.robot.put(PARAMETERS, '1', SECOND)
    assert (again.recorder.status().robot, warnings(caplog)) == ((), [])
    again.recorder.robot.put(CALIBRATION, 'front', SECOND)
    (sentence,) = again.recorder.status().robot
    assert sentence.startswith(f'{CHANGED} 0')
    # Nothing is written for an episode that nobody records.
    again.recorder.close(WAIT_S)
    assert OTHER not in kept(root)


def test_rotate_gives_each_episode_its_own(rig, root):
    rig.recorder.robot.put(CALIBRATION, 'front', FIRST)
    rig.recorder.start()
    rig.run(1)
    rotation = rig.recorder.rotate()
    rig.recorder.robot.put(CALIBRATION, 'front', SECOND)
    rig.run(1)
    rig.save()
    rotation.saving.result(WAIT_S)
    assert named(root) == [{ONE}, {ONE, OTHER}]


def test_transforms_that_are_still_coming_are_told_by_an_episode_only(caplog):
    before = file_name(TF_STATIC, '', FIRST)
    robot = RobotFiles(lambda _: None, {Slot(TF_STATIC, ''): (before, 3)})
    robot.put(TF_STATIC, '', SECOND)
    assert warnings(caplog) == []
    robot.put(TF_STATIC, '', FIRST)
    robot.begin()
    assert warnings(caplog) == []
    robot.put(TF_STATIC, '', SECOND)
    robot.begin()
    robot.begin()
    (told,) = warnings(caplog)
    assert told.startswith('tf_static changed since episode 3')


@pytest.mark.parametrize('is_lost', [False, True])
def test_after_a_crash_an_episode_names_only_files_that_are_there(
    is_lost, rig, make_rig, root, encoders, tmp_path
):
    rig.recorder.robot.put(CALIBRATION, 'front', FIRST)
    rig.recorder.start()
    rig.run(3)
    encoders.wait_for(TOP, 25)
    folder = root / '.streamrec/staging/take-000001'
    wait_for(lambda: ONE in kept(root) and (folder / 'rows.arrows').exists())
    record = read_take_record(folder)
    wait_for(lambda: read_journal(folder, record)[0] == rig.recorder.status().num_rows)
    copy = tmp_path / 'copy'
    shutil.copytree(root, copy)
    if is_lost:
        # The kill came between the record of the take and the file.
        (copy / FOLDER / ONE).unlink()
    make_rig(root=copy).recorder.close(WAIT_S)
    assert named(copy) == [set() if is_lost else {ONE}]
    assert 'missing-robot-file' not in {one.kind.code for one in check_dataset(copy).findings}


def test_episodes_that_wait_for_their_encoders_name_them_too(make_rig, root):
    rig = make_rig(encode='deferred', encode_batch_size=0)
    rig.run(1)
    rig.recorder.robot.put(CALIBRATION, 'front', FIRST)
    rig.record()
    rig.recorder.robot.put(CALIBRATION, 'front', SECOND)
    rig.record()
    rig.recorder.finalize().result(WAIT_S)
    assert named(root) == [{ONE}, {OTHER}]
    assert kept(root) == {ONE: FIRST, OTHER: SECOND}
    assert 'camera front: calibration' in (root / 'README.md').read_text()
