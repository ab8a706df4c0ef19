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
"""A live recording of the messages that a bag gets as well, and the two datasets side by side."""

from __future__ import annotations

from lerobot_streamrec.recording.operating.machine import EpisodeMachine
from lerobot_streamrec.recording.operating.surroundings import Surroundings
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.settings.sample_reader import SampleReader
from waiting import TIMEOUT_S, wait_for

TICK_NS = 10_000_000
MAX_QUEUED = 20


class LiveTwin(Surroundings):
    """
    A recorder whose clock goes from one arrival to the next, with an operator.

    :param bag: a bag with all topics, which tells their types
    :param settings: settings of the recorder
    :param arrivals: arrival, topic, and bytes of each message, in order of arrival
    """

    def __init__(self, bag, settings, arrivals):
        self._now_ns = arrivals[0][0]
        self._arrivals = list(reversed(arrivals))
        self.events = []
        """The time and the content of each event."""
        self._readers = {}
        for source in settings.sources:
            (kind,) = bag.types_of(source.stream.topic)

            def decode(data, kind=kind):
                return bag.decode(kind, data)

            entry = (source.stream, SampleReader(source, kind, bag.fields, decode))
            self._readers.setdefault(source.stream.topic, []).append(entry)
        self._recorder = Recorder(
            settings.recorder, lambda: self._now_ns, lambda: self._now_ns
        )
        self._machine = EpisodeMachine(
            self._recorder, settings.rules, self, lambda: self._now_ns
        )

    def publish(self, event):
        self.events.append((self._now_ns, event.as_json(self._now_ns / 10**9)))

    def read_waiting(self):
        while self._arrivals and self._arrivals[-1][0] <= self._now_ns:
            _, topic, data = self._arrivals.pop()
            for stream, reader in self._readers.get(topic, ()):
                stamp_ns, value = reader.read(data, lambda: self._now_ns)
                recorder = self._recorder
                push = recorder.push_image if stream.is_camera else recorder.push_vector
                push(stream.key, stamp_ns, value)
        self._recorder.close_rows()

    def _run_until(self, time_ns):
        while self._now_ns < time_ns:
            self._now_ns = min(self._now_ns + TICK_NS, time_ns)
            self.read_waiting()
            wait_for(
                lambda: (
                    self._recorder.num_queued <= MAX_QUEUED
                    and not self._recorder.is_trying_encoders
                )
            )

    def record(self, commands):
        """
        Give commands, each at its time, and close the recorder.

        :return: the events, with the time of each
        """
        for time_ns, text in commands:
            self._run_until(time_ns)
            answer = self._machine.hear(text, 'test')
            wait_for(lambda answer=answer: self._machine.tick() or answer.done())
        assert self._recorder.close(TIMEOUT_S)
        return self.events
