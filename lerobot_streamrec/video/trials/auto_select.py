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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
import sys
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
    HEVC_RUNG,
    LADDER,
    LIBAOM,
    OF_FFMPEG,
    VideoSpec,
)
from lerobot_streamrec.video.codecs.scheduling import usable_cores
from lerobot_streamrec.video.codecs.settings_check import (
    check_before_trial,
    COLOUR_CHANNELS,
    encoders_of,
    is_registered,
    with_fitting_pix_fmt,
)
from lerobot_streamrec.video.trials.choice import (
    Choice,
    encoder_text,
    Level,
    NO_DEVICE,
    NOT_BUILT,
)
from lerobot_streamrec.video.trials.cost import CostMeter, OutOfTimeError
from lerobot_streamrec.video.trials.software_probe import check_encoder
from lerobot_streamrec.video.trials.trial import (
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


# The device files of each hardware interface; videotoolbox belongs to macOS.
_DEVICES = {
    'nvenc': ('nvidia[0-9]*', 'nvhost*', 'dxg'),
    'vaapi': ('dri/renderD*',),
    'qsv': ('dri/renderD*',),
}
_DEV = Path('/dev')


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
class CameraNeed:
    """
    What a camera needs of its encoder.

    :param config: settings, with or without ``auto``
    :param spec: size and rate of its video
    :param codec: the codec that its dataset has, ``h264``, ``hevc`` or ``av1``; empty: any
    """

    config: EncoderConfig
    spec: VideoSpec
    codec: str = ''


def choose_encoders(
    needs: Mapping[str, CameraNeed],
    meter: CostMeter,
    *,
    wanted_head_room: float,
    receipt_cores: Callable[[], float] = lambda: 0.0,
    num_cores: int | None = None,
    try_one: TryOne = known_trial,
    stop: threading.Event | None = None,
) -> Choice:
    """
    Choose encoders for all cameras at once.

    Equal cameras get the first hardware encoder, in LeRobot's order, that works and is as fast as
    they need. The others get the highest rung of the ladder that leaves the wanted head-room for
    all cameras together, beside receipt; if none does, the lowest one. Encoders that are set by
    name count as they are.

    :param needs: need of each camera; at least one has ``auto``
    :param meter: measures software encoders
    :param wanted_head_room: cores for each busy core that are to be left
    :param receipt_cores: function that returns how many cores receipt keeps busy
    :param num_cores: number of cores that may be used; None: those of this process
    :param try_one: function that tries a hardware encoder
    :param stop: event that cancels the trials
    :raise CodecError: if a software encoder does not work
    :raise TrialCancelledError: if the trials were cancelled
    """
    hardware: list[Trial] = []
    taken: dict[str, EncoderConfig] = {}
    for need, keys in _groups(needs):
        if need.config.vcodec == AUTO:
            trials = list(_try_hardware(need, len(keys), try_one, stop))
            hardware += trials
            if trials and trials[-1].keeps_up:
                taken |= dict.fromkeys(keys, trials[-1].config)
    cores = num_cores or usable_cores()

    def fits(level: Level) -> bool:
        return (level.cores + receipt_cores()) * wanted_head_room <= cores

    level, better = _best_that(fits, needs, _levels(needs, taken), meter)
    return Choice(level, better, tuple(hardware), cores, receipt_cores(), wanted_head_room)


def _levels(
    needs: Mapping[str, CameraNeed], taken: Mapping[str, EncoderConfig]
) -> list[dict[str, EncoderConfig]]:
    """Return different ways to encode all cameras, by falling cost."""
    levels: list[dict[str, EncoderConfig]] = []
    for index in range(len(LADDER)):
        level = {key: taken.get(key) or _on_level(one, index) for key, one in needs.items()}
        if level not in levels:
            levels.append(level)
    return levels


def _best_that(
    fits: Callable[[Level], bool],
    needs: Mapping[str, CameraNeed],
    levels: Sequence[Mapping[str, EncoderConfig]],
    meter: CostMeter,
) -> tuple[Level, Level | None]:
    """
    Measure levels from the cheapest upwards, until one does not fit or the time is used up.

    :return: the best level that fits, else the cheapest that works, and the level above it
    :raise CodecError: if no level works
    """
    level: Level | None = None
    problem: CodecError | None = None
    for encoders in reversed(levels):
        try:
            found = _measured(needs, encoders, meter)
        except OutOfTimeError:
            above = Level(encoders, tuple(_unmeasured(needs, encoders)))
            return (above, None) if level is None else (level, above)
        except CodecError as error:
            problem = error
            continue
        if not fits(found):
            return (found, None) if level is None else (level, found)
        level = found
    if level is None:
        assert problem is not None
        raise problem
    return level, None


def lowest_encoder(need: CameraNeed) -> EncoderConfig:
    """Return the cheapest encoder of a camera, for use before anything has been measured."""
    return _on_level(need, -1)


def _groups(needs: Mapping[str, CameraNeed]) -> list[tuple[CameraNeed, list[str]]]:
    """Return each need with the cameras that have it."""
    groups: list[tuple[CameraNeed, list[str]]] = []
    for key, need in needs.items():
        for other, keys in groups:
            if need == other:
                keys.append(key)
                break
        else:
            groups.append((need, [key]))
    return groups


def _on_level(need: CameraNeed, index: int) -> EncoderConfig:
    """Return the settings of a camera on a level of the ladder; -1: the cheapest."""
    if need.config.vcodec != AUTO:
        return need.config
    levels = [need.config.on_rung(one) for one in LADDER]
    levels = [one for one in levels if need.codec in ('', one.codec)]
    if not levels:
        return need.config.on_rung(HEVC_RUNG)
    # A dataset of h264 has the lower rungs alone, and its cameras stay on the first of them.
    num_missing = 0 if levels[0].vcodec == LADDER[0].vcodec else len(LADDER) - len(levels)
    return levels[-1 if index < 0 else min(max(0, index - num_missing), len(levels) - 1)]


def _try_hardware(
    need: CameraNeed, num_streams: int, try_one: TryOne, stop: threading.Event | None
) -> Iterator[Trial]:
    """Try hardware encoders until one keeps up."""
    for vcodec in HARDWARE_VCODECS:
        if need.codec not in ('', need.config.with_vcodec(vcodec).codec):
            continue
        config, is_built = _with_build(need.config, vcodec)
        if is_built and has_device(config):
            trial = try_one(config, need.spec, num_streams=num_streams, stop=stop)
        else:
            problem = NO_DEVICE if is_built else NOT_BUILT
            trial = Trial(config, need.spec, num_streams, problem=problem)
        yield trial
        if trial.keeps_up:
            return


def has_device(config: EncoderConfig, folder: Path = _DEV) -> bool:
    """
    Return False if this computer certainly lacks the device of a hardware encoder.

    :param config: settings of the encoder
    :param folder: folder of the device files
    """
    if config.device == 'videotoolbox':
        return sys.platform == 'darwin'
    patterns = _DEVICES.get(config.device)
    return patterns is None or any(any(folder.glob(one)) for one in patterns)


def _measured(
    needs: Mapping[str, CameraNeed], encoders: Mapping[str, EncoderConfig], meter: CostMeter
) -> Level:
    """
    Measure one way to encode all cameras.

    :raise CodecError: if one of the encoders does not work
    :raise OutOfTimeError: if there is no time for the measurement
    """
    trials = []
    for empty in _unmeasured(needs, encoders):
        trial = meter.measure(empty.config, empty.spec, empty.num_streams)
        if not trial.works:
            raise CodecError(
                'encoder.vcodec', encoder_text(trial.config), f'it does not work here: {trial}'
            )
        trials.append(trial)
    return Level(encoders, tuple(trials))


def _unmeasured(
    needs: Mapping[str, CameraNeed], encoders: Mapping[str, EncoderConfig]
) -> Iterator[Trial]:
    """Yield a trial without an outcome for each group of cameras that software encodes."""
    chosen = {key: CameraNeed(encoders[key], one.spec) for key, one in needs.items()}
    for need, keys in _groups(chosen):
        if need.config.is_bundled:
            yield Trial(need.config, need.spec, len(keys))


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


def _with_build(config: EncoderConfig, vcodec: str) -> tuple[EncoderConfig, bool]:
    one = config.with_vcodec(vcodec)
    name = ffmpeg_encoder(one)
    if config.backend == FFMPEG:
        return one, name in encoders_of(config.ffmpeg)
    is_built = is_registered(name)
    return with_fitting_pix_fmt(one) if is_built else one, is_built
