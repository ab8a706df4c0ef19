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
"""Encoding that nobody waits for in real time: several files at once, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
import os
import threading
from typing import TypeVar

from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.real_time import give_way, renounce_real_time

THREAD_NAME = 'enc:again'

_Result = TypeVar('_Result')

Progress = Callable[[int, int], None]
"""Is told how much is done, and how much there is to do."""


class FrameCounter:
    """
    Adds up the frames that all threads have done. Any thread.

    :param total: all that will be done
    :param progress: is told of it, by one thread at a time
    """

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._progress = progress
        self._done = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        """Count one frame."""
        if self._progress is None:
            return
        with self._lock:
            self._done = min(self._done + 1, self._total)
            self._progress(self._done, self._total)


def num_workers(num_jobs: int) -> int:
    """Return how many files are encoded at once."""
    return max(1, min(num_jobs, os.cpu_count() or 1))


def with_shared_cores(config: EncoderConfig, num_jobs: int) -> EncoderConfig:
    """Share the cores out over the files that are encoded at once, unless threads are set."""
    if config.encoder_threads:
        return config
    return config.with_threads(max(1, (os.cpu_count() or 1) // num_workers(num_jobs)))


def run_encoding_jobs(
    jobs: Sequence[Callable[[], _Result]], cancel: threading.Event
) -> list[_Result]:
    """
    Run jobs in threads that leave real-time priority, and the right of way, to others.

    If one fails or the caller is interrupted, the others are told to stop, and waited for.

    :param jobs: each looks at ``cancel`` now and then
    :param cancel: is set to end all of them
    :return: what they returned, in order
    :raise Exception: what the first of them that failed has raised
    """
    with ThreadPoolExecutor(num_workers(len(jobs)), THREAD_NAME, _give_way) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            # In the order of the jobs, and none that only followed the first one.
            for future in [one for one in futures if one in done]:
                future.result()
        except BaseException:
            cancel.set()
            for future in futures:
                future.cancel()
            raise
    return [future.result() for future in futures]


def _give_way() -> None:
    renounce_real_time()
    give_way()
