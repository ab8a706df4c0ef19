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
"""What a trial is to encode, and what came of it, as they go to a child process and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
import json
from pathlib import Path

from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.config_record import parse_config_record


@dataclass(frozen=True, slots=True)
class TrialTask:
    """
    What to encode.

    :param config: encoder settings, not of ``auto``
    :param width: of every picture, in pixels
    :param height: of every picture, in pixels
    :param fps: frames per second of the video
    :param num_streams: encoders that are open at once
    :param num_frames: of each of them
    :param enough_s: a stream that has encoded so long, the first frames left out, takes no more
        frames; 0: it takes all
    :param sample: raw pictures, ``(num_frames, height, width, 3)`` uint8 RGB one after the other;
        None: pictures made for it
    :param folder: where the videos are made
    """

    config: EncoderConfig
    width: int
    height: int
    fps: int
    num_streams: int
    num_frames: int
    enough_s: float = 0.0
    sample: Path | None = None
    folder: Path = Path()

    def in_folder(self, folder: Path) -> TrialTask:
        """Return the same task, done in a folder."""
        return replace(self, folder=folder)

    def video(self, stream: int) -> Path:
        """Return the video of one of the encoders."""
        return self.folder / f'stream-{stream}.mp4'

    def as_json(self) -> str:
        """Return it as text; equal tasks are equal texts."""
        return json.dumps(asdict(self), default=str, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TrialTask:
        """Make it of its text."""
        values = json.loads(text)
        sample = values.pop('sample')
        return cls(
            config=parse_config_record(values.pop('config')),
            sample=Path(sample) if sample else None,
            folder=Path(values.pop('folder')),
            **values,
        )


@dataclass(frozen=True, slots=True)
class TrialReport:
    """
    What came of it.

    :param problem: why the encoder cannot be used; empty: it can
    :param frames_per_s: of all encoders together, the first frames left out
    :param cpu_ms: time on one core that a frame took, its conversion included, milliseconds
    :param size_bytes: of the first encoder's video
    """

    problem: str = ''
    frames_per_s: float = 0.0
    cpu_ms: float = 0.0
    size_bytes: int = 0

    def as_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TrialReport:
        """
        Make it of its text.

        :raise ValueError: if the text is none of these
        """
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(str(error)) from error
