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
"""The encoders of cameras with ``encoder.vcodec auto``, chosen for all cameras at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
import logging
from queue import SimpleQueue
import threading
import time

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.frame import EncodedPacket, Picture
from lerobot_streamrec.recording.config import DEFERRED, RecorderConfig
from lerobot_streamrec.video.codecs.config import AUTO, EncoderConfig, LADDER, VideoSpec
from lerobot_streamrec.video.trials.auto_select import (
    CameraNeed,
    choose_encoders,
    known_trial,
    lowest_encoder,
)
from lerobot_streamrec.video.trials.choice import Choice, encoder_text
from lerobot_streamrec.video.trials.cost import CostMeter, costs_path

USUAL_SIZE = (640, 480)
"""The assumed width and height of a camera that has not sent a picture yet, in pixels."""

# Receipt is measured at least this long.
_RECEIPT_S = 0.5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Question:
    """
    A choice that has to be made.

    :param needs: need of each camera whose pictures have to be encoded
    :param since_s: time at which the pictures of all cameras had arrived
    :param since_cpu_s: CPU time of this process until then
    """

    needs: Mapping[str, CameraNeed]
    since_s: float
    since_cpu_s: float

    @classmethod
    def now(cls, needs: Mapping[str, CameraNeed]) -> _Question:
        """Return the question at this moment."""
        return cls(needs, time.monotonic(), time.process_time())

    def receipt_cores(self, stop: threading.Event) -> float:
        """Return how many cores this process has kept busy since then; may wait for a moment."""
        stop.wait(max(0.0, self.since_s + _RECEIPT_S - time.monotonic()))
        return (time.process_time() - self.since_cpu_s) / (time.monotonic() - self.since_s)


class AutoEncoders:
    """
    Has encoders chosen once the pictures of all cameras are known; until then, the cheapest one.

    The methods belong to one thread (the recorder's) and do not wait, apart from ``choose_now``.

    :param config: settings
    :param codecs: codec of each camera in the dataset
    :param submit: runs a function in the thread of trials
    :param stop: event that cancels the trials
    """

    def __init__(
        self,
        config: RecorderConfig,
        codecs: Mapping[str, str],
        submit: Callable[[Callable[[], None]], None],
        stop: threading.Event,
    ) -> None:
        self._config = config
        self._codecs = dict(codecs)
        self._submit = submit
        self._stop = stop
        self._keys = [one.key for one in config.cameras if config.encoder_of(one).vcodec == AUTO]
        self._sizes: dict[str, tuple[int, int]] = {}
        self._copied: set[str] = set()
        self._question: _Question | None = None
        self._choice: Choice | CodecError | None = None
        self._answers: SimpleQueue[tuple[_Question, Choice | CodecError]] = SimpleQueue()

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def encoder(self, key: str) -> EncoderConfig:
        """Return the encoder of a camera with ``auto`` that is known so far."""
        chosen = self.choice.level.encoders if self.choice is not None else {}
        return chosen.get(key) or self._before_choice(key)

    def _before_choice(self, key: str) -> EncoderConfig:
        need = self._need(key, USUAL_SIZE)
        best = need.config.on_rung(LADDER[0])
        # After an episode there is time for the best encoder.
        is_best = self._config.encode == DEFERRED and need.codec in ('', best.codec)
        return best if is_best else lowest_encoder(need)

    @property
    def choice(self) -> Choice | None:
        """The choice that was made; None if there is none yet."""
        self._take_answers()
        return self._choice if isinstance(self._choice, Choice) else None

    @property
    def is_choosing(self) -> bool:
        """True while trials are under way."""
        self._take_answers()
        return self._question is not None and self._choice is None

    @property
    def problem(self) -> CodecError | None:
        """The reason why no encoder works; None if one does, or none has been chosen yet."""
        self._take_answers()
        return self._choice if isinstance(self._choice, CodecError) else None

    def _take_answers(self) -> None:
        while not self._answers.empty():
            question, choice = self._answers.get_nowait()
            # Sizes or codecs may have changed in the meantime.
            if question is self._question:
                self._choice = choice

    def note_picture(self, key: str, picture: Picture) -> None:
        """
        Have the encoders chosen again if the kind of a camera's pictures is new.

        :param key: name of any camera; the others count too
        :param picture: one of its pictures that is known to decode
        """
        size, is_copied = (picture.width, picture.height), isinstance(picture, EncodedPacket)
        if self._sizes.get(key) == size and (key in self._copied) == is_copied:
            return
        self._sizes[key] = size
        (self._copied.add if is_copied else self._copied.discard)(key)
        self._ask()

    def begin(self, encoders: Mapping[str, EncoderConfig]) -> None:
        """
        Keep the codecs of an episode that begins, since a dataset has one for each camera.

        :param encoders: settings by camera
        """
        is_early = self.choice is None and self._question is not None
        for key in self._keys:
            if key in self._codecs or key in self._copied:
                continue
            self._codecs[key] = encoders[key].codec
            if is_early:
                _log.warning(
                    '%s is encoded with %s, because %s was still measuring when the episode '
                    'began; the dataset keeps this codec',
                    *(key, encoder_text(encoders[key]), AUTO),
                )
        if is_early:
            self._ask()

    def _ask(self) -> None:
        """Have a choice made if that is necessary, and all cameras are known."""
        needs = self._needs()
        if needs is not None and (self._question is None or needs != self._question.needs):
            self._question, self._choice = _Question.now(needs), None
            self._submit(partial(self._answer, self._question))

    def _needs(self) -> dict[str, CameraNeed] | None:
        """Return the needs of all cameras; None if nothing can or has to be chosen."""
        keys = [one.key for one in self._config.cameras if one.key not in self._copied]
        is_wanted = self._config.encode != DEFERRED and any(key in self for key in keys)
        if not is_wanted or not all(key in self._sizes for key in keys):
            return None
        return {key: self._need(key, self._sizes[key]) for key in keys}

    def _need(self, key: str, size: tuple[int, int]) -> CameraNeed:
        camera = next(one for one in self._config.cameras if one.key == key)
        spec = VideoSpec(*size, self._config.fps)
        return CameraNeed(self._config.encoder_of(camera), spec, self._codecs.get(key, ''))

    def choose_now(self, sizes: Mapping[str, tuple[int, int]]) -> Choice | None:
        """
        Choose before any picture has come, and wait for the trials.

        :param sizes: assumed width and height of each camera's pictures
        :return: the choice; None if there is nothing to choose
        :raise CodecError: if no encoder works
        """
        self._sizes = dict(sizes)
        needs = self._needs()
        return None if needs is None else self._choose(_Question.now(needs))

    # --- the thread of trials ------------------------------------------------------------------

    def _answer(self, question: _Question) -> None:
        try:
            choice: Choice | CodecError = self._choose(question)
        except CodecError as error:
            _log.error('%s', error)
            choice = error
        self._answers.put((question, choice))

    def _choose(self, question: _Question) -> Choice:
        with CostMeter(self._stop, kept=costs_path()) as meter:
            choice = choose_encoders(
                question.needs,
                meter,
                wanted_head_room=self._config.head_room,
                receipt_cores=lambda: question.receipt_cores(self._stop),
                try_one=known_trial,
                stop=self._stop,
            )
        if choice.fits:
            _log.info('%s', choice)
        else:
            _log.warning('frames will have to wait on the disk: %s', choice)
        return choice
