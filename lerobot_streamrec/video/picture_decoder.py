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
"""Compressed pictures to pixels."""

from __future__ import annotations

import av
from av.video.frame import VideoFrame
from lerobot_streamrec.errors import UndecodableError

# FFmpeg 9 shows nothing of a second png by the same decoder, and says that it is whole.
_ONE_EACH = ('png',)


class PictureDecoder:
    """
    Decodes pictures that stand by themselves. Owned by one thread.

    :param codec: FFmpeg's name of the decoder: ``mjpeg`` or ``png``
    """

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._context = self._open()

    def _open(self) -> av.VideoCodecContext:
        context = av.CodecContext.create(self._codec, 'r')
        assert isinstance(context, av.VideoCodecContext)
        # One picture in, one picture out: threads would hold some back.
        context.thread_count = 1
        return context

    def decode(self, data: bytes | memoryview) -> VideoFrame:
        """
        Decode one picture.

        :param data: the whole file
        :raise UndecodableError: if it is not whole, or no picture of this codec
        """
        if self._codec in _ONE_EACH:
            self._context = self._open()
        try:
            frames = self._context.decode(av.Packet(bytes(data)))
        except (av.FFmpegError, ValueError) as error:
            # What a broken picture left in the decoder must not show in the next one.
            self._context = self._open()
            raise UndecodableError(f'{self._codec} picture cannot be decoded: {error}') from error
        if len(frames) != 1 or frames[0].is_corrupt:
            self._context = self._open()
            raise UndecodableError(f'{self._codec} picture of {len(data)} bytes is not whole')
        return frames[0]
