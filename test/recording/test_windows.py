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
Windows: a row holds the last samples of a sensor that is faster than the rows.

Guards against samples that are skipped, doubled or in another order, and against tools that lose
the second dimension.
"""

from __future__ import annotations

import json
import shutil

from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.data_rows import EpisodeValues
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.sync.row_clock import Policy
import numpy as np
import pyarrow.parquet as pq
import pytest
from staged_takes import crash

FORCE, STATE = 'observation.force', 'observation.state'
WAIT_S = 120


def force(window=4, names=('x', 'y'), key=FORCE, **changes):
    return StreamConfig(key, f'/{key}', names, part_of=FORCE, window=window, **changes)


def state():
    return StreamConfig(STATE, '/joint_states', names=('elbow',))


def send(play, begin, end, step=10, key=FORCE):
    """Send samples whose numbers are their stamp, and its negative."""
    for stamp in range(begin, end, step):
        play.send(key, (stamp, (stamp, -stamp)))
        if stamp % 50 == 0:
            play.send(STATE, stamp)


def windows(root):
    (path,) = root.glob('data/*/*.parquet')
    return np.array(pq.read_table(path).column(FORCE).to_pylist())


def test_a_row_holds_the_samples_up_to_its_instant_the_oldest_first(make_play, root):
    play = make_play(force(), state())
    send(play, 0, 301)
    play.recorder.start()
    send(play, 310, 601)
    summary = play.save()
    # Rows at 300, 400, 500 and 600 ms; the first one reaches back to before the start.
    expected = [[at - back for back in (30, 20, 10, 0)] for at in (300, 400, 500, 600)]
    assert windows(root)[:, :, 0].tolist() == expected
    assert (windows(root)[:, :, 1] == -windows(root)[:, :, 0]).all()
    assert not [one for one in summary.remarks if 'window' in one]
    info = json.loads((root / 'meta/info.json').read_text())
    assert info['features'][FORCE] == {
        'dtype': 'float32',
        'shape': [4, 2],
        'names': ['x', 'y'],
    }
    # LeRobot counts the samples of a window together.
    stats = json.loads((root / 'meta/stats.json').read_text())[FORCE]
    assert stats['mean'] == pytest.approx([435, -435])
    assert (stats['min'], stats['max'], stats['count']) == ([270, -600], [600, -270], [4])


def test_samples_before_the_first_one_repeat_it_and_are_counted(make_play, root):
    play = make_play(force(window=6), state())
    send(play, 0, 1)
    play.recorder.start()
    send(play, 10, 101)
    summary = play.save()
    assert windows(root)[:, :, 0].tolist() == [[0] * 6, [50, 60, 70, 80, 90, 100]]
    (remark,) = [one for one in summary.remarks if 'window' in one]
    assert remark == f'{FORCE}: 5 samples of windows repeat the first one, since none came before'
    record = json.loads((root / '.streamrec/episodes/episode-000000.json').read_text())
    assert record['streams'][FORCE]['missing_in_windows'] == 5


def test_samples_that_come_out_of_order_are_in_the_order_of_their_stamps(make_play, root):
    play = make_play(force(), state())
    send(play, 0, 101)
    play.recorder.start()
    for stamp in (110, 130, 120, 150, 140, 170, 190, 180, 200, 160):
        play.send(FORCE, (stamp, (stamp, -stamp)))
    play.send(STATE, 200)
    play.save()
    assert windows(root)[-1, :, 0].tolist() == [170, 180, 190, 200]


def test_parts_stand_beside_each_other_in_each_sample(make_play, root):
    left, right = (force(2, (name,), f'{FORCE}.{name}') for name in ('left', 'right'))
    play = make_play(left, right)
    for stamp in (0, 50, 100, 150, 200):
        for sign, one in ((1, left), (-1, right)):
            play.send(one.key, (stamp, sign * stamp))
        if stamp == 100:
            play.recorder.start()
    play.save()
    expected = [[[50, -50], [100, -100]], [[150, -150], [200, -200]]]
    assert windows(root).tolist() == expected


def test_a_crash_keeps_windows(make_play, root):
    play = make_play(force(), state())
    send(play, 0, 301)
    play.recorder.start()
    send(play, 310, 601)
    crash(play.recorder, root)
    make_play(force(), state())
    assert windows(root)[-1, :, 0].tolist() == [570, 580, 590, 600]


def record(play, begin, num_episodes):
    for _ in range(num_episodes):
        send(play, begin, begin + 101)
        play.recorder.start()
        send(play, begin + 110, begin + 501)
        play.save()
        begin += 1000


def test_every_tool_keeps_windows(make_play, root, tmp_path, capsys):
    play = make_play(force(), state())
    record(play, 0, 3)
    play.recorder.close(WAIT_S)
    copy = shutil.copytree(root, tmp_path / 'copy')
    assert main(['merge', str(tmp_path / 'merged'), str(root), str(copy)]) == 0
    assert main(['compact', str(root)]) == 0
    assert main(['delete', str(root), '--episodes', '1', '--yes']) == 0
    assert main(['check', str(root), '--repair', '--yes']) == 0
    for place, begins in ((root, (0, 2000)), (tmp_path / 'merged', (0, 1000, 2000) * 2)):
        values = windows(place)
        assert values.shape[1:] == (4, 2)
        ends = [begin + at for begin in begins for at in (100, 200, 300, 400, 500)]
        assert values[:, -1, 0].tolist() == ends
        capsys.readouterr()
        assert main(['check', str(place), '--json']) == 0
        assert json.loads(capsys.readouterr().out)['findings'] == []


def test_people_see_the_newest_sample_of_each_window(make_play, root, tmp_path):
    play = make_play(force(), state())
    record(play, 0, 1)
    play.recorder.close(WAIT_S)
    catalog = read_catalog(root)
    values = EpisodeValues(root, catalog.info, [FORCE]).of(catalog.episodes[0])[FORCE]
    assert values.tolist() == [[at, -at] for at in (100, 200, 300, 400, 500)]
    assert main(['report', str(root), '--output', str(tmp_path / 'report')]) == 0


@pytest.mark.parametrize(
    ('streams', 'expected'),
    [
        ((force(policy=Policy.NEAREST),), 'its policy is hold'),
        ((force(policy=Policy.INTERPOLATE),), 'its policy is hold'),
        ((force(2, ('a',), 'f.a'), force(3, ('b',), 'f.b')), 'one window'),
    ],
)
def test_windows_that_cannot_be_are_refused(streams, expected, make_play):
    with pytest.raises(ConfigError, match=expected):
        make_play(*streams)
