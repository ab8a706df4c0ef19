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
"""The Linux input devices that have keys, found without opening them. Independent of ROS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import difflib
import os
from pathlib import Path
import struct

from evdev import ecodes
from lerobot_streamrec.errors import some_of

DEVICES = Path('/dev/input')
CLASS = Path('/sys/class/input')

_SHOWN_KEYS = 12
_RULES_FILE = '/etc/udev/rules.d/70-streamrec-pedal.rules'
_WORD_BITS = 8 * struct.calcsize('P')
# These names mark places in the table of keys, and are not keys themselves.
_NO_NAMES = ('KEY_MIN_INTERESTING', 'KEY_MAX', 'KEY_CNT')


@dataclass(frozen=True, slots=True)
class InputDevice:
    """
    An input device with keys.

    :param path: path of the device file, such as ``/dev/input/event5``
    :param name: name that the device reports
    :param vendor: vendor id, four hexadecimal digits
    :param product: product id, four hexadecimal digits
    :param keys: codes of all keys that the device may have
    :param links: paths that do not depend on where the device is plugged in
    """

    path: Path
    name: str
    vendor: str
    product: str
    keys: frozenset[int]
    links: tuple[Path, ...]

    @property
    def is_allowed(self) -> bool:
        """True if this process may open the device."""
        return os.access(self.path, os.R_OK)

    def describe(self) -> str:
        """Return the lines that `pedal --list` prints about the device."""
        keys = f'keys: {self.describe_keys()}'
        lines = [f'{self.path}  {self.name}', *map(str, self.links), keys]
        if not self.is_allowed:
            lines += ['this user may not open it; this udev rule grants access:', self.rule]
        return '\n    '.join(lines)

    def describe_keys(self) -> str:
        """Return the names of some of the keys, and the number of the others."""
        return some_of([key_name(code) for code in sorted(self.keys)], _SHOWN_KEYS)

    @property
    def rule(self) -> str:
        """The udev rule that lets every user who is logged in at the computer open the device."""
        return (
            f'SUBSYSTEM=="input", KERNEL=="event*", ATTRS{{id/vendor}}=="{self.vendor}", '
            f'ATTRS{{id/product}}=="{self.product}", TAG+="uaccess"'
        )

    def permission_advice(self) -> str:
        """Return advice on how to get permission to open the device."""
        return (
            f'no permission to open {self.path} ({self.name}). Either add the udev rule\n'
            f'    {self.rule}\n'
            f'as a line to {_RULES_FILE}, then run: sudo udevadm control --reload && sudo udevadm '
            'trigger. It grants access to users who are logged in at this computer. Or join the '
            'group that may read all input devices, which works over ssh too: sudo usermod -aG '
            'input $USER, and log in again'
        )


def list_devices(devices: Path = DEVICES, of_class: Path = CLASS) -> tuple[InputDevice, ...]:
    """
    List the devices that have keys.

    :param devices: folder of the device files
    :param of_class: folder in which the kernel describes the devices
    """
    links: dict[Path, list[Path]] = {}
    for link in sorted(devices.glob('by-id/*')):
        links.setdefault(link.resolve(), []).append(link)
    paths = sorted(devices.glob('event*'), key=lambda path: (len(path.name), path.name))
    return tuple(one for path in paths for one in _device(path, of_class, links))


def _device(path: Path, of_class: Path, links: dict[Path, list[Path]]) -> Iterator[InputDevice]:
    folder = of_class / path.name / 'device'
    try:
        words = (folder / 'capabilities' / 'key').read_text('ascii').split()
        name, vendor, product = (
            (folder / part).read_text('utf-8', errors='replace').strip()
            for part in ('name', 'id/vendor', 'id/product')
        )
    except OSError:
        # The device has just been unplugged.
        return
    bits = 0
    for word in words:
        bits = bits << _WORD_BITS | int(word, 16)
    keys = frozenset(code for code in range(bits.bit_length()) if bits >> code & 1)
    if keys:
        yield InputDevice(path, name, vendor, product, keys, tuple(links.get(path.resolve(), ())))


def key_name(code: int) -> str:
    """Return the name of a key, or its code as text if it has no name."""
    names = ecodes.keys.get(code, str(code))
    all_of = [names] if isinstance(names, str) else list(names)
    return next((one for one in all_of if one not in _NO_NAMES), all_of[0])


def key_code(name: str) -> int:
    """
    Return the code of a key.

    :param name: name such as ``KEY_B`` or ``BTN_0``, or the code as text
    :raise ValueError: if the name is not a key
    """
    if name.isascii() and name.isdigit() and int(name) <= ecodes.KEY_MAX:
        return int(name)
    known = {key: code for key, code in ecodes.ecodes.items() if key.startswith(('KEY_', 'BTN_'))}
    if name.upper() in known and name.upper() not in _NO_NAMES:
        return int(known[name.upper()])
    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.6)
    hint = f'did you mean {near[0]}? ' if near else ''
    raise ValueError(
        f'{name!r} is not a key: {hint}`pedal --list` shows the keys of each device; allowed are '
        'names such as KEY_B, and codes'
    )


def print_devices() -> int:
    """Print all devices that have keys, and return the exit status."""
    devices = list_devices()
    for one in devices:
        print(one.describe())
    if not devices:
        print(f'there is no device with keys in {DEVICES}')
    return 0
