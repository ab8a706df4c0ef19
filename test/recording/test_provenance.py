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
What is told of an episode: how far its samples were from their rows, and whether that is enough.

Guards promise 5: numbers in the answer of a save and in the recorder's own record are those of
the trains that were sent, and an episode beyond the user's limits is kept out of the dataset, not
deleted.
"""

from __future__ import annotations

import json
import re

from lerobot_streamrec.errors import ConfigError, EpisodeVetoedError
from lerobot_streamrec.recording.config import Limits
from lerobot_streamrec.recording.stream_config import StreamConfig
import pyarrow.parquet as pq
import pytest

FRONT, STATE, ACTION = 'observation.images.front', 'observation.state', 'action'
STREAMS = (
    StreamConfig(FRONT, '/front', offset_ms=-10.0),
    StreamConfig(STATE, '/state', names=('x',)),
)
BEGIN_NS = 1_800_000_000 * 10**9


@pytest.fixture
def play_episode(make_play):
    """Record ten rows: the camera misses two pictures, the state is at most 30 ms old."""

    def play_one(**changes):
        play = make_play(*STREAMS, **changes)
        play.send(FRONT, 10)
        play.send(STATE, 20)
        play.recorder.start()
        # The camera's stamps are 0, 100, ... by its offset, so that rows stand at 50, 150, ...
        for stamp in range(110, 1011, 100):
            play.send(STATE, stamp - 40)
            if stamp not in (410, 510):
                play.send(FRONT, stamp)
        play.send(STATE, 1020)
        return play

    return play_one


def record_of(root):
    return json.loads((root / '.streamrec/episodes/episode-000000.json').read_text())


def test_the_answer_names_the_worst_skew(play_episode):
    summary = play_episode().save()
    assert str(summary).startswith(
        'episode 0: 10 rows, 1.0 s, 1 video, 0.0 MB, 2 repeated frames, '
        f'skew at most 250 ms ({FRONT})'
    )


def test_the_status_tells_the_worst_so_far(play_episode):
    play = play_episode()
    skews = {one.key: one.max_skew_ms for one in play.recorder.status().streams}
    assert skews == {FRONT: 250.0, STATE: 80.0}
    play.save()
    assert [one.max_skew_ms for one in play.recorder.status().streams] == [0.0, 0.0]


def test_the_record_tells_of_every_stream(play_episode, root):
    play_episode().save()
    front, state = (record_of(root)['streams'][key] for key in (FRONT, STATE))
    assert front['topic'] == '/front'
    assert (front['policy'], front['offset_ms']) == ('hold', -10.0)
    assert (front['rows_repeated'], front['missing']) == (2, 0)
    assert front['received'] == 8
    assert front['messages_per_s'] == 8.0
    # Eight rows of 50 ms, and two that show the picture of before the gap.
    assert front['skew_ms'] == {'mean': 80.0, 'p95': 250.0, 'max': 250.0}
    assert state['rows_repeated'] == 0
    assert state['skew_ms']['max'] == 80.0
    assert state['skew_ms']['mean'] == pytest.approx(75.0)


def test_the_instants_of_all_rows_are_kept_if_that_is_wanted(play_episode, root):
    play_episode(is_per_row=True).save()
    table = pq.read_table(root / '.streamrec/row_stamps/episode-000000.parquet')
    rows = {
        name: [(stamp - BEGIN_NS) // 10**6 for stamp in table[name].to_pylist()]
        for name in table.column_names
    }
    assert rows['row'] == [50, 150, 250, 350, 450, 550, 650, 750, 850, 950]
    assert rows[FRONT] == [0, 100, 200, 300, 300, 300, 600, 700, 800, 900]
    assert rows[STATE] == [20, 70, 170, 270, 370, 470, 570, 670, 770, 870]


def test_they_are_not_kept_otherwise(play_episode, root):
    play_episode().save()
    assert not (root / '.streamrec/row_stamps').exists()


def test_they_go_with_their_episode(play_episode, root):
    play = play_episode(is_per_row=True)
    play.save()
    play.recorder.undo().result(30)
    kept = sorted(path.name for path in root.glob('.streamrec/quarantine/undone-*/*'))
    assert 'row_stamps.parquet' in kept
    assert list(root.glob('.streamrec/row_stamps/*')) == []


@pytest.mark.parametrize(
    ('limits', 'reason'),
    [
        (
            Limits(max_repeated_fraction=0.1),
            rf'{FRONT} repeats 2 of 10 frames \(limits.max_repeated_fraction is 0.1\)',
        ),
        (
            Limits(max_skew_ms=100),
            rf'{FRONT} shows a sample 250.0 ms away from its row \(limits.max_skew_ms is 100\)',
        ),
    ],
)
def test_an_episode_beyond_the_limits_is_kept_out_of_the_dataset(
    limits, reason, play_episode, root
):
    play = play_episode(limits=limits)
    with pytest.raises(EpisodeVetoedError, match=rf'not good enough: {reason}; it is now in'):
        play.save()
    assert not (root / 'meta/info.json').exists()
    kept = sorted(path.name for path in root.glob('.streamrec/quarantine/*/*'))
    assert kept == [f'{FRONT}.mp4', 'reason.txt', 'rows.arrows', 'take.json']
    (why,) = root.glob('.streamrec/quarantine/*/reason.txt')
    assert re.search(f'not good enough: {reason}$', why.read_text('utf-8'))
    assert 'not good enough' in play.recorder.status().last_result
    assert play.recorder.close(30), 'what the user does not want is nothing lost'


def test_rates_are_those_of_the_time_in_which_messages_were_counted(make_play, root):
    """Rows end before the newest messages: a late stream holds the last ones open."""
    hand = StreamConfig(ACTION, '/hand', names=('grip',), max_age_s=0.0)
    play = make_play(StreamConfig(STATE, '/state', names=('x',)), hand, max_lateness_s=2.0)
    play.send(STATE, 0)
    play.send(ACTION, 0)
    play.recorder.start()
    for stamp in range(10, 3001, 10):
        play.send(STATE, stamp)
        if stamp % 1500 == 0:
            play.send(ACTION, stamp)
    play.send(STATE, *range(3010, 4001, 10))
    play.save()
    streams = record_of(root)['streams']
    assert streams[STATE]['messages_per_s'] == 100.0
    assert streams[ACTION]['messages_per_s'] == 0.5


def test_a_stream_on_change_has_no_skew(make_play):
    """Its last sample holds, however old: that is no distance from the row."""
    hand = StreamConfig(ACTION, '/hand', names=('grip',), max_age_s=0.0)
    play = make_play(*STREAMS, hand, limits=Limits(max_skew_ms=150))
    play.send(ACTION, 0)
    play.send(FRONT, 10)
    play.send(STATE, 20)
    play.recorder.start()
    for stamp in range(110, 1511, 100):
        play.send(STATE, stamp - 40)
        play.send(FRONT, stamp)
    summary = play.save()
    assert f'skew at most 80 ms ({STATE})' in str(summary)


def test_a_skew_of_nothing_is_not_told(make_play):
    play = make_play(StreamConfig(STATE, '/state', names=('x',), max_age_s=0.0))
    play.send(STATE, 0)
    play.recorder.start()
    play.send(STATE, 500)
    assert 'skew not measured (max_age_s is 0 for every stream)' in str(play.save())


def test_a_limit_of_repeats_leaves_out_what_a_slow_camera_cannot_show(make_play):
    play = make_play(STREAMS[0], fps=20, limits=Limits(max_repeated_fraction=0.0))
    play.send(FRONT, *range(0, 2000, 100))
    play.recorder.start()
    play.send(FRONT, *range(2000, 4000, 100))
    summary = play.save()
    assert summary.num_repeated == 0
    assert 'sends 10.0 pictures per second and fps is 20' in summary.remarks[0]


def test_an_episode_within_the_limits_is_saved(play_episode):
    limits = Limits(max_repeated_fraction=0.2, max_skew_ms=250)
    assert play_episode(limits=limits).save().episode.episode_index == 0


def test_a_vetoed_episode_comes_back_if_it_is_put_back(play_episode, root, make_play, shown):
    play = play_episode(limits=Limits(max_skew_ms=1))
    with pytest.raises(EpisodeVetoedError):
        play.save()
    assert play.recorder.close(30)
    (folder,) = root.glob('.streamrec/quarantine/*')
    folder.rename(root / '.streamrec/staging/again')
    again = make_play(*STREAMS, resume=True)
    assert 'recovered episode 0' in again.recorder.status().last_result
    assert len(shown(STATE)) == len(shown(FRONT)) == 10


@pytest.mark.parametrize('changes', [{'max_repeated_fraction': 1.5}, {'max_skew_ms': -1.0}])
def test_limits_that_cannot_be_are_refused(changes):
    with pytest.raises(ConfigError, match=f'limits.{next(iter(changes))}'):
        Limits(**changes)
