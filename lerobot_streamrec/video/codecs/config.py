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
"""Encoder settings of a camera, and their record in info.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
import math
import re
from typing import Any

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.option import option


@dataclass(frozen=True, slots=True)
class VideoSpec:
    """
    Size and rate of a video.

    :param width: width of every frame, in pixels
    :param height: height of every frame, in pixels
    :param fps: frames per second
    """

    width: int
    height: int
    fps: int


@dataclass(frozen=True, slots=True)
class FfmpegSettings:
    """
    Settings of the backend ``ffmpeg``.

    :raise CodecError: at construction, if a value is not allowed
    """

    executable: str = option('ffmpeg', 'Name or path of the ffmpeg program of the backend ffmpeg')
    input_args: tuple[str, ...] = option(
        (), "The program's arguments before its input, such as a device to open"
    )
    filters: str = option(
        '', "FFmpeg's filter chain before the encoder, such as an upload to a device"
    )
    stall_timeout_s: float = option(
        10.0,
        'Longest time that the program may take no input and give no output, in seconds',
        0.1,
        86400.0,
    )

    def __post_init__(self) -> None:
        if not self.executable:
            raise CodecError('encoder.ffmpeg.executable', '', 'name a program, such as ffmpeg')
        if not self.stall_timeout_s > 0:
            raise CodecError(
                'encoder.ffmpeg.stall_timeout_s', self.stall_timeout_s, 'allowed is more than 0'
            )


BUNDLED_VCODECS = ('libsvtav1', 'h264', 'hevc')
"""The software encoders in every PyAV release on PyPI."""

HARDWARE_VCODECS = (
    'h264_videotoolbox',
    'hevc_videotoolbox',
    'h264_nvenc',
    'hevc_nvenc',
    'h264_vaapi',
    'h264_qsv',
)
"""Hardware encoders in LeRobot's order; ``auto`` takes the first one that works here."""

AUTO = 'auto'
LIBAOM = 'libaom-av1'

VCODECS = (*BUNDLED_VCODECS, LIBAOM, *HARDWARE_VCODECS, AUTO)
"""The values of ``vcodec`` (LeRobot's names); ``av1`` is an alias of the first one."""

PYAV = 'pyav'
FFMPEG = 'ffmpeg'
BACKENDS = (PYAV, FFMPEG)
"""The encoding software: libav in this process, or an ffmpeg program."""

OF_FFMPEG = re.compile('(h264|hevc|av1)_[a-z0-9]+')
"""Names of encoders that an ffmpeg program may have beyond LeRobot's list."""

QUALITY_DEVICES = ('videotoolbox', 'nvenc', 'vaapi', 'qsv')
"""Hardware interfaces whose encoders have a quality setting that ``crf`` can be mapped to."""

SEMI_PLANAR = {'yuv420p': 'nv12', 'yuv420p10le': 'p010le'}
"""Names of hardware pixel formats, which differ only in memory order, by the software name."""

BY_PROFILE = -1.0
"""The ``crf`` that stands for the profile's, or LeRobot's for an encoder that is set by name."""

LEROBOT = 'lerobot'
LIGHT = 'light'
PROFILES = (AUTO, LIGHT, LEROBOT)
"""The values of ``profile``, which decides what is not set by hand."""


@dataclass(frozen=True, slots=True)
class Rung:
    """
    A software encoder with settings that suit it.

    :param vcodec: encoder
    :param preset: preset, in the encoder's own words
    :param crf: quality that gives about the same PSNR as LeRobot's defaults (docs/encoding.md)
    """

    vcodec: str
    preset: int | str
    crf: float


LADDER = (
    Rung('libsvtav1', 12, 30),
    Rung('h264', 'veryfast', 17),
    Rung('h264', 'superfast', 18),
    Rung('h264', 'ultrafast', 19),
)
"""Equal quality by falling cost and growing files; the first rung is LeRobot's default."""

HEVC_RUNG = Rung('hevc', 'ultrafast', 18)
"""For datasets of hevc alone: it costs more than the whole ladder."""

