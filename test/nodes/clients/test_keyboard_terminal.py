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
The keyboard as its users start it: a process in a real pseudo-terminal, over DDS.

The recorder is a FAKE, a node that says what a test wants and collects commands, in all tests but
one, which says so.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from pseudo_terminal import PseudoTerminal
import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from recorder_rig.datasets import assert_whole
from recorder_rig.fake_humble import python_module
from recorder_rig.parameters import COMMON, SMALL
from recorder_rig.surroundings import NODE_OPTIONS
from std_msgs.msg import String

pytestmark = pytest.mark.ros

MODULE = 'lerobot_streamrec.nodes.clients.keyboard_main'
TIMEOUT_S = 90.0
# As terminals send them in their two modes.
RIGHTS, LEFT = ('\x1b[C', '\x1bOC'), '\x1b[D'
ESCAPE, CTRL_C = '\x1b', '\x03'
_POLL_S = 0.02


class FakeRecorder:
    """A FAKE: tells what it is told to, and does nothing."""

    def __init__(self, context, name='/episode'):
        self.node = Node('fake_recorder', context=context, **NODE_OPTIONS)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._status = self.node.create_publisher(DiagnosticStatus, f'{name}/status', latched)
        self._events = self.node.create_publisher(String, f'{name}/events', 50)
        self.commands = []
        self.node.create_subscription(
            String, f'{name}/command', lambda one: self.commands.append(one.data), 10
        )
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)

    def tell(self, phase, *, level=0, message='', **values):
        told = {'phase': phase, 'episode_index': 3, 'task': 'タオル', 'rows': 0, **values}
        pairs = [KeyValue(key=key, value=str(value)) for key, value in told.items()]
        self._status.publish(
            DiagnosticStatus(level=bytes([level]), message=message, values=pairs)
        )

    def answer(self, verb, message, *, success=True, source='keyboard', episode=3):
        event = {'time': '2026-11-27T08:00:00.123Z', 'source': source, 'verb': verb}
        event |= {'success': success, 'message': message, 'episode': episode}
        self._events.publish(String(data=json.dumps(event)))

    def is_heard(self):
        return self._events.get_subscription_count() > 0

    def look(self):
        self._executor.spin_once(timeout_sec=0)

    def close(self):
        self._executor.shutdown()
        self.node.destroy_node()


@pytest.fixture
def recorder(ros_context):
    recorder = FakeRecorder(ros_context)
    yield recorder
    recorder.close()


@pytest.fixture
def open_keyboard(ros_surroundings):
    """Start keyboards, and end them all."""
    opened = []

    def start(*arguments, code=None, size=(80, 24), **environment):
        command = [*python_module(MODULE)] if code is None else [sys.executable, '-c', code]
        variables = {**os.environ, 'TERM': 'xterm-256color', **environment}
        opened.append(PseudoTerminal([*command, *arguments], variables, size))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def wait_for(condition, terminal, recorder=None):
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, f'it never came about:\n{terminal.text}'
        terminal.read(_POLL_S)
        if recorder is not None:
            recorder.look()


def wait_for_text(text, terminal, recorder=None):
    wait_for(lambda: text in terminal.text, terminal, recorder)


def wait_until_connected(terminal, recorder):
    """Wait until both hear each other."""
    wait_for_text('READY', terminal, recorder)
    wait_for_text('saved', terminal, recorder)
    wait_for(lambda: 'nobody listens' not in terminal.text, terminal, recorder)
    wait_for(recorder.is_heard, terminal, recorder)


def sent(terminal, recorder, keys):
    """Press keys, and return the command that comes of them."""
    num_before = len(recorder.commands)
    terminal.type(keys)
    wait_for(lambda: len(recorder.commands) > num_before, terminal, recorder)
    (command,) = recorder.commands[num_before:]
    return command


