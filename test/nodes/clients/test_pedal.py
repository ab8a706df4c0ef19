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
A pedal drives a recorder: found, read, lost and found again, and its commands answered.

There is no /dev/uinput on most machines that run tests. An honest fake stands for the device: a
pipe with the kernel's events, read by evdev's own code, and a copy of the kernel's files.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import struct
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip('evdev', reason='pedals need evdev')

from evdev import ecodes
from evdev.eventio import EventIO
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.clients.input_devices import (
    InputDevice,
    key_code,
    key_name,
    list_devices,
)
from lerobot_streamrec.nodes.clients.pedal import drive, make_device
from lerobot_streamrec.nodes.clients.recorder_link import RecorderLink
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from recorder_rig.surroundings import NODE_OPTIONS, wait_until
from std_msgs.msg import String

pytestmark = [pytest.mark.ros]

A, B, C = ecodes.KEY_A, ecodes.KEY_B, ecodes.KEY_C
PATH = '/dev/input/by-id/usb-PCsensor_FootSwitch-event-kbd'
TIMEOUT_S = 60.0
# struct input_event
EVENT = struct.Struct('llHHi')
MODULE = 'lerobot_streamrec.nodes.clients.pedal_main'


class FakeDevice(EventIO):
    """
    A FAKE of an open device: a pipe instead of a file of /dev/input.

    Events are the kernel's own structure, and evdev's own code reads them.
    """

    def __init__(self, path=PATH, held=()):
        self.path = path
        self.fd, self._end = os.pipe()
        os.set_blocking(self.fd, False)
        self._held = set(held)
        self._is_gone = False
        self.is_grabbed = False
        self.now_s = time.time()

    def grab(self):
        self.is_grabbed = True

    def active_keys(self):
        return sorted(self._held)

    def read(self):
        if self._is_gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return super().read()

    def close(self):
        for descriptor in (self.fd, self._end):
            os.close(descriptor)

    # --- what a foot does -------------------------------------------------------------------

    def send(self, *events):
        """Send events and the report that ends them, all at one instant."""
        text = b''
        for kind, code, value in (*events, (ecodes.EV_SYN, ecodes.SYN_REPORT, 0)):
            seconds, rest_s = divmod(self.now_s, 1.0)
            text += EVENT.pack(int(seconds), int(rest_s * 1e6), kind, code, value)
            if kind == ecodes.EV_KEY:
                (self._held.discard if value == 0 else self._held.add)(code)
        os.write(self._end, text)

    def key(self, code, value):
        self.send((ecodes.EV_MSC, ecodes.MSC_SCAN, 0x70005), (ecodes.EV_KEY, code, value))

    def unplug(self):
        self._is_gone = True
        os.write(self._end, b'\0' * EVENT.size)


class Bench:
    """A pedal device whose files are fakes."""

    def __init__(self, *bindings, **values):
        self.plugged = []
        """Devices that are opened one after the other; an error is raised."""
        self.found = []
        self.device = make_device(
            {
                'device': PATH, 'bindings': list(bindings), 'long_press_s': 0.8,
                'debounce_s': 0.0, 'grab': True, **values,
            },
            find=lambda: self.found,
            open_device=self._open,
        )  # fmt: skip

    def _open(self, _path):
        if not self.plugged:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        one = self.plugged.pop(0)
        if isinstance(one, OSError):
            raise one
        return one

    def connect(self, *devices):
        self.plugged += devices
        deadline_s = time.monotonic() + TIMEOUT_S
        while not self.device.is_there and self.plugged:
            assert time.monotonic() < deadline_s
            self.device._next_try_s = 0.0
            self.device.read(0.0)
        return devices[-1]

    def let_time_pass(self):
        """Make it look as if the device had been there for long."""
        self.device._presses.forget()
        self.device._presses.see((), 0.0)
        self.device._seen_s = 0.0

    def told(self):
        """Return the commands of all that was sent."""
        found = []
        # Time goes on until nothing can come of it any more.
        for _ in range(1000):
            meant = self.device.read(0.01)
            found += [one.command for one in meant]
            if not meant and self.device._presses.due_s == float('inf'):
                break
        return found


