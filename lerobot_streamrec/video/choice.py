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
"""Which encoder ``auto`` means on this machine: the first that works and keeps up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
import threading
from typing import Protocol

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.accepted import is_registered, with_fitting_pix_fmt
from lerobot_streamrec.video.config import AUTO, EncoderConfig, HARDWARE_VCODECS, PYAV
from lerobot_streamrec.video.ffmpeg_listing import encoders_of
from lerobot_streamrec.video.known_trials import known_trial
from lerobot_streamrec.video.trial import Trial

NOT_BUILT = 'not in this build of FFmpeg'
"""Why an encoder was not even tried."""


class TryOne(Protocol):
    """What tries an encoder, as ``try_encoder`` does."""

    def __call__(
        self,
        config: EncoderConfig,
        *,
        width: int,
        height: int,
        fps: int,
        num_streams: int,
        stop: threading.Event | None,
    ) -> Trial:
        """Try an encoder."""


@dataclass(frozen=True, slots=True)
class Choice:
    """
    What encodes.

    :param config: settings, never of ``auto``
    :param trials: of every encoder that was considered, the chosen one last
    """

    config: EncoderConfig
    trials: tuple[Trial, ...]

    def __str__(self) -> str:
        """Say which encoder it is, with what head-room, and why none of those before."""
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
    *,
    width: int,
    height: int,
    fps: int,
    num_streams: int = 1,
    codec: str | None = None,
    try_one: TryOne = known_trial,
    stop: threading.Event | None = None,
) -> Choice:
    """
    Try hardware encoders in LeRobot's order, and software after them.

    An encoder is chosen if it works and is not slower than the streams need; the software encoder
    if it works.

    :param config: settings of ``auto``
    :param width: of the pictures to come, in pixels
    :param height: of the pictures to come, in pixels
    :param fps: frames per second of the videos to come
    :param num_streams: encoders that will be open at once
    :param codec: ``h264``, ``hevc`` or ``av1``, if it has to be that; None: any
    :param try_one: what tries an encoder
    :param stop: gives up when it is set
    :raise CodecError: if no encoder works at all
    :raise TrialCancelledError: if it was given up
    """
    trials: list[Trial] = []
    for one, is_built in _candidates(config, codec):
        if not is_built:
            trials.append(Trial(one, width, height, fps, num_streams, problem=NOT_BUILT))
            continue
        trial = try_one(
            one, width=width, height=height, fps=fps, num_streams=num_streams, stop=stop
        )
        trials.append(trial)
        if trial.works and (trial.headroom >= 1 or not one.is_hardware):
            return Choice(one, tuple(trials))
    raise CodecError('encoder.vcodec', AUTO, f'no encoder works here: {trials[-1]}')


def _candidates(
    config: EncoderConfig, codec: str | None
) -> Iterator[tuple[EncoderConfig, bool]]:
    """Yield settings of each encoder, and whether the build has it at all."""
    built = _built(config)
    for vcodec in HARDWARE_VCODECS:
        one = config.with_vcodec(vcodec)
        if codec in (None, one.codec):
            is_built = vcodec in built
            fits = is_built and config.backend == PYAV
            yield with_fitting_pix_fmt(one) if fits else one, is_built
    yield replace(config.with_vcodec(codec or 'av1'), backend=PYAV), True


def _built(config: EncoderConfig) -> frozenset[str]:
    if config.backend == PYAV:
        return frozenset(filter(is_registered, HARDWARE_VCODECS))
    return encoders_of(config.ffmpeg)
