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
from pathlib import Path
import time

from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.inspection.completion import topic_reports, with_alike
from lerobot_streamrec.inspection.diagnosis import Level, Remark
from lerobot_streamrec.inspection.machine_checks import (
    Check,
    check_clock,
    check_namesakes,
    check_network,
    check_packets,
    check_recording,
    check_shared_memory,
    check_time,
    TRIAL_TIMEOUT_S,
    try_encoder,
)
from lerobot_streamrec.inspection.observation import CLOCK_TOPIC, Observation
from lerobot_streamrec.inspection.proposal import TASK
from lerobot_streamrec.inspection.report import DoctorReport, show
from lerobot_streamrec.inspection.witness import observe, Witness
from lerobot_streamrec.live.discovery import complete, discover
from lerobot_streamrec.live.session import params_arguments, Session
from lerobot_streamrec.nodes.graph.qos import describe_qos, node_of
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.topics.picture_room import is_elsewhere
from lerobot_streamrec.nodes.topics.subscriber import Subscriber
from lerobot_streamrec.nodes.topics.subscribers import subscribe
from lerobot_streamrec.recording.readiness import stream_problem
from lerobot_streamrec.settings.recorder_settings import Settings
from lerobot_streamrec.settings.stream_settings import Source
from rclpy.node import Node
from rich.console import Console

NODE_NAME = 'streamrec_doctor'

# Discovery takes up to three seconds.
_DISCOVERY_S = 3.0
_LOOK_PERIOD_S = 0.5


def doctor(
    params: Path,
    seconds: float,
    pictures: Path | None,
    as_json: bool,
    ros_arguments: Sequence[str],
) -> int:
    """
    Run ``streamrec doctor``.

    :return: exit status 0 if fit to record, 1 if not
    :raise ConfigError: for wrong usage or settings
    :raise StartInterruptedError: if a signal interrupted the command
    """
    stop = StopSignals()
    with Console(stderr=True).status(f'listening for {seconds:g} s'):
        report = diagnose(
            params, seconds=seconds, pictures=pictures, ros_arguments=ros_arguments, stop=stop
        )
    return show(report, as_json=as_json)


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
        subscribers = [
            _subscribe(session, node, source, witness)
            for source in (settings.sources if settings else ())
        ]

        def look() -> None:
            for one in subscribers:
                one.look()

        session.spin(seconds, look, period_s=_LOOK_PERIOD_S)
        if trial is not None:
            session.spin(TRIAL_TIMEOUT_S, lambda: None, until=trial.done)
        # The checks below take time, and no message is received meanwhile.
        now_ns = time.monotonic_ns()
        services = dict(node.get_service_names_and_types())
        recorder = session.recorder_name if f'{session.recorder_name}/start' in services else ''
        num_recorders = node.count_publishers(f'{session.recorder_name}/status')
        checks, info = _checks(settings, trial, recorder)
        checks += check_namesakes(session.recorder_name, num_recorders)
        checks += check_clock(session.is_sim_time, node.count_publishers(CLOCK_TOPIC))
        seen = [
            *(
                _observe(one, witness, settings, info, pictures, now_ns)
                for one in subscribers
                if settings
            ),
            *(one.observation(node.resolve_topic_name) for one in untyped),
        ]
        checks += check_time(is_alone=not any(one.is_elsewhere for one in seen))
        checks += [*check_packets(seen), *check_network(seen)]
        published = _published(node)
        seen = [with_alike(one, published) for one in seen]
    return DoctorReport(
        str(path), seconds, tuple(topic_reports(seen, untyped, given.options)), tuple(checks)
    )


def _observe(
    subscriber: Subscriber,
    witness: Witness,
    settings: Settings,
    info: DatasetInfo | None,
    pictures: Path | None,
    now_ns: int,
) -> Observation:
    """
    Return the facts about a topic and its publishers, and save one of its pictures.

    :param now_ns: end of the listening by the steady clock, in nanoseconds
    """
    topic = witness.topics[subscriber.key]
    offers = subscriber.offers_of(subscriber.target.topic)
    offered = sorted(f'{node_of(one)}: {describe_qos(one.qos_profile)}' for one in offers)
    # Differing clocks are left to ``judge``, which sees the stamps of all topics.
    readiness = stream_problem(topic.stream, now_ns, None, None)
    return replace(
        observe(topic, settings, info, pictures, readiness),
        topic=subscriber.topic,
        message_type=subscriber.target.message_type,
        offered=tuple(offered),
        types=tuple(sorted({one.topic_type for one in offers})),
        asked=describe_qos(subscriber.qos),
        obstacles=subscriber.problems,
        is_elsewhere=is_elsewhere(subscriber.node, subscriber.topic, offers),
        is_unsure=subscriber.is_unsure,
    )


def _subscribe(session: Session, node: Node, source: Source, witness: Witness) -> Subscriber:
    subscriber = subscribe(node, source, witness)
    session.read_from(subscriber)
    subscriber.watch(witness.topics[source.stream.key].see)
    return subscriber


def _checks(
    settings: Settings | None, trial: Future[Check] | None, recorder: str
) -> tuple[list[Check], DatasetInfo | None]:
    checks: list[Check] = []
    info = None
    if settings is not None and trial is not None:
        checks, info = check_recording(
            settings.recorder, trial, TASK, is_recorder_there=bool(recorder)
        )
    if recorder:
        text = f'one is running: {recorder}/start exists; end it before you start another one'
        checks.append(Check('recorder', Remark(Level.NOTE, text)))
    checks.append(check_shared_memory())
    return checks, info


def _published(node: Node) -> dict[str, list[str]]:
    """Return the types of each published topic."""
    found: Mapping[str, list[str]] = dict(node.get_topic_names_and_types())
    return {name: types for name, types in found.items() if node.count_publishers(name)}
