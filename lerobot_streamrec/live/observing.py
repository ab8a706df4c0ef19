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
"""The step from a subscriber and its messages to an observation."""

from __future__ import annotations

from pathlib import Path

from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.live.graph_watch import TopicWitness, Witness
from lerobot_streamrec.live.observation import Observation
from lerobot_streamrec.nodes.graph.qos import describe_qos, node_of
from lerobot_streamrec.nodes.settings import Settings
from lerobot_streamrec.nodes.topics.subscriber import Subscriber
from lerobot_streamrec.recording.readiness import refuse_picture_sizes, stream_problem
from lerobot_streamrec.video.tools.extract import png_file


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