@pytest.fixture(autouse=True)
def _logs(caplog):
    caplog.set_level(logging.INFO, logger='lerobot_streamrec')


def make(*bindings, held=(), **values):
    bench = Bench(*bindings, **values)
    return bench, bench.connect(FakeDevice(held=held))


def test_keys_give_commands_and_repeat_without_giving_more():
    bench, pedal = make('KEY_B: toggle', '46: rotate')
    pedal.key(B, 1)
    for _ in range(20):
        pedal.key(B, 2)
    pedal.key(B, 0)
    pedal.key(C, 1)
    assert bench.told() == ['toggle', 'rotate']
    assert pedal.is_grabbed
    bench.device.close()


def test_a_key_without_a_binding_is_named_once(caplog):
    bench, pedal = make('KEY_B: toggle')
    for code in (A, C, A, B):
        pedal.key(code, 1)
        pedal.key(code, 0)
    assert bench.told() == ['toggle']
    assert [text.count('has no binding') for text in caplog.messages].count(1) == 2
    assert 'KEY_A has no binding' in caplog.messages
    bench.device.close()


def test_how_long_a_key_was_held_is_told_by_the_kernel():
    bench, pedal = make('KEY_B: toggle', 'KEY_B long: discard', 'KEY_A+KEY_C: undo', grab=False)
    assert not pedal.is_grabbed
    bench.let_time_pass()
    # All of it is read at once, as after a moment without time for this process.
    pedal.now_s -= 30.0
    for code, value, after_s in ((B, 1, 0.3), (B, 0, 2.0), (B, 1, 0.9), (B, 0, 2.0), (C, 1, 0.1)):
        pedal.key(code, value)
        pedal.now_s += after_s
    pedal.key(A, 1)
    assert bench.told() == ['toggle', 'discard', 'undo']
    bench.device.close()


def test_a_key_that_is_held_is_long_without_a_further_event():
    bench, pedal = make('KEY_B long: discard', long_press_s=0.1)
    pedal.key(B, 1)
    deadline_s = time.monotonic() + TIMEOUT_S
    while not (meant := bench.device.read(TIMEOUT_S)):
        assert time.monotonic() < deadline_s
    assert [one.command for one in meant] == ['discard']
    bench.device.close()


def test_a_key_that_is_held_when_the_device_comes_is_no_press(caplog):
    bench, pedal = make('KEY_B: toggle', held=[B])
    pedal.key(B, 2)
    pedal.key(B, 0)
    assert bench.told() == []
    pedal.key(B, 1)
    assert bench.told() == ['toggle']
    pedal.unplug()
    assert bench.told() == []
    assert not bench.device.is_there
    assert f'{PATH} is gone (No such device): waiting for it' in caplog.text
    pedal = bench.connect(FakeDevice(held=[B]))
    pedal.key(B, 0)
    pedal.key(B, 1)
    assert bench.told() == ['toggle']
    assert caplog.text.count('listening to') == 2
    bench.device.close()


def test_a_press_ends_when_the_device_goes():
    bench, pedal = make('KEY_B: toggle', 'KEY_B long: discard')
    pedal.key(B, 1)
    pedal.unplug()
    assert bench.told() == []
    bench.device.close()


def test_what_the_kernel_leaves_out_is_asked_for():
    bench, pedal = make('KEY_A: save', 'KEY_B: toggle')
    pedal._held.add(B)
    # Events between the two are of no use.
    pedal.send((ecodes.EV_SYN, ecodes.SYN_DROPPED, 0), (ecodes.EV_KEY, A, 0))
    assert bench.told() == ['toggle']
    pedal.key(B, 0)
    pedal.key(A, 1)
    assert bench.told() == ['save']
    bench.device.close()


