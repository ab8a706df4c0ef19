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
"""The samples of a recorder's streams in the messages of a bag."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from lerobot_streamrec.errors import ConfigError, ForeignMessageError, MessageError
from lerobot_streamrec.fleet.reading.bag_parts import Message
from lerobot_streamrec.fleet.reading.bag_reader import Bag
from lerobot_streamrec.recording.camera_latency import MotionSink
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.settings.recorder_settings import recorder_node_name
from lerobot_streamrec.settings.sample_reader import SampleReader
from lerobot_streamrec.settings.stream_settings import Source
from lerobot_streamrec.settings.topic_names import full_topic_name
from lerobot_streamrec.settings.transports import choose_topic, Target

Sink = Recorder | MotionSink


class BagSamples:
    """
    Reads the samples of some streams, as live subscribers would. Owned by one thread.

    :param bag: the bag
    :param sources: topics of the streams, and how they are read
    :param namespace: namespace of the recorder, in which its relative topics are
    :raise ConfigError: if the bag lacks a topic
    """

    def __init__(self, bag: Bag, sources: Iterable[Source], namespace: str) -> None:
        self._bag = bag
        self._node_name = recorder_node_name(namespace)
        self._readers: dict[tuple[str, str], list[tuple[str, bool, SampleReader]]] = {}
        for source in sources:
            self._add(source)

    def _add(self, source: Source) -> None:
        topic = full_topic_name(source.stream.topic, self._node_name)
        target = Target(topic, source.message_type)
        if source.stream.is_camera:
            is_depth = source.stream.depth is not None
            target = choose_topic(topic, source.transport, self._bag.types_of, is_depth=is_depth)
        if target.message_type not in self._bag.types_of(target.topic):
            raise ConfigError(f'{source.parameter}.topic', topic, lacks(self._bag, target.topic))
        decode = partial(self._bag.decode, target.message_type)
        reader = SampleReader(source, target.message_type, self._bag.fields, decode)
        entry = (source.stream.key, source.stream.is_camera, reader)
        self._readers.setdefault((target.topic, target.message_type), []).append(entry)

    @property
    def topics(self) -> set[str]:
        """The names of the topics that are read."""
        return {topic for topic, _ in self._readers}

    def push(self, message: Message, now_ns: int, sink: Sink) -> None:
        """
        Push the samples in a message.

        :param now_ns: time at which it counts as received, in nanoseconds since 1970
        :param sink: taker of the samples, and of the reasons why a message has none
        """
        for key, is_camera, reader in self._readers.get((message.topic, message.type_name), ()):
            self._push(key, is_camera, reader, message.data, now_ns, sink)

    @staticmethod
    def _push(
        key: str, is_camera: bool, reader: SampleReader, data: bytes, now_ns: int, sink: Sink
    ) -> None:
        try:
            stamp_ns, value = reader.read(data, lambda: now_ns)
            push = sink.push_image if is_camera else sink.push_vector
            push(key, stamp_ns, value)
        except ForeignMessageError as error:
            sink.ignore(key, str(error))
        except MessageError as error:
            sink.reject(key, str(error))


def lacks(bag: Bag, topic: str) -> str:
    """Return the sentence that a bag has no such topic, with those that it has."""
    names = ', '.join(sorted({one.name for one in bag.topics})) or 'none'
    return f'{bag.path} has no topic {topic}; it has {names}'
