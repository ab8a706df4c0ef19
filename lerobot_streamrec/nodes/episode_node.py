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
"""The node `episode`: its services, commands, task and status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
import math
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lerobot_streamrec.dataset.format.episode_table import BAG, OPERATOR
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.nodes.graph.distributions import MessageInfo
from lerobot_streamrec.nodes.graph.namesakes import LATCHED, Namesakes, STATUS_TOPIC
from lerobot_streamrec.nodes.graph.qos import HeardTopic, node_of
from lerobot_streamrec.nodes.operator_room import OperatorRoom
from lerobot_streamrec.nodes.status_messages import recorder_message, Sender, stream_message
from lerobot_streamrec.nodes.teleop.triggers import Teleop
from lerobot_streamrec.nodes.topics.reader import Reader
from lerobot_streamrec.nodes.topics.subscriber import Subscriber
from lerobot_streamrec.recording.operating.command import (
    Command,
    COMMAND_TOPIC,
    SAID,
    split_sender,
    TASK_TOPIC,
    Verb,
)
from lerobot_streamrec.recording.operating.cues import Cues
from lerobot_streamrec.recording.operating.events import Answer, EVENTS_TOPIC
from lerobot_streamrec.recording.operating.machine import EpisodeMachine
from lerobot_streamrec.recording.operating.takeover import POLICY
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.status import RecorderStatus
from lerobot_streamrec.settings.parameter_reader import METADATA, USE_SIM_TIME
from lerobot_streamrec.settings.recorder_settings import Settings
from lerobot_streamrec.settings.sample_reader import topics_about_robot
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.parameter import Parameter
import rclpy.task
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

INTERVENTION_TOPIC = '~/intervention'
"""A latched std_msgs/msg/Bool: a human drives, so the policy must let go."""

SERVICES = (
    Verb.START,
    Verb.SAVE,
    Verb.DISCARD,
    Verb.ROTATE,
    Verb.PAUSE,
    Verb.RESUME,
    Verb.UNDO,
    Verb.FINALIZE,
)

_CLOCK_TOPIC = '/clock'
_NO_BAG = 'no bag is recorded beside: the log of record_bag says why'
_STATUS_PERIOD_S = 0.5
_DIAGNOSTICS_EVERY = 2
# The precision with which automatic episodes begin and end.
_AUTOMATIC_PERIOD_S = 0.05
_CUES_END_S = 1.0
_ANSWER_DELIVERY_S = 0.5


class EpisodeServices:
    """
    The operator's ROS interface to the recorder.

    The executor's thread receives commands, and passes them on to the reader's thread. That
    thread owns the recorder and the machine, and publishes their status.

    :param node: the node `episode`
    :param settings: settings of the node
    :param recorder: recorder that carries out the commands
    :param subscribers: one subscriber for each stream
    :param reader: thread that owns the recorder, and has not started yet
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        recorder: Recorder,
        subscribers: Sequence[Subscriber],
        reader: Reader,
    ) -> None:
        self._node = node
        self._log: Any = node.get_logger()
        self._recorder = recorder
        self._reader = reader
        self._num_statuses, self._num_unanswered, self._answered_s = 0, 0, -math.inf
        self._waiting: list[rclpy.task.Future] = []
        self._namesakes = Namesakes(node)
        values = {'fps': str(settings.recorder.fps), **self._namesakes.identity}
        self._sender = Sender.of(node.get_fully_qualified_name(), values)
        self._subscribers = subscribers
        self._cues = Cues(settings.cues)
        self._room = OperatorRoom(
            node, subscribers, self._namesakes, self._cues, reader, self._collect
        )
        self.machine = EpisodeMachine(recorder, settings.rules, self._room)
        # While a save waits for the disk, other callbacks must run.
        group = ReentrantCallbackGroup()
        for verb in SERVICES:
            serve: Any = partial(self._serve, verb)
            node.create_service(Trigger, f'~/{verb.value}', serve, callback_group=group)
        self._topics = [
            HeardTopic(node, String, TASK_TOPIC, self._on_task, is_latched=True),
            # Latched texts from before this recorder started belong to other episodes.
            *(
                HeardTopic(
                    node, String, f'~/{name}', partial(self._on_said, verb), is_latched=False
                )
                for name, verb in SAID.items()
            ),
        ]
        self._commands = HeardTopic(
            node, String, COMMAND_TOPIC, self._on_command, is_latched=False
        )
        self._topics.append(self._commands)
        self._teleop = Teleop(node, settings.teleop, self.give)
        self._remarks: list[str] = []
        self._bag_others = self._topics_beside_streams(settings)
        node.add_on_set_parameters_callback(self._on_parameters)
        self._is_human: bool | None = None
        self._intervention = (
            node.create_publisher(Bool, INTERVENTION_TOPIC, LATCHED)
            if settings.recorder.is_hil
            else None
        )
        self._status = node.create_publisher(DiagnosticStatus, STATUS_TOPIC, LATCHED)
        self._diagnostics = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # A steady clock keeps the timer running while simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(_STATUS_PERIOD_S, self._tick, clock=steady)
        reader.every(_STATUS_PERIOD_S, self._tick_status)
        if settings.rules.automatic.is_on:
            reader.every(_AUTOMATIC_PERIOD_S, self.machine.tick)

    def _topics_beside_streams(self, settings: Settings) -> list[str]:
        """Return the names of all topics that a bag needs beside those of the streams."""
        teleop = settings.teleop
        names = [EVENTS_TOPIC, COMMAND_TOPIC, TASK_TOPIC, *(f'~/{name}' for name in SAID)]
        if settings.recorder.is_hil:
            names.append(INTERVENTION_TOPIC)
        names += [one.topic for one in teleop.triggers]
        if teleop.bindings:
            names.append(teleop.joy_topic)
        if self._node.get_parameter(USE_SIM_TIME).value:
            names.append(_CLOCK_TOPIC)
        resolved = map(self._node.resolve_topic_name, names)
        return [*topics_about_robot(settings.sources, self._node.resolve_topic_name), *resolved]

    def _bag_topics(self) -> list[str]:
        """Return the topics for a bag; none as long as a camera may choose another transport."""
        if not all(one.is_settled for one in self._subscribers):
            return []
        streams = (one.topic for one in self._subscribers)
        return list(dict.fromkeys((*streams, *self._bag_others)))

    async def end(self) -> None:
        """End a running episode as configured; return when all is durable and answered."""
        ended = await self._wait_for(self._reader.call(self._end_recorder))
        await self._wait_for(ended)
        await self._wait_for(self._reader.call(self._collect))
        while self._num_unanswered:
            await self._next_tick()
        await self._wait_for(self._reader.call(self._publish_status))
        self._cues.close(_CUES_END_S)

    def wait_for_delivery(self, timeout_s: float) -> None:
        """
        Wait for the last status and the last answers to arrive; once the executor has ended.

        Destroying the node drops messages that a busy receiver has not read yet. Only topics
        report what has arrived, so a caller gets a fixed time to receive an answer.

        :param timeout_s: longest time to wait, in seconds
        """
        # Some middlewares cannot tell which messages have arrived.
        with suppress(RuntimeError):
            self._status.wait_for_all_acked(Duration(seconds=timeout_s))
        time.sleep(max(0.0, self._answered_s + _ANSWER_DELIVERY_S - time.monotonic()))

    def _end_recorder(self) -> Future[DatasetInfo]:
        self._room.read_waiting()
        self.machine.end()
        return self._recorder.end()

    # --- commands ------------------------------------------------------------------------------

    def give(self, text: str, source: str) -> None:
        """
        Carry out a command from a button, a trigger or a topic; the executor's thread.

        :param text: the command
        :param source: name of the sender, for people to read
        """
        self._reader.call(lambda: self._answered(self.machine.hear(text, source)))

    def _carry_out(self, command: Command, source: str) -> Future[Future[Answer]]:
        return self._reader.call(lambda: self._answered(self.machine.carry_out(command, source)))

    def _answered(self, answer: Future[Answer]) -> Future[Answer]:
        self._publish_status()
        if not answer.done():
            answer.add_done_callback(lambda _: self._publish_status())
        return answer

    async def _serve(self, verb: Verb, _request: Any, response: Any) -> Any:
        self._num_unanswered += 1
        try:
            answering = await self._wait_for(self._carry_out(Command(verb), 'service'))
            answer = await self._wait_for(answering)
        finally:
            self._num_unanswered -= 1
        response.success, response.message = answer.success, answer.message
        self._answered_s = time.monotonic()
        return response

    def _on_command(self, message: String, _info: MessageInfo) -> None:
        sender, text = split_sender(message.data)
        self.give(text, sender or self._senders())

    def _senders(self) -> str:
        """Return the names of all publishers, as the middleware does not identify the sender."""
        names = sorted({node_of(one) for one in self._commands.offers()})
        return ' or '.join(names) or 'command topic'

    def _on_said(self, verb: Verb, message: String, _info: MessageInfo) -> None:
        name = next(name for name, said in SAID.items() if said is verb)
        self._carry_out(Command(verb, message.data), f'topic {name}')

    async def _wait_for(self, future: Future[Any]) -> Any:
        """Wait for another thread's result while the executor spins; raise that thread's error."""
        executor = self._node.executor
        assert executor is not None
        arrived: rclpy.task.Future = rclpy.task.Future(executor=executor)

        def wake(_future: Future[Any]) -> None:
            arrived.set_result(None)
            # Otherwise the executor would sleep until the next message arrives.
            executor.wake()

        future.add_done_callback(wake)
        await arrived
        return future.result()

    async def _next_tick(self) -> None:
        ticked: rclpy.task.Future = rclpy.task.Future(executor=self._node.executor)
        self._waiting.append(ticked)
        await ticked

    # --- task and status -----------------------------------------------------------------------

    def _on_task(self, message: String, _info: MessageInfo) -> None:
        # The parameter shows the task to users, and its callback passes the task to the recorder.
        self._node.set_parameters([Parameter('task', value=message.data.strip())])

    def _on_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        setters: dict[str, Callable[[str], None]] = {
            'task': self._recorder.set_task,
            OPERATOR: partial(self._recorder.set_text, OPERATOR),
            **{
                name: partial(self._recorder.set_text, name.removeprefix(METADATA))
                for name in (one.name for one in parameters)
                if name.startswith(METADATA)
            },
        }
        values = {one.name: self._node.get_parameter(one.name).value for one in parameters}
        changed = [one for one in parameters if one.value != values[one.name]]
        if any(one.name == USE_SIM_TIME for one in changed):
            # Arrival stamps would suddenly come from another clock.
            reason = (
                f'{USE_SIM_TIME} is fixed while the recorder runs: restart the recorder to '
                'change it'
            )
            return SetParametersResult(successful=False, reason=reason)
        for parameter in parameters:
            if parameter.name in setters:
                self._reader.call(partial(setters[parameter.name], parameter.value))
                if parameter in changed:
                    self._log.info(
                        f'{parameter.name} is {parameter.value!r} from the next episode on'
                    )
        return SetParametersResult(successful=True)

    def _collect(self) -> None:
        self.machine.collect()

    def _tick(self) -> None:
        for topic in self._topics:
            topic.look(time.monotonic())
        self._teleop.look(time.monotonic())
        bag = f'{METADATA}{BAG}'
        # The launch file declares the parameter if a bag is wanted; record_bag sets it.
        lacks_bag = self._node.has_parameter(bag) and not self._node.get_parameter(bag).value
        # The reader's thread reads this list, which nobody changes from now on.
        self._remarks = [*self._teleop.problems(), *([_NO_BAG] if lacks_bag else [])]
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.set_result(None)

    def _tick_status(self) -> None:
        self.machine.tick()
        self._publish_status()
        self._num_statuses += 1
        if self._num_statuses % _DIAGNOSTICS_EVERY == 0:
            self._publish_diagnostics()

    def _publish_status(self) -> None:
        self._status.publish(self._message(self._recorder.status()))

    def _message(self, status: RecorderStatus) -> DiagnosticStatus:
        operating = self.machine.status(status)
        is_human = operating.takeover != POLICY
        if self._intervention is not None and is_human is not self._is_human:
            self._is_human = is_human
            self._intervention.publish(Bool(data=is_human))
        topics = self._bag_topics()
        return recorder_message(status, self._sender, operating, self._remarks, topics)

    def _publish_diagnostics(self) -> None:
        status = self._recorder.status()
        previews = {one.key: one.newest.topic for one in self._subscribers}
        message = DiagnosticArray(
            status=[
                self._message(status),
                *(
                    stream_message(one, self._sender, previews[one.key]) for one in status.streams
                ),
            ]
        )
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(message)
