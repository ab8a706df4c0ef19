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
"""The bytes of a frame as FFmpeg's raw video has them."""

from __future__ import annotations

from collections.abc import Iterator

from av.video.frame import VideoFrame
from lerobot_streamrec.video.codecs.video_frame import plane_array


def raw_planes(frame: VideoFrame) -> Iterator[memoryview]:
    """
    Yield plane after plane without the padding of rows; a view where there is none.

    :param frame: of a pixel format whose samples are whole bytes
    """
    for index, plane in enumerate(frame.planes):
        row_bytes = _row_bytes(frame, index)
        if plane.line_size == row_bytes:
            yield memoryview(plane).cast('B')[: row_bytes * plane.height]
        else:
            rows = plane_array(frame, index)[: plane.height, :row_bytes]
            yield memoryview(rows.tobytes())


def _row_bytes(frame: VideoFrame, index: int) -> int:
    pix_fmt = frame.format
    if len(frame.planes) == 1:
        return frame.width * pix_fmt.padded_bits_per_pixel // 8
    return sum(
        one.width * -(-one.bits // 8) for one in pix_fmt.components if one.plane == index
    )
