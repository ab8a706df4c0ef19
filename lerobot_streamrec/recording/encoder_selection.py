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
"""What encodes each camera, found out before an episode begins, at the size of its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import logging
from queue import SimpleQueue
import threading

from lerobot_streamrec.dataset.format.features import VIDEO_CODEC
from lerobot_streamrec.dataset.format.info import known_features
from lerobot_streamrec.errors import CodecError, StreamsNotReadyError
from lerobot_streamrec.recording.config import RecorderConfig, StreamConfig
from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.video.codecs.config import AUTO, EncoderConfig
from lerobot_streamrec.video.codecs.settings_check import COLOUR_CHANNELS, DEPTH_CHANNELS
from lerobot_streamrec.video.trials.auto_select import choose_encoder
from lerobot_streamrec.video.trials.known_trials import known_trial
from lerobot_streamrec.video.trials.software_probe import check_encoder
from lerobot_streamrec.video.trials.trial import check_before_trial, TrialCancelledError

THREAD_NAME = 'try-encoder'

# Of pictures that were not seen yet.
_USUAL_SIZE = (640, 480)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Decision:
    """
    What was found out for a camera.

    :param size: width and height of the pictures that it is for, in pixels
    :param encoder: settings that encode such pictures; None: they are being found out
    :param problem: reason why no encoder does
    """

    size: tuple[int, int]
    encoder: EncoderConfig | None = None
    problem: CodecError | None = None


class EncoderChoices:
    """
    Tries the encoders of all cameras at construction, and again at the real sizes of pictures.

    Encoders that every PyAV brings are tried with two frames, once; all others, and ``auto``, in
    child processes. Methods belong to one thread (the executor's) and do not wait for a trial;
    a thread of its own does, ``close`` apart.

    :param config: settings
    :raise CodecError: if an encoder that was asked for by name does not work, or none at all does
    :raise ConfigError: if one does not go at this rate
    """

    def __init__(self, config: RecorderConfig) -> None:
        self._config = config
        self._stop = threading.Event()
        self._tasks: SimpleQueue[tuple[StreamConfig, tuple[int, int]] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[str, _Decision]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        present = known_features(config.root) if config.resume else {}
        self._codecs = {key: spec.info.get(VIDEO_CODEC) for key, spec in present.items()}
        self._bundled: dict[str, EncoderConfig] = {}
        self._tried: dict[str, _Decision] = {}
        self.sentences: list[str] = []
        self._check_bundled()
        for camera in config.cameras:
            if camera.key not in self._bundled:
                shape = present[camera.key].picture_shape if camera.key in present else None
                size = (shape[1], shape[0]) if shape else _USUAL_SIZE
                encoder = self._try(camera, size)
                self._tried[camera.key] = _Decision(size, encoder)
        self._warn_of_other_codecs()

    def _check_bundled(self) -> None:
        checked: list[tuple[EncoderConfig, bool]] = []
        for camera in self._config.cameras:
            encoder, is_depth = self._config.encoder_of(camera), camera.depth is not None
            if not encoder.is_bundled:
                continue
            self._bundled[camera.key] = encoder
            if (encoder, is_depth) not in checked:
                checked.append((encoder, is_depth))
                channels = DEPTH_CHANNELS if is_depth else COLOUR_CHANNELS
                check_encoder(encoder, self._config.fps, channels)

    def _warn_of_other_codecs(self) -> None:
        """Say early what start will refuse, unless the camera itself sends the right codec."""
        for camera in self._config.cameras:
            there, now = self._codecs.get(camera.key), self.encoder(camera.key).codec
            if there and there != now:
                _log.warning(
                    '%s: the dataset holds %s, and encoder.vcodec makes %s: no episode will '
                    'start unless the camera sends %s packets',
                    *(camera.key, there, now, there),
                )

    def encoder(self, key: str) -> EncoderConfig:
        """Return what encodes a camera's pictures, as far as it is known; never ``auto``."""
        if key in self._bundled:
            return self._bundled[key]
        self._take_answers()
        encoder = self._tried[key].encoder
        assert encoder is not None
        return encoder

    # --- the executor's thread -----------------------------------------------------------------

    def _take_answers(self) -> None:
        while not self._answers.empty():
            key, decision = self._answers.get_nowait()
            # Pictures may have changed their size again meanwhile.
            if self._tried[key].size == decision.size:
                self._tried[key] = decision

    def note_size(self, key: str, width: int, height: int) -> None:
        """
        Take note of a picture; if its size is new, have the encoder tried at that. Never blocks.

        :param key: name of the camera; vectors are left alone
        :param width: in pixels
        :param height: in pixels
        """
        self._take_answers()
        decision = self._tried.get(key)
        if decision is None or decision.size == (width, height) or self._stop.is_set():
            return
        self._tried[key] = _Decision((width, height))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=False)
            self._thread.start()
        (camera,) = (one for one in self._config.cameras if one.key == key)
        self._tasks.put((camera, (width, height)))

    def settled(self, streams: Iterable[Stream]) -> Mapping[str, EncoderConfig]:
        """
        Return what encodes the pictures that cameras bring now.

        :param streams: all of them, each with a sample
        :return: by camera
        :raise StreamsNotReadyError: if an encoder is still being tried
        :raise CodecError: if a camera's encoder does not work at the size of its pictures
        """
        settled, pending = {}, []
        for camera in (one for one in streams if one.config.is_camera):
            key, picture = camera.config.key, camera.whole_picture
            if key in self._bundled:
                settled[key] = self._bundled[key]
                continue
            self.note_size(key, picture.width, picture.height)
            decision = self._tried[key]
            if decision.problem is not None:
                raise decision.problem
            if decision.encoder is None:
                vcodec, (width, height) = self._asked(camera.config).vcodec, decision.size
                pending.append(
                    f'the encoder of {key} ({vcodec}) is still being tried at {width}x{height}'
                )
            else:
                settled[key] = decision.encoder
        if pending:
            raise StreamsNotReadyError(pending)
        return settled

    def close(self, timeout_s: float) -> bool:
        """
        Give up what is being tried. Idempotent.

        :param timeout_s: how long that may take
        :return: True if the thread has ended
        """
        self._stop.set()
        if self._thread is None:
            return True
        self._tasks.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # --- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None and not self._stop.is_set():
            camera, size = task
            try:
                decision = _Decision(size, self._try(camera, size))
            except CodecError as error:
                _log.error('%s: %s', camera.key, error)
                decision = _Decision(size, problem=error)
            except TrialCancelledError:
                return
            self._answers.put((camera.key, decision))

    # --- any thread ----------------------------------------------------------------------------

    def _asked(self, camera: StreamConfig) -> EncoderConfig:
        return self._config.encoder_of(camera)

    def _try(self, camera: StreamConfig, size: tuple[int, int]) -> EncoderConfig:
        """
        Find out what encodes a camera's pictures.

        :raise CodecError: if nothing does
        :raise TrialCancelledError: if the recorder ends
        """
        asked, (width, height), fps = self._asked(camera), size, self._config.fps
        sharing = [one for one in self._config.cameras if self._asked(one) == asked]
        num_streams = len(sharing)
        if asked.vcodec == AUTO:
            codec = self._codecs.get(camera.key)
            choice = choose_encoder(
                asked,
                width=width,
                height=height,
                fps=fps,
                num_streams=num_streams,
                codec=str(codec) if codec else None,
                try_one=known_trial,
                stop=self._stop,
            )
            self._say(f'{camera.key}: {choice}')
            return choice.config
        check_before_trial(asked)
        trial = known_trial(
            asked, width=width, height=height, fps=fps, num_streams=num_streams, stop=self._stop
        )
        if not trial.works:
            raise CodecError(
                'encoder.vcodec',
                asked.vcodec,
                f'it does not work here with {width}x{height} pixels for {camera.key}: '
                f'{trial.problem}; take {AUTO} or a software encoder',
            )
        self._say(f'{camera.key}: {asked.vcodec} encodes {trial}')
        if trial.headroom < 1:
            _log.warning('%s: %s is slower than its pictures come', camera.key, asked.vcodec)
        return asked

    def _say(self, sentence: str) -> None:
        self.sentences.append(sentence)
        _log.info('%s', sentence)
