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
"""Messages that are as usual take a short way, which must end where the long one ends."""

import random

from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.recording.streams.clock_steps import ClockSteps
from lerobot_streamrec.recording.streams.streams import Streams
import numpy as np
import pytest

MS = 10**6
SECOND = 10**9
PERIODS = {'quick': 2 * MS, 'slow': 33 * MS, 'rare': 400 * MS}
BEGIN = 1_800_000_000 * SECOND


def messages(seed, jumps):
    """Yield key, stamp, steady time and whether an episode runs, with odd stamps now and then."""
    chance = random.Random(seed)
    offsets = dict.fromkeys(PERIODS, 0)
    for now in range(2 * MS, 12 * SECOND, 2 * MS):
        is_recording = 3 * SECOND < now < 9 * SECOND
        if now in jumps:
            size, keys = jumps[now]
            for key in keys:
                offsets[key] += size
        for key, period in PERIODS.items():
            if now % period < 2 * MS and chance.random() > 0.02:
                delay = round(chance.expovariate(1 / (3 * MS)))
                wrong = chance.choice([-SECOND, 5 * SECOND]) if chance.random() < 0.003 else 0
                yield key, BEGIN + now + offsets[key] + wrong - delay, now, is_recording


def taken_in(seed, jumps):
    """Return all that the streams took in, and what they say of themselves after each message."""
    now_ns = 0
    configs = [StreamConfig(key, f'/{key}', ('number',)) for key in PERIODS]
    streams = Streams(configs, lambda: now_ns, 0.3, lambda: BEGIN + now_ns)
    log, was_recording = [], False
    for number, (key, stamp_ns, now, is_recording) in enumerate(messages(seed, jumps)):
        now_ns = now
        if is_recording and not was_recording:
            log.append(streams.begin_episode().steps)
        was_recording = is_recording
        value = np.array([float(number)])
        pushed = streams.push(key, stamp_ns, value, now_ns, is_recording=is_recording)
        log.append([(name, float(value[0])) for name, value in pushed])
        log.append([one.newest_ns for one in streams.all])
        if number % 100 == 0:
            log.append((streams.off_clocks(), [one.counts() for one in streams.all]))
    return log


@pytest.mark.parametrize('seed', range(2))
@pytest.mark.parametrize(
    'jumps',
    [
        {},
        {5 * SECOND: (2 * SECOND, tuple(PERIODS)), 7 * SECOND: (-SECOND, tuple(PERIODS))},
        {2 * SECOND: (-20 * SECOND, tuple(PERIODS)), 6 * SECOND: (4 * SECOND, ('slow',))},
    ],
)
def test_the_short_way_ends_where_the_long_one_does(seed, jumps, monkeypatch):
    num_short = 0
    as_usual = ClockSteps.as_usual

    def counted(steps, arrival, **settings):
        nonlocal num_short
        usual = as_usual(steps, arrival, **settings)
        num_short += usual is not None
        return usual

    monkeypatch.setattr(ClockSteps, 'as_usual', counted)
    short = taken_in(seed, jumps)
    assert num_short > 1000
    monkeypatch.setattr(ClockSteps, 'as_usual', lambda *_, **__: None)
    assert short == taken_in(seed, jumps)
