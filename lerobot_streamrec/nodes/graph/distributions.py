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
Everything in which rclpy differs between the ROS 2 distributions, and nothing else.

Humble (rclpy 3) calls the module of event callbacks ``qos_event``, its executor throws away what
the middleware noted of a message, and it knows an older variable that keeps discovery on one
machine. Iron (rclpy 4) and everything newer agree with one another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.context import Context
from rclpy.executors import await_or_execute, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError

    IS_HUMBLE = False
except ModuleNotFoundError:
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

    IS_HUMBLE = True

DISCOVERY_VARIABLE = 'ROS_LOCALHOST_ONLY' if IS_HUMBLE else 'ROS_AUTOMATIC_DISCOVERY_RANGE'
"""The environment variable that says which machines may find each other."""

MessageInfo = dict[str, Any]
"""Facts that the middleware notes about a message; empty if the executor does not pass them on."""


class _MessageCallback:
    """
    A callback for an executor that may call it without a message's information.

    :param callback: is given a message and its information
    """

    def __init__(self, callback: Callable[[Any, MessageInfo], None]) -> None:
        self._callback = callback

    def __call__(self, message: Any, info: MessageInfo | None = None) -> None:
        self._callback(message, info or {})


class _HumbleExecutor(SingleThreadedExecutor):
    """Humble's executor, which hands a message's information on to those that ask for it."""

    def _take_subscription(self, subscription: Any) -> Any:
        with subscription.handle:
            return subscription.handle.take_message(subscription.msg_type, subscription.raw)

    async def _execute_subscription(self, subscription: Any, taken: Any) -> None:
        if taken is None:
            return
        is_asking = isinstance(subscription.callback, _MessageCallback)
        arguments = taken if is_asking else taken[:1]
        await await_or_execute(subscription.callback, *arguments)


def make_executor(context: Context | None = None) -> SingleThreadedExecutor:
    """
    Make the executor that spins our nodes.

    :param context: None: the default one
    """
    # Without this method it is not the executor of Humble that we know, and is left alone.
    if IS_HUMBLE and hasattr(SingleThreadedExecutor, '_execute_subscription'):
        return _HumbleExecutor(context=context)
    return SingleThreadedExecutor(context=context)


def subscribe_with_info(
    node: Node,
    message_class: type,
    topic: str,
    qos: QoSProfile,
    *,
    on_message: Callable[[Any, MessageInfo], None],
    on_lost: Callable[[Any], None],
) -> Any:
    """
    Subscribe to a topic, with all that the middleware tells of its messages.

    :param node: subscribes; its executor is from ``make_executor``
    :param message_class: type of the messages
    :param topic: name of the topic
    :param qos: quality of service to request from the publishers
    :param on_message: is given each message and its information
    :param on_lost: is given ``total_count`` and ``total_count_change`` of messages that the
        transport lost; never called where the middleware cannot tell
    :return: ``rclpy.subscription.Subscription``
    """
    # Publishers that cannot be heard are reported by ``Subscriber.look``, with what to do.
    events = SubscriptionEventCallbacks(message_lost=on_lost, use_default_callbacks=False)
    # Newer executors look whether a callback needs two arguments; their types do not say so.
    callback: Any = _MessageCallback(on_message) if IS_HUMBLE else on_message
    arguments = (message_class, topic, callback, qos)
    try:
        return node.create_subscription(*arguments, event_callbacks=events)
    except UnsupportedEventTypeError:
        return node.create_subscription(*arguments)
