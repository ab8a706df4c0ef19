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
"""The choice of the encoder that writes a file: in this process or in an ffmpeg program."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from lerobot_streamrec.video.codecs.config import EncoderConfig, FFMPEG, VideoSpec
from lerobot_streamrec.video.encode.encoder_thread import VideoEncoder
from lerobot_streamrec.video.encode.ffmpeg_encoder import FfmpegEncoder
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder


class FileEncoder(VideoEncoder, Protocol):
    """The encoder at the end of a chain, which writes the file. Owned by one thread."""

    @property
    def num_frames(self) -> int:
        """The number of frames given to the codec so far."""

    @property
    def num_written(self) -> int:
        """The number of frames in the file; the codec holds back the others."""

    def move(self, path: Path) -> None:
        """
        Rename the file while it grows.

        :raise OSError: if it does not exist yet, because the codec holds back all frames
        """


def open_file_encoder(
    path: Path, config: EncoderConfig, spec: VideoSpec
) -> FileEncoder:
    """
    Open an encoder for a video.

    :param path: file to create; its folder exists
    :param config: encoder settings, already checked
    :param spec: size and rate of the video
    :raise EncoderError: if the encoder cannot be opened
    """
    kind = FfmpegEncoder if config.backend == FFMPEG else Mp4Encoder
    return kind(path, config, spec)
