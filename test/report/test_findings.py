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
"""Every rule finds its planted fault, in that episode alone, and is silent on clean episodes."""

from __future__ import annotations

from pathlib import Path

from arm_dataset import FPS, FRONT, Plan, STATE, WRIST, write_dataset
from examples.demo.drawing import CameraView
from examples.demo.motion import JOINT_NAMES
from lerobot_streamrec.dataset.about.robot_files import (
    CALIBRATION,
    file_name,
    PARAMETERS,
    ROBOT_DESCRIPTION,
)
from lerobot_streamrec.dataset.rebuild.label import label_episodes
from lerobot_streamrec.report import findings, motion_findings, motion_survey
from lerobot_streamrec.report.build import build_report
from lerobot_streamrec.report.findings import Rule
from lerobot_streamrec.report.page import page_of
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

DOCS = Path(__file__).parents[2] / 'docs/report.md'
LIFT, ELBOW, GRIPPER = map(JOINT_NAMES.index, ('shoulder_lift', 'elbow_flex', 'gripper'))


def of_camera(key, change):
    return lambda camera, row, picture: change(picture) if camera == key else picture


def over_expose(pixels):
    return np.clip(pixels + 200.0, 0, 255).astype(np.uint8)


def freeze(state, action):
    state[:, ELBOW], action[:, ELBOW] = state[0, ELBOW], action[0, ELBOW]


def switch_off(state, action):
    state[:, ELBOW] = state[0, ELBOW]


def move_apart(state, action):
    action[:, LIFT] += np.deg2rad(17)


def jump(state, action):
    state[30:, GRIPPER] += 0.5


def wait_first(state, action):
    for one in (state, action):
        one[25:] = one[:-25].copy()
        one[:25] = one[25]


def wait_last(state, action):
    for one in (state, action):
        one[-25:] = one[-25]


def stand_still(state, action):
    state[:], action[:] = state[0], action[0]


def repeating(num_rows):
    return {'streams': {WRIST: {'topic': '/wrist/image_raw', 'rows_repeated': num_rows}}}


