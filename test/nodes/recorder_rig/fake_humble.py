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
A FAKE of Humble: the installed rclpy with Humble's interface, for want of the real one.

rclpy gets the properties of Humble that nodes/graph/distributions.py must handle: Humble's module
names, and an executor with two separate methods that take a message and call the callback with the
message alone, without checking how many arguments it has. DDS, messages, services and parameters
are those of the installed distribution.

With the variable ``STREAMREC_FAKE_HUMBLE``, all tests of the nodes and the processes that they
start run on it: ``python fake_humble.py MODULE [ARGUMENTS]`` runs a module as ``python -m`` does.
"""

from __future__ import annotations

from functools import partial
from importlib.abc import MetaPathFinder
import os
from pathlib import Path
import runpy
import sys
from types import ModuleType

VARIABLE = 'STREAMREC_FAKE_HUMBLE'
"""The variable that is set for all processes of tests that run on the fake."""


def is_wanted() -> bool:
    """Return True if this process and its children should run on the fake."""
    return bool(os.environ.get(VARIABLE))


def python_module(name: str) -> list[str]:
    """Return the command that runs a module, on the fake if this process uses it."""
    if is_wanted():
        return [sys.executable, str(Path(__file__).resolve()), name]
    return [sys.executable, '-m', name]


class _Hidden(MetaPathFinder):
    """A finder that fails for modules that Humble does not have."""

    def find_spec(self, name, path=None, target=None):
        if name == 'rclpy.event_handler':
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)


def dress() -> None:
    """Give the installed rclpy Humble's interface; call this before importing the recorder."""
    from rclpy import event_handler, executors, node, subscription  # noqa: F401 (read it now)

    renamed = ModuleType('rclpy.qos_event')
    renamed.SubscriptionEventCallbacks = event_handler.SubscriptionEventCallbacks
    renamed.PublisherEventCallbacks = event_handler.PublisherEventCallbacks
    renamed.UnsupportedEventTypeError = event_handler.UnsupportedEventTypeError
    sys.modules['rclpy.qos_event'] = renamed
    sys.modules.pop('rclpy.event_handler')
    del sys.modules['rclpy'].event_handler
    sys.meta_path.insert(0, _Hidden())
    _call_with_the_message_alone(executors.Executor, subscription.Subscription)


def _call_with_the_message_alone(executor, subscription):
    del subscription.CallbackType
    subscription.callback = property(
        lambda self: self._callback,
        lambda self, callback: setattr(self, '_callback', callback),
    )

    def take(_self, entity):
        with entity.handle:
            taken = entity.handle.take_message(entity.msg_type, entity.raw)
        return None if taken is None else taken[0]

    async def execute(_self, entity, message):
        if message:
            await await_or_execute(entity.callback, message)

    await_or_execute = sys.modules['rclpy.executors'].await_or_execute
    make_handler = executor._make_handler

    def make(self, entity, node, take_from_wait_list):
        if take_from_wait_list != self._take_subscription:
            return make_handler(self, entity, node, take_from_wait_list)

        def take_and_execute(entity):
            return partial(self._execute_subscription, entity, self._take_subscription(entity))

        return make_handler(self, entity, node, take_and_execute)

    executor._take_subscription = take
    executor._execute_subscription = execute
    executor._make_handler = make


if __name__ == '__main__':
    dress()
    sys.argv = sys.argv[1:]
    # The folder of this file would hide modules with the same names, so use the current one.
    sys.path[0] = str(Path.cwd())
    runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
