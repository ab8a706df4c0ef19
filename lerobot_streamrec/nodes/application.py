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
"""The nodes, recorder and executor of the process, from the start to the shutdown."""

from __future__ import annotations

from functools import partial
import gc
import os
import sys
import threading
import time
from typing import Any

from lerobot_streamrec.dataset.about.robot_files import PARAMETERS
from lerobot_streamrec.dataset.format.parquet import do_without_pandas
from lerobot_streamrec.errors import ConfigError, StartInterruptedError, StreamrecError
from lerobot_streamrec.installed import EXIT_CONFIG
from lerobot_streamrec.nodes.episode_node import EpisodeServices
from lerobot_streamrec.nodes.graph.distributions import make_executor
from lerobot_streamrec.nodes.graph.node_parameters import NodeParameters
from lerobot_streamrec.nodes.graph.ros_start import (
    given_parameters,
    keep_large_buffers,
    run_node,
    unused_files,
)
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.graph.topic_types import load_fields, wait_for_type
from lerobot_streamrec.nodes.topics.previews import Previews
from lerobot_streamrec.nodes.topics.previews import THREAD_NAME as PREVIEW_THREAD
from lerobot_streamrec.nodes.topics.reader import Reader
from lerobot_streamrec.nodes.topics.reader import THREAD_NAME as READER_THREAD
from lerobot_streamrec.nodes.topics.readiness_log import ReadinessLog
from lerobot_streamrec.nodes.topics.robot_topics import RobotTopics
from lerobot_streamrec.nodes.topics.sample_sink import MotionSink, Sink
from lerobot_streamrec.nodes.topics.subscribers import subscribe
from lerobot_streamrec.recording.disk_watch import THREAD_NAME as DISK_THREAD
from lerobot_streamrec.recording.episode.journal_thread import THREAD_NAME as JOURNAL_THREAD
from lerobot_streamrec.recording.operating.cues import THREAD_NAME as CUES_THREAD
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.saving.deferred_encoder import THREAD_NAME as LATE_THREAD
from lerobot_streamrec.recording.status import RecorderState
from lerobot_streamrec.settings.recorder_settings import NODE_NAME, read_settings, Settings
from lerobot_streamrec.video.trials.software_probe import THREAD_NAME as TRIAL_THREAD
from rclpy.node import Node

EXIT_OK = 0
EXIT_LOST = 1
EXIT_BUG = 3

# All waits together stay below the 10 s after which launch and service managers kill a process.
_END_TIMEOUT_S = 7.0
_STOP_TIMEOUT_S = 1.0
_PREVIEWS_END_S = 0.4
_DELIVERY_TIMEOUT_S = 2.0
_MIN_DELIVERY_S = 0.3
_POLL_S = 0.2
# The period at which subscribers look for publishers. Discovery itself takes up to 3 s.
_LOOK_PERIOD_S = 0.5


def run(arguments: list[str], stop: StopSignals) -> int:
    """
    Record until the process is asked to stop, and return the exit status.

    If a thread is left then, the process ends here.

    :param arguments: command line with `--ros-args`
    :param stop: requests to stop
    """
    keep_large_buffers()
    do_without_pandas()
    exit_status = run_node(NODE_NAME, arguments, partial(_run_node, arguments, stop))
    if _is_thread_left():
        stop.ignore()
        sys.stdout.flush()
        sys.stderr.flush()
        # An encoder that hangs in a library can be stopped in no other way.
        os._exit(exit_status)
    return exit_status


def _run_node(arguments: list[str], stop: StopSignals, node: Node) -> int:
    log: Any = node.get_logger()
    hint = unused_files(arguments, node.get_fully_qualified_name())
    try:
        given = read_settings(NodeParameters(node))
        type_of = partial(wait_for_type, node, given.graph_timeout_s, stop)
        settings = given.complete(type_of, load_fields, node.resolve_topic_name)
        recorder = Recorder(settings.recorder)
    except StartInterruptedError as error:
        log.info(str(error))
        return EXIT_OK
    except StreamrecError as error:
        log.fatal(f'cannot start: {error}{hint if isinstance(error, ConfigError) else ""}')
        return EXIT_CONFIG
    except Exception as error:  # noqa: BLE001
        log.fatal(f'cannot start: unexpected error, please report it: {error!r}')
        return EXIT_BUG
    try:
        application = _Application(node, settings, recorder)
        if settings.recorder.robot_files:
            for number, content in enumerate(given_parameters(arguments), start=1):
                recorder.robot.put(PARAMETERS, str(number), content)
    # The dataset is open and the recorder's threads run, so the process would not end by itself.
    except Exception as error:  # noqa: BLE001
        recorder.close(_STOP_TIMEOUT_S)
        log.fatal(f'cannot start: unexpected error, please report it: {error!r}')
        return EXIT_BUG
    # Looking for garbage after each episode is quicker without all that has just been loaded.
    gc.collect()
    gc.freeze()
    return application.run(stop)


def _is_thread_left() -> bool:
    ours = (
        'enc:',
        'spill:',
        'commit',
        'executor',
        READER_THREAD,
        JOURNAL_THREAD,
        DISK_THREAD,
        CUES_THREAD,
        LATE_THREAD,
        PREVIEW_THREAD,
        TRIAL_THREAD,
    )
    return any(one.name.startswith(ours) for one in threading.enumerate())


