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
"""How an ffmpeg program is called, to encode and to say what it can."""

from __future__ import annotations

from lerobot_streamrec.video.codecs.codecs import codec_options, ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import EncoderConfig

_COLOURS = ('-color_range', 'tv', '-colorspace', 'smpte170m')


def encoder_command(config: EncoderConfig, *, fps: int, width: int, height: int) -> list[str]:
    """
    Return the program and its arguments: raw frames on stdin, packets in NUT on stdout.

    NUT keeps the borders of packets, tells key frames, and needs no way back in its output. What
    the colours are is said of the input and of the output: ffmpeg 4 does not pass it on, and
    later ones would convert what says otherwise.

    :param config: of the backend ffmpeg
    :param fps: frames per second
    :param width: of every frame, in pixels
    :param height: of every frame, in pixels
    """
    settings, options = config.ffmpeg, codec_options(config)
    if config.codec != 'av1':
        # Frame k has to be packet k; encoders in hardware have defaults of their own.
        options.setdefault('bf', '0')
    return [
        settings.executable,
        *('-hide_banner', '-nostdin', '-loglevel', 'warning'),
        *settings.input_args,
        *('-f', 'rawvideo', '-pix_fmt', config.pix_fmt, '-video_size', f'{width}x{height}'),
        *('-framerate', str(fps), *_COLOURS),
        *('-i', 'pipe:0', *_COLOURS),
        *(('-vf', settings.filters) if settings.filters else ()),
        *('-c:v', ffmpeg_encoder(config)),
        *(text for name, value in options.items() for text in (f'-{name}', value)),
        *('-f', 'nut', '-flush_packets', '1', 'pipe:1'),
    ]
