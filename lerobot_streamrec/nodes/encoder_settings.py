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
"""From ROS parameters to the encoder's configuration."""

from __future__ import annotations

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.parameters import defaults_of, ParameterReader, Spec
from lerobot_streamrec.video.config import BUNDLED_VCODECS, EncoderConfig

_ENCODER = defaults_of(EncoderConfig)

_OPTIONS = {
    'vcodec': Spec('encoder.vcodec', _ENCODER['vcodec'], f'Codec: {", ".join(BUNDLED_VCODECS)}'),
    'pix_fmt': Spec(
        'encoder.pix_fmt', _ENCODER['pix_fmt'], "FFmpeg's pixel format of the videos"
    ),
    'g': Spec('encoder.g', _ENCODER['g'], 'Distance of key frames in frames', 1, 100_000),
    'crf': Spec(
        'encoder.crf',
        float(_ENCODER['crf']),
        'Constant rate factor: less is better and larger',
        0.0,
        63.0,
    ),
    'fast_decode': Spec(
        'encoder.fast_decode', _ENCODER['fast_decode'], 'How much to ease decoding', 0, 2
    ),
    'encoder_threads': Spec(
        'encoder.encoder_threads',
        _ENCODER['encoder_threads'],
        'Threads per camera; 0: the cores shared out over the cameras',
        0,
        1024,
    ),
}
_PRESET = Spec(
    'encoder.preset', '', "Speed against size, in the codec's words; empty: LeRobot's default"
)
_EXTRA_OPTIONS = Spec('encoder.extra_options', [], 'More FFmpeg options, each name=value')


def read_encoder(reader: ParameterReader) -> EncoderConfig:
    """
    Read the parameters of the encoder.

    :raise ConfigError: naming the first that cannot be used
    """
    values = {name: reader.read(spec) for name, spec in _OPTIONS.items()}
    preset = reader.read(_PRESET) or None
    extra_options = _options(reader.read(_EXTRA_OPTIONS))
    return EncoderConfig(**values, preset=preset, extra_options=extra_options)


def _options(pairs: list[str]) -> dict[str, str]:
    options = {}
    # Parameter files cannot hold an empty list; a list of one empty text stands for it.
    for pair in filter(None, pairs):
        name, equals, value = pair.partition('=')
        if not equals or not name:
            raise ConfigError('encoder.extra_options', pair, 'write each as name=value')
        options[name] = value
    return options
