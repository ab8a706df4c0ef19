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
"""Encoder settings as JSON, for who encodes later what was recorded with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.ffmpeg_settings import FfmpegSettings


def config_record(config: EncoderConfig) -> dict[str, Any]:
    """Return settings as JSON; ``parse_config_record`` makes them of it again."""
    return asdict(config)


def parse_config_record(record: Mapping[str, Any]) -> EncoderConfig:
    """
    Make settings of JSON.

    :param record: as ``config_record`` made it
    :raise CodecError: if a value is not allowed
    :raise TypeError: if it has other names
    """
    ffmpeg = dict(record['ffmpeg'])
    ffmpeg['input_args'] = tuple(ffmpeg['input_args'])
    return EncoderConfig(**{**record, 'ffmpeg': FfmpegSettings(**ffmpeg)})