FAULTS = {
    'dark camera': (
        Plan(picture=of_camera(FRONT, lambda pixels: pixels // 24)),
        {(Rule.DARK, 'front')},
    ),
    'over-exposed camera': (
        Plan(picture=of_camera(WRIST, over_expose)),
        {(Rule.OVER_EXPOSED, 'wrist')},
    ),
    'static camera': (
        Plan(picture=of_camera(FRONT, lambda pixels: np.full_like(pixels, 99))),
        {(Rule.STATIC, 'front')},
    ),
    'frozen joint': (
        Plan(motion=freeze),
        {(Rule.FROZEN, 'elbow_flex of state'), (Rule.FROZEN, 'elbow_flex of action')},
    ),
    'motor switched off': (Plan(motion=switch_off), {(Rule.NO_MOTION, 'elbow_flex')}),
    'leader and follower apart': (Plan(motion=move_apart), {(Rule.APART, 'shoulder_lift')}),
    'jump': (Plan(motion=jump), {(Rule.JUMP, 'gripper of state')}),
    'idle beginning': (Plan(motion=wait_first), {(Rule.IDLE, 'beginning')}),
    'idle end': (Plan(motion=wait_last), {(Rule.IDLE, 'end')}),
    'idle throughout': (Plan(motion=stand_still), {(Rule.IDLE, 'whole episode')}),
    'near-duplicate': (Plan(begin_s=0.0), {(Rule.DUPLICATE, '')}),
    'too short': (Plan(seconds=2.0), {(Rule.LENGTH, '')}),
    'too long': (Plan(seconds=15.0), {(Rule.LENGTH, '')}),
    'repeated frames': (Plan(record=repeating(4)), {(Rule.REPEATED, 'wrist')}),
}


def kinds(episode):
    return {(one.rule, one.subject) for one in episode.findings}


@pytest.mark.parametrize('name', FAULTS)
def test_a_planted_fault_is_found_in_its_episode_alone(report_of, name):
    plan, expected = FAULTS[name]
    *clean, faulty = report_of(*[Plan() for _ in range(5)], plan).episodes
    assert kinds(faulty) == expected
    assert not any(kinds(one) for one in clean)


def test_every_rule_has_a_planted_fault():
    # Damaged files and changes between episodes have tests of their own.
    planted = {rule for _, expected in FAULTS.values() for rule, _ in expected}
    assert planted == set(Rule) - {Rule.UNREADABLE, Rule.SET_UP}


def test_a_changed_set_up_is_found_where_it_begins(tmp_path):
    root = write_dataset(tmp_path / 'dataset', [Plan() for _ in range(6)])
    front, other = (file_name(CALIBRATION, 'front', one) for one in (b'1', b'2'))
    arm, parameters = (file_name(kind, '', b'1') for kind in (ROBOT_DESCRIPTION, PARAMETERS))
    texts = [front, '', f'{front} {arm}', f'{front} {other} {parameters}', other, f'{front} {arm}']
    for index, text in enumerate(texts):
        label_episodes(root, [index], {'robot_files': text})
    report = build_report(root)
    found = {one.facts.index: one.findings[0].text for one in report.episodes if one.findings}
    assert found == {
        3: 'camera front: calibration changed since episode 2',
        5: 'camera front: calibration changed since episode 4',
    }
    assert f'<td>meta/robot/{front}</td><td>0, 2-3, 5</td>' in page_of(report)


def test_clean_episodes_give_no_finding(clean_root):
    assert not any(kinds(one) for one in build_report(clean_root).episodes)


@pytest.mark.slow
def test_the_pictures_and_motions_of_the_demo_give_no_finding(report_of):
    views = {key: CameraView(key.rpartition('.')[2], 640, 240) for key in (FRONT, WRIST)}

    def draw(camera, row, joints):
        picture = np.empty((240, 640, 3), np.uint8)
        views[camera].draw(picture, joints.tolist(), row)
        return picture

    # The demo's two episodes are eight seconds each, one right after the other.
    report = report_of(Plan(8, begin_s=0.0), Plan(8, begin_s=8.0), draw=draw)
    assert not any(kinds(one) for one in report.episodes)


def test_a_finding_tells_its_figures(report_of):
    plans = [Plan() for _ in range(5)]
    report = report_of(*plans, Plan(motion=move_apart), Plan(motion=jump), Plan(begin_s=7.3))
    apart, jumped, copied = (one.findings for one in report.episodes[5:])
    assert apart[0].text.startswith('The action of shoulder_lift is +0.296 away from its state')
    assert jumped[0].rows == (29, 30)
    assert 'at frame 30' in jumped[0].text
    assert copied[0].other == 1


def test_an_angle_that_wraps_is_called_so(report_of):
    def wrap(state, action):
        state[20:, ELBOW] -= 2 * np.pi

    *_, wrapped = report_of(Plan(), Plan(), Plan(motion=wrap)).episodes
    assert 'a full turn' in wrapped.findings[0].text


def test_a_follower_that_is_late_is_not_apart(report_of):
    def delay(state, action):
        # Four rows more than the arm's own delay.
        state[4:] = state[:-4].copy()

    report = report_of(*[Plan(motion=delay) for _ in range(3)])
    assert Rule.APART not in {rule for one in report.episodes for rule, _ in kinds(one)}


def test_a_gripper_that_switches_does_not_jump(report_of):
    def switch(state, action):
        for one in (state, action):
            one[:, GRIPPER] = np.where(np.arange(len(one)) // 15 % 2, 1.0, 0.0)

    report = report_of(*[Plan(motion=switch) for _ in range(2)])
    assert not any(kinds(one) for one in report.episodes)


def test_values_that_are_no_numbers_do_not_disturb(tmp_path):
    root = write_dataset(tmp_path / 'dataset', [Plan(), Plan()])
    path = root / 'data/chunk-000/file-001.parquet'
    table = pq.read_table(path)
    values = np.stack(table[STATE].to_numpy())
    values[10:13, ELBOW] = np.nan
    column = pa.FixedSizeListArray.from_arrays(values.reshape(-1), values.shape[1])
    pq.write_table(table.set_column(table.column_names.index(STATE), STATE, column), path)
    assert [kinds(one) for one in build_report(root).episodes] == [set(), set()]


def test_a_damaged_video_and_lost_rows_are_findings(tmp_path):
    root = write_dataset(tmp_path / 'dataset', [Plan() for _ in range(3)])
    (root / f'videos/{FRONT}/chunk-000/file-001.mp4').write_bytes(b'no video' * 99)
    (root / 'data/chunk-000/file-002.parquet').write_bytes(b'no table' * 99)
    sound, blind, empty = build_report(root).episodes
    assert not kinds(sound)
    assert kinds(blind) == {(Rule.UNREADABLE, 'front')}
    assert [one.key for one in blind.sheets] == [WRIST]
    assert kinds(empty) == {(Rule.UNREADABLE, 'rows')}
    assert (len(empty.sheets), empty.plots) == (2, ())


def test_elements_of_other_names_are_compared_as_a_whole(tmp_path):
    survey = motion_survey.MotionSurvey({STATE: ('x', 'y'), 'action': ('left', 'right')})
    steps = np.linspace(0, 1, 5 * FPS)[:, None] * [1.0, 2.0]
    still = {STATE: np.zeros_like(steps), 'action': steps}
    survey.add(0, {STATE: steps, 'action': steps})
    survey.add(1, still)
    (found,) = [
        one
        for one in motion_findings.motion_findings(survey, 1, still, FPS)
        if one.rule is Rule.NO_MOTION
    ]
    assert found.text == 'The action changes, and the state does not'


@pytest.mark.parametrize('module', [findings, motion_findings, motion_survey])
def test_every_threshold_is_documented_with_its_value(module):
    lines = DOCS.read_text(encoding='utf-8').splitlines()
    for name in [one for one in vars(module) if one.isupper() and not one.startswith('_')]:
        value = vars(module)[name]
        if isinstance(value, int | float) or name in ('TILES', 'TAILS'):
            (line,) = [one for one in lines if one.startswith(f'| `{name}` |')]
            numbers = value if isinstance(value, tuple) else (value,)
            assert all(f'{one:g}' in line for one in numbers), (name, line)


@pytest.mark.parametrize('rule', Rule)
def test_every_rule_is_documented(rule):
    assert f'| {rule.title} |' in DOCS.read_text(encoding='utf-8')
