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
A policy and a human share the robot: rows say who drives, and show the action of whoever it is.

Guards against rows that show the leader's action while the policy drives or the reverse, and
against columns that differ from those of LeRobot's own rollout.
"""

from __future__ import annotations

import json

from lerobot_streamrec.errors import ConfigError, EpisodeStateError, StreamsNotReadyError
from lerobot_streamrec.recording.stream_config import StreamConfig
import pyarrow.parquet as pq
import pytest
from staged_takes import crash

ACTION, LEADER, TAKEN = 'action', 'action.when_intervening', 'intervention'
WAIT_S = 120


def policy(**changes):
    return StreamConfig(ACTION, '/policy', names=('elbow',), **changes)


def leader(names=('elbow',), **changes):
    return StreamConfig(LEADER, '/leader', names, part_of=ACTION, is_for_human=True, **changes)


def flag():
    return StreamConfig(TAKEN, '/takeover', ('data',), part_of=TAKEN, dtype='bool', max_age_s=0.0)


def rows(root, name):
    paths = sorted(root.glob('data/*/*.parquet'))
    return [one for path in paths for one in pq.read_table(path).column(name).to_pylist()]


def drive(play, begin, end, keys=(ACTION, LEADER), step=50):
    """Send messages whose content is their stamp; the leader's is negative."""
    for stamp in range(begin, end, step):
        for key in keys:
            play.send(key, (stamp, stamp if key == ACTION else -stamp))


def test_rows_show_the_action_of_whoever_drives(make_play, root):
    play = make_play(policy(), leader(), is_hil=True)
    drive(play, 0, 101)
    play.recorder.start()
    drive(play, 150, 301)
    assert play.recorder.intervene(is_human=True) == 'a human drives'
    assert play.recorder.status().is_human is True
    drive(play, 350, 501)
    play.recorder.intervene(is_human=False)
    drive(play, 550, 701)
    play.recorder.annotate('verdict', 'success')
    play.save()
    # The rows at 300 and 500 ms were in the past when the commands came.
    assert rows(root, ACTION) == [100, 200, 300, -400, -500, 600, 700]
    assert rows(root, TAKEN) == [False, False, False, True, True, False, False]
    assert rows(root, 'next.done') == rows(root, 'next.success') == [False] * 6 + [True]
    features = json.loads((root / 'meta/info.json').read_text())['features']
    for key in (TAKEN, 'next.success', 'next.done'):
        assert features[key] == {'dtype': 'bool', 'shape': [1], 'names': None}
    assert features[ACTION]['names'] == ['elbow']
    stats = json.loads((root / 'meta/stats.json').read_text())
    assert stats[TAKEN]['mean'] == pytest.approx([2 / 7])


def test_a_topic_says_who_drives_by_its_own_stamps(make_play, root):
    play = make_play(policy(), leader(), flag(), is_hil=True)
    drive(play, 0, 101)
    play.send(TAKEN, (90, 0))
    play.recorder.start()
    drive(play, 150, 251)
    play.send(TAKEN, (290, 1))
    drive(play, 300, 451)
    play.send(TAKEN, (410, 0))
    drive(play, 500, 601)
    with pytest.raises(EpisodeStateError, match=r'/takeover says who drives \(hil.intervention\)'):
        play.recorder.intervene(is_human=True)
    play.save()
    assert rows(root, TAKEN) == [False, False, True, True, False, False]
    assert rows(root, ACTION) == [100, 200, -300, -400, 500, 600]


