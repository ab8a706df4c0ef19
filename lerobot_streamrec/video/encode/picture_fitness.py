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
"""A check that a camera's pictures decode, made by decoding some of them before an episode."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
import time

from lerobot_streamrec.errors import ReorderedPacketsError, UndecodableError
from lerobot_streamrec.frame import EncodedPacket, Picture
from lerobot_streamrec.video.encode.decoders import Coded, Decoders, is_coded

NUM_RECENT = 4
"""The number of newest pictures of which at least one has to decode."""

_LOOK_EVERY_NS = 1_000_000_000
# Decoding takes at most 2 % of the time.
_PAUSE_FACTOR = 50
# A packet needs all packets since its key frame, so decoding the newest one could take long. Only
# the first packets after a key frame are decoded.
_NUM_PACKETS = 8


@dataclass(frozen=True, slots=True)
class _Look:
    """A picture that was decoded on trial, and why that failed; empty if it decodes."""

    picture: Coded
    problem: str


class PictureFitness:
    """
    Decodes one picture per second, and the newest ones on request. Owned by one thread.

    Raw pixels need no decoding and always pass. After a damaged picture the next one is decoded at
    once, so that an intact one is found soon. Of a packet stream, only the first packets after a
    key frame are decoded, which also shows whether the camera reorders its frames.

    :param timer_ns: clock that measures how long a picture takes to decode
    """

    def __init__(self, timer_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._timer_ns = timer_ns
        self._decoders = Decoders()
        self._recent: deque[Coded] = deque(maxlen=NUM_RECENT)
        self._pixels: Picture | None = None
        self._looks: deque[_Look] = deque(maxlen=_NUM_PACKETS)
        self._whole: Coded | None = None
        self._reordered = ''
        self._next_look_ns: int | None = None

    def push(self, picture: Picture, now_ns: int, *, may_look: bool) -> None:
        """
        Note a picture, and decode it if a check is due.

        :param picture: the newest picture
        :param now_ns: time of a steady clock
        :param may_look: False if there is no time to decode now
        """
        if not is_coded(picture):
            self._pixels = picture
            return
        self._pixels = None
        self._recent.append(picture)
        is_due = self._next_look_ns is None or now_ns >= self._next_look_ns
        if may_look and (is_due or self._is_next_packet(picture)):
            begin_ns = self._timer_ns()
            is_whole = self._look(picture)
            pause_ns = _PAUSE_FACTOR * (self._timer_ns() - begin_ns)
            if is_due:
                pause_ns = max(pause_ns, _LOOK_EVERY_NS if is_whole else 0)
                self._next_look_ns = now_ns + pause_ns

    def _is_next_packet(self, picture: Coded) -> bool:
        """Return True if a packet continues the group of pictures that is being decoded."""
        if not isinstance(picture, EncodedPacket) or not self._looks:
            return False
        return picture.previous is self._looks[-1].picture and any(
            picture is one for one in _begin_of_group(picture)
        )

    def settle(self) -> None:
        """Decode the newest pictures, unless that was done already, until one is intact."""
        if self._pixels is not None or not self._recent:
            return
        newest = self._recent[-1]
        if isinstance(newest, EncodedPacket):
            for packet in _begin_of_group(newest):
                if not self._was_looked_at(packet):
                    self._look(packet)
            return
        for picture in self._candidates():
            found = [one for one in self._looks if one.picture is picture]
            if found and not found[0].problem:
                self._whole = picture
                return
            if not found and self._look(picture):
                return

    def _candidates(self) -> list[Coded]:
        """Return the newest pictures, beginning with those of the most frequent size."""
        newest_first = list(reversed(self._recent))
        sizes = [(one.height, one.width) for one in newest_first]
        # Few headers are damaged, so the most frequent size is right. If two are equally frequent,
        # most_common returns that of the newest picture.
        ((usual, _),) = Counter(sizes).most_common(1)
        return sorted(newest_first, key=lambda one: (one.height, one.width) != usual)

    def _was_looked_at(self, picture: Coded) -> bool:
        return any(one.picture is picture for one in self._looks)

    def _look(self, picture: Coded) -> bool:
        if isinstance(picture, EncodedPacket):
            packets = _begin_of_group(picture)
            if all(picture is not one for one in packets):
                # The packet is too far from its key frame; the check waits for the next one.
                return False
            if picture.is_key:
                self._reordered = ''
        try:
            self._decoders.decode(picture)
        except ReorderedPacketsError as error:
            self._reordered = str(error)
            self._looks.append(_Look(picture, str(error)))
        except UndecodableError as error:
            self._looks.append(_Look(picture, str(error)))
        else:
            self._looks.append(_Look(picture, ''))
            self._whole = picture
        return not self._looks[-1].problem

    @property
    def problem(self) -> str:
        """Why the pictures cannot be recorded, as the end of a sentence; empty if they can."""
        if self._pixels is not None:
            return ''
        if self._reordered:
            return f'sends packets that cannot be recorded: {self._reordered}'
        looks = list(self._looks)[-NUM_RECENT:]
        if not looks and self._recent:
            return 'sends packets, but no key frame has been decoded yet'
        if not looks or not all(one.problem for one in looks):
            return ''
        return f'sends pictures, but none of them decodes: {looks[-1].problem}'

    @property
    def whole(self) -> Picture | None:
        """The newest picture that is known to decode; None if there is none."""
        return self._whole if self._pixels is None else self._pixels


def _begin_of_group(packet: EncodedPacket) -> list[EncodedPacket]:
    """Return a packet's key frame and the first packets after it, up to the packet itself."""
    chain: deque[EncodedPacket] = deque([packet])
    while (before := chain[0].previous) is not None:
        chain.appendleft(before)
    return list(islice(chain, _NUM_PACKETS))
