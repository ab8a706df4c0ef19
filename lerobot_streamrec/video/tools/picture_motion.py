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
"""How much the regions of a camera's pictures change, as a measure of what moves in them."""

from __future__ import annotations

from av.video.frame import VideoFrame
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.video.tools.thumbnail import GreyMaker
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 64, 48
_REGION = 8
# Of normally distributed noise, a tenth is within this part of its standard deviation.
_TENTH, _TENTH_SIGMAS = 0.1, 0.126
_NOISE_SIGMAS = 2.0
# This many changes tell the noise; and pictures are compared so many at a time.
_NUM_AT_ONCE = 500


class PictureMotion:
    """
    Keeps small grey copies of the pictures of one camera. Owned by one thread.

    Light that flickers changes all of a picture by the same factor, and noise changes every pixel
    by a little all the time; neither counts as a change. A picture that is repeated unchanged is
    no picture of its own.
    """

    def __init__(self) -> None:
        self._maker = GreyMaker(WIDTH, HEIGHT)
        self._greys: list[npt.NDArray[np.uint8]] = []
        self._stamps_ns: list[int] = []

    def push(self, stamp_ns: int, picture: Picture | VideoFrame) -> None:
        """
        Take a picture in, unless it repeats the one before.

        :param stamp_ns: its stamp, in nanoseconds; those that do not ascend are left out
        :param picture: a picture as a camera sends it, or libav's frame of a video
        :raise UndecodableError: if the picture is damaged
        """
        grey = self._maker.grey(picture)
        if self._greys and (
            stamp_ns <= self._stamps_ns[-1] or np.array_equal(grey, self._greys[-1])
        ):
            return
        self._greys.append(grey)
        self._stamps_ns.append(stamp_ns)

    @property
    def num_pictures(self) -> int:
        """Number of pictures that were taken in."""
        return len(self._greys)

    @property
    def stamps_ns(self) -> npt.NDArray[np.int64]:
        """The stamps of the pictures that were taken in, ``(n,)`` nanoseconds, ascending."""
        return np.array(self._stamps_ns, np.int64)

    def changes(self) -> npt.NDArray[np.float64]:
        """
        Return by how much the regions change from one picture to the next.

        :return: ``(n - 1, regions)`` in grey levels; no rows for fewer than two pictures
        """
        num_changes, shape = len(self._greys) - 1, (HEIGHT // _REGION, WIDTH // _REGION)
        changes = np.empty((max(num_changes, 0), shape[0] * shape[1]))
        if not len(changes):
            return changes
        some = np.linspace(0, num_changes - 1, min(num_changes, _NUM_AT_ONCE)).astype(int)
        noise = float(np.median(np.quantile(self._steps(some), _TENTH, axis=0))) / _TENTH_SIGMAS
        for begin in range(0, num_changes, _NUM_AT_ONCE):
            places = np.arange(begin, min(begin + _NUM_AT_ONCE, num_changes))
            steps = np.maximum(self._steps(places) - _NOISE_SIGMAS * noise, 0)
            regions = steps.reshape(len(places), shape[0], _REGION, shape[1], _REGION)
            changes[places] = regions.mean(axis=(2, 4)).reshape(len(places), -1)
        return changes

    def _steps(self, places: npt.NDArray[np.int_]) -> npt.NDArray[np.float32]:
        """Return the differences of pictures from the ones before, without those of the light."""
        before = np.stack([self._greys[at] for at in places]).astype(np.float32) + 1
        after = np.stack([self._greys[at + 1] for at in places]).astype(np.float32) + 1
        factors = np.median(after / before, axis=(1, 2), keepdims=True)
        steps: npt.NDArray[np.float32] = np.abs(after - factors * before)
        return steps
