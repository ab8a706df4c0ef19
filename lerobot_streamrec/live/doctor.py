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
"""`streamrec doctor`: compares a parameter file with the running graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
import difflib
from pathlib import Path
import time
from typing import Any

from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.live.diagnosis import judge, Level, Remark
from lerobot_streamrec.live.graph_watch import CLOCK_TOPIC, Witness
from lerobot_streamrec.live.machine_checks import (
    Check,
    check_clock,
    check_disk,
    check_namesakes,
    check_root,
    check_shared_memory,
    check_task,
    check_time,
    try_encoder,
)
from lerobot_streamrec.live.observation import Observation
from lerobot_streamrec.live.observing import observe
from lerobot_streamrec.live.parameter_text import TASK
from lerobot_streamrec.live.proposal import complete, discover, UntypedTopic
from lerobot_streamrec.live.report import DoctorReport, TopicReport
from lerobot_streamrec.live.session import params_arguments, Session
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.settings import Settings
from lerobot_streamrec.nodes.topics.subscriber import Subscriber
from lerobot_streamrec.nodes.topics.subscribers import subscribe
from lerobot_streamrec.recording.config import RecorderConfig
from rclpy.node import Node

NODE_NAME = 'streamrec_doctor'

# Discovery takes up to three seconds.
_DISCOVERY_S = 3.0
_LOOK_PERIOD_S = 0.5
# The trial of the encoder has its own limit, which is shorter.
_TRIAL_TIMEOUT_S = 60.0


def diagnose(
    path: Path,
    *,
    seconds: float,
    pictures: Path | None,
    ros_arguments: Sequence[str],
    stop: StopSignals,
) -> DoctorReport:
    """
    Check a parameter file, the topics that it names, and this machine.

    :param path: path of the file
    :param seconds: time to listen, in seconds
    :param pictures: folder for the first picture of each camera; None to save no pictures
    :param ros_arguments: arguments for rclpy besides the file
    :raise ConfigError: if the recorder would reject the file
    :raise StartInterruptedError: if a signal interrupted the command
    """
    with Session(params_arguments(path, ros_arguments), stop) as session:
        given = session.read_settings()
        node = session.node(NODE_NAME)
        discover(session, node, given, min(seconds, _DISCOVERY_S))
        settings, untyped = complete(given, node)
        trial = try_encoder(settings.recorder) if settings else None
        witness = Witness(settings.sources if settings else (), time.monotonic_ns)
        subscribers = _subscribe(session, node, settings, witness)
        session.spin(seconds, lambda: _look(subscribers), period_s=_LOOK_PERIOD_S)
        if trial is not None:
            session.spin(_TRIAL_TIMEOUT_S, lambda: None, until=trial.done)
        # The checks below take time, and no message is received meanwhile.
        now_ns = time.monotonic_ns()
        recorder = _running_recorder(node, session.recorder_name)
        num_recorders = node.count_publishers(f'{session.recorder_name}/status')
        checks, info = _checks(settings, trial, recorder)
        checks += check_time()
        checks += check_namesakes(session.recorder_name, num_recorders)
        checks += check_clock(session.is_sim_time, node.count_publishers(CLOCK_TOPIC))
        seen = [
            *(
                observe(one, witness, settings, info, pictures, now_ns)
                for one in subscribers
                if settings
            ),
            *(one.observation(node) for one in untyped),
        ]
        seen = [replace(one, alike=_alike(one, node)) for one in seen]
    return DoctorReport(
        str(path), seconds, tuple(_topic_reports(seen, untyped, given.options)), tuple(checks)
    )


def _topic_reports(
    seen: Sequence[Observation], untyped: Sequence[UntypedTopic], options: Mapping[str, Any]
) -> list[TopicReport]:
    reasons = {one.settings.parameter: one.reason for one in untyped}
    reports = []
    for one in seen:
        if one.offered and one.parameter in reasons:
            remarks: tuple[Remark, ...] = (Remark(Level.PROBLEM, reasons[one.parameter]),)
        else:
            others = [other for other in seen if other is not one]
            remarks = judge(one, others, options['fps'], options['max_lateness_s'])
        reports.append(TopicReport(one, remarks))
    return reports


def _subscribe(
    session: Session, node: Node, settings: Settings | None, witness: Witness
) -> list[Subscriber]:
    found = []
    for source in settings.sources if settings else ():
        subscriber = subscribe(node, source, witness)
        session.adopt(subscriber.node)
        subscriber.watch(witness.topics[source.stream.key].see)
        found.append(subscriber)
    return found


def _look(subscribers: Sequence[Subscriber]) -> None:
    for one in subscribers:
        one.look()


def _checks(
    settings: Settings | None, trial: Future[Check] | None, recorder: str
) -> tuple[list[Check], DatasetInfo | None]:
    checks, info = [], None
    if settings is not None and trial is not None:
        config: RecorderConfig = settings.recorder
        root, info = check_root(config, is_recorder_there=bool(recorder))
        checks += [_tried(trial), root, check_disk(config), check_task(config, TASK)]
    if recorder:
        text = f'one is running: {recorder}/start exists; end it before you start another one'
        checks.append(Check('recorder', Remark(Level.NOTE, text)))
    checks.append(check_shared_memory())
    return checks, info


def _tried(trial: Future[Check]) -> Check:
    if not trial.done():
        text = f'it did not encode two frames within {_TRIAL_TIMEOUT_S:g} s'
        return Check('encoder', Remark(Level.PROBLEM, text))
    return trial.result()


def _running_recorder(node: Node, name: str) -> str:
    """Return the name if a recorder already runs under it, otherwise an empty string."""
    return name if f'{name}/start' in dict(node.get_service_names_and_types()) else ''


def _alike(seen: Observation, node: Node) -> tuple[str, ...]:
    """Find published topics with similar names, which the user may have meant."""
    if seen.offered:
        return ()
    found: Mapping[str, list[str]] = dict(node.get_topic_names_and_types())
    names = [
        name
        for name, types in found.items()
        if seen.message_type in ('', *types) and node.count_publishers(name)
    ]
    return tuple(difflib.get_close_matches(seen.topic, names, n=2, cutoff=0.5))
