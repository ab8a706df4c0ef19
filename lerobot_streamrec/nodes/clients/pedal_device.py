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
A pedal or another device with keys, which is opened when it appears. Independent of ROS.

Each change of the device's state is logged once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import logging
import math
import os
from pathlib import Path
import select
import time
from typing import Any

from evdev import ecodes
from evdev import InputDevice as OpenDevice
from lerobot_streamrec.nodes.clients.input_devices import (
    DEVICES,
    InputDevice,
    key_name,
    list_devices,
)
from lerobot_streamrec.recording.operating.presses import Binding, Presses

_log = logging.getLogger(__name__)

_RETRY_S = 1.0


class PedalDevice:
    """
    A device that may be unplugged and come back, and the bindings that its keys activate.

    Owned by one thread.

    :param wanted: path of the device, or a part of its name
    :param bindings: bindings of the keys
    :param long_press_s: duration of a long press
    :param debounce_s: longest time that contacts bounce
    :param is_grabbed: True if no other program should receive the keys
    :param find: function that lists all devices
    :param open_device: function that opens a device by its path
    """

    def __init__(
        self,
        wanted: str,
        bindings: Sequence[Binding],
        *,
        long_press_s: float,
        debounce_s: float,
        is_grabbed: bool,
        find: Callable[[], Sequence[InputDevice]] = list_devices,
        open_device: Callable[[str], Any] = OpenDevice,
    ) -> None:
        self._wanted = wanted
        self._keys = frozenset().union(*(one.buttons for one in bindings))
        self._presses = Presses(bindings, long_press_s=long_press_s, debounce_s=debounce_s)
        self._is_grabbed = is_grabbed
        self._find = find
        self._open_device = open_device
        self._device: Any = None
        self._down: set[int] = set()
        self._is_complete = True
        """False while the kernel drops events because too many are waiting."""
        self._told = ''
        self._is_choice_told = False
        self._unbound: set[int] = set()
        """The keys without a binding that have been logged."""
        self._next_try_s = -math.inf
        self._seen_s = 0.0

    @property
    def is_there(self) -> bool:
        """True if the device is open."""
        return self._device is not None

    def close(self) -> None:
        """Close the device. Idempotent."""
        device, self._device = self._device, None
        if device is not None:
            device.close()

    def read(self, timeout_s: float) -> list[Binding]:
        """
        Wait for keys, and return the bindings that they activate.

        :param timeout_s: longest time to wait; without a device, the method returns at once
        """
        now_s = time.monotonic()
        if self._device is None:
            if now_s < self._next_try_s:
                return []
            self._next_try_s = now_s + _RETRY_S
            self._connect()
            return []
        wait_s = max(0.0, min(timeout_s, self._presses.due_s - now_s))
        # Unlike select, poll accepts any file descriptor, and it reports a lost device.
        poll = select.poll()
        poll.register(self._device.fileno(), select.POLLIN)
        meant = self._take() if poll.poll(wait_s * 1000.0) else []
        return meant + self._presses.tick(time.monotonic())

    def _take(self) -> list[Binding]:
        meant: list[Binding] = []
        # Events carry the time of day. Presses are timed by it, since events may have waited.
        ahead_s = time.monotonic() - time.time()
        try:
            for event in self._device.read():
                at_s = max(self._seen_s, min(time.monotonic(), event.timestamp() + ahead_s))
                if event.type == ecodes.EV_SYN:
                    meant += self._synchronize(event.code, at_s)
                elif event.type == ecodes.EV_KEY and event.value in (0, 1) and self._is_complete:
                    # The value 2, which is ignored, stands for the repetition of a held key.
                    (self._down.add if event.value else self._down.discard)(event.code)
                    meant += self._see(at_s)
                    self._tell_unbound(event.code)
        except BlockingIOError:
            pass
        except OSError as error:
            self._lose(error)
        return meant

    def _tell_unbound(self, code: int) -> None:
        # Most pedals report every key of a keyboard. This shows users which key their pedal sends.
        if code not in self._keys | self._unbound:
            self._unbound.add(code)
            _log.info('%s has no binding', key_name(code))

    def _synchronize(self, code: int, at_s: float) -> list[Binding]:
        if code == ecodes.SYN_DROPPED:
            self._is_complete = False
        elif code == ecodes.SYN_REPORT and not self._is_complete:
            self._is_complete = True
            self._down = set(self._device.active_keys())
            return self._see(at_s)
        return []

    def _see(self, at_s: float) -> list[Binding]:
        self._seen_s = at_s
        return self._presses.see(self._down, at_s)

    def _connect(self) -> None:
        found = self._choose()
        if found is None:
            return
        path, info = found
        try:
            device = self._open_device(path)
        except PermissionError:
            advice = info.permission_advice() if info else f'no permission to open {path}'
            self._say(_log.error, advice)
            return
        except OSError as error:
            self._say(_log.warning, f'waiting for {path}: {_why(error)}')
            return
        try:
            if self._is_grabbed:
                self._grab(device)
            down = set(device.active_keys())
        except OSError as error:
            device.close()
            self._say(_log.warning, f'waiting for {path}: {_why(error)}')
            return
        self._device, self._down, self._is_complete = device, down, True
        self._presses.forget()
        self._see(time.monotonic())
        name = f'{info.name} ({path})' if info else path
        self._say(_log.info, f'listening to {name}')
        missing = sorted(self._keys - info.keys) if info else []
        if info and missing:
            names = ', '.join(map(key_name, missing))
            _log.error('%s has no %s: it has %s', name, names, info.describe_keys())

    def _choose(self) -> tuple[str, InputDevice | None] | None:
        devices = self._find()
        if self._wanted.startswith('/'):
            real = Path(self._wanted).resolve()
            return self._wanted, next((one for one in devices if one.path == real), None)
        named = [one for one in devices if self._wanted.lower() in one.name.lower()]
        # A pedal often appears as several devices, only one of which has its keys.
        fitting = [one for one in named if self._keys <= one.keys] or named
        if not fitting:
            names = ', '.join(dict.fromkeys(one.name for one in devices)) or 'none'
            self._say(
                _log.warning,
                f'waiting for a device whose name contains {self._wanted!r}; devices with keys: '
                f'{names}',
            )
            return None
        if len(fitting) > 1 and not self._is_choice_told:
            self._is_choice_told = True
            others = ', '.join(str(one.path) for one in fitting[1:])
            _log.warning(
                '%r is in the names of several devices; %s is used, not %s: set device to a path, '
                'best one of %s/by-id',
                self._wanted,
                fitting[0].path,
                others,
                DEVICES,
            )
        return str(fitting[0].path), fitting[0]

    def _grab(self, device: Any) -> None:
        try:
            device.grab()
        except OSError as error:
            _log.warning(
                '%s is grabbed by another program (%s), which receives all of its keys: end that '
                'program, or start both with grab:=false',
                device.path,
                _why(error),
            )

    def _lose(self, error: OSError) -> None:
        self._presses.forget()
        self._down = set()
        path = self._device.path
        self.close()
        self._say(_log.warning, f'{path} is gone ({_why(error)}): waiting for it to return')

    def _say(self, log: Callable[[str, str], None], text: str) -> None:
        """Log a text unless it was also the last one."""
        if text != self._told:
            self._told = text
            log('%s', text)


def _why(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
