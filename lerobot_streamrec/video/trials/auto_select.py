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
Trials of encoders on this machine, and the choice of ``auto`` among those that work.

A trial takes seconds and always ends the same, so a process makes each only once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
import threading
from typing import Protocol

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.video.codecs.codecs import ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import (
    AUTO,
    BUNDLED_VCODECS,
    EncoderConfig,
    FFMPEG,
    HARDWARE_VCODECS,
    LIBAOM,
    OF_FFMPEG,
    PYAV,
    VideoSpec,
)
from lerobot_streamrec.video.codecs.ffmpeg_listing import encoders_of
from lerobot_streamrec.video.codecs.settings_check import (
    COLOUR_CHANNELS,
    is_registered,
    with_fitting_pix_fmt,
)
from lerobot_streamrec.video.trials.software_probe import check_encoder
from lerobot_streamrec.video.trials.trial import (
    check_before_trial,
    ENOUGH_S,
    NUM_FRAMES,
    Trial,
    TrialTask,
    try_encoder,
)

_known: dict[str, Trial] = {}
# Only one trial runs at a time, since encoders slow each other down.
_lock = threading.Lock()


def known_trial(
    config: EncoderConfig,
    spec: VideoSpec,
    *,
    num_streams: int = 1,
    stop: threading.Event | None = None,
) -> Trial:
    """
    Return the outcome of ``try_encoder``, which is called once for the same values; any thread.

    :param config: settings of the encoder, not ``auto``
    :param spec: size and rate of the video
    :param num_streams: number of encoders that will be open at once
    :param stop: event that cancels the trial
    :raise TrialCancelledError: if the trial was cancelled
    """
    name = TrialTask(config, spec, num_streams, NUM_FRAMES, ENOUGH_S).as_json()
    with _lock:
        if name not in _known:
            _known[name] = try_encoder(config, spec, num_streams=num_streams, stop=stop)
        return _known[name]


def check_at_size(
    config: EncoderConfig,
    spec: VideoSpec,
    *,
    channels: int = COLOUR_CHANNELS,
) -> None:
    """
    Raise an error if an encoder does not work.

    An encoder that is part of every PyAV encodes two frames; any other one needs a trial.

    :param config: settings of the encoder; ``auto`` is refused
    :param spec: size and rate of the video
    :param channels: channels of an image: 3 for colours, 1 for depth
    :raise CodecError: if the encoder or a setting does not work, naming what is allowed
    :raise ConfigError: if the codec does not accept this frame rate
    """
    if config.vcodec == AUTO:
        raise CodecError(
            'encoder.vcodec',
            AUTO,
            f'name an encoder; `{streamrec_command("codecs")}` shows which ones work here',
        )
    if config.is_bundled:
        check_encoder(config, spec.fps, channels)
        return
    check_before_trial(config)
    trial = known_trial(config, spec)
    if not trial.works:
        allowed = f'it does not work here with {spec.width}x{spec.height} pixels: {trial.problem}'
        raise CodecError('encoder.vcodec', config.vcodec, allowed)


NOT_BUILT = 'not in this build of FFmpeg'
"""Problem of an encoder that was not tried because the build lacks it."""


class TryOne(Protocol):
    """A function that tries an encoder, like ``try_encoder``."""

    def __call__(
        self,
        config: EncoderConfig,
        spec: VideoSpec,
        *,
        num_streams: int,
        stop: threading.Event | None,
    ) -> Trial:
        """Try an encoder."""


@dataclass(frozen=True, slots=True)
class Choice:
    """
    The encoder that ``auto`` has chosen.

    :param config: settings of the chosen encoder, whose ``vcodec`` is never ``auto``
    :param trials: trials of all encoders that were considered, with the chosen one last
    """

    config: EncoderConfig
    trials: tuple[Trial, ...]

    def __str__(self) -> str:
        """Return which encoder was chosen, with its head-room, and why none before it was."""
        *others, chosen = self.trials
        texts = [f'{AUTO} took {chosen.config.vcodec}: {chosen}']
        texts += [
            f'{one.config.vcodec} {"is too slow" if one.works else "does not work"}: {one}'
            for one in others
            if one.problem != NOT_BUILT
        ]
        missing = [one.config.vcodec for one in others if one.problem == NOT_BUILT]
        if missing:
            texts.append(f'{NOT_BUILT}: {", ".join(missing)}')
        return '; '.join(texts)


def choose_encoder(
    config: EncoderConfig,
    spec: VideoSpec,
    *,
    num_streams: int = 1,
    codec: str | None = None,
    try_one: TryOne = known_trial,
    stop: threading.Event | None = None,
) -> Choice:
    """
    Return the first encoder that fits: hardware in LeRobot's order, and software after it.

    A hardware encoder fits if it works and is as fast as the streams need; the software encoder
    fits if it works.

    :param config: settings with ``auto``
    :param spec: size and rate of the video
    :param num_streams: number of encoders that will be open at once
    :param codec: required codec, ``h264``, ``hevc`` or ``av1``; None for any
    :param try_one: function that tries an encoder
    :param stop: event that cancels the trials
    :raise CodecError: if no encoder works at all
    :raise TrialCancelledError: if the trials were cancelled
    """
    trials: list[Trial] = []
    for one, is_built in _candidates(config, codec):
        if not is_built:
            trials.append(Trial(one, spec, num_streams, problem=NOT_BUILT))
            continue
        trial = try_one(one, spec, num_streams=num_streams, stop=stop)
        trials.append(trial)
        if trial.works and (trial.headroom >= 1 or not one.is_hardware):
            return Choice(one, tuple(trials))
    raise CodecError('encoder.vcodec', AUTO, f'no encoder works here: {trials[-1]}')


def listed_encoders(config: EncoderConfig) -> list[tuple[EncoderConfig, bool]]:
    """
    Return settings for each encoder that ``vcodec`` can name, and whether the build has it.

    :param config: settings with ``auto``
    :raise CodecError: if the ffmpeg program cannot be run
    """
    names = [*BUNDLED_VCODECS, LIBAOM, *HARDWARE_VCODECS]
    if config.backend == FFMPEG:
        others = sorted(filter(OF_FFMPEG.fullmatch, encoders_of(config.ffmpeg)))
        names += [one for one in others if one not in names]
    return [_with_build(config, name) for name in names]


def _candidates(
    config: EncoderConfig, codec: str | None
) -> Iterator[tuple[EncoderConfig, bool]]:
    """Yield settings for each encoder that may be chosen, and whether the build has it."""
    for vcodec in HARDWARE_VCODECS:
        if codec in (None, config.with_vcodec(vcodec).codec):
            yield _with_build(config, vcodec)
    yield replace(config.with_vcodec(codec or 'av1'), backend=PYAV), True


def _with_build(config: EncoderConfig, vcodec: str) -> tuple[EncoderConfig, bool]:
    one = config.with_vcodec(vcodec)
    name = ffmpeg_encoder(one)
    if config.backend == FFMPEG:
        return one, name in encoders_of(config.ffmpeg)
    is_built = is_registered(name)
    return with_fitting_pix_fmt(one) if is_built else one, is_built
