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
from lerobot_streamrec.frame import CompressedPicture

# libav fills up what is missing of a JPEG that was cut short, and says nothing, unless it is told
# to refuse. PNG has checksums of its own.
_OPTIONS = {'err_detect': 'crccheck+explode'}
# What a whole file has behind its last pixels: the end, and what comes before it. Where only that
# is cut off, the decoders notice nothing; but then nothing tells that the pixels are whole.
_END = {'mjpeg': (b'\xff\xd9', b'\xff\xda'), 'png': (b'IEND', b'IDAT')}


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
        context.options = _OPTIONS
        return context

    def decode(self, picture: CompressedPicture) -> VideoFrame:
        """
        Decode one picture.

        :param picture: a file of this decoder's codec
        :return: in the file's own pixel format, of the size that its header says
        :raise UndecodableError: if it is not whole, or no picture of this codec
        """
        data = picture.data.tobytes()
        end, before = _END[self._codec]
        if data.rfind(end) < data.rfind(before):
            raise self._error(picture, 'its end is missing')
        packet = av.Packet(data)
        # Otherwise libav takes a PNG for a difference to the one before, and adds the two up.
        packet.is_keyframe = True
        try:
            frames = self._context.decode(packet)
        except (av.FFmpegError, ValueError) as error:
            # What a broken picture left in the decoder must not show in the next one.
            self._context = self._open()
            raise self._error(picture, str(error)) from error
        if len(frames) != 1 or frames[0].is_corrupt:
            self._context = self._open()
            raise self._error(picture, 'it is not whole')
        frame = frames[0]
        if (frame.height, frame.width) != (picture.height, picture.width):
            raise self._error(
                picture,
                f'its header says {picture.width}x{picture.height} pixels, '
                f'there are {frame.width}x{frame.height}',
            )
        return frame

    def _error(self, picture: CompressedPicture, why: str) -> UndecodableError:
        return UndecodableError(
            f'{self._codec} picture of {picture.size_bytes} bytes cannot be decoded: {why}'
        )
