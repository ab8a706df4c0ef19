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
"""From pictures as cameras send them to frames of an encoder: decoded, quantised and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
import logging
from typing import Any, Protocol

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import DepthFrame, Frame
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT, DepthQuantiser
from lerobot_streamrec.video.codecs.pixels import rgb_pixels
from lerobot_streamrec.video.encode.decoders import Coded, Decoders, is_coded
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo, EncoderAccount, VideoEncoder
from lerobot_streamrec.video.encode.picture_fitness import NUM_RECENT
import numpy.typing as npt

_log = logging.getLogger(__name__)


class PictureCounter(Protocol):
    """The receiver of every encoded picture, such as a histogram."""

    def push(self, pixels: npt.NDArray[Any], /) -> None:
        """Count a picture: ``(h, w, 3)`` RGB, or ``(h, w)`` depth in the camera's unit."""

    def push_again(self) -> None:
        """Count the last picture once more."""


class ColourMeter:
    """
    Counts red, green and blue of pictures that are frames already. Owned by one thread.

    :param counter: receives every encoded picture
    :param stride: the counter receives every stride-th pixel in both directions
    """

    def __init__(self, counter: PictureCounter, stride: int) -> None:
        self.counter = counter
        self._stride = stride
        self._scaler = VideoReformatter()

    def frame(self, picture: Frame | VideoFrame) -> Frame | VideoFrame:
        """Return the frame for the encoder."""
        return picture

    def count(self, picture: Frame | VideoFrame) -> None:
        """Count an encoded picture."""
        self.counter.push(rgb_pixels(picture, self._stride, self._scaler))


@dataclass(frozen=True, slots=True)
class DepthMeter:
    """
    Quantises depth to frames in ``gray12le``, and counts the original depth.

    :param counter: receives every encoded picture before it is quantised
    :param stride: the counter receives every stride-th pixel in both directions
    :param quantiser: quantiser for the camera's unit
    """

    counter: PictureCounter
    stride: int
    quantiser: DepthQuantiser

    def frame(self, picture: DepthFrame) -> Frame:
        """Return the frame for the encoder."""
        return Frame(self.quantiser.codes(picture), DEPTH_PIX_FMT)

    def count(self, picture: DepthFrame) -> None:
        """Count an encoded picture."""
        self.counter.push(picture.values[:: self.stride, :: self.stride])


class PictureEncoder:
    """
    Gives a sink the frames of a camera's pictures. Owned by one thread.

    A picture that cannot be decoded becomes a repeat of the frame before, so that every row keeps
    its frame.

    With ``check_every``, the sink takes pictures as the camera sent them. Then the first picture
    is decoded, every ``check_every``-th, and after a damaged one each until one is intact, only to
    check that they are; other damage shows when the pictures are encoded.

    :param sink: encoder of frames; with ``check_every``, of pictures
    :param video_key: names the camera in the log
    :param meter: makes frames of decoded pictures and counts them; None: pictures are frames, and
        nothing is counted
    :param account: records pictures that cannot be decoded
    :param begin: encodes the picture that preceded the first one; called if the first one is a
        repeat or cannot be decoded. None if no picture preceded it
    :param check_every: decode one of this many pictures, and pass all on unchanged; 0: decode all
    """

    def __init__(
        self,
        sink: VideoEncoder,
        video_key: str,
        meter: ColourMeter | DepthMeter | None = None,
        account: EncoderAccount | None = None,
        begin: Callable[[PictureEncoder], None] | None = None,
        *,
        check_every: int = 0,
    ) -> None:
        self._sink = sink
        self._video_key = video_key
        self._meter: Any = meter
        self._account = account or EncoderAccount()
        self._begin = begin
        self._check_every = check_every
        self._num_until_check = 0
        self._decoders = Decoders()
        self._has_picture = False
        self._num_in_a_row = 0
        self._was_lost = False

    def encode(self, picture: Frame | DepthFrame | Coded) -> None:
        """
        Encode a picture as the next frame.

        :raise UndecodableError: if the first picture cannot be decoded and no picture preceded it
        """
        is_decoded = not self._num_until_check
        try:
            whole = self._decoders.decode(picture) if is_decoded and is_coded(picture) else picture
        except UndecodableError as error:
            self._repeat_instead(error)
        else:
            self.put(picture if self._check_every else whole)
            if is_decoded:
                # Only a picture that was decoded proves that the camera has recovered.
                self._note_whole()
                self._num_until_check = self._check_every
            self._num_until_check = max(0, self._num_until_check - 1)
        self._has_picture = True

    def put(self, picture: Any) -> None:
        """Encode a picture as the next frame without decoding it, and count it."""
        if self._meter is None:
            self._sink.encode(picture)
        else:
            self._sink.encode(self._meter.frame(picture))
            self._meter.count(picture)

    def repeat(self) -> None:
        """Encode and count the last picture once more."""
        if not self._has_picture and self._begin is not None:
            self._begin(self)
        else:
            self._sink.repeat()
            if self._meter is not None:
                self._meter.counter.push_again()
        self._has_picture = True

    @property
    def num_written(self) -> int:
        """The number of frames in the file."""
        return self._sink.num_written

    def _repeat_instead(self, error: UndecodableError) -> None:
        if not self._has_picture and self._begin is None:
            raise UndecodableError(f'the first picture: {error}') from error
        if not self._account.num_undecodable:
            _log.warning('%s: %s; the frame before it is repeated', self._video_key, error)
        self._account.num_undecodable += 1
        self._num_in_a_row += 1
        if self._num_in_a_row == NUM_RECENT:
            self._note_lost(error)
        self.repeat()

    def _note_lost(self, error: UndecodableError) -> None:
        self._account.undecodable = (
            f'its pictures cannot be decoded any more, and the last good one is repeated: {error}'
        )
        # Repeated failures of a camera are logged once; the status and the counts show the rest.
        if not self._was_lost:
            _log.error('%s: %s', self._video_key, self._account.undecodable)
        self._was_lost = True

    def _note_whole(self) -> None:
        if self._account.undecodable:
            self._account.undecodable = ''
            _log.warning(
                '%s: its pictures can be decoded again, after %d in a row that could not',
                self._video_key,
                self._num_in_a_row,
            )
        self._num_in_a_row = 0

    def finish(self) -> EncodedVideo:
        """Close the file and return its description."""
        return replace(self._sink.finish(), num_undecodable=self._account.num_undecodable)

    def abort(self) -> None:
        """Stop encoding and close the file as it is. Never raises."""
        self._sink.abort()
