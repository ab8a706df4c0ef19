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
"""How pictures are encoded: LeRobot's names and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.ffmpeg_settings import FfmpegSettings

BUNDLED_VCODECS = ('libsvtav1', 'h264', 'hevc')
"""Software encoders that every PyAV on PyPI brings."""

HARDWARE_VCODECS = (
    'h264_videotoolbox',
    'hevc_videotoolbox',
    'h264_nvenc',
    'hevc_nvenc',
    'h264_vaapi',
    'h264_qsv',
)
"""Encoders in hardware, in LeRobot's order: ``auto`` is the first of them that works here."""

AUTO = 'auto'

VCODECS = (*BUNDLED_VCODECS, 'libaom-av1', *HARDWARE_VCODECS, AUTO)
"""What ``vcodec`` may be (LeRobot's names); ``av1`` is another word for the first."""

PYAV = 'pyav'
FFMPEG = 'ffmpeg'
BACKENDS = (PYAV, FFMPEG)
"""What encodes: libav in this process, or an ffmpeg program."""

_ALIASES = {'av1': 'libsvtav1'}
_CANONICAL = {'libsvtav1': 'av1', 'libaom-av1': 'av1'}
# Of h264 and hevc; libsvtav1 goes up to 63.
_MAX_CRF = 51
_DEFAULT_PRESETS: dict[str, int] = {'libsvtav1': 12}


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """
    Settings of one camera's encoder (lerobot.configs.video.RGBEncoderConfig).

    :param vcodec: one of ``VCODECS``
    :param pix_fmt: FFmpeg's pixel format of the video
    :param g: distance of key frames in frames, at least 1; small makes seeking quick
    :param crf: constant rate factor; less is better and larger
    :param preset: speed against size, in the codec's own words; None: LeRobot's default
    :param fast_decode: 0 to 2, how much to ease decoding
    :param encoder_threads: threads of one encoder; 0: shared out over the cameras
    :param extra_options: further FFmpeg options; they never replace one that is set above
    :param backend: one of ``BACKENDS``
    :param ffmpeg: of the backend ffmpeg: the program
    :raise CodecError: at construction, if a value is not allowed
    """

    vcodec: str = 'libsvtav1'
    pix_fmt: str = 'yuv420p'
    g: int = 2
    crf: float = 30
    preset: int | str | None = None
    fast_decode: int = 0
    encoder_threads: int = 0
    extra_options: Mapping[str, str] = field(default_factory=dict)
    backend: str = PYAV
    ffmpeg: FfmpegSettings = field(default_factory=FfmpegSettings)

    def __post_init__(self) -> None:
        object.__setattr__(self, 'vcodec', _ALIASES.get(self.vcodec, self.vcodec))
        if self.vcodec not in VCODECS:
            allowed = f'allowed are {", ".join(VCODECS)}'
            raise CodecError('encoder.vcodec', self.vcodec, allowed)
        if self.g < 1:
            raise CodecError('encoder.g', self.g, 'a key frame distance is at least 1')
        if self.fast_decode not in (0, 1, 2):
            raise CodecError('encoder.fast_decode', self.fast_decode, 'allowed are 0, 1 and 2')
        if self.encoder_threads < 0:
            raise CodecError('encoder.encoder_threads', self.encoder_threads, 'allowed are 0 ...')
        if self.preset is None:
            object.__setattr__(self, 'preset', _DEFAULT_PRESETS.get(self.vcodec))
        elif isinstance(self.preset, str) and self.preset.isdecimal():
            object.__setattr__(self, 'preset', int(self.preset))

    @property
    def codec(self) -> str:
        """FFmpeg's name of what the video is: ``av1``, ``h264`` or ``hevc``; not of ``auto``."""
        return _CANONICAL.get(self.vcodec, self.vcodec.split('_')[0])

    @property
    def is_hardware(self) -> bool:
        """Whether the encoder is none that runs everywhere."""
        return self.vcodec not in (*BUNDLED_VCODECS, 'libaom-av1')

    def in_software(self) -> EncoderConfig:
        """Return settings for an encoder of the same codec that runs in this process."""
        if not self.is_hardware and self.backend == PYAV:
            return self
        return replace(self.for_codec(self.codec), backend=PYAV)

    def with_threads(self, encoder_threads: int) -> EncoderConfig:
        """Return the same settings with a number of threads."""
        return replace(self, encoder_threads=encoder_threads)

    def for_codec(self, codec: str) -> EncoderConfig:
        """
        Return settings for another codec, with what of these means the same to it.

        :param codec: ``h264``, ``hevc`` or ``av1``
        """
        vcodec = _ALIASES.get(codec, codec)
        if vcodec == self.vcodec:
            return self
        crf = self.crf if vcodec == 'libsvtav1' else min(self.crf, _MAX_CRF)
        return replace(self, vcodec=vcodec, crf=crf, preset=None, extra_options={})

    def as_info(self) -> dict[str, object]:
        """Return what LeRobot stores of an encoder in ``features[key]['info']``."""
        crf = int(self.crf) if float(self.crf).is_integer() else self.crf
        return {
            'video.g': self.g,
            'video.crf': crf,
            'video.preset': self.preset,
            'video.fast_decode': self.fast_decode,
            'video.video_backend': 'pyav',
            'video.extra_options': dict(self.extra_options),
        }