def test_an_operator_drives_a_recorder(recorder, open_keyboard):
    recorder.tell('ready')
    # Notes and tasks are shown as they are where nobody has set a locale.
    terminal = open_keyboard(LC_ALL='C')
    wait_until_connected(terminal, recorder)
    wait_for_text('task  タオル', terminal, recorder)

    assert sent(terminal, recorder, ' ') == '[keyboard] start'
    recorder.answer('start', 'recording episode 3')
    recorder.tell('recording', rows=120, seconds='4.0')
    wait_for_text('120 rows', terminal, recorder)
    wait_for_text('keyboard start: recording episode 3', terminal, recorder)
    # The text from before is gone.
    wait_for(lambda: 'READY' not in terminal.text, terminal, recorder)
    wait_for(lambda: 'start ...' not in terminal.text, terminal, recorder)
    # Each way in which an arrow key is sent. The same key twice at once would count once.
    for right in RIGHTS:
        assert sent(terminal, recorder, right) == '[keyboard] save'
        assert sent(terminal, recorder, 'u') == '[keyboard] undo'
    assert sent(terminal, recorder, 's') == '[keyboard] verdict success'
    assert sent(terminal, recorder, ' ') == '[keyboard] pause'
    assert sent(terminal, recorder, 'r') == '[keyboard] rotate'
    assert sent(terminal, recorder, LEFT) == '[keyboard] discard'
    recorder.answer('discard', 'discarded')
    wait_for(lambda: recorder.commands[-1] == '[keyboard] start', terminal, recorder)
    recorder.answer('save', 'someone else', source='pedal', success=False)
    wait_for_text('pedal save: FAILED: someone else', terminal, recorder)

    # Keys with Alt and a note that is given up stop nothing; a pasted line ends at its end.
    terminal.type('\x1bs\x1b[1;5Cn')
    wait_for_text('note>', terminal, recorder)
    terminal.type('dropped')
    wait_for_text('note> dropped_', terminal, recorder)
    terminal.type(ESCAPE)
    wait_for(lambda: 'note>' not in terminal.text, terminal, recorder)
    assert sent(terminal, recorder, 'nschön\nqu') == '[keyboard] note schön'

    recorder.tell('recording', level=2, message='the disk is full', rows=150)
    wait_for_text('the disk is full', terminal, recorder)
    terminal.resize(40, 12)
    wait_for(lambda: terminal.text.startswith('RECORDING'), terminal, recorder)
    wait_for(lambda: terminal.text.endswith('q quit'), terminal, recorder)

    assert sent(terminal, recorder, ESCAPE) == '[keyboard] save'
    recorder.answer('save', 'saving episode 3')
    recorder.answer('saved', 'episode 3 is saved', source='')
    wait_for(lambda: recorder.commands[-1] == '[keyboard] finalize', terminal, recorder)
    recorder.tell('ready')
    recorder.answer('finalize', '4 episodes, in /data', episode=None)
    assert terminal.wait() == 0
    assert terminal.attributes == terminal.before
    last = terminal.written.decode().splitlines()[-2:]
    assert last[0].endswith('4 episodes, in /data')
    assert last[1].startswith('/episode: ')


@pytest.mark.slow
def test_the_real_recorder_is_driven(rig, open_keyboard):
    rig.small_robot()
    recorder = rig.recorder(SMALL)
    terminal = open_keyboard()

    def wait_for_words(*words):
        wait_for(lambda: all(one in terminal.text for one in words), terminal)

    def wait_for_rows(episode):
        recording = re.compile(rf'^RECORDING  episode {episode}  [\d.]+ s  [1-9]\d* rows')
        wait_for(lambda: recording.match(terminal.text), terminal)

    wait_for_words('READY', f'task  {COMMON["task"]}')
    wait_for(lambda: 'nobody listens' not in terminal.text, terminal)
    terminal.type(' ')
    wait_for_words('keyboard start: recording episode 0')
    wait_for_rows(episode=0)
    terminal.type(LEFT)
    wait_for(lambda: terminal.text.count('keyboard start: recording episode 0') == 2, terminal)
    wait_for_rows(episode=0)
    terminal.type(RIGHTS[0])
    wait_for_words('keyboard save: saving episode 0', 'keyboard saved: episode 0')
    terminal.type('s')
    wait_for_words('keyboard verdict:')
    terminal.type('r')
    wait_for_rows(episode=1)
    terminal.type(ESCAPE)
    assert terminal.wait() == 0
    answer, left = terminal.written.decode().splitlines()[-2:]
    assert str(rig.root) in answer
    assert left == '/episode: no episode is running'
    assert recorder.end() == 0
    assert_whole(rig.root, num_episodes=2)


