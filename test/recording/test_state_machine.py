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
Random verbs and faults, in any order: the five promises hold after each of them.

Hypothesis looks for the shortest sequence that breaks one. What must be there is told by a model
of a few lines: the lengths of the saved episodes, and every message that was sent.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
import itertools
import shutil

from fault_at import FaultAt
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    RuleBasedStateMachine,
    run_state_machine_as_test,
)
import hypothesis.strategies as st
from lerobot_streamrec.dataset.format.take_record import parse_take_record
from lerobot_streamrec.dataset.takes.journal import read_journal
from lerobot_streamrec.errors import (
    DatasetCorruptError,
    DatasetError,
    EpisodeError,
    StreamrecError,
)
from lerobot_streamrec.recording.status import RecorderState
import pytest
from thoroughness import examples
from waiting import wait_for

FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
SECOND_NS = 10**9
WAIT_S = 120
HELD_BACK = 5
EXAMPLES, STEPS = 40, 30


class Machine(RuleBasedStateMachine):
    """One recorder after the other, on one dataset."""

    def __init__(self, make_rig, new_root, read_dataset, disk, doing):
        super().__init__()
        self._make_rig, self._new_root, self._read = make_rig, new_root, read_dataset
        self._disk = disk
        self.rig = None
        self.saved = []
        self.resumed_at = 0
        self.strayed = None, None
        self.doing = doing

    @initialize()
    def begin(self):
        self.rig = self._make_rig(root=self._new_root())
        self.rig.run(1)

    @property
    def recorder(self):
        return self.rig.recorder

    @property
    def state(self):
        return self.recorder.status().state if self.rig is not None else RecorderState.CLOSED

    @property
    def is_recording(self):
        """A paused episode is one that is being recorded."""
        return self.state in (RecorderState.RECORDING, RecorderState.PAUSED)

    # --- time and messages ---------------------------------------------------------------------

    @rule(tenths=st.integers(1, 15))
    def let_pass(self, tenths):
        self.rig.run(tenths / 10)

    @rule(key=st.sampled_from([FRONT, STATE]), tenths=st.integers(1, 20))
    def lose_a_stream(self, key, tenths):
        self.rig.run(tenths / 10, without=[key])

    @rule(key=st.sampled_from([FRONT, TOP, STATE]))
    def bring_a_stamp_of_another_clock(self, key):
        # Two streams that stray alike at the same time are a clock that was set: nobody can tell.
        is_told_apart = self.strayed[0] != self.rig.now_ns or self.strayed[1] == key
        if self.state is RecorderState.RECORDING and is_told_apart:
            self.strayed = self.rig.now_ns, key
            self.rig.push(key, self.rig.now_ns + 3600 * SECOND_NS)
            # It stands in no row: the account goes without it.
            self.rig.sent[key].pop()

    # --- verbs ---------------------------------------------------------------------------------

    @rule()
    @precondition(lambda self: not self.is_recording)
    def start(self):
        # A stream that was silent for long is a reason not to start.
        with suppress(EpisodeError):
            assert self.recorder.start() == len(self.saved)

    @rule(tenths=st.integers(2, 20))
    @precondition(lambda self: not self.is_recording)
    def record(self, tenths):
        self.rig.run(0.5)
        assert self.recorder.start() == len(self.saved)
        self.rig.run(tenths / 10)

    @rule()
    def ask_for_what_makes_no_sense(self):
        verbs = {
            RecorderState.IDLE: ('save', 'discard', 'rotate', 'pause', 'resume'),
            RecorderState.RECORDING: ('start', 'undo', 'finalize', 'resume'),
            RecorderState.PAUSED: ('start', 'undo', 'finalize', 'pause'),
            RecorderState.CLOSED: (),
        }[self.state]
        for verb in verbs:
            with pytest.raises(EpisodeError):
                getattr(self.recorder, verb)()

    @rule()
    @precondition(lambda self: self.is_recording)
    def save_well(self):
        self.save(None)

    @rule(fails_at=st.integers(0, 8))
    @precondition(lambda self: self.is_recording)
    def save_badly(self, fails_at):
        self.save(fails_at)

    def save(self, fails_at):
        rows, state = self.recorder.status().num_rows, self.state
        self._disk.arm(fails_at, DatasetError('no space left on device'))
        try:
            summary = self.rig.save()
        except StreamrecError:
            return
        finally:
            self._disk.arm()
        self.doing['saves'] += 1
        assert summary.episode.episode_index == len(self.saved)
        self.saved.append(summary.episode.num_rows)
        self.check_end(len(self.saved) - 1, rows, state)

    @rule()
    @precondition(lambda self: self.is_recording)
    def rotate(self):
        rows, state = self.recorder.status().num_rows, self.state
        # A stream that was silent for long is a reason to do neither.
        try:
            rotation = self.recorder.rotate()
        except EpisodeError:
            return
        assert rotation.index == len(self.saved) + 1
        self.doing['rotations'] += 1
        self.saved.append(rotation.saving.result(WAIT_S).episode.num_rows)
        self.check_end(len(self.saved) - 1, rows, state)

    @rule(tenths=st.integers(0, 10))
    @precondition(lambda self: self.state is RecorderState.RECORDING)
    def pause(self, tenths):
        self.recorder.pause()
        if tenths:
            self.rig.run(tenths / 10)
            self.resume_if_ready()

    @rule()
    @precondition(lambda self: self.state is RecorderState.PAUSED)
    def resume(self):
        self.resume_if_ready()

    def resume_if_ready(self):
        # A stream that is silent is a reason to stay paused.
        with suppress(EpisodeError):
            self.recorder.resume()
            self.doing['resumptions'] += 1
            self.resumed_at = self.recorder.status().num_rows

    def check_end(self, episode_index, num_closed, state):
        """An episode ends at the newest stamp; every message comes at once, so none is awaited."""
        num_rows, fps = self.saved[episode_index], self.rig.config.fps
        assert num_rows >= num_closed
        last_ns = self.rig.instants_of(episode_index, num_rows)[-1]
        newest_ns = max(stamp for sent in self.rig.sent.values() for stamp, _ in sent)
        # A stream that missed one message may be late by as much as a row.
        assert newest_ns >= last_ns
        # One that is paused has ended already, and one that has just gone on has no new row yet.
        is_cut = state is RecorderState.PAUSED or num_rows == self.resumed_at
        assert is_cut or newest_ns - last_ns < 2 * SECOND_NS // fps

    @rule()
    @precondition(lambda self: self.is_recording)
    def discard(self):
        self.recorder.discard().result(WAIT_S)

    @rule(fails_at=st.none() | st.integers(0, 2))
    @precondition(lambda self: self.saved and not self.is_recording)
    def undo(self, fails_at):
        self._disk.arm(fails_at, DatasetError('no space left on device'))
        try:
            self.recorder.undo().result(WAIT_S)
        except StreamrecError:
            return
        finally:
            self._disk.arm()
        self.saved.pop()
        self.doing['undos'] += 1

    @rule(verdict=st.sampled_from(['success', 'failure', 'whatever', '']))
    def say_something(self, verdict):
        try:
            self.recorder.annotate('verdict', verdict).result(WAIT_S)
        except StreamrecError:
            return
        assert verdict != 'whatever'

    @rule()
    @precondition(lambda self: not self.is_recording)
    def finalize(self):
        info = self.recorder.finalize().result(WAIT_S).info
        assert info.total_episodes == len(self.saved)

    # --- the end of a process ------------------------------------------------------------------

    @rule()
    def end_and_begin_again(self):
        rows, state = self.recorder.status().num_rows, self.state
        failure = self.recorder.status().failure
        self.recorder.close(WAIT_S)
        root = self.rig.config.root
        lengths = self._read(root).episodes['length'].tolist() if self._is_dataset(root) else []
        if len(lengths) > len(self.saved):
            self.saved.append(lengths[-1])
            self.check_end(len(lengths) - 1, rows, state)
        else:
            assert not rows or failure
        self._go_on(root)

    def _is_dataset(self, root):
        return (root / 'meta/info.json').is_file()

    @rule()
    def crash(self):
        """What is on the disk at any moment is what a kill leaves."""
        if self.state is RecorderState.RECORDING:
            # More rows than an encoder may hold back.
            self.rig.run(0.8)
        status, root = self.recorder.status(), self._new_root()
        if status.num_rows:
            folder = max((self.rig.config.root / '.streamrec/staging').glob('take-*'))
            wait_for(lambda: self._is_written(folder, status.num_rows))
        # A folder that is being deleted cannot be copied.
        self.recorder._committer.flush().result(WAIT_S)
        shutil.copytree(self.rig.config.root, root)
        before = self.rig
        self._go_on(root)
        before.recorder.close(WAIT_S)
        num_saved = self.recorder.status().num_saved
        if num_saved == len(self.saved):
            assert status.num_rows <= HELD_BACK, 'the running episode is lost'
            return
        assert num_saved == len(self.saved) + 1
        self.doing['recoveries'] += 1
        self.saved.append(int(self._read(root).episodes['length'].iloc[-1]))
        assert status.num_rows - HELD_BACK <= self.saved[-1] <= status.num_rows

    def _is_written(self, folder, rows):
        if not (folder / 'take.json').is_file():
            return False
        try:
            record = parse_take_record((folder / 'take.json').read_bytes(), folder)
        except DatasetCorruptError:
            # It is being written right now.
            return False
        waiting = sum(one.queue.num_queued for one in self.recorder.status().streams)
        return read_journal(folder, record)[0] == rows and not waiting

    def _go_on(self, root):
        before = self.rig
        self.rig = self._make_rig(root=root, resume=self._is_dataset(root))
        self.rig.sent, self.rig.now_ns = before.sent, before.now_ns
        self.rig.run(1)

    # --- what must hold ------------------------------------------------------------------------

    @invariant()
    def the_recorder_tells_the_truth(self):
        if self.rig is None:
            return
        status = self.recorder.status()
        assert status.num_saved == len(self.saved)
        assert status.num_pending == 0
        assert status.episode_index == len(self.saved)

    def teardown(self):
        if self.rig is None:
            return
        root = self.rig.config.root
        if self.is_recording:
            self.recorder.discard()
        self.recorder.close(WAIT_S)
        if not self.saved:
            assert not self._is_dataset(root)
            return
        dataset = self._read(root)
        assert dataset.episodes['length'].tolist() == self.saved
        for index in range(len(self.saved)):
            self.rig.check(dataset, index)


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(examples(280))
def test_the_promises_hold_whatever_happens(make_rig, tmp_path, read_dataset, monkeypatch):
    disk = FaultAt().under_writers(monkeypatch, 'replace', 'adopt')
    numbers, doing = itertools.count(), Counter()

    def new_root():
        return tmp_path / f'{next(numbers)}' / 'dataset'

    run_state_machine_as_test(
        lambda: Machine(make_rig, new_root, read_dataset, disk, doing),
        settings=settings(
            max_examples=examples(EXAMPLES),
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
        ),
    )
    # A machine that does nothing breaks nothing.
    done = ('saves', 'undos', 'recoveries', 'rotations', 'resumptions')
    assert all(doing[name] for name in done), doing
