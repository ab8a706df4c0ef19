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
"""The frames of an MP4 as cameras send packets, one message each, without decoding."""

from __future__ import annotations

from collections.abc import Generator

from av.bitstream import BitStreamFilterContext
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.video.mp4.packet_index import opened_video, packets_of, VideoSurvey

# An MP4 has lengths where a stream has start codes, and parameter sets in its header alone.
_FILTERS = {'h264': 'h264_mp4toannexb', 'hevc': 'hevc_mp4toannexb', 'av1': ''}
# Types of AV1's OBUs, and one that begins a temporal unit, which files leave out.
_SEQUENCE_HEADER, _DELIMITER = 1, b'\x12\x00'
# AV1's codec header has four bytes before its sequence header (AV1-ISOBMFF, section 2.3.3).
_AV1_HEAD_BYTES = 4


def packet_codec(video: VideoSurvey, first_frame: int, num_frames: int) -> str:
    """
    Return the codec of a range of frames that can be sent as packets.

    :return: ``h264``, ``hevc`` or ``av1``
    :raise VideoError: if the codec is another one, the first frame is no key frame, or packets
        and frames have different orders
    """
    codec = str(video.traits['codec'])
    if codec not in _FILTERS:
        raise VideoError(f'{video.path} is in {codec}; packets are in {", ".join(_FILTERS)}')
    place = packets_of(video, first_frame, num_frames)
    if list(video.order[place.start : place.stop]) != list(
        range(first_frame, first_frame + num_frames)
    ):
        raise VideoError(f'{video.path} has B-frames, so its packets are not in order of display')
    return codec


def access_units(
    video: VideoSurvey, first_frame: int, num_frames: int
) -> Generator[bytes, None, None]:
    """
    Yield the packet of each frame: Annex B, or the OBUs of AV1, with parameter sets in key frames.

    :param first_frame: a frame for which ``packet_codec`` returns a codec
    :raise VideoError: if the file cannot be read, or has changed since the survey
    """
    with opened_video(video.path) as (container, stream):
        name = _FILTERS[str(video.traits['codec'])]
        bits = BitStreamFilterContext(name, stream) if name else None
        head = (stream.codec_context.extradata or b'')[_AV1_HEAD_BYTES:]
        assert stream.time_base is not None
        period = 1 / (video.fps * stream.time_base)
        container.seek(round(first_frame * period), stream=stream)
        number = first_frame
        for packet in container.demux(stream):
            if packet.pts is None or round(packet.pts / period) != number:
                continue
            data = b''.join(bytes(one) for one in (bits.filter(packet) if bits else [packet]))
            if bits is None:
                data = _temporal_unit(data, head if packet.is_keyframe else b'')
            yield data
            number += 1
            if number == first_frame + num_frames:
                return
    raise VideoError(f'{video.path} has no frame {number}')


def _temporal_unit(data: bytes, head: bytes) -> bytes:
    """Return a file's sample of AV1 as a temporal unit, which has the header if there is one."""
    data = data.removeprefix(_DELIMITER)
    has_head = data[:1] and data[0] >> 3 & 15 == _SEQUENCE_HEADER
    return _DELIMITER + (b'' if has_head else head) + data
