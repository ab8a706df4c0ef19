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
"""The state machine behind every source of commands: it gives one answer for each command."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
import time
from typing import Any

from lerobot_streamrec.dataset.format.episode_table import NOTES, VERDICT
from lerobot_streamrec.errors import EpisodeError, EpisodeStateError, StreamrecError
from lerobot_streamrec.recording.operating.automatic import Automatic
from lerobot_streamrec.recording.operating.command import (
    busy_text,
    Command,
    parse_command,
    SAYING,
    Slips,
    Verb,
)
from lerobot_streamrec.recording.operating.config import OperatingConfig
from lerobot_streamrec.recording.operating.events import (
    Answer,
    AUTOMATIC,
    COUNTS_ONCE,
    Event,
    FAILED,
    RECORDER,
    REFUSED,
    SAVED,
)
from lerobot_streamrec.recording.operating.status import OperatingStatus, phase_of
from lerobot_streamrec.recording.operating.surroundings import PendingWork, Surroundings
from lerobot_streamrec.recording.operating.takeover import Act, acts_at_once, Takeover
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.saving.futures import settle, settled, then
from lerobot_streamrec.recording.saving.summary import EpisodeSummary
from lerobot_streamrec.recording.status import RecorderState, RecorderStatus

# Another recorder of the same name would also carry these out, on a dataset of its own.
_GUARDED = (Verb.START, Verb.UNDO, Verb.FINALIZE)
_BEGINS = (Verb.ROTATE, Verb.TOGGLE)


class EpisodeMachine:
    """
    Carries commands out and publishes their outcome.

    Owned by the recorder's thread. Nothing here blocks: ``collect`` completes long operations.

    :param recorder: the recorder's engine
    :param config: rules against slips, and automatic episodes
    :param surroundings: the ROS graph, or a stand-in for it
    :param clock_ns: steady clock
    """

    def __init__(
        self,
        recorder: Recorder,
        config: OperatingConfig,
        surroundings: Surroundings,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._recorder = recorder
        self._surroundings = surroundings
        self._clock_ns = clock_ns
        self._slips = Slips(config)
        self._automatic = Automatic(config.automatic, config.min_episode_s)
        self.motion = self._automatic.motion
        """The caller must push the action to it if the configuration depends on motion."""
        self._takeover = Takeover(recorder, pauses=config.pauses_at_takeover)
        acts = acts_at_once(recorder, self._takeover)
        self._verbs: dict[Verb, Callable[[str, str], Future[Answer]]] = {
            Verb.START: self._start,
            Verb.SAVE: self._save,
            Verb.DISCARD: self._discard,
            Verb.ROTATE: self._rotate,
            **{verb: partial(self._do_at_once, verb, act) for verb, act in acts.items()},
            Verb.UNDO: self._undo,
            Verb.FINALIZE: self._finalize,
            Verb.TOGGLE: self._toggle,
        }
        self._held: tuple[Command, str, Future[Answer]] | None = None
        self._long: dict[Verb, str] = {}
        self._pending = PendingWork(surroundings.wake)
        self._expected: set[Future[EpisodeSummary]] = set()
        self._was_running = False
        self._last = ('', '')
        self._failure = self._last_result = self._recorded_result = ''
        self._is_ending = False

    # --- commands ------------------------------------------------------------------------------

    def hear(self, text: str, source: str) -> Future[Answer]:
        """
        Carry out a command of a button, a pedal or a topic, unless it repeats the one just given.

        :param text: command in the form of ``parse_command``
        :param source: name of the sender
        :return: the answer, which is also published
        """
        try:
            command = parse_command(text)
        except EpisodeError as error:
            self._last = text.strip(), source
            return self._told(Event(source, REFUSED, False, str(error)))
        if self._slips.is_repeat(command, self._clock_ns()):
            message = f'{command} {COUNTS_ONCE}'
            return self._told(Event(source, command.verb.value, True, message, is_repeat=True))
        return self.carry_out(command, source)

    def carry_out(self, command: Command, source: str) -> Future[Answer]:
        """
        Carry a command out, even if it repeats the one just given.

        :param command: the command
        :param source: name of the sender
        :return: the answer, which is also published; that of a save comes once it is durable
        """
        self.collect()
        self._last = str(command), source
        if self._held is not None:
            reason = busy_text(self._held[0].verb, self._held[1])
            return self._refused(command.verb, source, reason)
        if command.verb in self._long:
            reason = busy_text(command.verb, self._long[command.verb])
            return self._refused(command.verb, source, reason)
        is_begin = command.verb in _BEGINS and not self._is_running
        if is_begin or command.verb in _GUARDED:
            obstacle = self._obstacle()
            if obstacle is None:
                # ``tick`` carries it out or refuses it as soon as that is known.
                answer: Future[Answer] = Future()
                self._held = command, source, answer
                return answer
            if obstacle:
                return self._refused(command.verb, source, obstacle)
        return self._do(command, source)

    def _obstacle(self) -> str | None:
        return (
            'the recorder is shutting down' if self._is_ending else self._surroundings.obstacle()
        )

    def _do(self, command: Command, source: str) -> Future[Answer]:
        try:
            if command.verb in SAYING:
                answer = self._annotate(command, source)
            else:
                answer = self._verbs[command.verb](command.text, source)
        except StreamrecError as error:
            reason = f'{error}{self._surroundings.hint(error)}'
            return self._refused(command.verb, source, reason)
        self._was_running = self._is_running
        return answer

    @property
    def _is_running(self) -> bool:
        return self._recorder.state in (RecorderState.RECORDING, RecorderState.PAUSED)

    # --- answers -------------------------------------------------------------------------------

    def _publish(self, event: Event) -> None:
        is_saved = event.verb == SAVED and event.success
        self._last_result = f'saved {event.message}' if is_saved else event.message
        self._recorded_result = self._recorder.last_result
        self._surroundings.publish(event)

    def _told(self, event: Event) -> Future[Answer]:
        self._publish(event)
        return settled(Answer(event.success, event.message))

    def _done(self, verb: Verb, source: str, message: str, **keys: Any) -> Future[Answer]:
        index = self._recorder.next_index
        return self._told(Event(source, verb.value, True, message, index, **keys))

    def _refused(self, verb: Verb, source: str, reason: str) -> Future[Answer]:
        obstacle = self._obstacle()
        if obstacle and obstacle not in reason:
            # The other recorder may have carried the command out instead.
            reason = f'{reason}; {obstacle}'
        if self._was_running and not self._is_running:
            # The refused save ended an episode that had failed, which is now in quarantine.
            self._automatic.note_end(self._clock_ns(), is_saved=False)
        self._was_running = self._is_running
        return self._told(Event(source, verb.value, False, reason, self._recorder.next_index))

    def _told_later(self, done: Future[Any], event_of: Callable[[], Event]) -> Future[Answer]:
        answer: Future[Answer] = Future()
        self._pending.when(done, lambda: settle(answer, self._told(event_of()).result()))
        return answer

    def _answer_later(
        self, verb: Verb, source: str, done: Future[str], **keys: Any
    ) -> Future[Answer]:
        def end() -> Event:
            self._long.pop(verb, None)
            error = done.exception()
            return Event(source, verb.value, not error, str(error or done.result()), **keys)

        return self._told_later(done, end)

    def _expect_save(self, saving: Future[EpisodeSummary], source: str) -> Future[Answer]:
        def end() -> Event:
            self._expected.discard(saving)
            index, error = None, saving.exception()
            if error is None:
                summary = saving.result()
                index = summary.episode.episode_index
                message = '; '.join((str(summary), *self._surroundings.advice(summary)))
            else:
                message = str(error)
                self._automatic.note_lost(self._clock_ns())
            return Event(source, SAVED, error is None, message, index)

        self._expected.add(saving)
        return self._told_later(saving, end)

    # --- verbs ---------------------------------------------------------------------------------

    def _start(self, task: str, source: str) -> Future[Answer]:
        index = self._recorder.start(task)
        self._automatic.note_start()
        told = f'recording episode {index}: {self._task(task)}'
        if before_s := self._recorder.seconds:
            told += f' (with {before_s:.1f} s from before the start)'
        return self._done(Verb.START, source, told, task=self._recorder.task)

    def _task(self, given: str) -> str:
        if given:
            self._surroundings.note_task(given)
        return self._recorder.task

    def _toggle(self, text: str, source: str) -> Future[Answer]:
        verb = Verb.SAVE if self._is_running else Verb.START
        return self._verbs[verb](text, source)

    def _save(self, verdict: str, source: str) -> Future[Answer]:
        now_ns = self._clock_ns()
        if not self._is_running and self._automatic.is_resetting(now_ns):
            self._automatic.end_reset()
            return self._done(Verb.SAVE, source, 'the reset phase is over')
        self._refuse_a_slip(source)
        if verdict and self._is_running:
            self._recorder.annotate(VERDICT, verdict)
        index, saving = self._recorder.next_index, self._recorder.save()
        self._automatic.note_end(now_ns, is_saved=True)
        message = f'saving episode {index} ({self._recorder.last_take})'
        self._told(Event(source, Verb.SAVE.value, True, message, index, text=verdict or None))
        return self._expect_save(saving, source)

    def _refuse_a_slip(self, source: str) -> None:
        """Read the messages that wait; raise EpisodeStateError for a very short episode."""
        if not self._is_running:
            return
        self._surroundings.read_waiting()
        recorder = self._recorder
        if source == AUTOMATIC or recorder.failure:
            return
        if refusal := self._slips.refusal(recorder.next_index, recorder.seconds, self._clock_ns()):
            raise EpisodeStateError(refusal)

    def _discard(self, _text: str, source: str) -> Future[Answer]:
        now_ns = self._clock_ns()
        if not self._is_running and self._automatic.is_resetting(now_ns):
            # The operator wants to repeat the last episode, which is already saved.
            if Verb.UNDO in self._long:
                raise EpisodeStateError(busy_text(Verb.UNDO, self._long[Verb.UNDO]))
            undoing = self._undo('', source)
            self._automatic.note_lost(now_ns)
            self._automatic.end_reset()
            return undoing
        discarding = self._recorder.discard()
        self._automatic.note_end(now_ns, is_saved=False)
        return self._answer_later(Verb.DISCARD, source, discarding)

    def _rotate(self, task: str, source: str) -> Future[Answer]:
        if not self._is_running:
            return self._start(task, source)
        self._refuse_a_slip(source)
        rotation = self._recorder.rotate(task)
        self._automatic.note_end(self._clock_ns(), is_saved=True)
        self._automatic.note_start()
        task = self._task(task)
        told = f'saving {rotation.ended}; recording episode {rotation.index}: {task}'
        self._expect_save(rotation.saving, source)
        return self._done(Verb.ROTATE, source, told, task=task)

    def _do_at_once(self, verb: Verb, act: Act, text: str, source: str) -> Future[Answer]:
        """Do something at the present instant of the streams, and tell its sentence."""
        if self._is_running:
            self._surroundings.read_waiting()
        told, said = act(text)
        return self._done(verb, source, told, text=said)

    def _undo(self, _text: str, source: str) -> Future[Answer]:
        undoing = self._recorder.undo()
        self._long[Verb.UNDO] = source
        return self._answer_later(Verb.UNDO, source, undoing)

    def _finalize(self, _text: str, source: str) -> Future[Answer]:
        finalizing = self._recorder.finalize()
        self._long[Verb.FINALIZE] = source
        self._automatic.note_finalize()
        # The thread that finalizes makes the sentence, and it must not ask the recorder.
        root = self._recorder.status().root
        told = then(finalizing, lambda done: f'{done}, in {root}')
        return self._answer_later(Verb.FINALIZE, source, told)

    def _annotate(self, command: Command, source: str) -> Future[Answer]:
        name = VERDICT if command.verb is Verb.VERDICT else NOTES
        said = self._recorder.annotate(name, command.text, command.episode)
        running = self._recorder.next_index if self._is_running else None
        index = running if command.episode is None else command.episode
        return self._answer_later(command.verb, source, said, episode=index, text=command.text)

    # --- between commands ----------------------------------------------------------------------

    def collect(self) -> None:
        """Handle episodes that ended without a command, and the results of other threads."""
        for saving in self._recorder.new_saves():
            if saving not in self._expected:
                self._expect_save(saving, RECORDER)
        self._look_for_own_ends()
        self._pending.collect()

    def _look_for_own_ends(self) -> None:
        if self._was_running and not self._is_running:
            message = self._recorder.status().disk.problem or 'the recorder is shutting down'
            self._told(Event(RECORDER, Verb.SAVE.value, True, f'the episode ended: {message}'))
            self._automatic.note_end(self._clock_ns(), is_saved=True)
        self._was_running = self._is_running
        before, self._failure = self._failure, self._recorder.failure
        if self._failure and self._failure != before:
            message = f'the running episode cannot be saved: {self._failure}'
            self._told(Event(RECORDER, FAILED, False, message, self._recorder.next_index))

    def tick(self) -> None:
        """Carry out the commands that are due: one that waits, and those of automatic episodes."""
        self.collect()
        if self._held is not None and self._obstacle() is not None:
            (command, source, answer), self._held = self._held, None
            carried_out = self.carry_out(command, source)
            carried_out.add_done_callback(lambda told: settle(answer, told.result()))
        if self._automatic.is_on and self._held is None and not self._is_ending:
            self._go_on_by_itself()

    def _go_on_by_itself(self) -> None:
        verb = self._automatic.due(
            self._recorder, self._clock_ns(), is_ready=lambda: not self.blockers()
        )
        if verb is not None:
            answer = self.carry_out(Command(verb), AUTOMATIC)
            if answer.done() and not answer.result().success:
                self._automatic.note_refusal(self._clock_ns())

    def end(self) -> None:
        """Answer a command that still waits, and begin no episode from now on."""
        self._is_ending = True
        self.tick()

    def blockers(self) -> list[str]:
        """Return the reasons why no episode could start now, except for a running one."""
        # An unknown obstacle (None) is no blocker: a start then waits until it is known.
        return [text for text in (self._obstacle(), *self._recorder.start_problems()) if text]

    def status(self, status: RecorderStatus) -> OperatingStatus:
        """
        Return a snapshot for operators.

        :param status: present status of the recorder
        """
        now_ns = self._clock_ns()
        is_later = status.last_result != self._recorded_result
        blockers = tuple(self.blockers()) if status.state is RecorderState.IDLE else ()
        return OperatingStatus(
            phase=phase_of(status.state, self._automatic, now_ns, is_ready=not blockers),
            blockers=blockers,
            phase_seconds_left=self._automatic.seconds_left(status, now_ns),
            automatic=str(self._automatic),
            obstacle=self._surroundings.obstacle() or '',
            takeover=self._takeover.state(status),
            last_command=self._last[0],
            last_source=self._last[1],
            last_result=status.last_result if is_later else self._last_result,
        )
