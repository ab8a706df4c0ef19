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
"""The main loop of `pedal`, which joins an input device and the link to a recorder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
import logging
import time
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.clients.input_devices import DEVICES, key_code, list_devices
from lerobot_streamrec.nodes.clients.news import Event
from lerobot_streamrec.nodes.clients.pedal_device import PedalDevice
from lerobot_streamrec.nodes.clients.recorder_link import RecorderLink
from lerobot_streamrec.nodes.graph.ros_start import forward_logs
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.option import Option, options_of
from lerobot_streamrec.recording.operating.presses import parse_bindings
from lerobot_streamrec.settings.teleop_settings import refuse_long_bounces, TeleopSettings
from rclpy.logging import get_logger

NAME = 'pedal'

_log = logging.getLogger(__name__)

_TELEOP = options_of(TeleopSettings)
_OPTIONS = (
    Option('device', '', 'Path of the device, or a part of its name; `pedal --list` shows both'),
    Option('bindings', (), "Commands of the keys, such as 'KEY_B: toggle', 'KEY_A long: discard'"),
    _TELEOP['long_press_s'],
    _TELEOP['debounce_s'],
    Option('grab', True, 'true: no other program receives the keys of the device'),
)
# The longest delay before an answer is logged. Keys are read at once.
_SLICE_S = 0.05
# Discovery of the recorder takes up to this long.
_DISCOVERY_S = 3.0


def run(arguments: Sequence[str], stop: StopSignals) -> int:
    """
    Send commands until the program is asked to end.

    :param arguments: command line without the program's name
    :param stop: requests to end the program
    :return: exit status
    :raise ConfigError: if ROS rejects the arguments, or a parameter cannot be used
    """
    forward_logs(get_logger(NAME))
    with (
        closing(RecorderLink(NAME, arguments, _OPTIONS)) as link,
        closing(make_device(link.values)) as device,
    ):
        drive(link, device, stop)
    return 0


def make_device(values: Mapping[str, Any], **parts: Any) -> PedalDevice:
    """
    Make the device that the parameters describe. It need not be connected.

    :param values: values of the parameters, by name
    :param parts: further arguments of ``PedalDevice``
    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    if not values['device'].strip():
        there = '; '.join(f'{one.path} {one.name}' for one in list_devices()) or 'none'
        raise ConfigError(
            'device',
            values['device'],
            f'set it to a path, best one of {DEVICES}/by-id, or to a part of a name; devices with '
            f'keys: {there}',
        )
    bindings = parse_bindings('bindings', values['bindings'], key_code)
    if not bindings:
        allowed = "set commands for keys, such as ['KEY_B: toggle', 'KEY_A long: discard']"
        raise ConfigError('bindings', list(values['bindings']), allowed)
    refuse_long_bounces(values['long_press_s'], values['debounce_s'])
    return PedalDevice(
        values['device'].strip(),
        bindings,
        long_press_s=values['long_press_s'],
        debounce_s=values['debounce_s'],
        is_grabbed=values['grab'],
        **parts,
    )


def drive(link: RecorderLink, device: PedalDevice, stop: StopSignals) -> None:
    """Send the commands of the keys and log the answers, until the program is asked to end."""
    began_s = time.monotonic()
    while not stop.wait(0.0 if device.is_there else _SLICE_S):
        for binding in device.read(_SLICE_S):
            link.send(binding.command)
            _log.info('%s', binding)
            if not link.is_heard and time.monotonic() > began_s + _DISCOVERY_S:
                _log.warning('no recorder listens to %s/command', link.recorder)
        for event in link.take_events():
            if event.source == link.name:
                _tell(event)


def _tell(event: Event) -> None:
    log = _log.info if event.success else _log.warning
    log('%s: %s', event.verb, event.message)