_PROFILE_RUNGS = {LEROBOT: LADDER[0], LIGHT: LADDER[-1]}
_LEROBOT_CRF = 30
_ALIASES = {'av1': 'libsvtav1'}
_CANONICAL = {'libsvtav1': 'av1', LIBAOM: 'av1'}
# The limit of h264 and hevc; the software encoders of AV1 go up to 63.
_MAX_CRF = 51
_CRF_LIMITS = {'libsvtav1': 63, LIBAOM: 63}
_DEFAULT_PRESETS: dict[str, int] = {'libsvtav1': 12}
_PLANAR = {other: one for one, other in SEMI_PLANAR.items()}


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """
    Settings of one camera's encoder (lerobot.configs.video.RGBEncoderConfig).

    The backend ffmpeg accepts encoders of its program beside ``VCODECS``, such as
    ``h264_v4l2m2m``. None as ``g`` or ``crf`` means the codec's default, None as ``preset``
    LeRobot's. The profile decides about ``auto``, and about what is not set: after construction,
    ``vcodec`` is ``auto`` only if the encoder is chosen by measurement.

    :param ffmpeg: the program of the backend ffmpeg
    :raise CodecError: at construction, if a value is not allowed
    """

    vcodec: str = option(
        AUTO, f'Encoder: {", ".join(VCODECS)}; {AUTO}: the one of encoder.profile'
    )
    pix_fmt: str = option('yuv420p', "FFmpeg's pixel format of the videos")
    g: int | None = option(
        2, 'Distance of key frames in frames; a small one makes seeking quick', 1, 100_000
    )
    crf: float | None = option(
        BY_PROFILE,
        'Constant rate factor: less looks better and takes more space; -1: as in the profile, '
        f'{_LEROBOT_CRF} with an encoder that is set by name',
        BY_PROFILE,
        63.0,
    )
    preset: int | str | None = option(
        None,
        "Speed against size, in the codec's own words; empty: as in the profile, or LeRobot's "
        'default with an encoder that is set by name',
        shown='',
    )
    fast_decode: int = option(0, 'How much to ease decoding, 0 to 2', 0, 2)
    encoder_threads: int = option(
        0, 'Threads per camera; 0: the cores are shared out over the cameras', 0, 1024
    )
    extra_options: Mapping[str, str] = option(
        dict,
        'Further FFmpeg options, each name=value; they never replace one that is set above',
        shown=(),
    )
    backend: str = option(PYAV, f'Encoding software: {" or ".join(BACKENDS)}')
    ffmpeg: FfmpegSettings = field(default_factory=FfmpegSettings)
    profile: str = option(
        AUTO,
        f'The encoder that vcodec {AUTO} stands for: the best that this machine can do for all '
        f"cameras ({AUTO}), the cheapest ({LIGHT}), or LeRobot's default ({LEROBOT})",
    )

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            allowed = f'allowed are {", ".join(PROFILES)}'
            raise CodecError('encoder.profile', self.profile, allowed)
        object.__setattr__(self, 'vcodec', _ALIASES.get(self.vcodec, self.vcodec))
        self._take_profile()
        if self.backend not in BACKENDS:
            allowed = f'allowed are {", ".join(BACKENDS)}'
            raise CodecError('encoder.backend', self.backend, allowed)
        _check_vcodec(self.vcodec, self.backend)
        if self.g is not None and not _is_whole(self.g, 1):
            allowed = 'a key frame distance is a whole number, at least 1'
            raise CodecError('encoder.g', self.g, allowed)
        self._check_crf()
        if self.fast_decode not in (0, 1, 2):
            raise CodecError('encoder.fast_decode', self.fast_decode, 'allowed are 0, 1 and 2')
        if not _is_whole(self.encoder_threads, 0):
            raise CodecError('encoder.encoder_threads', self.encoder_threads, 'allowed are 0 ...')
        if self.preset is None:
            object.__setattr__(self, 'preset', _DEFAULT_PRESETS.get(self.vcodec))
        elif isinstance(self.preset, str) and self.preset.isdecimal():
            object.__setattr__(self, 'preset', int(self.preset))
        if self.vcodec == AUTO:
            self._check_auto()

    def _check_crf(self) -> None:
        """Refuse what no encoder accepts; ``check_settings`` looks at the upper limit."""
        if self.crf is None or (self.vcodec == AUTO and self.crf == BY_PROFILE):
            return
        if isinstance(self.crf, bool) or not math.isfinite(self.crf) or self.crf < 0:
            allowed = f'{self.vcodec} accepts 0 to {max_crf(self.vcodec)}'
            raise CodecError('encoder.crf', self.crf, allowed)

    def _take_profile(self) -> None:
        """Take from the profile what is not set, if it names this encoder or may name one."""
        rung = _PROFILE_RUNGS.get(self.profile)
        if rung is not None and self.vcodec in (AUTO, rung.vcodec):
            object.__setattr__(self, 'vcodec', rung.vcodec)
            self._fill(rung.preset, rung.crf)
        elif self.vcodec != AUTO:
            self._fill(None, min(_LEROBOT_CRF, max_crf(self.vcodec)))

    def _fill(self, preset: int | str | None, crf: float) -> None:
        object.__setattr__(self, 'crf', crf if self.crf == BY_PROFILE else self.crf)
        object.__setattr__(self, 'preset', preset if self.preset is None else self.preset)

    def _check_auto(self) -> None:
        """Refuse settings whose meaning depends on the encoder that will be chosen."""
        chosen = f'it differs between encoders, and {AUTO} chooses one; name one in encoder.vcodec'
        if self.preset is not None:
            raise CodecError('encoder.preset', self.preset, chosen)
        if self.extra_options:
            raise CodecError('encoder.extra_options', dict(self.extra_options), chosen)

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec: ``av1``, ``h264`` or ``hevc``; empty for ``auto``."""
        if self.vcodec == AUTO:
            return ''
        return _CANONICAL.get(self.vcodec, self.vcodec.split('_')[0])

    @property
    def is_hardware(self) -> bool:
        """Whether the encoder needs hardware that not every machine has."""
        return self.vcodec not in (*BUNDLED_VCODECS, LIBAOM)

    @property
    def is_bundled(self) -> bool:
        """Whether every PyAV release on PyPI can encode with these settings in this process."""
        return self.vcodec in BUNDLED_VCODECS and self.backend == PYAV

    @property
    def device(self) -> str:
        """The interface to the hardware, such as ``nvenc``; empty: software."""
        return self.vcodec.partition('_')[2] if self.is_hardware else ''

    @property
    def has_quality(self) -> bool:
        """Whether the encoder uses ``crf``; others take a bit rate from ``extra_options``."""
        return not self.device or self.device in QUALITY_DEVICES

    def in_software(self) -> EncoderConfig:
        """Return settings for a software encoder of the same codec in this process."""
        if self.is_bundled:
            return self
        same = self if self.vcodec in BUNDLED_VCODECS else self.with_vcodec(self.codec)
        pix_fmt = _PLANAR.get(self.pix_fmt, self.pix_fmt)
        return replace(same, pix_fmt=pix_fmt, backend=PYAV)

    def with_threads(self, encoder_threads: int) -> EncoderConfig:
        """Return the same settings with a number of threads."""
        return replace(self, encoder_threads=encoder_threads)

    def for_codec(self, codec: str) -> EncoderConfig:
        """
        Return settings for another codec, as far as they mean the same to it.

        :param codec: ``h264``, ``hevc`` or ``av1``
        """
        return self if codec == self.codec else self.with_vcodec(codec)

    def with_vcodec(self, vcodec: str) -> EncoderConfig:
        """
        Return settings for another encoder, as far as they mean the same to it.

        :param vcodec: one of ``VCODECS``, or ``av1``
        """
        return replace(self, vcodec=vcodec, **self.changes_for(vcodec))

    def on_rung(self, rung: Rung) -> EncoderConfig:
        """Return settings of the ladder for ``auto``; a quality that is set by hand stays."""
        changes = self.changes_for(rung.vcodec) | {'preset': rung.preset}
        if self.crf == BY_PROFILE:
            changes['crf'] = rung.crf
        return replace(self, vcodec=rung.vcodec, backend=PYAV, **changes)

    def changes_for(self, vcodec: str) -> dict[str, Any]:
        """
        Return the settings that another encoder cannot take over, with its own values.

        :param vcodec: one of ``VCODECS``, or ``av1``
        """
        vcodec = _ALIASES.get(vcodec, vcodec)
        crf = None if self.crf is None else min(self.crf, max_crf(vcodec))
        if vcodec == AUTO:
            # The number means something else to each encoder.
            crf = BY_PROFILE
        return {'crf': crf, 'preset': None, 'extra_options': {}}

    def as_info(self) -> dict[str, object]:
        """
        Return the encoder settings that LeRobot stores in ``features[key]['info']``.

        LeRobot opens a software encoder with these settings when it writes a video again. That
        encoder would refuse a hardware preset or option, so these are left out.
        """
        is_told = self.vcodec in BUNDLED_VCODECS
        crf = self.crf if self.has_quality else None
        if crf is not None and crf == int(crf):
            crf = int(crf)
        return {
            'video.g': self.g,
            'video.crf': crf,
            'video.preset': self.preset if is_told else None,
            'video.fast_decode': self.fast_decode,
            'video.video_backend': PYAV,
            'video.extra_options': dict(self.extra_options) if is_told else {},
        }


def _check_vcodec(vcodec: str, backend: str) -> None:
    """Refuse unknown encoders."""
    if vcodec in VCODECS or (backend == FFMPEG and OF_FFMPEG.fullmatch(vcodec)):
        return
    allowed = f'allowed are {", ".join(VCODECS)}'
    if backend == FFMPEG:
        allowed += ', and encoders of the ffmpeg program that begin with h264_, hevc_ or av1_'
    elif OF_FFMPEG.fullmatch(vcodec):
        allowed += f'; others that an ffmpeg program has need encoder.backend {FFMPEG}'
    raise CodecError('encoder.vcodec', vcodec, allowed)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def max_crf(vcodec: str) -> int:
    """Return the largest ``crf`` that an encoder accepts."""
    return _CRF_LIMITS.get(vcodec, _MAX_CRF)


def config_record(config: EncoderConfig) -> dict[str, Any]:
    """Return the settings as JSON; ``parse_config_record`` reads them again."""
    return asdict(config)


def parse_config_record(record: Mapping[str, Any]) -> EncoderConfig:
    """
    Make settings from JSON.

    :param record: a record made by ``config_record``
    :raise CodecError: if a value is not allowed
    :raise TypeError: if the record has unknown names
    """
    ffmpeg = dict(record['ffmpeg'])
    ffmpeg['input_args'] = tuple(ffmpeg['input_args'])
    return EncoderConfig(**{**record, 'ffmpeg': FfmpegSettings(**ffmpeg)})