def footswitch(path='/dev/input/event5', keys=(A, B), name='PCsensor FootSwitch'):
    return InputDevice(path, name, '1a86', 'e026', frozenset(keys), ())


def test_without_permission_it_is_told_what_to_do_once_and_tried_again(caplog):
    bench = Bench('KEY_B: toggle', device='footswitch')
    bench.found = [footswitch(keys=[ecodes.BTN_LEFT]), footswitch('/dev/input/event6')]
    refused = [PermissionError(errno.EACCES, os.strerror(errno.EACCES)) for _ in range(3)]
    bench.connect(*refused, FakeDevice())
    assert caplog.text.count('no permission to open /dev/input/event6') == 1
    assert 'ATTRS{id/vendor}=="1a86", ATTRS{id/product}=="e026", TAG+="uaccess"' in caplog.text
    assert 'sudo usermod -aG input $USER' in caplog.text
    assert 'listening to PCsensor FootSwitch (/dev/input/event6)' in caplog.text
    bench.device.close()


def test_a_device_that_lacks_a_key_or_is_one_of_several_is_told(caplog):
    bench = Bench('KEY_C: toggle', device='PCsensor')
    bench.found = [footswitch(), footswitch('/dev/input/event6')]
    bench.connect(FakeDevice())
    assert 'has no KEY_C: it has KEY_A, KEY_B' in caplog.text
    assert '/dev/input/event5 is used, not /dev/input/event6' in caplog.text
    bench.device.close()


def test_a_device_that_is_not_there_is_waited_for(caplog):
    bench = Bench('KEY_C: toggle', device='other')
    bench.found = [footswitch()]
    assert bench.told() == []
    assert "name contains 'other'; devices with keys: PCsensor FootSwitch" in caplog.text
    bench = Bench('KEY_C: toggle')
    assert bench.told() == []
    assert f'waiting for {PATH}: No such file or directory' in caplog.text


