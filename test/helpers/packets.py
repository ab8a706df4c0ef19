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
"""Video packets as a camera with a built-in encoder publishes them, made by libav's encoders."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import av

CODECS = {
    'h264': ('libx264', {'preset': 'ultrafast', 'tune': 'zerolatency'}),
    'hevc': (
        'libx265',
        {
            'preset': 'ultrafast',
            'tune': 'zerolatency',
            'x265-params': 'repeat-headers=1:bframes=0:log-level=error',
        },
    ),
    'av1': ('libsvtav1', {'preset': '10', 'svtav1-params': 'pred-struct=1:lp=1'}),
}
FORMATS = {'h264': 'h264', 'hevc': 'h265', 'av1': 'av1'}


def open_encoder(height, width, codec='h264', key_distance=10, **options):
    """Open an encoder that returns every picture at once, if its options allow that."""
    name, settings = CODECS[codec]
    context = av.CodecContext.create(name, 'w')
    context.height, context.width, context.pix_fmt = height, width, 'yuv420p'
    context.time_base, context.framerate = Fraction(1, 30), 30
    context.options = {'g': str(key_distance), 'crf': '10', **settings, **options}
    return context


def encode_packets(pictures, codec='h264', key_distance=10, **options):
    """
    Encode pictures.

    :param pictures: ``(h, w, 3)`` uint8
    :return: a message for each, with the fields of a sensor_msgs/CompressedImage
    """
    context = open_encoder(*pictures[0].shape[:2], codec, key_distance, **options)
    packets = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, 'rgb24')
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    return [SimpleNamespace(format=FORMATS[codec], data=bytes(one)) for one in packets]


class LivePackets:
    """Encodes each picture to one H.264 packet, like a running camera."""

    def __init__(self):
        self._context = None
        self._num_pictures = 0

    def __call__(self, picture):
        """Encode a picture ``(h, w, 3)`` uint8; return its packet."""
        if self._context is None:
            self._context = open_encoder(*picture.shape[:2])
        frame = av.VideoFrame.from_ndarray(picture, 'rgb24')
        frame.pts = self._num_pictures
        self._num_pictures += 1
        (packet,) = self._context.encode(frame)
        return bytes(packet)
