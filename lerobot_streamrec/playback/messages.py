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
"""The messages of an episode's rows: images from the videos, and numbers from the table."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any

from lerobot_streamrec.conversions.elements import Elements
from lerobot_streamrec.conversions.message_maker import MessageMaker
from lerobot_streamrec.conversions.parts import TimedVector
from lerobot_streamrec.dataset.rebuild.played_episode import PlayedEpisode
from lerobot_streamrec.errors import ConfigError, VectorError
from lerobot_streamrec.frame import METRES, MILLIMETRES
from lerobot_streamrec.playback.streams import PlayedStream
from lerobot_streamrec.settings.transports import RAW_TYPE
from lerobot_streamrec.video.codecs.depth_config import (
    depth_of_codes,
    DepthConfig,
    is_depth,
    stored_depth,
)
from lerobot_streamrec.video.encode.packet_decoder import FrameFeed
import numpy as np
import numpy.typing as npt

_POLL_S = 0.1

Values = npt.NDArray[Any]

LoadClass = Callable[[str], Any]
"""Returns the class of a message type, like those of rclpy; a ConfigError says there is none."""


class Pictures:
    """
    The images of one camera, in order. Owned by one thread, which calls ``close``.

    :param episode: the episode
    :param stream: stream of the camera
    :param load_class: gives the class of the messages
    :param is_endless: True if the first image follows the last one again
    """

    message_type = RAW_TYPE
    remarks: Sequence[str] = ()

    def __init__(
        self,
        episode: PlayedEpisode,
        stream: PlayedStream,
        load_class: LoadClass,
        *,
        is_endless: bool = False,
    ) -> None:
        key = stream.feature
        spec = episode.info.features[key]
        height, width, channels = spec.picture_shape or (1, 1, 1)
        self.size_bytes = max(1, height * width * channels)
        """The approximate size of an image."""
        self._levels = _levels(spec.info) if is_depth(spec.info) else None
        self._shown: tuple[int, int] | None = None
        self._message = load_class(RAW_TYPE)()
        self._feed = FrameFeed(
            f'frames:{key}',
            episode.video(key),
            episode.frame_times_s(key),
            is_depth=self._levels is not None,
            is_endless=is_endless,
        )

    def message(self, row: int, is_given_up: Callable[[], bool], turn: int = 0) -> Any:
        """
        Return the image of a row; block until it is decoded. Each call returns the same object.

        :param row: number of the row: that of the last call, or the next one
        :param turn: number of complete rounds of the episode before this one
        :param is_given_up: function that returns True if the wait should end
        :return: the image; None if the wait was given up
        :raise VideoError: if the image cannot be decoded
        """
        while self._shown != (turn, row):
            pixels = self._feed.next(_POLL_S)
            if pixels is not None:
                self._shown = (turn, row)
                self._fill(pixels)
            elif is_given_up():
                return None
        return self._message

    def close(self, timeout_s: float) -> bool:
        """End the decoder; return True if it has ended in time."""
        return self._feed.close(timeout_s)

    def _fill(self, pixels: Values) -> None:
        encoding = 'rgb8'
        if self._levels is not None:
            pixels = self._levels[pixels]
            encoding = '16UC1' if pixels.dtype == np.uint16 else '32FC1'
        message = self._message
        message.height, message.width = pixels.shape[:2]
        message.encoding = encoding
        message.step = pixels.nbytes // message.height
        message.data = array('B', pixels.tobytes())


def _levels(info: Any) -> Values:
    """
    Return the depth of each code, in the unit of the camera.

    Code 0 stands both for the smallest depth and for pixels without a depth. It is published as no
    depth, because a robot must not see an obstacle where there is none.
    """
    stored = stored_depth(info)
    config = stored.config if stored else DepthConfig()
    is_metres = stored is not None and stored.unit == METRES
    unit, dtype, nothing = (METRES, '<f4', np.nan) if is_metres else (MILLIMETRES, '<u2', 0)
    levels: Values = depth_of_codes(config, unit).astype(dtype)
    levels[0] = nothing
    return levels


def as_joints(streams: Sequence[PlayedStream]) -> list[PlayedStream]:
    """Return the streams of one topic with their numbers as positions of one JointState."""
    return [one.as_joints(f'{one.key}/' if len(streams) > 1 else '') for one in streams]


class Numbers:
    """
    The messages of one topic of numbers. Owned by one thread.

    Numbers that do not fit into messages of the recorded type are published as a JointState.

    :param streams: all streams that were read from the topic
    :param values: values of each stream, ``(rows, d)``
    :param load_class: gives the class of the messages
    :param is_exact: True if values that would be rounded do not fit; False: a remark names them
    """

    def __init__(
        self,
        streams: Sequence[PlayedStream],
        values: Sequence[Values],
        load_class: LoadClass,
        *,
        is_exact: bool = False,
    ) -> None:
        self._load_class = load_class
        self.remarks: list[str] = []
        """The differences from the recorded messages, one sentence each."""
        try:
            rounded = self._prepare(streams, values)
            if rounded and is_exact:
                raise VectorError(f'it cannot hold some values of {rounded} exactly')
        except (VectorError, ConfigError) as error:
            joints = as_joints(streams)
            rounded = self._prepare(joints, values)
            self.remarks.append(
                f'{streams[0].topic} is published as {joints[0].message_type}, not as the '
                f'recorded {streams[0].message_type}: {error}'
            )
        if rounded:
            self.remarks.append(
                f'the messages on {streams[0].topic} cannot hold some values exactly, such as '
                f'fractions in integer fields; rounded are {rounded}'
            )

    def _prepare(self, streams: Sequence[PlayedStream], values: Sequence[Values]) -> str:
        """Prepare messages of the recorded type; return the names of the rounded elements."""
        topic, self.message_type = streams[0].topic, streams[0].message_type
        self.streams = tuple(streams)
        """The streams, with the selectors that read them from the messages."""
        if any(one.message_type != self.message_type for one in streams):
            raise VectorError(f'{topic} was recorded as several message types')
        parts = [(one.selectors, len(one.names)) for one in streams]
        self._maker = MessageMaker(self.message_type, parts, self._load_class)
        columns = [column for one in values for column in one.T]
        self._columns = self._maker.stored(columns)
        names = [f'{one.feature} {name}' for one in streams for name in one.names]
        rounded = [
            name
            for name, before, after in zip(names, columns, self._columns, strict=True)
            if not np.array_equal(before, after.astype(before.dtype), equal_nan=True)
        ]
        self._refuse_misread(streams, len(values[0]))
        return ', '.join(rounded)

    def _refuse_misread(self, streams: Sequence[PlayedStream], num_rows: int) -> None:
        """
        Check that the recorder would read the original numbers from the message of every row.

        :raise VectorError: if it would read other numbers
        """
        columns = iter(self._columns)
        originals = [np.array([next(columns) for _ in one.names], float).T for one in streams]
        readers = [Elements(one.selectors, one.names).make_reader() for one in streams]
        for row in range(num_rows):
            message = self.message(row)
            for stream, reader, original in zip(streams, readers, originals, strict=True):
                read, wanted = reader(message), original[row]
                found = read.values[0] if isinstance(read, TimedVector) else read
                if not np.array_equal(found.astype(float), wanted, equal_nan=True):
                    raise VectorError(
                        f'{stream.key} would be read as {found.tolist()}, not {wanted.tolist()}'
                    )

    def message(self, row: int) -> Any:
        """Return the message of a row; each call returns the same object."""
        return self._maker([column[row].item() for column in self._columns])
