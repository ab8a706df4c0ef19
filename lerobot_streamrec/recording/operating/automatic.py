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
"""Episodes that begin and end automatically, by a clock or by the leader arm's motion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lerobot_streamrec.recording.operating.command import Verb
from lerobot_streamrec.recording.operating.config import AutomaticConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.status import RecorderState, RecorderStatus
from lerobot_streamrec.recording.streams.sampling import Course
from lerobot_streamrec.sync.row_clock import NS_PER_S
import numpy as np
import numpy.typing as npt


class Motion:
    """
    Compares the action with its values at the last motion. Owned by the recorder's thread.

    :param threshold: change of an element that counts as motion, in the element's own unit
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._places: dict[str, npt.NDArray[np.float64]] = {}
        self._newest_ns: int | None = None
        self._moved_ns: int | None = None
        self.has_moved = False
        """True if the action has moved since ``watch``."""

    def watch(self, *, has_moved: bool = False) -> None:
        """
        Start again, with the next values as the place of rest.

        :param has_moved: True if the action is already moving
        """
        self._places.clear()
        self._moved_ns = self._newest_ns
        self.has_moved = has_moved

    def push(self, key: str, stamp_ns: int, values: Any) -> None:
        """
        Add an action message.

        :param key: stream that brings this part of the action
        :param stamp_ns: its stamp
        :param values: numbers ``(d,)``, or a trajectory
        """
        now_at = values.at(0) if isinstance(values, Course) else values
        place = np.asarray(now_at, dtype=np.float64).ravel()
        before = self._places.get(key)
        if self._newest_ns is None or stamp_ns < self._newest_ns - NS_PER_S:
            # The clock was set back, so the time without motion starts again.
            self._moved_ns = stamp_ns
            self._newest_ns = stamp_ns
        self._newest_ns = max(self._newest_ns, stamp_ns)
        if before is None or before.shape != place.shape:
            self._places[key] = place
        elif np.abs(place - before).max(initial=0.0) > self._threshold:
            self._places[key] = place
            self._moved_ns = stamp_ns
            self.has_moved = True

    @property
    def still_s(self) -> float:
        """The time without motion by the action's own stamps, in seconds."""
        if self._newest_ns is None or self._moved_ns is None:
            return 0.0
        return max(0, self._newest_ns - self._moved_ns) / NS_PER_S


# A refused start or save is not retried at once, because each attempt publishes an event.
_AGAIN_AFTER_NS = 2 * NS_PER_S


Progress = Recorder | RecorderStatus
"""The progress of an episode: the recorder itself, or a snapshot of it."""


class Automatic:
    """
    Decides which command is due; the machine reports the commands that were carried out.

    Owned by the recorder's thread.

    :param config: rules for the start and end of episodes
    :param min_episode_s: shortest episode that is saved because the action is still
    """

    def __init__(self, config: AutomaticConfig, min_episode_s: float) -> None:
        self._config = config
        self._min_episode_s = min_episode_s
        self.motion = Motion(config.motion_threshold)
        self._num_done = 0
        self._reset_until_ns: int | None = None
        self._is_finalized = False
        self._is_armed = False
        self._not_before_ns: int | None = None

    @property
    def is_on(self) -> bool:
        """True if automatic episodes are configured."""
        return self._config.is_on

    @property
    def is_over(self) -> bool:
        """True if no more episodes begin: all are recorded, or the dataset is finalized."""
        return self._is_finalized or self._has_all

    @property
    def _has_all(self) -> bool:
        return 0 < self._config.num_episodes <= self._num_done

    def is_resetting(self, now_ns: int) -> bool:
        """
        Tell whether the reset phase between two episodes is running.

        :param now_ns: steady clock
        """
        return self._reset_until_ns is not None and now_ns < self._reset_until_ns

    def seconds_left(self, recorder: Progress, now_ns: int) -> float | None:
        """
        Return the time until the present phase ends, in seconds; None: it does not end by itself.

        :param recorder: present progress of the recorder
        :param now_ns: steady clock
        """
        if not self.is_on:
            return None
        longest_s = self._config.longest_episode_s
        if recorder.state in (RecorderState.RECORDING, RecorderState.PAUSED):
            return None if longest_s is None else max(0.0, longest_s - recorder.seconds)
        if self._reset_until_ns is not None and now_ns < self._reset_until_ns:
            return (self._reset_until_ns - now_ns) / NS_PER_S
        return None

    def __str__(self) -> str:
        if not self.is_on:
            return ''
        of = f' of {self._config.num_episodes}' if self._config.num_episodes else ''
        return f'{self._num_done}{of} automatic episodes'

    def due(self, recorder: Progress, now_ns: int, *, is_ready: Callable[[], bool]) -> Verb | None:
        """
        Return the command that is due; None: none is.

        :param recorder: present progress of the recorder
        :param now_ns: steady clock
        :param is_ready: function that tells whether an episode could start; called only if needed
        """
        if not self.is_on or (self._not_before_ns is not None and now_ns < self._not_before_ns):
            return None
        if recorder.state is RecorderState.RECORDING:
            return Verb.SAVE if self._is_at_end(recorder) else None
        if recorder.state is not RecorderState.IDLE:
            return None
        if self.is_over:
            return None if self._is_finalized else Verb.FINALIZE
        if self.is_resetting(now_ns):
            self._is_armed = False
            return None
        return Verb.START if is_ready() and self._is_at_begin() else None

    def _is_at_end(self, recorder: Progress) -> bool:
        if recorder.failure:
            # It gets no more rows. The save is refused with the reason and quarantines it.
            return True
        longest_s, still_s = self._config.longest_episode_s, self._config.save_after_still_s
        if longest_s is not None and recorder.seconds >= longest_s:
            return True
        is_still = self.motion.has_moved and self.motion.still_s >= still_s > 0.0
        return is_still and recorder.seconds >= self._min_episode_s

    def _is_at_begin(self) -> bool:
        if not self._config.start_on_motion:
            return True
        if not self._is_armed:
            # Motion during the reset phase must not start an episode.
            self.motion.watch()
            self._is_armed = True
        return self.motion.has_moved

    # --- what was done -------------------------------------------------------------------------

    def note_refusal(self, now_ns: int) -> None:
        """Record that a due command was refused."""
        self._not_before_ns = now_ns + _AGAIN_AFTER_NS

    def note_start(self) -> None:
        """Record that an episode has begun."""
        self._reset_until_ns, self._is_armed = None, False
        self._is_finalized = False
        self.motion.watch(has_moved=self.motion.has_moved and self._config.start_on_motion)

    def note_end(self, now_ns: int, *, is_saved: bool) -> None:
        """
        Record that an episode has ended.

        :param now_ns: steady clock
        :param is_saved: False: the episode does not count and is recorded again
        """
        self._num_done += int(is_saved)
        self._is_armed = False
        if self.is_on and not self._has_all:
            self._reset_until_ns = now_ns + round(self._config.reset_s * NS_PER_S)

    def note_lost(self, now_ns: int) -> None:
        """Record that an episode that counted as saved is not in the dataset after all."""
        was_done = self._has_all
        self._num_done = max(0, self._num_done - 1)
        if was_done:
            self._reset_until_ns = now_ns + round(self._config.reset_s * NS_PER_S)

    def note_finalize(self) -> None:
        """Record that the dataset is being finalized, after which no episode begins by itself."""
        self._is_finalized, self._reset_until_ns = True, None

    def end_reset(self) -> None:
        """End the reset phase between two episodes early."""
        self._reset_until_ns = None
