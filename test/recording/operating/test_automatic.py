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
"""Episodes that begin and end by themselves, and an operator who interferes."""

from __future__ import annotations

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.recording.operating.config import AutomaticConfig, OperatingConfig
from lerobot_streamrec.recording.operating.status import Phase
from lerobot_streamrec.recording.stream_config import StreamConfig
import numpy as np
import pytest
from waiting import wait_for

FRONT, TOP = 'observation.images.front', 'observation.images.top'


def automatic(**settings):
    return {'min_episode_s': 0.5, 'automatic': AutomaticConfig(**settings)}


def test_automatic_episodes_run_as_in_lerobot_record(drive):
    driver = drive(**automatic(num_episodes=2, episode_time_s=1.0, reset_time_s=2.0))
    driver.run(0.2)
    assert driver.phase is Phase.RECORDING
    assert driver.status.phase_seconds_left == pytest.approx(0.9, abs=0.2)
    driver.run(1.2)
    assert driver.phase is Phase.RESETTING
    assert driver.status.phase_seconds_left == pytest.approx(1.8, abs=0.3)
    assert driver.status.automatic == '1 of 2 automatic episodes'
    driver.run(1.5)
    assert driver.phase is Phase.RESETTING
    driver.run(0.6)
    assert driver.phase is Phase.RECORDING
    driver.run(1.5)
    assert driver.phase is Phase.DONE
    wait_for(lambda: driver.machine.tick() or driver.rig.recorder.status().num_saved == 2)
    told = []
    wait_for(lambda: driver.run(1) or told.extend(driver.told()) or 'finalize' in str(told))
    assert told.count(('automatic', 'start', True)) == 2
    assert told.count(('automatic', 'saved', True)) == 2
    assert told.count(('automatic', 'finalize', True)) == 1
    assert driver.phase is Phase.DONE
    # One more by hand is possible.
    assert driver.press('start').success


def test_save_ends_a_phase_early_and_discard_repeats(drive):
    driver = drive(**automatic(num_episodes=3, episode_time_s=60.0, reset_time_s=60.0))
    driver.run(1)
    assert driver.press('save').message.startswith('episode 0')
    assert driver.phase is Phase.RESETTING
    driver.run(0.5)
    assert driver.press('save').message == 'the reset phase is over'
    driver.run(1)
    assert driver.phase is Phase.RECORDING
    # The running episode is thrown away and recorded again after the reset.
    assert driver.press('discard').success
    assert driver.phase is Phase.RESETTING
    driver.run(0.5)
    driver.press('save')
    driver.run(1)
    driver.press('save')
    assert driver.status.automatic == '2 of 3 automatic episodes'
    driver.run(0.5)
    # In the reset phase the last one is saved already: it is undone.
    assert driver.press('discard').message.startswith('undid episode 1')
    assert driver.status.automatic == '1 of 3 automatic episodes'
    driver.run(0.3)
    assert driver.phase is Phase.RECORDING
    assert driver.rig.recorder.status().episode_index == 1


def test_finalize_ends_automatic_episodes_until_somebody_starts_one(drive):
    driver = drive(**automatic(num_episodes=9, episode_time_s=60.0, reset_time_s=1.0))
    driver.run(1)
    driver.press('save')
    assert driver.press('finalize').success
    driver.run(3)
    assert driver.phase is Phase.DONE
    assert driver.rig.recorder.status().episode_index == 1
    driver.press('start')
    driver.run(1)
    driver.press('save')
    driver.run(3)
    assert driver.phase is Phase.RECORDING


def test_an_episode_that_failed_is_recorded_again_after_the_reset(drive):
    driver = drive(**automatic(num_episodes=2, episode_time_s=1.0, reset_time_s=1.0))
    driver.run(0.5)
    driver.rig.push(TOP, driver.rig.now_ns + 1, height=80)
    driver.run(2)
    assert ('automatic', 'save', False) in driver.told()
    assert driver.status.automatic == '0 of 2 automatic episodes'
    driver.run(2.5)
    assert driver.phase is Phase.RECORDING


def test_without_fresh_streams_nothing_starts_by_itself(drive):
    driver = drive(**automatic(num_episodes=1, episode_time_s=1.0))
    driver.rig.run(3, without=[TOP])
    driver.machine.tick()
    assert driver.phase is Phase.IDLE
    assert 'top' in driver.status.blockers[0]
    assert driver.told() == []


STREAMS = (
    StreamConfig(FRONT, '/front'),
    StreamConfig('action', '/leader', names=('pan', 'grip')),
)


def test_an_episode_begins_when_the_leader_moves_and_ends_when_it_is_still(drive):
    driver = drive(
        {'streams': STREAMS},
        **automatic(start_on_motion=True, save_after_still_s=1.0, motion_threshold=0.1),
    )
    rig, motion = driver.rig, driver.machine.motion

    def move(seconds, speed):
        for _ in range(round(seconds * 10)):
            place[0] += speed / 10
            motion.push('action', rig.now_ns, np.array(place))
            driver.run(0.1)

    place = [0.0, 1.0]
    # Noise is no motion.
    move(2, 0.01)
    assert driver.phase is Phase.READY
    move(0.5, 1.0)
    assert driver.phase is Phase.RECORDING
    move(2, 1.0)
    assert driver.phase is Phase.RECORDING
    move(0.8, 0.0)
    assert driver.phase is Phase.RECORDING
    move(0.5, 0.0)
    wait_for(lambda: driver.machine.tick() or ('automatic', 'saved', True) in driver.told())
    move(3, 0.0)
    assert driver.phase is Phase.READY
    move(0.5, 1.0)
    assert driver.rig.recorder.status().episode_index == 1
    assert driver.phase is Phase.RECORDING


def test_settings_of_automatic_episodes_that_contradict_each_other_are_refused():
    with pytest.raises(ConfigError, match=r'auto\.episode_time_s is 0\.5'):
        OperatingConfig(automatic=AutomaticConfig(num_episodes=1, episode_time_s=0.5))
    with pytest.raises(ConfigError, match=r'auto\.episode_time_s is 0\.0'):
        AutomaticConfig(episode_time_s=0.0)
