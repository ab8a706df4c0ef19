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
"""Pictures of any kind in the pixel format of a video."""

from __future__ import annotations

from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT
from lerobot_streamrec.video.codecs.video_frame import scaled, video_frame


class FrameScaler:
    """
    Makes codecs' frames of pictures: BT.601 in limited range, as the file says.

    A frame that it has made goes through once more without a change. Codes of depth are no
    colours, and stay as they are. Owned by one thread.

    :param pix_fmt: FFmpeg's pixel format of the video
    """

    def __init__(self, pix_fmt: str) -> None:
        self._pix_fmt = pix_fmt
        self._scaler = VideoReformatter()
        self._opener = VideoReformatter()

    def scale(self, picture: Frame | VideoFrame) -> VideoFrame:
        """
        Make a codec's frame.

        :param picture: as the camera sent it, or as libav decoded it
        :raise av.FFmpegError: if libav cannot
        """
        source = video_frame(picture, self._opener) if isinstance(picture, Frame) else picture
        if source.format.name == DEPTH_PIX_FMT:
            return source
        made = scaled(source, self._pix_fmt, ColorRange.MPEG, self._scaler)
        # A decoded picture says that it was a key frame, which the codec would take for an order.
        made.pict_type = PictureType.NONE
        return made
