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
"""SIGINT, SIGTERM and SIGHUP, once or twice, early or late: the recorder ends in order."""

from __future__ import annotations

import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

from examples.demo.drawing import MIN_HEIGHT
import pytest
from recorder_rig.datasets import assert_whole, columns, total_episodes
from recorder_rig.parameters import COMMON, SLOW_ENCODER, SMALL
from recorder_rig.pictures import NumberedPicture
from recorder_rig.process import ros_arguments
from recorder_rig.surroundings import wait_until

pytestmark = [pytest.mark.ros, pytest.mark.slow]

ALL = pytest.mark.parametrize(
    'number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=['INT', 'TERM', 'HUP']
)
# The recorder ends within 10 s by deadlines of its own; a busy machine may starve the process.
GRACE_S = 60.0
EXIT_LOST = 1


# The recorder, which says whether the thread still spins when its executor is taken apart.
WATCHED = """
import sys, threading
from lerobot_streamrec.nodes import record_main
from rclpy.executors import SingleThreadedExecutor
shutdown = SingleThreadedExecutor.shutdown
def watched(self, *arguments, **options):
    spinning = [one.name for one in threading.enumerate() if one.name == 'executor']
    print('taken apart while there spin', spinning, flush=True)
    return shutdown(self, *arguments, **options)
SingleThreadedExecutor.shutdown = watched
sys.exit(record_main.main(sys.argv[1:]))
"""

# The recorder with an executor's thread that hangs at the end, and little patience.
HANGING = """
import sys, threading
from lerobot_streamrec.nodes import application, record_main
from rclpy.executors import SingleThreadedExecutor
# A spin returns at the next tick of the status, which may be half a second away.
application._END_TIMEOUT_S, application._STOP_TIMEOUT_S = 2.0, 0.2
spin, shutdown = SingleThreadedExecutor.spin_once, SingleThreadedExecutor.shutdown
asked = threading.Event()
def create_task(self, *arguments):
    asked.set()
def spin_or_hang(self, *arguments, **options):
    if asked.is_set() and threading.current_thread().name == 'executor':
        print('hangs', flush=True)
        threading.Event().wait()
    spin(self, *arguments, **options)
def told(self, *arguments, **options):
    print('taken apart', flush=True)
    return shutdown(self, *arguments, **options)
SingleThreadedExecutor.create_task = create_task
SingleThreadedExecutor.spin_once = spin_or_hang
SingleThreadedExecutor.shutdown = told
sys.exit(record_main.main(sys.argv[1:]))
"""


def begin_episode(rig, parameters=SMALL, num_rows=10, picture=None):
    """Record without an end; return the recorder and the operator."""
    rig.small_robot(picture=picture)
    recorder = rig.recorder(parameters)
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(num_rows)
    return recorder, operator


def noisy_picture():
    return NumberedPicture(noise=True, height=MIN_HEIGHT + 64)

# The recorder, which says when its last status has arrived, and when it leaves the graph.
DELIVERING = """
import sys
from lerobot_streamrec.nodes import record_main
from rclpy.node import Node
from rclpy.publisher import Publisher
wait, destroy = Publisher.wait_for_all_acked, Node.destroy_node
def wait_and_tell(self, *arguments):
    print('arrived on', self.topic_name, wait(self, *arguments), flush=True)
def destroy_and_tell(self):
    print('left as', self.get_name(), flush=True)
    destroy(self)
Publisher.wait_for_all_acked, Node.destroy_node = wait_and_tell, destroy_and_tell
sys.exit(record_main.main(sys.argv[1:]))
"""


@ALL
def test_a_running_episode_is_saved(rig, number, keep_dataset):
    recorder, _ = begin_episode(rig)
    recorder.send(number)
    assert recorder.wait(GRACE_S) == 0
    assert_whole(rig.root, num_episodes=1)
    assert recorder.log.rstrip().endswith('ended')
    (num_rows,) = re.findall(r'shutdown: saved episode 0: (\d+) rows', recorder.log)
    assert int(num_rows) == len(columns(rig.root, 0)['index'])
    assert not list((rig.root / '.streamrec' / 'staging').iterdir())
    keep_dataset(rig.root)


