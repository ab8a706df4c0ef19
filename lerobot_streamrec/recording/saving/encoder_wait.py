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
"""The wait for a take's encoders, as long as they make progress, and the end of their memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from contextlib import suppress
import ctypes
from enum import auto, Enum
import gc
import time

from lerobot_streamrec.errors import EncoderTimeoutError
from lerobot_streamrec.recording.episode.finished_take import FinishedTake

_LOOK_S = 0.25


class Haste(Enum):
    """The urgency of ending encoders that have not finished."""

    NONE = auto()
    """There is time as long as they make progress."""
    PARK = auto()
    """Frames that wait for them go to the disk, to be encoded later."""
    RESCUE = auto()
    """All frames that they have not written go to the disk, whether they respond or not."""


def wait_for_encoders(take: FinishedTake, timeout_s: float, haste: Callable[[], Haste]) -> None:
    """
    Wait until all encoders have finished, however far behind they are.

    The frames of an encoder that makes no progress for too long go to the disk, to be encoded
    later.

    :param take: a take that gets no more rows
    :param timeout_s: longest time without progress of an encoder
    :param haste: function that returns the present urgency
    :raise EncoderTimeoutError: if an encoder makes no progress for too long, and its frames
        cannot be rescued
    """
    left = _num_left(take)
    seen_s = dict.fromkeys(left, time.monotonic())
    while late := futures.wait(take.videos.values(), timeout=min(_LOOK_S, timeout_s)).not_done:
        now_s = time.monotonic()
        before, left = left, _num_left(take)
        now = haste()
        for key, future in take.videos.items():
            thread = take.cameras[key].thread
            if now is not Haste.NONE:
                thread.park()
            if future not in late or left[key] < before[key]:
                seen_s[key] = now_s
            if future in late and now is Haste.RESCUE:
                thread.rescue('there was no time to encode it')
            elif now_s - seen_s[key] >= timeout_s:
                reason = (
                    f'the encoder of {key} did not finish within {timeout_s:g} s, and '
                    f'encoded none of the {take.cameras[key].num_queued} frames that wait'
                )
                if not thread.rescue(reason):
                    raise EncoderTimeoutError(reason)


def _num_left(take: FinishedTake) -> dict[str, int]:
    return {key: camera.num_left for key, camera in take.cameras.items()}


def give_back_memory() -> None:
    """
    Free the encoders of ended episodes, and return their memory to the system.

    libav's files and their streams refer to each other, and Python looks for such circles too
    rarely: three cameras would keep 45 MB more with each episode. Takes about 30 ms.
    """
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
