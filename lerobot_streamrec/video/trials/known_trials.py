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
"""The trials of this process, each made once since it takes seconds and always ends the same."""

from __future__ import annotations

import threading

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.video.codecs.config import AUTO, EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.settings_check import COLOUR_CHANNELS
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