def test_whoever_does_not_drive_may_be_silent(make_play, root):
    play = make_play(policy(max_age_s=0.4), leader(max_age_s=0.4), is_hil=True)
    drive(play, 0, 101)
    drive(play, 150, 1001, keys=(ACTION,))
    play.recorder.start()
    drive(play, 1050, 1301, keys=(ACTION,))
    leading = next(one for one in play.recorder.status().streams if one.key == LEADER)
    assert not leading.problem
    with pytest.raises(
        StreamsNotReadyError, match=r'action.when_intervening \(/leader\) is stale'
    ):
        play.recorder.intervene(is_human=True)
    drive(play, 1350, 1401)
    play.recorder.intervene(is_human=True)
    drive(play, 1450, 2501, keys=(LEADER,))
    summary = play.save()
    assert rows(root, ACTION)[-2:] == [-2400, -2500]
    assert not [one for one in summary.remarks if 'stale' in one]
    record = json.loads((root / '.streamrec/episodes/episode-000000.json').read_text())
    assert record['streams'][ACTION]['rows_stale'] == 0
    assert record['streams'][LEADER]['rows_stale'] == 0


def test_an_episode_needs_a_sample_of_both(make_play):
    play = make_play(policy(), leader(), is_hil=True)
    drive(play, 0, 101, keys=(ACTION,))
    with pytest.raises(StreamsNotReadyError, match=r'\(/leader\) is missing'):
        play.recorder.start()


def test_the_human_still_drives_in_the_next_episode(make_play, root):
    play = make_play(policy(), leader(), is_hil=True)
    drive(play, 0, 101)
    play.recorder.intervene(is_human=True)
    play.recorder.start()
    drive(play, 150, 301)
    play.recorder.rotate().saving.result(WAIT_S)
    drive(play, 350, 501)
    play.recorder.intervene(is_human=False)
    drive(play, 550, 601)
    play.save()
    assert rows(root, TAKEN) == [True] * 5 + [False]
    assert rows(root, 'next.done') == [False, False, True] * 2
    assert rows(root, 'next.success') == [False] * 6


def test_a_crash_keeps_who_drove(make_play, root):
    play = make_play(policy(), leader(), is_hil=True)
    drive(play, 0, 101)
    play.recorder.start()
    drive(play, 150, 301)
    play.recorder.intervene(is_human=True)
    drive(play, 350, 601)
    num_rows = crash(play.recorder, root)
    again = make_play(policy(), leader(), is_hil=True)
    assert 'recovered episode 0' in again.recorder.status().last_result
    assert rows(root, TAKEN) == [False] * 3 + [True] * (num_rows - 3)
    assert rows(root, 'next.done') == [False] * (num_rows - 1) + [True]


@pytest.mark.parametrize(
    ('streams', 'is_hil', 'expected'),
    [
        ((policy(), leader()), False, 'it needs hil.enabled: true'),
        ((leader(),), True, 'set action.topic as well'),
        ((policy(), leader(('elbow', 'wrist'))), True, 'as many elements as action has'),
        (
            (
                StreamConfig(ACTION, '/policy', names=('elbow', 'wrist')),
                leader(('wrist', 'elbow')),
            ),
            True,
            'in the order of action: elbow, wrist',
        ),
        ((policy(), leader(dtype='float64')), True, 'action has float32'),
        (
            (policy(), StreamConfig('next.done', '/done', names=('data',), dtype='bool')),
            True,
            'hil.enabled: true makes this feature',
        ),
        (
            (policy(), StreamConfig(TAKEN, '/takeover', names=('data',))),
            True,
            'one number with dtype bool',
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(streams, is_hil, expected, make_play):
    with pytest.raises(ConfigError, match=expected):
        make_play(*streams, is_hil=is_hil)


def test_a_leader_may_name_its_joints_in_its_own_way(make_play, root):
    play = make_play(policy(), leader(('leader_elbow',)), is_hil=True)
    drive(play, 0, 101)
    play.recorder.intervene(is_human=True)
    play.recorder.start()
    drive(play, 150, 201)
    play.save()
    assert rows(root, ACTION) == [-100, -200]


def test_interventions_need_their_column(make_play):
    play = make_play(policy())
    with pytest.raises(EpisodeStateError, match=r'set hil\.enabled to true'):
        play.recorder.intervene(is_human=True)