def test_a_running_episode_is_discarded_if_wanted(rig):
    recorder, _ = begin_episode(rig, {**SMALL, 'on_shutdown': 'discard'})
    recorder.send(signal.SIGTERM)
    assert recorder.wait(GRACE_S) == 0
    assert total_episodes(rig.root) == 0
    assert re.search(r'shutdown: discarded \d+ rows', recorder.log)
    assert not list((rig.root / '.streamrec' / 'staging').iterdir())


@pytest.mark.parametrize('apart_s', [0.0, 0.1])
def test_a_second_signal_changes_nothing(rig, apart_s):
    recorder, _ = begin_episode(rig)
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        if recorder.is_running:
            recorder.send(number)
        time.sleep(apart_s)
    assert recorder.wait(GRACE_S) == 0
    assert_whole(rig.root, num_episodes=1)


def test_signals_to_the_very_end_change_nothing(rig):
    """Python puts the default handlers back when it leaves: a signal then must not kill."""
    recorder, _ = begin_episode(rig)
    deadline_s = time.monotonic() + GRACE_S
    while recorder.is_running and time.monotonic() < deadline_s:
        recorder.send(signal.SIGTERM)
        time.sleep(0.002)
    assert recorder.wait() == 0
    assert_whole(rig.root, num_episodes=1)


@pytest.mark.parametrize('after_s', [0.0, 0.15, 0.3, 0.45])
def test_a_signal_while_the_recorder_starts(rig, after_s):
    """The earliest instant is when its first lines have run; most modules are loaded after."""
    recorder = rig.launch(SMALL, is_forked=False)
    # Python has a handler for SIGINT of its own, but none for SIGTERM.
    wait_until(lambda: recorder.catches(signal.SIGTERM), 90.0, 'the recorder handles signals')
    time.sleep(after_s)
    recorder.send(signal.SIGINT)
    assert recorder.wait(GRACE_S) == 0
    assert not (rig.root / 'meta').exists()
    assert not recorder.complaints(), recorder.log


def test_the_idle_recorder_ends(rig):
    recorder = rig.recorder(SMALL)
    assert recorder.end() == 0
    assert not (rig.root / 'meta').exists()
    # The folder is free for the next one.
    assert rig.recorder(SMALL).end() == 0


def test_a_pending_save_is_finished_and_answered(rig):
    recorder, operator = begin_episode(
        rig, {**SMALL, **SLOW_ENCODER}, num_rows=15, picture=noisy_picture()
    )
    saving = operator.send('save')
    operator.wait_for_status(
        lambda one: one.values['pending_episodes'] == '1', 'an episode is pending'
    )
    assert not saving.is_answered, 'the encoder is too quick for this test'
    recorder.send(signal.SIGINT)
    assert recorder.wait(GRACE_S) == 0
    answer = saving.succeed()
    assert answer.startswith('episode 0: ')
    # On a busy machine the encoder may have had no time: the next test says what comes of that.
    if 'not encoded yet' not in answer:
        assert_whole(rig.root, num_episodes=1)


def test_what_there_is_no_time_to_encode_is_saved_all_the_same(rig, keep_dataset):
    """An encoder that needs minutes: the process ends, and who comes next goes on with it."""
    parameters = {**SMALL, 'encoder.vcodec': 'libsvtav1', 'encoder.preset': '0'}
    recorder, _ = begin_episode(rig, parameters, num_rows=45, picture=noisy_picture())
    recorder.send(signal.SIGINT)
    assert recorder.wait(GRACE_S) == 0
    assert total_episodes(rig.root) == 0
    take = rig.root / '.streamrec/staging/take-000001'
    assert (take / 'saved.json').is_file()
    # The next one is no quicker, and has to end before it is done.
    second = rig.recorder(SMALL)
    operator = rig.operator()
    operator.wait_for_status(
        lambda one: one.values['unencoded_episodes'] == '1', 'an episode waits'
    )
    assert second.end() == 0
    record = take / 'take.json'
    record.write_text(record.read_text().replace('"preset": 0', '"preset": 10'))
    third = rig.recorder(SMALL)
    operator.wait_for_status(
        lambda one: one.values['saved_episodes'] == '1', 'the episode is encoded'
    )
    assert third.end() == 0
    assert_whole(rig.root, num_episodes=1)
    keep_dataset(rig.root)


