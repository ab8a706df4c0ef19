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
"""The witness of the doctor, which takes samples in the recorder's place and notes their facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lerobot_streamrec.conversions.parts import TimedVector
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.inspection.arrivals import Arrivals
from lerobot_streamrec.inspection.observation import Observation
from lerobot_streamrec.recording.readiness import refuse_picture_sizes
from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.settings.recorder_settings import Settings
from lerobot_streamrec.settings.stream_settings import Source
from lerobot_streamrec.video.tools.extract import png_file


class TopicWitness:
    """
    Gathers the facts of one topic that the parameter file names.

    :param source: settings under which the topic's messages are read
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.stream = Stream(source.stream)
        self.arrivals = Arrivals()
        self.first_picture: Picture | None = None
        self.encoding = ''
        self.size_bytes = 0
        self.num_rejected = 0
        self.rejection = ''

    def push(self, stamp_ns: int, value: Any, now_ns: int) -> None:
        """Take in a sample; VectorError if no column can hold its numbers as published."""
        value = self.stream.for_column(value)
        if self.stream.newest_ns is None:
            # The messages of a video are rejected until its first key frame; that is no fault.
            self.num_rejected, self.rejection = 0, ''
        stamp_ns += self.stream.config.offset_ns
        self.stream.push(stamp_ns, value, now_ns, is_recording=False)

    def reject(self, reason: str) -> None:
        """Count a message that cannot be recorded, and keep the reason."""
        self.num_rejected += 1
        self.rejection = reason
        self.stream.reject(reason)

    def see(self, received_ns: int, stamp_ns: int | None, encoding: str, size_bytes: int) -> None:
        """Note the arrival, encoding and size of a message; called after it was read."""
        self.arrivals.push(received_ns, stamp_ns)
        self.encoding, self.size_bytes = encoding, size_bytes

    @property
    def values(self) -> dict[str, float]:
        """The numbers of the newest message, by name; empty for a camera."""
        if self.stream.config.is_camera or self.stream.newest_ns is None:
            return {}
        vector = self.stream.newest_value
        if isinstance(vector, TimedVector):
            vector = vector.at(0)
        names = self.stream.config.names
        return {name: float(value) for name, value in zip(names, vector, strict=True)}


class Witness:
    """
    Takes the recorder's place as the sink of all samples. Owned by the main thread.

    :param sources: source of each stream
    :param now_ns: function that returns the steady clock, in nanoseconds
    """

    def __init__(self, sources: Iterable[Source], now_ns: Callable[[], int]) -> None:
        self.topics = {source.stream.key: TopicWitness(source) for source in sources}
        self._now_ns = now_ns

    def push_image(self, video_key: str, stamp_ns: int, picture: Picture) -> None:
        """Take in a picture, and keep the first one of each camera."""
        topic = self.topics[video_key]
        if topic.first_picture is None:
            topic.first_picture = picture
        topic.push(stamp_ns, picture, self._now_ns())

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """Take in the numbers of a message."""
        self.topics[key].push(stamp_ns, values, self._now_ns())

    def reject(self, key: str, reason: str) -> None:
        """Note a message that cannot be recorded, with the reason."""
        self.topics[key].reject(reason)

    def ignore(self, key: str, reason: str) -> None:
        """Note a message that is not meant for this stream, with the reason."""
        self.topics[key].stream.ignore(reason)

    def contest(self, key: str, publishers: str) -> None:
        """Note a message that came while several publishers send the same data in turn."""
        self.topics[key].stream.contest(publishers, self._now_ns())

    def lose(self, key: str, num_messages: int) -> None:
        """Count messages that the middleware lost."""
        self.topics[key].arrivals.lose(num_messages)


def observe(
    topic: TopicWitness,
    settings: Settings,
    info: DatasetInfo | None,
    pictures: Path | None,
    readiness: str,
) -> Observation:
    """
    Return the facts that the messages of a topic tell, and save one of its pictures.

    :param topic: witness of the topic
    :param settings: the recorder's settings
    :param info: description of the dataset; None to skip the comparison of picture sizes
    :param pictures: folder for pictures; None to save none
    :param readiness: reason that would keep an episode from starting; empty if there is none
    :return: topic and type are those of the file, and nothing is said of its publishers
    """
    source = topic.source
    problem, file = _picture(topic, settings, info, pictures)
    picture = topic.first_picture
    return Observation(
        parameter=source.parameter,
        key=source.stream.key,
        topic=source.stream.topic,
        message_type=source.message_type,
        is_camera=source.stream.is_camera,
        stamp=source.stamp,
        heard=topic.arrivals.heard,
        num_rejected=topic.num_rejected,
        rejection=topic.rejection,
        ignored=topic.stream.last_ignored,
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
