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

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
import logging
from queue import SimpleQueue
import threading

from lerobot_streamrec.dataset.format.features import FeatureSpec, VIDEO_CODEC
from lerobot_streamrec.dataset.format.info import known_features
from lerobot_streamrec.errors import CodecError, StreamsNotReadyError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.recording.auto_encoders import AutoEncoders, USUAL_SIZE
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.video.codecs.config import AUTO, EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.settings_check import (
    check_before_trial,
    COLOUR_CHANNELS,
    DEPTH_CHANNELS,
)
from lerobot_streamrec.video.trials.auto_select import known_trial
from lerobot_streamrec.video.trials.choice import Choice
from lerobot_streamrec.video.trials.software_probe import check_encoder
from lerobot_streamrec.video.trials.trial import TrialCancelledError

THREAD_NAME = 'try-encoder'

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Decision:
    """
    The outcome of trying an encoder that was set by name.

    :param size: width and height of the pictures, in pixels
    :param encoder: settings that encode pictures of this size; None: the trial is still running,
        or the encoder does not work
    :param problem: reason why the encoder does not work; None if it does, or the trial is still
        running
    """

    size: tuple[int, int]
    encoder: EncoderConfig | None = None
    problem: CodecError | None = None


class EncoderChoices:
    """
    Decides about the encoders of all cameras, at the actual sizes of their pictures.

    Encoders that are part of every PyAV are tried once, with two frames. All others that are set
    by name are tried in child processes, at construction and again at the actual sizes;
    ``AutoEncoders`` chooses for ``auto``. The methods belong to one thread (the recorder's).
    Except for ``close`` they do not wait for a trial, which runs in a thread of its own.

    :param config: settings
    :raise CodecError: if an encoder does not work with its settings
    :raise ConfigError: if a codec does not support this frame rate
    """

    def __init__(self, config: RecorderConfig) -> None:
        self._config = config
        self._stop = threading.Event()
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[str, _Decision]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        present = known_features(config.root) if config.resume else {}
        self._codecs = {
            key: str(spec.info[VIDEO_CODEC])
            for key, spec in present.items()
            if spec.info.get(VIDEO_CODEC)
        }
        self._auto = AutoEncoders(config, self._codecs, self._submit, self._stop)
        self._bundled: dict[str, EncoderConfig] = {}
        self._tried: dict[str, _Decision] = {}
        self._sentences: list[str] = []
        # The sizes before any picture has come: those of the dataset, else the usual one.
        self._first_sizes = {one.key: _first_size(present.get(one.key)) for one in config.cameras}
        self._check_bundled()
        for camera in config.cameras:
            if camera.key not in self._bundled and camera.key not in self._auto:
                size = self._first_sizes[camera.key]
                encoder = self._try(camera, size)
                self._tried[camera.key] = _Decision(size, encoder)
        self._warn_of_other_codecs()

    def _check_bundled(self) -> None:
        checked: list[tuple[EncoderConfig, bool]] = []
        for camera in self._config.cameras:
            encoder, is_depth = self._config.encoder_of(camera), camera.depth is not None
            if camera.key in self._auto:
                encoder = self._auto.encoder(camera.key)
            elif encoder.is_bundled:
                self._bundled[camera.key] = encoder
            else:
                continue
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
        if key in self._auto:
            return self._auto.encoder(key)
        if key in self._bundled:
            return self._bundled[key]
        self._take_answers()
        encoder = self._tried[key].encoder
        assert encoder is not None
        return encoder

    @property
    def is_trying(self) -> bool:
        """True while encoders are being tried or chosen."""
        self._take_answers()
        tried = self._tried.values()
        is_open = any(one.size and one.encoder is None and one.problem is None for one in tried)
        return is_open or self._auto.is_choosing

    @property
    def summary(self) -> str:
        """Sentences on the encoders that were chosen or tried, with their head-room."""
        self._take_answers()
        chosen = [str(self._auto.choice)] if self._auto.choice is not None else []
        return '; '.join([*chosen, *self._sentences])

    def choose_now(self) -> Choice | None:
        """
        Choose for ``auto`` without pictures, and wait for the trials.

        :return: the choice; None if no camera has ``auto``
        :raise CodecError: if no encoder works
        """
        return self._auto.choose_now(self._first_sizes)

    # --- the recorder's thread -----------------------------------------------------------------

    def _take_answers(self) -> None:
        while not self._answers.empty():
            key, decision = self._answers.get_nowait()
            # The size of the pictures may have changed again in the meantime.
            if self._tried[key].size == decision.size:
                self._tried[key] = decision

    def note_picture(self, key: str, picture: Picture) -> None:
        """
        Have the encoders tried again if the size of a camera's pictures is new. Never blocks.

        :param key: name of the camera
        :param picture: one of its pictures that is known to decode
        """
        if self._stop.is_set():
            return
        self._auto.note_picture(key, picture)
        self._take_answers()
        decision, size = self._tried.get(key), (picture.width, picture.height)
        if decision is not None and decision.size != size:
            self._tried[key] = _Decision(size)
            (camera,) = (one for one in self._config.cameras if one.key == key)
            self._submit(lambda: self._answers.put((key, self._decide(camera, size))))

    def settled(self, streams: Iterable[Stream]) -> Mapping[str, EncoderConfig]:
        """
        Return the encoders for the pictures that the cameras send now.

        :param streams: all streams, each with a sample
        :return: encoder settings by camera
        :raise StreamsNotReadyError: if an encoder that was set by name is still being tried
        :raise CodecError: if a camera's encoder does not work at the size of its pictures
        """
        settled, pending = {}, []
        for camera in (one for one in streams if one.config.is_camera):
            key = camera.config.key
            self.note_picture(key, camera.whole_picture)
            if key in self._bundled or key in self._auto:
                settled[key] = self.encoder(key)
                continue
            decision = self._tried[key]
            if decision.problem is not None:
                raise decision.problem
            if decision.encoder is None:
                vcodec = self._config.encoder_of(camera.config).vcodec
                width, height = decision.size
                pending.append(
                    f'the encoder of {key} ({vcodec}) is still being tried at {width}x{height}'
                )
            else:
                settled[key] = decision.encoder
        if pending:
            raise StreamsNotReadyError(pending)
        if self._auto.problem is not None:
            raise self._auto.problem
        return settled

    def begin(self, encoders: Mapping[str, EncoderConfig]) -> None:
        """
        Keep the codecs of an episode that begins, since a dataset has one for each camera.

        :param encoders: settings by camera, as ``settled`` returned them
        """
        self._auto.begin(encoders)

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

    def _submit(self, task: Callable[[], None]) -> None:
        """Run a function in the thread of trials."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=False)
            self._thread.start()
        self._tasks.put(task)

    # --- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        with suppress(TrialCancelledError):
            while (task := self._tasks.get()) is not None and not self._stop.is_set():
                task()

    def _decide(self, camera: StreamConfig, size: tuple[int, int]) -> _Decision:
        try:
            return _Decision(size, self._try(camera, size))
        except CodecError as error:
            _log.error('%s: %s', camera.key, error)
            return _Decision(size, problem=error)

    # --- any thread ----------------------------------------------------------------------------

    def _try(self, camera: StreamConfig, size: tuple[int, int]) -> EncoderConfig:
        """
        Find out whether an encoder that was set by name encodes a camera's pictures.

        :raise CodecError: if it does not
        :raise TrialCancelledError: if the recorder shuts down
        """
        asked, (width, height) = self._config.encoder_of(camera), size
        spec = VideoSpec(width, height, self._config.fps)
        num_streams = sum(self._config.encoder_of(one) == asked for one in self._config.cameras)
        check_before_trial(asked)
        trial = known_trial(asked, spec, num_streams=num_streams, stop=self._stop)
        if not trial.works:
            raise CodecError(
                'encoder.vcodec',
                asked.vcodec,
                f'it does not work here with the {width}x{height} pixels of {camera.key}: '
                f'{trial.problem}; use {AUTO} or a software encoder',
            )
        sentence = f'{camera.key}: {asked.vcodec} encodes {trial}'
        self._sentences.append(sentence)
        _log.info('%s', sentence)
        if trial.headroom < 1:
            _log.warning('%s: %s is slower than the camera', camera.key, asked.vcodec)
        return asked


def _first_size(spec: FeatureSpec | None) -> tuple[int, int]:
    shape = spec.picture_shape if spec is not None else None
    return (shape[1], shape[0]) if shape else USUAL_SIZE