@pytest.mark.parametrize(
    ('values', 'why'),
    [
        ({'device': ''}, 'set it to a path, best one of /dev/input/by-id, or to a part of a name'),
        ({'bindings': ['']}, "bindings is .*such as .'KEY_B: toggle', 'KEY_A long: discard'"),
        ({'bindings': ['KEY_BB: toggle']}, "is 'KEY_BB: toggle': 'KEY_BB' is not a key: did"),
        ({'bindings': ['9999: toggle']}, "'9999' is not a key"),
        ({'bindings': ['KEY_B: tuggle']}, 'did you mean toggle'),
        ({'bindings': ['KEY_B: undo', '48: save']}, 'is already bound: KEY_B: undo'),
        (
            {'debounce_s': 0.9},
            'debounce_s is 0.9: it has to be less than long_press_s, which is 0.8',
        ),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(values, why):
    with pytest.raises(ConfigError, match=why):
        Bench(*values.pop('bindings', ['KEY_B: toggle']), **values)


def test_keys_have_names_and_codes():
    assert key_code('key_b') == key_code('48') == B
    assert key_code('BTN_LEFT') == 0x110
    assert [key_name(code) for code in (B, 0x110, 113, 700)] == [
        'KEY_B', 'BTN_LEFT', 'KEY_MUTE', key_name(700),
    ]  # fmt: skip


def test_devices_are_listed_from_what_the_kernel_tells(tmp_path):
    # A FAKE of /dev/input and /sys/class/input, with files as the kernel writes them.
    devices, of_class = tmp_path / 'dev', tmp_path / 'sys'
    (devices / 'by-id').mkdir(parents=True)
    for number, name, words in (
        (10, 'PCsensor FootSwitch', '7 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe'),
        (2, 'Power Button', '10000000000000 0'),
        (3, 'Lid Switch', '0'),
        (4, 'Gone', None),
    ):  # fmt: skip
        (devices / f'event{number}').touch()
        folder = of_class / f'event{number}' / 'device'
        for part, text in (
            ('name', name), ('id/vendor', '1a86'), ('id/product', 'e026'),
            ('capabilities/key', words),
        ):  # fmt: skip
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                (folder / part).write_text(f'{text}\n')
    link = devices / 'by-id' / 'usb-PCsensor_FootSwitch-event-kbd'
    link.symlink_to('../event10')
    button, pedal = list_devices(devices, of_class)
    assert (button.name, button.keys) == ('Power Button', {116})
    assert {A, B, C} <= pedal.keys
    assert pedal.links == (link,)
    assert button.describe() == f'{button.path}  Power Button\n    keys: KEY_POWER'
    assert pedal.describe().splitlines()[1] == f'    {link}'


# --- with a recorder -----------------------------------------------------------------------------


class FakeRecorder:
    """A FAKE of a recorder: it hears commands on DDS, and answers as a recorder does."""

    def __init__(self, context):
        self.heard = []
        self._node = Node('episode', context=context, namespace='/left', **NODE_OPTIONS)
        self._events = self._node.create_publisher(String, '~/events', 50)
        self._node.create_subscription(String, '~/command', self._hear, 10)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._executor.spin, name='fake_recorder')
        self._thread.start()

    def _hear(self, message):
        self.heard.append(message.data)
        for source in ('keyboard', 'pedal'):
            answer = {
                'time': '2026-11-27T08:00:00.123Z', 'source': source, 'verb': 'start',
                'success': source == 'keyboard', 'message': f'told {source}', 'episode': 3,
            }  # fmt: skip
            self._events.publish(String(data=json.dumps(answer)))

    def close(self):
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()


def test_commands_reach_the_recorder_and_its_answers_are_logged(ros_context, caplog):
    recorder = FakeRecorder(ros_context)
    link = RecorderLink('pedal', ['--ros-args', '-p', 'recorder:=/left/episode'])
    bench, pedal = make('KEY_B: toggle')
    wait_until(lambda: link.is_heard, TIMEOUT_S, 'a recorder')
    end = threading.Event()
    thread = threading.Thread(target=drive, args=(link, bench.device, end), name='drive')
    thread.start()
    try:
        pedal.key(B, 1)
        wait_until(lambda: recorder.heard, TIMEOUT_S, 'a command')
        wait_until(lambda: 'told' in caplog.text, TIMEOUT_S, 'an answer')
    finally:
        end.set()
        thread.join(TIMEOUT_S)
        bench.device.close()
        link.close()
        recorder.close()
    assert recorder.heard == ['[pedal] toggle']
    assert 'KEY_B: toggle' in caplog.text
    assert ('lerobot_streamrec.nodes.clients.pedal', logging.WARNING, 'start: told pedal') in (
        caplog.record_tuples
    )
    assert 'told keyboard' not in caplog.text


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, '-m', MODULE, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


GIVEN = ('--ros-args', '-p', 'device:=/dev/input/none', '-p', "bindings:=['KEY_B: toggle']")


def test_the_program_waits_for_its_device_and_ends_in_order(ros_surroundings):
    with start(*GIVEN) as program:
        said = program.stdout.readline()
        program.send_signal(signal.SIGTERM)
        rest, _ = program.communicate(timeout=TIMEOUT_S)
    assert 'waiting for /dev/input/none: No such file or directory' in said
    assert 'Traceback' not in rest
    assert program.returncode == 0


@pytest.mark.parametrize(
    ('arguments', 'why'),
    [
        (GIVEN[:3], 'bindings is []'),
        ((*GIVEN, '-p', 'grap:=true'), 'grap is True: there is no such parameter; did you mean g'),
    ],
)
def test_the_program_refuses_wrong_parameters(ros_surroundings, arguments, why):
    with start(*arguments) as program:
        said, _ = program.communicate(timeout=TIMEOUT_S)
    assert program.returncode == 2
    assert f'pedal: {why}' in said
    assert 'Traceback' not in said


def test_the_list_needs_no_ros():
    with start('--list') as program:
        said, _ = program.communicate(timeout=TIMEOUT_S)
    assert program.returncode == 0
    assert '/dev/input' in said