CRASH = """
import sys
from lerobot_streamrec.nodes.clients import keyboard, keyboard_main
draw = keyboard.screen

def fail(view, size, now_s):
    print('the middleware says so', file=sys.stderr)
    if now_s - view.began_s > 0.2:
        raise RuntimeError('a fault of the code')
    return draw(view, size, now_s)

keyboard.screen = fail
sys.exit(keyboard_main.main([]))
"""


@pytest.mark.parametrize(
    ('ending', 'status'),
    [('q', 0), (CTRL_C, 0), (signal.SIGTERM, 0), (signal.SIGHUP, 0), ('crash', 1)],
    ids=['q', 'ctrl-c', 'sigterm', 'sighup', 'crash'],
)
def test_the_terminal_is_given_back_as_it_was(open_keyboard, ending, status):
    terminal = open_keyboard(code=CRASH if ending == 'crash' else None)
    wait_for_text('q quit', terminal)
    assert terminal.attributes != terminal.before or ending == 'crash'
    if isinstance(ending, signal.Signals):
        terminal.process.send_signal(ending)
    elif ending != 'crash':
        terminal.type(ending)
    assert terminal.wait() == status
    assert terminal.attributes == terminal.before
    # The cursor is shown, and the screen of before.
    assert terminal.written.rindex(b'\x1b[?25h') > terminal.written.rindex(b'\x1b[?25l')
    assert b'\x1b[?1049l' in terminal.written
    after = terminal.written.decode().rpartition('\x1b[?1049l')[2]
    if ending == 'crash':
        assert 'RuntimeError: a fault of the code' in after
        # Text that would have spoiled the screen is not lost.
        assert 'the middleware says so' in after
        assert 'the middleware says so' not in terminal.written.decode().partition(after)[0]
    else:
        assert 'no recorder was heard at /episode' in after


def test_it_ends_when_its_window_is_closed(open_keyboard):
    terminal = open_keyboard()
    wait_for_text('q quit', terminal)
    terminal.hang_up()
    assert terminal.process.wait(TIMEOUT_S) == 0


def test_another_recorder_is_named_by_parameter_or_namespace(ros_context, open_keyboard):
    left = FakeRecorder(ros_context, '/left/episode')
    left.tell('ready')
    for arguments in (['-p', 'recorder:=/left/episode'], ['-r', '__ns:=/left']):
        terminal = open_keyboard('--ros-args', *arguments, '-r', '__node:=second')
        wait_until_connected(terminal, left)
        assert sent(terminal, left, ' ') == '[second] start'
        terminal.type('q')
        assert terminal.wait() == 0
    left.close()


@pytest.mark.parametrize(
    ('arguments', 'environment', 'said'),
    [
        ([], {'TERM': 'no-such-terminal'}, "TERM is 'no-such-terminal'"),
        ([], {'TERM': ''}, "TERM is ''"),
        ([], {'TERM': 'dumb'}, 'try TERM=xterm'),
        (['-p', 'recorder:=a b'], {}, "recorder is 'a b': the name of a node is needed"),
        (['-p', 'recorder:=7'], {}, 'recorder is 7: a text is needed'),
        (['-p', 'recoder:=x'], {}, 'did you mean recorder?'),
    ],
)
def test_what_it_cannot_begin_with_is_told(open_keyboard, arguments, environment, said):
    terminal = open_keyboard(*(['--ros-args'] * bool(arguments)), *arguments, **environment)
    assert terminal.wait() == 2
    assert said in terminal.written.decode()
    assert terminal.attributes == terminal.before


def test_without_a_terminal_it_says_what_it_needs():
    run = subprocess.run(
        python_module(MODULE),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 2
    assert 'needs a terminal' in run.stderr
    assert 'ros2 topic pub --once /episode/command' in run.stderr
