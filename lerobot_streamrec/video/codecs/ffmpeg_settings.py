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
"""How an ffmpeg program is called to encode."""

from __future__ import annotations

from dataclasses import dataclass

from lerobot_streamrec.errors import CodecError


@dataclass(frozen=True, slots=True)
class FfmpegSettings:
    """
    Settings of the backend ``ffmpeg``.

    :param executable: the program's name or path
    :param input_args: arguments before the input, such as a device to open
    :param filters: FFmpeg's filter chain before the encoder, such as an upload to a device
    :param stall_timeout_s: how long the program may take nothing and give nothing before it counts
        as dead, seconds
    :raise CodecError: at construction, if a value is not allowed
    """

    executable: str = 'ffmpeg'
    input_args: tuple[str, ...] = ()
    filters: str = ''
    stall_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.executable:
            raise CodecError('encoder.ffmpeg.executable', '', 'name a program, such as ffmpeg')
        if not self.stall_timeout_s > 0:
            raise CodecError(
                'encoder.ffmpeg.stall_timeout_s', self.stall_timeout_s, 'allowed is more than 0'
            )
