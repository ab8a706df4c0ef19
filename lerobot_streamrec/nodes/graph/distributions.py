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
All code that depends on differences in rclpy between the ROS 2 distributions.

In Humble (rclpy 3), the module of event callbacks is called ``qos_event``, the executor drops the
message info of the middleware, and an older environment variable limits discovery to one machine.
Iron (rclpy 4) and all newer distributions behave alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.executors import await_or_execute, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError

    IS_HUMBLE = False
except ModuleNotFoundError:
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

    IS_HUMBLE = True

DISCOVERY_VARIABLE = 'ROS_LOCALHOST_ONLY' if IS_HUMBLE else 'ROS_AUTOMATIC_DISCOVERY_RANGE'
"""The environment variable that limits which machines discover each other."""

MessageInfo = dict[str, Any]
"""The message info of the middleware; empty if the executor does not pass it on."""


class _MessageCallback:
    """A callback that an executor may call with or without the message info."""

    def __init__(self, callback: Callable[[Any, MessageInfo], None]) -> None:
        self._callback = callback

    def __call__(self, message: Any, info: MessageInfo | None = None) -> None:
        self._callback(message, info or {})


class _HumbleExecutor(SingleThreadedExecutor):
    """The Humble executor, extended to pass the message info to each ``_MessageCallback``."""

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

    :param context: context of the nodes; None: the default context
    """
    # Without this method the executor is not the one that the subclass extends.
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
    is_encoded: bool = False,
) -> Any:
    """
    Subscribe to a topic with a callback that also receives the message info.

    :param node: the subscribing node; its executor has to come from ``make_executor``
    :param message_class: type of the messages
    :param topic: name of the topic
    :param qos: quality of service to request from the publishers
    :param on_message: function that takes each message and its info
    :param on_lost: function that takes an event with the ``total_count`` and the
        ``total_count_change`` of messages lost in transport; never called if the middleware does
        not report losses
    :param is_encoded: True to get messages as the middleware encoded them
    :return: ``rclpy.subscription.Subscription``
    """
    # Newer executors inspect whether a callback takes two arguments; rclpy's type hints do not
    # allow for it.
    callback: Any = _MessageCallback(on_message) if IS_HUMBLE else on_message
    arguments = (message_class, topic, callback, qos)
    return _subscribe(node, arguments, on_lost, raw=is_encoded)


class _Taken(ReentrantCallbackGroup):
    """A group whose subscriptions no executor waits for. It still waits for their events."""

    def can_execute(self, entity: Any) -> bool:
        """Tell whether an executor may wait for a subscription or one of its events."""
        return not isinstance(entity, Subscription)


def subscribe_to_take(
    node: Node, message_class: type, topic: str, qos: QoSProfile, on_lost: Callable[[Any], None]
) -> Any:
    """
    Subscribe to a topic whose messages are read with ``take_bytes`` instead of by an executor.

    :param node: the subscribing node
    :param message_class: type of the messages
    :param topic: name of the topic
    :param qos: quality of service to request from the publishers
    :param on_lost: function as for ``subscribe_with_info``; the executor of the node calls it
    :return: ``rclpy.subscription.Subscription``
    """
    arguments = (message_class, topic, _unused, qos)
    return _subscribe(node, arguments, on_lost, callback_group=_Taken())


def _unused(_message: Any) -> None:
    """Stand in for the callback that rclpy asks for."""


def take_bytes(subscription: Any) -> tuple[bytes, MessageInfo] | None:
    """
    Take a message as the middleware encoded it, and its info; None if none waits. Never block.

    :param subscription: result of ``subscribe_to_take``
    """
    handle = subscription.handle
    with handle:
        taken: tuple[bytes, MessageInfo] | None = handle.take_message(subscription.msg_type, True)
    # For moments after a subscription begins, Fast DDS may report a message and give no bytes.
    return taken if taken is not None and taken[0] else None


def _subscribe(
    node: Node,
    arguments: tuple[Any, ...],
    on_lost: Callable[[Any], None],
    **more: Any,
) -> Any:
    # ``Subscriber.look`` reports incompatible publishers, with advice, so rclpy need not.
    events = SubscriptionEventCallbacks(message_lost=on_lost, use_default_callbacks=False)
    try:
        return node.create_subscription(*arguments, event_callbacks=events, **more)
    except UnsupportedEventTypeError:
        return node.create_subscription(*arguments, **more)
