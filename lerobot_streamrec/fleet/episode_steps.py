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
"""
The commands of a bag's episodes, each given to the recorder at its time.

A live recorder hears a command before the bag does, and its rows depend on the messages that it
has at that moment. Where the instants of its rows are known, the recorder is therefore told them,
and a command comes before the first sample that is later than these.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from itertools import takewhile
from typing import Any, NamedTuple

from lerobot_streamrec.dataset.format.episode_table import BAG
from lerobot_streamrec.errors import EpisodeError, StreamsNotReadyError
from lerobot_streamrec.fleet.planning.bag_spans import Mark, Span
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.recording.operating.command import Verb
from lerobot_streamrec.recording.operating.takeover import acts_at_once, Takeover
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.saving.summary import EpisodeSummary
from lerobot_streamrec.recording.status import RecorderState
from lerobot_streamrec.settings.recorder_settings import Settings
from lerobot_streamrec.sync.row_clock import KnownRows, NS_PER_S

TICK_NS = NS_PER_S // 100
"""The time between two looks, about as often as a live recorder reads its topics."""

# So long before an episode all messages are read: phases and delays of the streams follow from
# them, and rows show them.
_LEAD_NS = 60 * NS_PER_S
# A command reaches the bag sooner than this. A stamp that is far ahead proves nothing before.
_MAX_DELAY_NS = 5 * NS_PER_S
_MIN_PATIENCE_NS = NS_PER_S
_NEVER_NS = 2**63


class PlannedEpisode(NamedTuple):
    """
    An episode that a bag should become.

    :param span: the episode
    :param text: its text in the column ``BAG``
    :param place: the bag and its place there, for messages
    :param is_wanted: False if the dataset has it already
    """

    span: Span
    text: str
    place: str
    is_wanted: bool


class _Due(NamedTuple):
    """
    The time of the next step.

    :param receive_ns: it comes before the first message that is received later
    :param stamp_ns: it comes before the first sample with a later stamp; None: none tells
    """

    receive_ns: int
    stamp_ns: int | None = None


class EpisodeSteps:
    """
    Takes the recorder's place as the sink of a bag's samples, and gives it the commands.

    Owned by the thread that reads the bag.

    :param recorder: the recorder, which no one else gives commands
    :param settings: its settings
    :param planned: the episodes, in their order
    :param wait: function that waits until the recorder has tried its encoders
    :param settle: function that is called before an episode is saved
    """

    def __init__(
        self,
        recorder: Recorder,
        settings: Settings,
        planned: Sequence[PlannedEpisode],
        wait: Callable[[], None],
        settle: Callable[[], None],
    ) -> None:
        self._recorder = recorder
        self._task = settings.recorder.task
        self._patience_ns = max(_MIN_PATIENCE_NS, settings.recorder.max_lateness_ns)
        self._early_ns = _MAX_DELAY_NS + round(settings.recorder.preroll_s * NS_PER_S)
        self._offsets_ns = {one.key: one.offset_ns for one in settings.recorder.streams}
        self._wait, self._settle_robot = wait, settle
        # A takeover that pauses is planned as a pause and a resume.
        self._acts = acts_at_once(recorder, Takeover(recorder, pauses=False))
        self.summaries: list[EpisodeSummary] = []
        """The episodes that were saved."""
        self.failures: list[str] = []
        """The episodes that could not be recorded, with the reasons."""
        self.remarks: dict[str, None] = {}
        """What could not be done as planned, each text once."""
        self.needed_from_ns = 0
        """Receive time from which on all messages are needed."""
        self.is_over = False
        """True after the last episode."""
        self._now_ns, self._newest_ns = 0, 0
        self._is_at_end = False
        self._steps = self._record_all(planned)
        self._due = _Due(-1)
        self._go_on()

    def begin_message(self, now_ns: int) -> None:
        """Note the receive time of the message whose samples come next."""
        self._now_ns = now_ns

    def push_image(self, video_key: str, stamp_ns: int, picture: Picture) -> None:
        """Give the commands that are due, and push a picture."""
        self._advance(stamp_ns + self._offsets_ns[video_key])
        self._recorder.push_image(video_key, stamp_ns, picture)

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """Give the commands that are due, and push the numbers of a message."""
        self._advance(stamp_ns + self._offsets_ns[key])
        self._recorder.push_vector(key, stamp_ns, values)

    def reject(self, key: str, reason: str) -> None:
        """Give the commands that are due, and count a message that cannot be recorded."""
        self._advance(0)
        self._recorder.reject(key, reason)

    def ignore(self, key: str, reason: str) -> None:
        """Give the commands that are due, and count a message that is not meant for a stream."""
        self._advance(0)
        self._recorder.ignore(key, reason)

    def _advance(self, stamp_ns: int) -> None:
        self._newest_ns = max(self._newest_ns, stamp_ns)
        while not self.is_over and self._is_due():
            self._go_on()

    def end(self) -> None:
        """Do what is left, because the bag has no more messages."""
        self._is_at_end = True
        while not self.is_over:
            self._go_on()

    def _is_due(self) -> bool:
        receive_ns, stamp_ns = self._due
        if stamp_ns is not None and self._now_ns > receive_ns - self._early_ns:
            return self._now_ns > receive_ns or self._newest_ns > stamp_ns
        return self._now_ns > receive_ns

    def _go_on(self) -> None:
        self._due = next(self._steps, self._due)

    # --- the steps -----------------------------------------------------------------------------

    def _record_all(self, planned: Sequence[PlannedEpisode]) -> Iterator[_Due]:
        spans = [None, *(one.span for one in planned), None]
        for one, before, after in zip(planned, spans, spans[2:], strict=False):
            if one.is_wanted:
                self.needed_from_ns = one.span.begin_ns - _LEAD_NS
                yield from self._record(one, before, after)
        self.is_over, self.needed_from_ns = True, _NEVER_NS

    def _record(
        self, planned: PlannedEpisode, previous: Span | None, after: Span | None
    ) -> Iterator[_Due]:
        span, first_ns = planned.span, planned.span.first_row_ns
        # Rows that continue those of the episode before follow its last one.
        is_continued = previous is not None and previous.last_row_ns == (first_ns or 0) - 1
        known = KnownRows(first_ns, _last_row_ns(span, span.marks, first_ns), is_continued)
        yield _Due(span.begin_ns - 1, first_ns)
        before = list(takewhile(partial(_is_before, span), span.marks))
        start = partial(self._start, span.task or self._task, known, before)
        if error := (yield from self._try(start, span.begin_ns, span.end_ns)):
            self.failures.append(f'{planned.place}: no episode could begin: {error}')
            return
        self._compare(planned, first_ns, self._recorder.verb_rows.first_ns, 'first')
        marks = span.marks[len(before):]
        for number, mark in enumerate(marks, start=1):
            later = marks[number:]
            until_ns = later[0].receive_ns if later else span.end_ns
            yield from self._say(planned, mark, later, until_ns)
        is_paused = self._recorder.state is RecorderState.PAUSED
        # A paused recorder forgets samples that the first rows of the next episode show.
        stamp_ns = after.first_row_ns if after is not None and is_paused else None
        yield from self._settle(span.end_ns, stamp_ns)
        self._save(planned)

    def _start(self, task: str, known: KnownRows, before: Sequence[Mark]) -> None:
        # Rows from before the start show as well who drives.
        for mark in before:
            self._acts[mark.command.verb](mark.command.text)
        self._recorder.start(task, known)

    def _try(
        self, act: Callable[[], object], from_ns: int, until_ns: int
    ) -> Generator[_Due, None, EpisodeError | None]:
        """Do something as soon as every stream is ready; return the error if none ever is."""
        while True:
            self._wait()
            try:
                act()
            except StreamsNotReadyError as error:
                if self._recorder.is_trying_encoders:
                    continue
                if self._is_at_end or self._now_ns > until_ns:
                    return error
                # The same instants in each import, wherever it begins to read.
                num_tries = (self._now_ns - from_ns) // TICK_NS + 1
                yield _Due(min(from_ns + num_tries * TICK_NS, until_ns))
            except EpisodeError as error:
                return error
            else:
                return None

    def _say(
        self, planned: PlannedEpisode, mark: Mark, later: Sequence[Mark], until_ns: int
    ) -> Iterator[_Due]:
        verb, first_ns = mark.command.verb, mark.first_row_ns
        known = KnownRows(first_ns, _last_row_ns(planned.span, later, first_ns))
        if verb is Verb.PAUSE:
            yield from self._settle(mark.receive_ns)
        else:
            # A word holds for the row at this instant already.
            is_word = verb in (Verb.SUBTASK, Verb.INTERVENE)
            stamp_ns = first_ns - is_word if first_ns is not None else None
            yield _Due(mark.receive_ns, stamp_ns)
        act = partial(self._acts[verb], mark.command.text, known)
        if error := (yield from self._try(act, mark.receive_ns, until_ns)):
            self.remarks[f'{planned.place}: {mark.command}: {error}'] = None

    def _settle(self, receive_ns: int, stamp_ns: int | None = None) -> Iterator[_Due]:
        """Wait for a command, and for samples that the bag got later than the live recorder."""
        yield _Due(receive_ns, stamp_ns)
        until_ns = receive_ns + self._patience_ns
        while not (self._is_at_end or self._now_ns > until_ns):
            if self._recorder.close_known_rows():
                break
            yield _Due(self._now_ns + TICK_NS)

    def _save(self, planned: PlannedEpisode) -> None:
        recorder = self._recorder
        self._settle_robot()
        try:
            for name, text in {**planned.span.texts, BAG: planned.text}.items():
                recorder.annotate(name, text)
            saving = recorder.save()
            self._compare(
                planned, planned.span.last_row_ns, recorder.verb_rows.last_ns, 'last'
            )
            self.summaries.append(saving.result())
        except EpisodeError as error:
            self.failures.append(f'{planned.place}: {error}')
            if recorder.state is not RecorderState.IDLE:
                recorder.discard().result()

    def _compare(
        self, planned: PlannedEpisode, wanted_ns: int | None, is_ns: int | None, which: str
    ) -> None:
        if wanted_ns is not None and is_ns is not None and wanted_ns != is_ns:
            off_s = (is_ns - wanted_ns) / NS_PER_S
            self.remarks[
                f'{planned.place}: its {which} row is {off_s:+.3f} s from that of the recording, '
                'because the bag lacks messages'
            ] = None


def _is_before(span: Span, mark: Mark) -> bool:
    """Return whether a mark says who drives when the episode begins."""
    return mark.command.verb is Verb.INTERVENE and mark.receive_ns <= span.begin_ns


def _last_row_ns(span: Span, later: Sequence[Mark], first_ns: int | None) -> int | None:
    """Return the last row of the part of an episode that begins with a row, before a pause."""
    pause = next((one for one in later if one.command.verb is Verb.PAUSE), None)
    if pause is None:
        return span.last_row_ns
    if pause.last_row_ns is None and first_ns is not None:
        # The recorder tells the row before each pause, unless there is none.
        return first_ns - 1
    return pause.last_row_ns
