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
The end of an episode is part of the episode: rows are closed up to the newest stamp.

Guards promise 1 where the operator lets go: in the last half second the gripper opens. A stream
that says nothing holds its last sample, and no row is invented beyond the newest stamp.
"""

from __future__ import annotations

import json

from lerobot_streamrec.errors import EmptyEpisodeError
from lerobot_streamrec.recording.stream_config import StreamConfig
import pytest

FRONT, STATE, ACTION = 'observation.images.front', 'observation.state', 'action'
FPS = 30
MS_NS, SECOND_NS = 10**6, 10**9
BEGIN_NS = 1_800_000_000 * SECOND_NS
WARM_MS = 1000
WAIT_S = 120


def camera():
    return StreamConfig(FRONT, '/front')


def joints():
    return StreamConfig(STATE, '/joint_states', names=('x',))


def command(max_age_s=1.0):
    return StreamConfig(ACTION, '/gripper', names=('open',), max_age_s=max_age_s)


def train(key, period_ms, until_ms, from_ms=0, late_ms=0, phase_ms=0):
    """Return arrivals (when, key, stamp), milliseconds, of a stream that begins at zero."""
    stamps = range(from_ms + phase_ms, until_ms, period_ms)
    return [(stamp + late_ms, key, stamp) for stamp in stamps]


class Episode:
    """Plays arrivals in their order: a warm-up, start, and all until the save."""

    def __init__(self, play, arrivals, save_ms):
        self.play = play
        before = sorted(one for one in arrivals if one[0] < WARM_MS)
        after = sorted(one for one in arrivals if WARM_MS <= one[0] < WARM_MS + save_ms)
        self._send(before)
        play.recorder.start()
        self._send(after)
        self.newest_ms = max(stamp for _, _, stamp in before + after)

    def _send(self, arrivals):
        for _, key, stamp in arrivals:
            content = self.content(key, stamp)
            self.play.send(key, (stamp, content))

    @staticmethod
    def content(key, stamp_ms):
        if key == ACTION:
            return float(stamp_ms >= WARM_MS + 3000)
        return stamp_ms if key == STATE else stamp_ms // 33

    def check_end(self, record, num_rows, waiting_ms=0):
        """No row is later than the newest stamp, and the next one would be."""
        start_ns = record['start_stamp_ns'] - BEGIN_NS
        waits_ns = self.newest_ms * MS_NS - start_ns - (num_rows - 1) * SECOND_NS // FPS
        assert 0 <= waits_ns <= waiting_ms * MS_NS + SECOND_NS // FPS


@pytest.fixture
def record(root):
    return lambda: json.loads((root / '.streamrec/episodes/episode-000000.json').read_text())


GRIPPER = {
    'on change': ([(0, ACTION, 0), (WARM_MS + 3000, ACTION, WARM_MS + 3000)], 0.0),
    'at 50 Hz': (train(ACTION, 20, 5000), 1.0),
}


@pytest.mark.parametrize('end', ['save', 'end'])
@pytest.mark.parametrize('kind', GRIPPER)
def test_the_gripper_opens_in_the_last_rows(kind, end, make_play, shown, record):
    """Three seconds, the command, 0.4 s, save: 12 rows show it, whoever repeats the command."""
    arrivals, max_age_s = GRIPPER[kind]
    play = make_play(camera(), joints(), command(max_age_s), fps=FPS)
    arrivals = [*arrivals, *train(FRONT, 33, 9000), *train(STATE, 10, 9000)]
    episode = Episode(play, arrivals, save_ms=3400)
    if end == 'save':
        assert play.save().remarks == ()
    else:
        play.recorder.end().result(WAIT_S)
    actions = shown(ACTION)
    assert (len(actions), sum(actions)) == (102, 12)
    episode.check_end(record(), len(actions))


@pytest.mark.parametrize('silent_ms', [100, 300, 450, 900])
@pytest.mark.parametrize('key', [FRONT, ACTION])
def test_a_stream_that_stopped_before_the_save_holds_its_last_sample(
    key, silent_ms, make_play, shown, record
):
    """A camera that died, a leader whose dead-man switch was let go."""
    play = make_play(camera(), joints(), command(), fps=FPS)
    periods = {FRONT: 33, STATE: 10, ACTION: 20}
    arrivals = []
    for one, period in periods.items():
        arrivals += train(one, period, WARM_MS + 2000 - (silent_ms if one == key else 0))
    episode = Episode(play, arrivals, save_ms=2000)
    summary = play.save()
    episode.check_end(record(), summary.episode.num_rows)
    frames = shown(FRONT)
    if key == FRONT:
        assert summary.num_repeated == pytest.approx(silent_ms * FPS / 1000, abs=1)
        assert len(set(frames[-summary.num_repeated - 1 :])) == 1
    else:
        assert summary.num_repeated == 0
    assert shown(STATE)[-1] > WARM_MS + 2000 - 1000 / FPS - 10


@pytest.mark.parametrize('late_ms', [0, 20, 50, 120])
def test_a_picture_that_is_on_its_way_is_not_replaced_by_the_one_before(
    late_ms, make_play, record
):
    """A camera stamps at exposure and its pictures come later: rows without them are left out."""
    play = make_play(camera(), joints(), fps=FPS)
    arrivals = [*train(STATE, 10, 9000), *train(FRONT, 33, 9000, late_ms=late_ms)]
    episode = Episode(play, arrivals, save_ms=2000)
    summary = play.save()
    assert (summary.num_repeated, summary.remarks) == (0, ())
    episode.check_end(record(), summary.episode.num_rows, waiting_ms=late_ms + 33)


def test_a_stream_that_was_late_seconds_ago_is_waited_for_again(make_play, shown, record):
    """On a busy machine messages are held up for a while: no row shows one from before that."""
    play = make_play(camera(), joints(), fps=FPS, max_lateness_s=2.0)
    # Held up for 0.5 s two seconds before the end, and once more for the last 0.4 s.
    states = [
        (WARM_MS + 1500 if WARM_MS + 1000 <= when < WARM_MS + 1500 else when, key, stamp)
        for when, key, stamp in train(STATE, 10, WARM_MS + 3100)
    ]
    episode = Episode(play, [*states, *train(FRONT, 33, 9000)], save_ms=3500)
    summary = play.save()
    assert summary.num_repeated == 0
    episode.check_end(record(), summary.episode.num_rows, waiting_ms=400 + 33)
    assert summary.episode.num_rows == pytest.approx(3.1 * FPS, abs=1)
    assert len(set(shown(STATE))) == summary.episode.num_rows


def test_a_slow_stream_holds_its_sample_to_the_end(make_play, shown, record):
    """The next sample of a stream at 2 Hz is not due yet: nothing is waited for."""
    play = make_play(joints(), command(), fps=FPS)
    arrivals = [*train(STATE, 10, 9000), *train(ACTION, 500, 9000, from_ms=-6000)]
    episode = Episode(play, arrivals, save_ms=2400)
    summary = play.save()
    assert summary.episode.num_rows == 73
    episode.check_end(record(), 73)


def test_rows_of_a_camera_go_on_to_the_end_without_it(make_play, record):
    play = make_play(camera(), joints(), fps=FPS, clock=FRONT)
    arrivals = [*train(STATE, 10, 9000), *train(FRONT, 33, WARM_MS + 1700)]
    episode = Episode(play, arrivals, save_ms=2000)
    summary = play.save()
    assert summary.num_repeated in (8, 9)
    episode.check_end(record(), summary.episode.num_rows, waiting_ms=20)


def test_an_episode_without_a_row_by_its_newest_stamp_goes_on(make_play):
    play = make_play(camera(), joints(), fps=FPS)
    episode = Episode(play, [*train(STATE, 10, 1000), *train(FRONT, 33, 1000)], save_ms=10)
    with pytest.raises(EmptyEpisodeError):
        play.save()
    play.send(STATE, (episode.newest_ms + 100, 0.0))
    assert play.save().episode.num_rows >= 1