def test_what_cannot_be_saved_is_told_by_the_exit_status(rig):
    _, camera = rig.small_robot()
    recorder = rig.recorder(SMALL)
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(5)
    camera.picture = noisy_picture()
    operator.wait_for_status(lambda one: 'changed from' in one.message, 'another size is noticed')
    recorder.send(signal.SIGINT)
    assert recorder.wait(GRACE_S) == EXIT_LOST
    assert 'not every episode was saved' in recorder.log
    told = r'shutdown: the episode cannot be saved: .* Its \d+ rows go to'
    assert re.search(told, recorder.log)
    assert total_episodes(rig.root) == 0
    # What there is of it is still there.
    assert list((rig.root / '.streamrec' / 'quarantine').iterdir())


def log_of(rig, program, meanwhile):
    """Run a recorder with a program of its own around it, end it, and return what it said."""
    log = rig.folder / 'own.log'
    arguments = ros_arguments({'root': str(rig.root), **COMMON, **SMALL})
    with log.open('wb') as output:
        command = [sys.executable, '-c', program, *arguments]
        recorder = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(lambda: 'listening to' in log.read_text(), GRACE_S, log.read_text)
        meanwhile()
        recorder.send_signal(signal.SIGINT)
        assert recorder.wait(GRACE_S) == 0, log.read_text()
    finally:
        recorder.kill()
        recorder.wait()
    return log.read_text()


def test_the_executor_is_not_taken_apart_while_its_thread_spins(rig):
    """On a busy machine the thread found what it used gone: the recorder ended with status 3."""
    assert 'taken apart while there spin []' in log_of(rig, WATCHED, lambda: None)


def test_the_last_messages_arrive_before_the_recorder_leaves(rig):
    """A node that leaves the graph takes those with it that a busy listener has not read."""
    log = log_of(rig, DELIVERING, lambda: rig.operator().wait_for_recorder())
    assert log.index('arrived on /episode/status True') < log.index('left as episode\n'), log


def test_a_thread_that_never_ends_costs_neither_the_episode_nor_the_end(rig):
    def record():
        operator = rig.operator()
        operator.start()
        operator.wait_for_rows(10)

    rig.small_robot()
    log = log_of(rig, HANGING, record)
    assert 'hangs' in log
    assert 'taken apart' not in log
    assert 'shutdown: saved episode 0: ' in log
    assert log.rstrip().endswith('ended')
    assert_whole(rig.root, num_episodes=1)


def test_no_process_leaves_shared_memory(rig):
    # No node is in this process yet: what the recorder has mapped is its own.
    recorder = rig.recorder(SMALL)
    segments = recorder.segments()
    assert segments
    assert recorder.end() == 0
    assert not [path for path in segments if path.exists()]


def test_no_thread_takes_precedence_over_the_robot(rig):
    """As root, SVT-AV1 gives its threads real-time priority: the camera drivers would starve."""
    parameters = {**SMALL, 'encoder.vcodec': 'libsvtav1'}
    recorder, _ = begin_episode(rig, parameters)
    threads = [int(entry.name) for entry in Path(f'/proc/{recorder.pid}/task').iterdir()]
    ordinary = (os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_IDLE)
    hasty = [one for one in threads if os.sched_getscheduler(one) not in ordinary]
    assert not hasty, f'{len(hasty)} of {len(threads)} threads are scheduled in real time'
