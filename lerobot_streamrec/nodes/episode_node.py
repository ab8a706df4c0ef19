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
"""The node `episode`: services, task, status."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lerobot_streamrec.errors import StreamrecError, StreamsNotReadyError
from lerobot_streamrec.nodes.distributions import MessageInfo
from lerobot_streamrec.nodes.heard_topic import HeardTopic
from lerobot_streamrec.nodes.namesakes import LATCHED, Namesakes, STATUS_TOPIC
from lerobot_streamrec.nodes.parameters import USE_SIM_TIME
from lerobot_streamrec.nodes.settings import Settings
from lerobot_streamrec.nodes.status_messages import recorder_message, Sender, stream_message
from lerobot_streamrec.nodes.subscriber import read_in_order, Subscriber
from lerobot_streamrec.recording.metadata import NOTES, VERDICT
from lerobot_streamrec.recording.recorder import Recorder
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
import rclpy.task
from std_msgs.msg import String
from std_srvs.srv import Trigger

NODE_NAME = 'episode'

_STATUS_PERIOD_S = 0.5
_DIAGNOSTICS_EVERY = 2


class EpisodeServices:
    """
    The operator's side of the recorder. Its callbacks belong to the executor.

    :param node: the node `episode`
    :param settings: what is recorded
    :param recorder: carries the verbs out
    :param subscribers: one for each stream
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        recorder: Recorder,
        subscribers: Sequence[Subscriber],
    ) -> None:
        self._node = node
        self._log: Any = node.get_logger()
        self._settings = settings
        self._recorder = recorder
        self._subscribers = subscribers
        self._num_ticks = 0
        self._waiting: list[rclpy.task.Future] = []
        self._num_unanswered = 0
        self._is_ending = False
        # A save that waits for the disk must not keep other callbacks waiting.
        group = ReentrantCallbackGroup()
        for verb, callback in (
            ('start', self._start),
            ('save', self._save),
            ('discard', self._discard),
            ('undo', self._undo),
            ('finalize', self._finalize),
        ):
            answer: Any = partial(self._serve, callback)
            node.create_service(Trigger, f'~/{verb}', answer, callback_group=group)
        self._namesakes = Namesakes(node)
        self._obstacle = ''
        self._sender = Sender.of(node.get_fully_qualified_name(), self._namesakes.identity)
        self._texts = [
            HeardTopic(node, String, '~/task', self._on_task, is_latched=True),
            # Texts from before the start of this recorder belong to other episodes.
            *(
                HeardTopic(
                    node, String, f'~/{name}', partial(self._on_said, name), is_latched=False
                )
                for name in (VERDICT, NOTES)
            ),
        ]
        node.add_on_set_parameters_callback(self._on_parameters)
        self._status = node.create_publisher(DiagnosticStatus, STATUS_TOPIC, LATCHED)
        self._diagnostics = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # The wall goes on when simulated time stands still.
        node.create_timer(
            _STATUS_PERIOD_S, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def start_problems(self) -> list[str]:
        """Return obstacles to the start of an episode that the recorder does not know itself."""
        before, self._obstacle = self._obstacle, self._namesakes.look()
        if self._obstacle and self._obstacle != before:
            self._log.error(self._obstacle)
        return [self._obstacle] if self._obstacle else []

    async def end(self) -> None:
        """End a running episode as configured; return when all is durable and answered."""
        self._is_ending = True
        self._read_waiting()
        await self._wait_for(self._recorder.end())
        while self._num_unanswered:
            await self._next_tick()
        self._publish_status()

    def _read_waiting(self) -> None:
        """Read the messages that have arrived: they belong to the episode that ends now."""
        read_in_order(self._subscribers)

    # --- services ------------------------------------------------------------------------------

    async def _serve(self, verb: Any, request: Any, response: Any) -> Any:
        self._num_unanswered += 1
        try:
            return await verb(request, response)
        finally:
            self._num_unanswered -= 1

    async def _refusal(self) -> str:
        """Wait until other recorders of this name would be known, and return why to refuse."""
        while not self._namesakes.is_settled() and not self._is_ending:
            await self._next_tick()
        return '; '.join(self.start_problems())

    async def _start(self, _request: Any, response: Any) -> Any:
        if refusal := await self._refusal():
            return self._answer(response, False, refusal)
        try:
            index = self._recorder.start()
        except StreamsNotReadyError as error:
            return self._answer(response, False, f'{error}{self._publisher_hint()}')
        except StreamrecError as error:
            return self._answer(response, False, str(error))
        status = self._recorder.status()
        return self._answer(response, True, f'recording episode {index}: {status.task}')

    async def _save(self, _request: Any, response: Any) -> Any:
        self._read_waiting()
        try:
            future = self._recorder.save()
            self._publish_status()
            summary = await self._wait_for(future)
        except StreamrecError as error:
            return self._answer(response, False, str(error))
        lossy = [one for one in self._subscribers if one.key in summary.lossy]
        advice = dict.fromkeys(one.loss_advice for one in lossy)
        return self._answer(response, True, '; '.join(filter(None, [str(summary), *advice])))

    async def _discard(self, _request: Any, response: Any) -> Any:
        try:
            discarded = await self._wait_for(self._recorder.discard())
        except StreamrecError as error:
            return self._answer(response, False, str(error))
        return self._answer(response, True, discarded)

    async def _undo(self, _request: Any, response: Any) -> Any:
        # The other recorder would undo an episode of its own dataset.
        if refusal := await self._refusal():
            return self._answer(response, False, refusal)
        try:
            undone = await self._wait_for(self._recorder.undo())
        except StreamrecError as error:
            return self._answer(response, False, str(error))
        return self._answer(response, True, undone)

    async def _finalize(self, _request: Any, response: Any) -> Any:
        if refusal := await self._refusal():
            return self._answer(response, False, refusal)
        try:
            finalized = await self._wait_for(self._recorder.finalize())
        except StreamrecError as error:
            return self._answer(response, False, str(error))
        return self._answer(response, True, f'{finalized}, in {self._settings.recorder.root}')

    async def _next_tick(self) -> None:
        ticked: rclpy.task.Future = rclpy.task.Future(executor=self._node.executor)
        self._waiting.append(ticked)
        await ticked

    def _answer(self, response: Any, success: bool, message: str) -> Any:
        if not success and self._obstacle not in message:
            # The other recorder may be the one that has done what was asked for.
            message = f'{message}; {self._obstacle}'
        response.success = success
        response.message = message
        if success:
            self._log.info(message)
        else:
            self._log.error(message)
        self._publish_status()
        return response

    async def _wait_for(self, future: Future[Any]) -> Any:
        """Wait for another thread's result while the executor goes on; raises its error."""
        executor = self._node.executor
        assert executor is not None
        arrived: rclpy.task.Future = rclpy.task.Future(executor=executor)

        def wake(_future: Future[Any]) -> None:
            arrived.set_result(None)
            # Without this the executor sleeps on until some other message comes.
            executor.wake()

        future.add_done_callback(wake)
        await arrived
        return future.result()

    def _publisher_hint(self) -> str:
        """Say who publishes the topics without messages, and what keeps them from being heard."""
        silent = {stream.key for stream in self._recorder.status().streams if stream.problem}
        hints = [one.hint for one in self._subscribers if one.key in silent]
        return f' ({"; ".join(hints)})' if hints else ''

    # --- task and status -----------------------------------------------------------------------

    def _on_task(self, message: String, _info: MessageInfo) -> None:
        # The parameter shows it, and tells the recorder.
        self._node.set_parameters([Parameter('task', value=message.data.strip())])

    def _on_said(self, name: str, message: String, _info: MessageInfo) -> None:
        executor = self._node.executor
        assert executor is not None
        # The disk may be slow, and no other call should wait for it.
        executor.create_task(self._annotate, name, message.data)

    async def _annotate(self, name: str, text: str) -> None:
        try:
            self._log.info(await self._wait_for(self._recorder.annotate(name, text)))
        except StreamrecError as error:
            self._log.error(str(error))

    def _on_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        setters = {'task': self._recorder.set_task, 'operator': self._recorder.set_operator}
        values = {one.name: self._node.get_parameter(one.name).value for one in parameters}
        changed = [one for one in parameters if one.value != values[one.name]]
        if any(one.name == USE_SIM_TIME for one in changed):
            # Stamps of arrival would go on in the time of another clock.
            reason = f'{USE_SIM_TIME} is fixed while the recorder runs: end it, and start it anew'
            return SetParametersResult(successful=False, reason=reason)
        for parameter in parameters:
            if parameter.name in setters:
                setters[parameter.name](parameter.value)
                if parameter in changed:
                    self._log.info(
                        f'{parameter.name} is {parameter.value!r} from the next episode on'
                    )
        return SetParametersResult(successful=True)

    def _tick(self) -> None:
        for text in self._texts:
            text.look(time.monotonic())
        self.start_problems()
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.set_result(None)
        self._publish_status()
        self._num_ticks += 1
        if self._num_ticks % _DIAGNOSTICS_EVERY == 0:
            self._publish_diagnostics()

    def _publish_status(self) -> None:
        status = self._recorder.status()
        self._status.publish(recorder_message(status, self._sender, self._obstacle))

    def _publish_diagnostics(self) -> None:
        status = self._recorder.status()
        message = DiagnosticArray(
            status=[
                recorder_message(status, self._sender, self._obstacle),
                *(stream_message(stream, self._sender) for stream in status.streams),
            ]
        )
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(message)
