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
"""The messages of a topic during an episode, row by row, as they go into a bag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
import struct
from typing import Any, NamedTuple

from lerobot_streamrec.conversions.message_types import has_header
from lerobot_streamrec.dataset.rebuild.played_episode import PlayedEpisode
from lerobot_streamrec.fleet.exporting.bag_messages import message_bytes, message_class
from lerobot_streamrec.fleet.exporting.export_plan import ExportPlan, vector_values
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.playback.messages import Pictures
from lerobot_streamrec.playback.streams import PlayedStream
from lerobot_streamrec.settings.transports import COMPRESSED_TYPE, RAW_TYPE, VIDEO_TYPE
from lerobot_streamrec.sync.row_clock import NS_PER_S
from lerobot_streamrec.video.mp4.access_units import access_units
from lerobot_streamrec.video.tools.extract import png_of_pixels
from lerobot_streamrec.video.tools.thumbnail import JpegMaker
import numpy as np
import numpy.typing as npt

_CLOSE_TIMEOUT_S = 5.0
# FFmpeg's scale of quantisers, 1 (best) to 31: no loss that is seen.
_QUANTISER = '2'
_WIDEST = 1 << 16
# compressedDepth has a header of one int and two floats, which only inverse depth uses.
_DEPTH_HEADER = struct.pack('<iff', 0, 0.0, 0.0)


class Outgoing(NamedTuple):
    """
    A message on its way into a bag.

    :param receive_ns: receive time, in nanoseconds since 1970
    :param topic: full name of its topic
    :param message_type: name of its type
    :param data: the message in CDR
    :param is_latched: True if subscribers get it that come later
    """

    receive_ns: int
    topic: str
    message_type: str
    data: bytes | memoryview
    is_latched: bool = False


class Track:
    """
    The messages of one topic during an episode. Owned by one thread.

    :param topic: full name of the topic
    :param message_type: name of the type
    :param stream: the stream, or the first of several on the topic
    :param message: function that returns the message of a row; called once for each, in order
    """

    def __init__(
        self, topic: str, message_type: str, stream: PlayedStream, message: Callable[[int], Any]
    ) -> None:
        self.topic = topic
        self._type, self._message = message_type, message
        self._offset_ns = stream.offset_ns
        fields = message_class(message_type).get_fields_and_field_types()
        self._is_stamped = message_type == VIDEO_TYPE or has_header(fields)
        # The recorder will add the offset to the time of arrival again.
        is_stamped_here = stream.is_stamped_here or not self._is_stamped
        self.delay_ns = -stream.offset_ns if is_stamped_here else 0
        """The time from the instant of a row to the arrival of its message, in nanoseconds."""

    def messages(self, instants_ns: npt.NDArray[np.int64]) -> Iterator[Outgoing]:
        """
        Yield the message of each row.

        :param instants_ns: instants of the rows, ``(rows,)``
        """
        for row, instant_ns in enumerate(instants_ns.tolist()):
            message = self._message(row)
            if self._is_stamped:
                stamp = message.timestamp if self._type == VIDEO_TYPE else message.header.stamp
                stamp.sec, stamp.nanosec = divmod(max(0, instant_ns - self._offset_ns), NS_PER_S)
            data = message_bytes(message, self._type)
            yield Outgoing(instant_ns + self.delay_ns, self.topic, self._type, data)


def open_tracks(plan: ExportPlan, episode: PlayedEpisode, stack: ExitStack) -> list[Track]:
    """
    Open the topics of an episode, those of numbers first.

    :param stack: closes the files of the episode
    """
    streams = plan.streams(episode)
    values = vector_values(episode, streams)
    tracks, pictures = [], []
    for topic, same in streams.items():
        if same[0].is_camera:
            pictures.append(_open_pictures(plan, episode, same[0], stack))
        else:
            numbers = plan.numbers(topic, same, values)
            tracks.append(Track(topic, numbers.message_type, same[0], numbers.message))
    return [*tracks, *pictures]


def _open_pictures(
    plan: ExportPlan, episode: PlayedEpisode, stream: PlayedStream, stack: ExitStack
) -> Track:
    target = plan.picture_topic(stream)
    if target.message_type == VIDEO_TYPE:
        video, *frames = plan.frames(episode, stream.feature)
        units = access_units(video, *frames)
        stack.callback(units.close)
        message = _packets(units, str(video.traits['codec']))
    else:
        pictures = Pictures(episode, stream, message_class)
        stack.callback(pictures.close, _CLOSE_TIMEOUT_S)
        make = _images if target.message_type == RAW_TYPE else _compressed
        message = make(pictures)
    return Track(target.topic, target.message_type, stream, message)


def _packets(units: Iterator[bytes], codec: str) -> Callable[[int], Any]:
    made = message_class(VIDEO_TYPE)()
    made.format = {'hevc': 'h265'}.get(codec, codec)

    def message(_row: int) -> Any:
        made.data = np.frombuffer(next(units), np.uint8)
        return made

    return message


def _images(pictures: Pictures) -> Callable[[int], Any]:
    def message(row: int) -> Any:
        image = pictures.message(row, lambda: False)
        image.data = np.frombuffer(image.data, np.uint8)
        return image

    return message


def _compressed(pictures: Pictures) -> Callable[[int], Any]:
    made, maker = message_class(COMPRESSED_TYPE)(), JpegMaker(_WIDEST, _QUANTISER)
    images = _images(pictures)

    def message(row: int) -> Any:
        image = images(row)
        if image.encoding == '16UC1':
            levels = image.data.view('<u2').reshape(image.height, image.width)
            made.format = f'{image.encoding}; compressedDepth png'
            data = _DEPTH_HEADER + png_of_pixels(levels, 'gray16be')
        else:
            pixels = image.data.reshape(image.height, image.width, -1)
            made.format = f'{image.encoding}; jpeg compressed bgr8'
            data = maker.jpeg(Frame(pixels, 'rgb24'))
        made.data = np.frombuffer(data, np.uint8)
        return made

    return message
