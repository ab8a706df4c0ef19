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
"""The encoders that ``auto`` has chosen for all cameras, and the reasons in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lerobot_streamrec.video.codecs.config import AUTO, EncoderConfig
from lerobot_streamrec.video.trials.trial import Trial

NOT_BUILT = 'not in this build of FFmpeg'
"""Problem of an encoder that was not tried because the build lacks it."""

NO_DEVICE = 'this computer has no device for it'
"""Problem of a hardware encoder that was not tried because its device file is missing."""


@dataclass(frozen=True, slots=True)
class Level:
    """
    One way to encode all cameras, and its measured cost.

    :param encoders: settings by camera
    :param trials: measurement of each group of equal cameras that are encoded in software
    """

    encoders: Mapping[str, EncoderConfig]
    trials: tuple[Trial, ...]

    @property
    def cores(self) -> float:
        """The number of cores that encoding keeps busy."""
        return sum(one.cores for one in self.trials)

    @property
    def is_measured(self) -> bool:
        """Whether the cost is known."""
        return all(one.cpu_ms for one in self.trials)

    @property
    def bytes_per_hour(self) -> float:
        """The size of an hour's videos, of cameras that are encoded in software."""
        return sum(3600 * one.num_streams * one.spec.fps * one.frame_bytes for one in self.trials)

    def __str__(self) -> str:
        """Return the settings of the software encoders in the words of the parameters."""
        return ' and '.join(dict.fromkeys(encoder_text(one.config) for one in self.trials))


def encoder_text(config: EncoderConfig) -> str:
    """Return the encoder and its main settings in the words of the parameters."""
    preset = f' {config.preset}' if config.preset is not None else ''
    return f'{config.vcodec}{preset}' + (f', crf {config.crf:g}' if config.crf is not None else '')


@dataclass(frozen=True, slots=True)
class Choice:
    """
    The encoders that ``auto`` has chosen for all cameras.

    :param level: the chosen encoders
    :param better: the level above, which costs too much or could not be measured in time; None:
        there is none
    :param hardware: trials of hardware that were considered
    :param cores: number of cores that may be used
    :param receipt_cores: number of cores that receipt of the messages keeps busy
    :param wanted_head_room: cores for each busy core that were to be left
    """

    level: Level
    better: Level | None
    hardware: tuple[Trial, ...]
    cores: int
    receipt_cores: float
    wanted_head_room: float

    @property
    def head_room(self) -> float:
        """Usable cores for each core that encoding and receipt keep busy."""
        return self.cores / max(1e-3, self.level.cores + self.receipt_cores)

    @property
    def fits(self) -> bool:
        """Whether the chosen encoders keep up."""
        return self.head_room >= 1

    def __str__(self) -> str:
        """Return what was chosen and why, with its head-room and size."""
        texts = [
            f'{AUTO} took {one.config.vcodec}: {one}' for one in self.hardware if one.keeps_up
        ]
        texts += self._software_texts()
        texts += [
            f'{one.config.vcodec} {"is too slow" if one.works else "does not work"}: {one}'
            for one in self.hardware
            if not one.keeps_up and one.problem not in (NOT_BUILT, NO_DEVICE)
        ]
        for problem in (NOT_BUILT, NO_DEVICE):
            if missing := [one.config.vcodec for one in self.hardware if one.problem == problem]:
                texts.append(f'{problem}: {", ".join(missing)}')
        return '; '.join(texts)

    def _software_texts(self) -> list[str]:
        level = self.level
        if not level.trials:
            return []
        if not level.is_measured:
            return [f'{AUTO} took {level}, the cheapest: there was no time to measure any']
        num_cameras = sum(one.num_streams for one in level.trials)
        texts = [
            f'{AUTO} took {level} for {num_cameras} camera{"" if num_cameras == 1 else "s"}: '
            f'{self._load(level)}, head-room {self.head_room:.1f}, about '
            f'{level.bytes_per_hour / 1e9:.1f} GB an hour'
        ]
        if self.better is not None and not self.better.is_measured:
            texts.append(f'there was no time to measure {self.better}')
        elif self.better is not None:
            texts.append(
                f'for more quality in the same size, {self.better} needs {self._load(self.better)}'
                f' (encoder.head_room is {self.wanted_head_room:g})'
            )
        if not self.fits:
            texts.append('this is too much: record fewer or smaller pictures')
        return texts

    def _load(self, level: Level) -> str:
        return f'{level.cores + self.receipt_cores:.2f} of {self.cores} cores with receipt'