class _Application:
    """
    The running process.

    The reader's thread owns the recorder and the subscribers; the executor's thread only passes
    commands on to it.
    """

    def __init__(self, node: Node, settings: Settings, recorder: Recorder) -> None:
        self._node = node
        self._log: Any = node.get_logger()
        self._recorder = recorder
        self._executor = make_executor()
        sink = self._sink(settings, recorder)
        self._subscribers = [subscribe(node, source, sink) for source in settings.sources]
        self._reader = Reader(self._subscribers, recorder.close_rows)
        self._robot_topics = (
            RobotTopics(node, settings.sources, recorder.robot)
            if settings.recorder.robot_files
            else None
        )
        self._previews = Previews(node, settings.previews, self._subscribers)
        self._services = EpisodeServices(node, settings, recorder, self._subscribers, self._reader)
        self._executor.add_node(node)
        # rclpy fails if another thread destroys a subscription while an executor waits for its
        # events. The reader therefore spins these nodes itself, each by an executor of its own,
        # since a spin handles one event and looks at all nodes.
        self._losses = [make_executor() for _ in self._subscribers]
        for subscriber, losses in zip(self._subscribers, self._losses, strict=True):
            losses.add_node(subscriber.node)
        self._reader.every(_LOOK_PERIOD_S, self._look)
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._spin, name='executor', daemon=False)
        root = settings.recorder.root
        self._readiness = ReadinessLog(self._log, root)
        topics = ', '.join(f'{one.key} ({one.topic})' for one in self._subscribers)
        there = recorder.status().num_saved
        dataset = f'exists and is appended to; saved episodes: {there}' if there else 'is new'
        self._log.info(f'listening to {topics}; the dataset at {root} {dataset}')

    def _sink(self, settings: Settings, recorder: Recorder) -> Sink:
        if not settings.rules.automatic.is_by_motion:
            return recorder
        return MotionSink(
            recorder,
            settings.action_keys,
            lambda *action: self._services.machine.motion.push(*action),
        )

    def _look(self) -> None:
        for subscriber, losses in zip(self._subscribers, self._losses, strict=True):
            subscriber.look()
            losses.spin_once(timeout_sec=0)
        state = self._recorder.status().state
        if self._robot_topics is not None:
            is_recording = state is RecorderState.RECORDING
            self._robot_topics.look(time.monotonic(), is_recording=is_recording)
        if state is RecorderState.IDLE:
            self._readiness.look(self._services.machine.blockers(), time.monotonic())

    def run(self, stop: StopSignals) -> int:
        """Record until the process is asked to stop, then shut everything down in order."""
        self._reader.start()
        self._previews.start()
        self._thread.start()
        while not stop.wait(_POLL_S):
            if not (self._thread.is_alive() and self._reader.is_alive):
                break
        return self._end()

    def _spin(self) -> None:
        try:
            while not self._ended.is_set():
                self._executor.spin_once()
        # Nothing above this frame catches errors. The main thread logs this one and shuts down.
        except BaseException as error:  # noqa: BLE001
            self._error = error

    def _end(self) -> int:
        deadline_s = time.monotonic() + _END_TIMEOUT_S
        # They end while the others are waited for.
        self._previews.close(0.0)
        if self._thread.is_alive() and self._reader.is_alive:
            # The executor keeps spinning so that callers still get the answer to a running save.
            self._executor.create_task(self._end_recorder)
            self._executor.wake()
            self._thread.join(max(0.0, deadline_s - time.monotonic()))
        self._ended.set()
        self._executor.wake()
        self._thread.join(_STOP_TIMEOUT_S)
        if not self._reader.stop(_STOP_TIMEOUT_S):
            self._log.error('the thread that reads the messages has not ended')
        has_previews = not self._previews.close(_PREVIEWS_END_S)
        is_complete = self._recorder.close(max(0.5, deadline_s - time.monotonic()))
        # Shutting down rclpy objects that a running thread still uses would raise an error in
        # that thread. A thread that does not end is left running until the process ends.
        is_quiet = not (self._thread.is_alive() or self._reader.is_alive or has_previews)
        if is_quiet:
            for executor in (self._executor, *self._losses):
                executor.shutdown(timeout_sec=_STOP_TIMEOUT_S)
            for subscriber in self._subscribers:
                subscriber.node.destroy_node()
            if self._robot_topics is not None:
                self._robot_topics.node.destroy_node()
        error = self._reader.error or self._error
        if error is not None:
            self._log.fatal(f'unexpected error, please report it: {error!r}')
            exit_status = EXIT_BUG
        else:
            exit_status = EXIT_OK if is_complete else EXIT_LOST
            self._log.info('ended' if is_complete else 'ended, but not every episode was saved')
        if is_quiet:
            left_s = max(_MIN_DELIVERY_S, deadline_s - time.monotonic())
            self._services.wait_for_delivery(min(left_s, _DELIVERY_TIMEOUT_S))
            self._node.destroy_node()
        return exit_status

    async def _end_recorder(self) -> None:
        await self._services.end()
        self._ended.set()
