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
"""The encoder of each camera, chosen before an episode at the size of the camera's pictures."""

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
from lerobot_streamrec.video.codecs.config import AUTO, EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.settings_check import COLOUR_CHANNELS, DEPTH_CHANNELS
from lerobot_streamrec.video.trials.auto_select import choose_encoder, known_trial
from lerobot_streamrec.video.trials.software_probe import check_encoder
from lerobot_streamrec.video.trials.trial import check_before_trial, TrialCancelledError

THREAD_NAME = 'try-encoder'

# The assumed width and height of a camera that has not sent a picture yet.
_USUAL_SIZE = (640, 480)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Decision:
    """
    The outcome of trying a camera's encoder.

    :param size: width and height of the pictures, in pixels
    :param encoder: settings that encode pictures of this size; None: the trial is still running,
        or no encoder works
    :param problem: reason why no encoder works; None if one does, or the trial is still running
    """

    size: tuple[int, int]
    encoder: EncoderConfig | None = None
    problem: CodecError | None = None


class EncoderChoices:
    """
    Tries the encoders of all cameras at construction, and again at the pictures' actual sizes.

    Encoders that are part of every PyAV are tried once, with two frames. All others, and ``auto``,
    are tried in child processes. The methods belong to one thread (the recorder's). Except for
    ``close`` they do not wait for a trial, which runs in a thread of its own.

    :param config: settings
    :raise CodecError: if an encoder that was chosen by name does not work, or none works at all
    :raise ConfigError: if a codec does not support this frame rate
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
        """Warn early of a codec that ``start`` will refuse unless the camera itself sends it."""
        for camera in self._config.cameras:
            there, now = self._codecs.get(camera.key), self.encoder(camera.key).codec
            if there and there != now:
                _log.warning(
                    '%s: the dataset stores it as %s, but encoder.vcodec produces %s: no episode '
                    'will start unless the camera sends %s packets',
                    *(camera.key, there, now, there),
                )

    def encoder(self, key: str) -> EncoderConfig:
        """Return the encoder settings that are known for a camera so far; never ``auto``."""
        if key in self._bundled:
            return self._bundled[key]
        self._take_answers()
        encoder = self._tried[key].encoder
        assert encoder is not None
        return encoder

    # --- the recorder's thread -----------------------------------------------------------------

    def _take_answers(self) -> None:
        while not self._answers.empty():
            key, decision = self._answers.get_nowait()
            # The size of the pictures may have changed again in the meantime.
            if self._tried[key].size == decision.size:
                self._tried[key] = decision

    def note_size(self, key: str, width: int, height: int) -> None:
        """
        Have the camera's encoder tried again if this size is new. Never blocks.

        :param key: name of the camera; vectors are ignored
        :param width: width of a picture, in pixels
        :param height: height of a picture, in pixels
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
        Return the encoders for the pictures that the cameras send now.

        :param streams: all streams, each with a sample
        :return: encoder settings by camera
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
        Abort the running trial. Idempotent.

        :param timeout_s: longest time to wait for the thread, in seconds
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
        Find an encoder that works for a camera's pictures.

        :raise CodecError: if there is none
        :raise TrialCancelledError: if the recorder shuts down
        """
        asked, (width, height) = self._asked(camera), size
        spec = VideoSpec(width, height, self._config.fps)
        sharing = [one for one in self._config.cameras if self._asked(one) == asked]
        num_streams = len(sharing)
        if asked.vcodec == AUTO:
            codec = self._codecs.get(camera.key)
            choice = choose_encoder(
                asked,
                spec,
                num_streams=num_streams,
                codec=str(codec) if codec else None,
                try_one=known_trial,
                stop=self._stop,
            )
            self._say(f'{camera.key}: {choice}')
            return choice.config
        check_before_trial(asked)
        trial = known_trial(asked, spec, num_streams=num_streams, stop=self._stop)
        if not trial.works:
            raise CodecError(
                'encoder.vcodec',
                asked.vcodec,
                f'it does not work here with the {width}x{height} pixels of {camera.key}: '
                f'{trial.problem}; use {AUTO} or a software encoder',
            )
        self._say(f'{camera.key}: {asked.vcodec} encodes {trial}')
        if trial.headroom < 1:
            _log.warning('%s: %s is slower than the camera', camera.key, asked.vcodec)
        return asked

    def _say(self, sentence: str) -> None:
        self.sentences.append(sentence)
        _log.info('%s', sentence)
