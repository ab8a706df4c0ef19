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
import json
from pathlib import Path
import time
from typing import Any

from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.live.diagnosis import judge, Level, Remark
from lerobot_streamrec.live.graph_watch import CLOCK_TOPIC, TopicWitness, Witness
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
from lerobot_streamrec.live.proposal import complete, discover, TASK, UntypedTopic
from lerobot_streamrec.live.report import DoctorReport, render, report_console, TopicReport
from lerobot_streamrec.live.session import params_arguments, Session
from lerobot_streamrec.nodes.graph.qos import describe_qos, node_of
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.topics.subscriber import Subscriber
from lerobot_streamrec.nodes.topics.subscribers import subscribe
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.readiness import refuse_picture_sizes, stream_problem
from lerobot_streamrec.settings.recorder_settings import Settings
from lerobot_streamrec.settings.stream_settings import Source
from lerobot_streamrec.video.tools.extract import png_file
from rclpy.node import Node
from rich.console import Console


def observe(
    subscriber: Subscriber,
    witness: Witness,
    settings: Settings,
    info: DatasetInfo | None,
    pictures: Path | None,
    now_ns: int,
) -> Observation:
    """
    Return the facts about a topic, and save one of its pictures.

    :param subscriber: subscriber of the topic
    :param witness: sink that took the subscriber's samples
    :param settings: the recorder's settings
    :param info: description of the dataset; None to skip the comparison of picture sizes
    :param pictures: folder for pictures; None to save none
    :param now_ns: end of the listening by the steady clock, in nanoseconds
    """
    source, topic = subscriber.source, witness.topics[subscriber.key]
    offers = subscriber.offers_of(subscriber.target.topic)
    offered = sorted(f'{node_of(one)}: {describe_qos(one.qos_profile)}' for one in offers)
    problem, file = _picture(topic, settings, info, pictures)
    picture = topic.first_picture
    # Differing clocks are left to ``judge``, which sees the stamps of all topics.
    readiness = stream_problem(topic.stream, now_ns, None, None)
    return Observation(
        parameter=source.parameter,
        key=subscriber.key,
        topic=subscriber.topic,
        message_type=subscriber.target.message_type,
        is_camera=source.stream.is_camera,
        stamp=source.stamp,
        offered=tuple(offered),
        types=tuple(sorted({one.topic_type for one in offers})),
        asked=describe_qos(subscriber.qos),
        obstacles=subscriber.problems,
        heard=topic.arrivals.heard,
        num_rejected=topic.num_rejected,
        rejection=topic.rejection,
        ignored=topic.stream.last_ignored,
        is_unsure=subscriber.is_unsure,
        readiness=readiness,
        offset_ms=source.stream.offset_ms,
        encoding=topic.encoding,
        width=picture.width if picture else 0,
        height=picture.height if picture else 0,
        size_bytes=topic.size_bytes,
        picture_problem=problem,
        picture_file=file,
        values=topic.values,
    )


def _picture(
    topic: TopicWitness, settings: Settings, info: DatasetInfo | None, folder: Path | None
) -> tuple[str, str]:
    """Check the pictures and save one; return their fault and the path, both empty if none."""
    if topic.first_picture is None:
        return '', ''
    topic.stream.look_at_pictures()
    if topic.stream.picture_problem:
        return f'{topic.stream.config.key} {topic.stream.picture_problem}', ''
    try:
        content = png_file(topic.stream.whole_picture)
        if info is not None:
            stream, recorder = topic.stream.config, settings.recorder
            encoders = {stream.key: recorder.encoder_of(stream)}
            refuse_picture_sizes([topic.stream], encoders, recorder.root, info)
    except StreamrecError as error:
        return str(error), ''
    if folder is None:
        return '', ''
    name = topic.stream.config.key.rpartition('.')[2]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f'{name}.png'
        path.write_bytes(content)
    except OSError as error:
        return f'its picture cannot be saved to {folder}: {error.strerror or error}', ''
    return '', str(path)


NODE_NAME = 'streamrec_doctor'

# Discovery takes up to three seconds.
_DISCOVERY_S = 3.0
_LOOK_PERIOD_S = 0.5
# The trial of the encoder has its own limit, which is shorter.
_TRIAL_TIMEOUT_S = 60.0


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
    if as_json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        render(report, report_console())
    return int(report.level is Level.PROBLEM)


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
            session.spin(_TRIAL_TIMEOUT_S, lambda: None, until=trial.done)
        # The checks below take time, and no message is received meanwhile.
        now_ns = time.monotonic_ns()
        services = dict(node.get_service_names_and_types())
        recorder = session.recorder_name if f'{session.recorder_name}/start' in services else ''
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


def _subscribe(session: Session, node: Node, source: Source, witness: Witness) -> Subscriber:
    subscriber = subscribe(node, source, witness)
    session.read_from(subscriber)
    subscriber.watch(witness.topics[source.stream.key].see)
    return subscriber


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
