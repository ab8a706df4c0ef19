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
"""A look at the first seconds of a bag, as `init` and `doctor` look at the running graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
import time

from lerobot_streamrec.conversions.cdr import first_time
from lerobot_streamrec.errors import ConfigError, ForeignMessageError, MessageError, some_of
from lerobot_streamrec.fleet.reading.bag_parts import Message, Topic
from lerobot_streamrec.fleet.reading.bag_reader import open_bag
from lerobot_streamrec.inspection.completion import complete, topic_reports, with_alike
from lerobot_streamrec.inspection.diagnosis import Level, Remark
from lerobot_streamrec.inspection.machine_checks import (
    Check,
    check_clock,
    check_recording,
    TRIAL_TIMEOUT_S,
    try_encoder,
)
from lerobot_streamrec.inspection.observation import (
    CLOCK_TOPIC,
    CLOCK_TYPE,
    NUMBER_TYPES,
    Observation,
    SeenTopic,
)
from lerobot_streamrec.inspection.parameter_text import parameter_text, refuse_to_tell
from lerobot_streamrec.inspection.proposal import Proposal, propose, TASK, wanted_topics
from lerobot_streamrec.inspection.report import DoctorReport, TopicReport
from lerobot_streamrec.inspection.topic_listener import TopicListener
from lerobot_streamrec.inspection.witness import observe, Witness
from lerobot_streamrec.recording.readiness import stream_problem
from lerobot_streamrec.settings.checked_file import refuse_missing, write_checked
from lerobot_streamrec.settings.parameter_file import parameters_of
from lerobot_streamrec.settings.parameter_reader import USE_SIM_TIME
from lerobot_streamrec.settings.recorder_settings import (
    given_settings_of,
    NODE_NAME,
    recorder_node_name,
    settings_of,
)
from lerobot_streamrec.settings.sample_reader import SampleReader
from lerobot_streamrec.settings.stream_settings import Source
from lerobot_streamrec.settings.topic_names import full_topic_name
from lerobot_streamrec.settings.transports import choose_topic, PICTURE_TYPES, Target
from lerobot_streamrec.sync.row_clock import NS_PER_S

# As often as an import tries to begin an episode.
_START_EVERY_NS = NS_PER_S // 20
_MORE = '--seconds reads more of them'
_TOPICS_SHOWN = 12
# The recorder's own previews, which nobody wants to record.
_PREVIEWS = f'/{NODE_NAME}/preview/'


# The key of a stream, True for a camera, and the reader of its samples.
_Reader = tuple[str, bool, SampleReader]


class BagLook:
    """
    The first seconds of a bag. Owned by one thread; one of ``propose`` and ``examine`` is called.

    :param path: the bag
    :param seconds: longest time that is read, from the receive time of the first message
    :param namespace: namespace of the recorder, such as ``/left``
    :raise BagError: if nothing of the bag can be read
    """

    def __init__(self, path: Path, seconds: float, namespace: str) -> None:
        self.bag = open_bag(path)
        self.name = path.resolve().name
        self._path, self._namespace = path, namespace
        node_name = recorder_node_name(namespace)
        self._prefix = f'{node_name.rpartition("/")[0]}/'
        self._full_name = partial(full_topic_name, node_name=node_name)
        begin_ns, last_ns = self.bag.begin_ns or 0, self.bag.end_ns or 0
        self._end_ns = begin_ns + round(seconds * NS_PER_S)
        self._whole_s = (last_ns - begin_ns) / NS_PER_S
        self._is_whole = last_ns < self._end_ns
        self.seconds = self._whole_s if self._is_whole else seconds
        """The length of what is read, in seconds."""
        self._num_read = 0
        self._has_clock = any(
            (one.name, one.type_name) == (CLOCK_TOPIC, CLOCK_TYPE) and one.num_messages
            for one in self.bag.topics
        )
        self._now_ns = self._sim_ns = 0

    def __str__(self) -> str:
        begin = 'all' if self._is_whole else 'the first'
        return f'{begin} {round(self.seconds, 1):g} s of {self.name}'

    @property
    def advice(self) -> str:
        """The help if there is nothing to record."""
        if not self._is_whole:
            return f'The bag has {self._whole_s:.1f} s: {_MORE}.'
        found = sorted({f'{one.name} ({one.type_name})' for one in self.bag.topics})
        return f'Its topics: {some_of(found, _TOPICS_SHOWN)}.'

    def _messages(
        self, topics: Collection[str], *, is_sim_time: bool
    ) -> Iterator[tuple[Message, int]]:
        """
        Yield messages with the time of their arrival.

        :param is_sim_time: True to use the time of /clock, from its first message on
        """
        end_ns = None if self._is_whole else self._end_ns
        for message in self.bag.messages({*topics, CLOCK_TOPIC}, end_ns=end_ns):
            self._now_ns = max(self._now_ns, message.receive_ns)
            if message.type_name == CLOCK_TYPE and message.topic == CLOCK_TOPIC:
                with suppress(MessageError):
                    seconds, nanoseconds = first_time(message.data)
                    self._sim_ns = seconds * NS_PER_S + nanoseconds
            if message.topic in topics and (self._sim_ns or not is_sim_time):
                self._num_read += 1
                yield message, self._sim_ns if is_sim_time else message.receive_ns

    def _load_fields(self, parameter: str, message_type: str) -> Mapping[str, str]:
        fields = self.bag.fields(message_type)
        if fields is None:
            raise ConfigError(parameter, message_type, 'neither the bag nor ROS defines this type')
        return fields

    # --- init ----------------------------------------------------------------------------------

    def propose(self, fps: int | None) -> Proposal:
        """
        Return the proposal for the topics of the recorder's namespace.

        :param fps: rows per second; None to derive it from the cameras
        """
        topics: dict[str, list[Topic]] = {}
        for one in self.bag.topics:
            if one.name.startswith(self._prefix) and _PREVIEWS not in one.name:
                topics.setdefault(one.name, []).append(one)
        types = {name: same[0].type_name for name, same in topics.items() if len(same) == 1}
        listeners = {name: TopicListener(name, types[name]) for name in wanted_topics(types)}
        for message, received_ns in self._messages(listeners, is_sim_time=self._has_clock):
            # The numbers of a damaged message are left out, as those of any other one.
            with suppress(MessageError):
                kind, data = message.type_name, message.data
                content = data if kind in PICTURE_TYPES else self.bag.decode(kind, data)
                listeners[message.topic].push(content, received_ns, {})
        seen = []
        for name, kind in sorted(types.items()):
            qos = _qos(topics[name]) or 'QoS not recorded'
            known = listeners.get(name)
            seen.append(SeenTopic(name, kind, qos) if known is None else known.seen(qos))
        found = propose(seen, is_sim_time=self._has_clock)
        found = replace(found, left_out=(*found.left_out, *_of_several_types(topics)))
        return found if fps is None else replace(found, fps=fps, fps_reason='as requested')

    def write(self, path: Path, proposal: Proposal, *, force: bool) -> None:
        """
        Write the parameter file of a proposal that is not empty, durably.

        :param force: True to replace an existing file
        :raise ConfigError: if the file cannot be written, or the recorder would reject it
        """
        when = time.strftime('%Y-%m-%d %H:%M')
        text = parameter_text(
            proposal, file_name=path.name, when=when, looked=str(self), bag=self._path
        )

        def check(file: Path) -> None:
            settings_of(file, self._namespace, refuse_to_tell, self._load_fields)

        write_checked(path, text, check, force=force)

    # --- doctor --------------------------------------------------------------------------------

    def examine(self, params: Path, pictures: Path | None) -> DoctorReport:
        """
        Check a parameter file against the bag.

        :param params: path of the file
        :param pictures: folder for the first picture of each camera; None to save no pictures
        :raise ConfigError: if the recorder would reject the file
        """
        refuse_missing(params, self._path)
        given = given_settings_of(params, self._namespace)
        named = parameters_of(params, recorder_node_name(self._namespace))
        is_sim_time = bool(named.get(USE_SIM_TIME))
        settings, untyped = complete(given, self._types_of, self._load_fields, self._full_name)
        checks: list[Check] = []
        seen = [one.observation(self._full_name) for one in untyped]
        witness = Witness(settings.sources if settings else (), lambda: self._now_ns)
        if settings is not None:
            trial = try_encoder(settings.recorder)
            readiness = self._hear(settings.sources, witness, is_sim_time=is_sim_time)
            wait([trial], TRIAL_TIMEOUT_S)
            checks, info = check_recording(
                settings.recorder, trial, TASK, is_recorder_there=False
            )
            seen = [
                *(
                    self._placed(
                        observe(one, settings, info, pictures, readiness.get(key, '')), one.source
                    )
                    for key, one in witness.topics.items()
                ),
                *seen,
            ]
        published = {one.name: self.bag.types_of(one.name) for one in self.bag.topics}
        seen = [with_alike(one, published) for one in seen]
        reports = [
            replace(one, remarks=tuple(self._remarks(one, witness)))
            for one in topic_reports(seen, untyped, given.options)
        ]
        return DoctorReport(
            str(params),
            self.seconds,
            tuple(reports),
            (*self._checks(is_sim_time=is_sim_time), *checks),
            purpose='import',
        )

    def _types_of(self, topic: str) -> set[str]:
        return self.bag.types_of(self._full_name(topic))

    def _target(self, source: Source) -> Target:
        topic = self._full_name(source.stream.topic)
        if not source.stream.is_camera:
            return Target(topic, source.message_type)
        is_depth = source.stream.depth is not None
        return choose_topic(topic, source.transport, self.bag.types_of, is_depth=is_depth)

    def _hear(
        self, sources: Collection[Source], witness: Witness, *, is_sim_time: bool
    ) -> Mapping[str, str]:
        """
        Read the topics as the recorder does.

        :return: reasons against an episode by stream, when there were the fewest; a stream that
            ends before the others is no reason once an episode could have begun
        """
        readers: dict[Target, list[_Reader]] = {}
        for source in sources:
            target = self._target(source)
            decode = partial(self.bag.decode, target.message_type)
            samples = SampleReader(source, target.message_type, self.bag.fields, decode)
            reader = (source.stream.key, source.stream.is_camera, samples)
            readers.setdefault(target, []).append(reader)
        problems = _unready(witness, self._now_ns)
        due_ns = 0
        topics, is_sim_time = {one.topic for one in readers}, is_sim_time and self._has_clock
        for message, received_ns in self._messages(topics, is_sim_time=is_sim_time):
            if problems and self._now_ns >= due_ns:
                due_ns = self._now_ns + _START_EVERY_NS
                problems = min(_unready(witness, self._now_ns), problems, key=len)
            for reader in readers.get(Target(message.topic, message.type_name), ()):
                _deliver(message.data, reader, witness, received_ns)
        return min(_unready(witness, self._now_ns), problems, key=len)

    def _placed(self, seen: Observation, source: Source) -> Observation:
        """Add what the bag itself says of a topic."""
        target = self._target(source)
        types = tuple(sorted(self.bag.types_of(target.topic)))
        is_there = target.message_type in types
        other = f'the bag has {" and ".join(types)}, not {target.message_type}'
        qos = _qos(one for one in self.bag.topics if one.name == target.topic)
        return replace(
            seen,
            topic=target.topic,
            message_type=target.message_type,
            offered=(f'{self.name}: {qos}',) if types else (),
            types=types,
            obstacles=(other,) if types and not is_there else (),
        )

    def _remarks(self, report: TopicReport, witness: Witness) -> Iterator[Remark]:
        """Yield the remarks of the live doctor, but for those on publishers, and those on bags."""
        seen = report.seen
        if not seen.offered:
            text = f'the bag has no topic {seen.topic}: correct {seen.parameter}.topic'
            more = f'; did you mean {" or ".join(seen.alike)}?' if seen.alike else ''
            yield Remark(Level.PROBLEM, text + more)
            return
        if seen.key not in witness.topics or seen.obstacles:
            yield from report.remarks
            return
        others = [one for one in seen.types if one != seen.message_type]
        if others:
            text = f'the bag also has it as {" and ".join(others)}: these messages are left out'
            yield Remark(Level.NOTE, text)
        if not (seen.heard.num_messages or seen.ignored):
            yield Remark(Level.PROBLEM, self._silence(seen))
            return
        yield from report.remarks
        stream = witness.topics[seen.key].stream
        age_s, max_age_s = stream.age_s(self._now_ns), stream.config.max_age_s
        if max_age_s and age_s is not None and age_s > max_age_s and not seen.readiness:
            text = f'its last sample came {age_s:.1f} s before the end of {self}'
            yield Remark(Level.WARNING, f'{text}: later rows repeat it')

    def _silence(self, seen: Observation) -> str:
        count = sum(
            one.num_messages
            for one in self.bag.topics
            if (one.name, one.type_name) == (seen.topic, seen.message_type)
        )
        if not count:
            return f'the bag has {seen.topic}, but no message of it: choose another topic'
        if self._is_whole:
            return f'none of its {count} messages can be read'
        return f'none of its {count} messages is in {self}: {_MORE}'

    def _checks(self, *, is_sim_time: bool) -> list[Check]:
        """Return what was read, what is damaged, and whose clock the stamps have."""
        text = f'read {self._num_read} messages in {self}'
        found = [Check('bag', Remark(Level.OK, text))]
        found += [Check('bag', Remark(Level.WARNING, str(one))) for one in self.bag.remarks]
        if is_sim_time and not self._has_clock:
            text = f'use_sim_time is true, but the bag has no {CLOCK_TOPIC}: stamps are compared '
            remark = Remark(Level.NOTE, f'{text}with the times of receipt')
            return [*found, Check('clock', remark)]
        return [*found, *check_clock(is_sim_time, int(self._has_clock))]


def _deliver(data: bytes, reader: _Reader, witness: Witness, received_ns: int) -> None:
    """Do with a message what a live subscriber does."""
    key, is_camera, samples = reader
    try:
        stamp_ns, value = samples.read(data, lambda: received_ns)
        (witness.push_image if is_camera else witness.push_vector)(key, stamp_ns, value)
    except ForeignMessageError as error:
        witness.ignore(key, str(error))
        return
    except MessageError as error:
        witness.reject(key, str(error))
    stamp = samples.header_ns(data)
    witness.topics[key].see(received_ns, stamp, samples.encoding, samples.size_bytes)


def _unready(witness: Witness, now_ns: int) -> dict[str, str]:
    """Return why an episode could not begin now, by stream."""
    found = {
        key: stream_problem(topic.stream, now_ns, None, None)
        for key, topic in witness.topics.items()
    }
    return {key: problem for key, problem in found.items() if problem}


def _qos(topics: Iterable[Topic]) -> str:
    """Return the QoS that publishers offered, as on the graph; empty if the bag does not tell."""
    profiles = (qos for one in topics for qos in one.qos)
    offered = (f'{one.reliability.name}, {one.durability.name}' for one in profiles)
    return ' and '.join(dict.fromkeys(offered))


def _of_several_types(topics: Mapping[str, Sequence[Topic]]) -> Iterator[str]:
    for name, same in topics.items():
        types = sorted({one.type_name for one in same})
        if len(types) > 1 and not {*PICTURE_TYPES, *NUMBER_TYPES}.isdisjoint(types):
            yield f'{name}: its messages have several types, {" and ".join(types)}'
