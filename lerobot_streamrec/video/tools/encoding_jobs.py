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
"""Encoding without a real-time deadline, of several files at once on all cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
import threading
from typing import TypeVar

from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.scheduling import cores_each, give_way, usable_cores

THREAD_NAME = 'enc:again'

_Result = TypeVar('_Result')

Progress = Callable[[int, int], None]
"""A function that is called with the amount done and the total amount."""


class WorkCounter:
    """
    Counts the frames or bytes that all threads have done. Any thread may use it.

    :param total: amount that will be done; the count never exceeds it, since it may be estimated
    :param progress: called with the count, by one thread at a time; None to call nothing
    """

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._progress = progress
        self._done = 0
        self._lock = threading.Lock()

    def add(self, amount: int = 1) -> None:
        """Count one frame, or a number of bytes."""
        if self._progress is None:
            return
        with self._lock:
            self._done = min(self._done + amount, self._total)
            self._progress(self._done, self._total)


def num_workers(num_jobs: int) -> int:
    """Return the number of files that are encoded at once."""
    return max(1, min(num_jobs, usable_cores()))


def with_shared_cores(config: EncoderConfig, num_jobs: int) -> EncoderConfig:
    """Return settings that share the cores among the files at once, unless threads are set."""
    if config.encoder_threads:
        return config
    return config.with_threads(cores_each(num_jobs))


def run_encoding_jobs(
    jobs: Sequence[Callable[[], _Result]],
    cancel: threading.Event,
    num_threads: int | None = None,
) -> list[_Result]:
    """
    Run jobs in threads that give up real-time priority and lower their ordinary priority.

    If a job fails or the caller is interrupted, the other jobs are told to stop and waited for.

    :param jobs: functions that check ``cancel`` now and then
    :param cancel: event that is set to end all jobs
    :param num_threads: number of jobs at once; None: as many as there are cores
    :return: results of the jobs, in order
    :raise Exception: the error of the job that failed first
    """
    with ThreadPoolExecutor(num_threads or num_workers(len(jobs)), THREAD_NAME, give_way) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            # Jobs that end after the first failure may only have stopped because of it.
            for future in [one for one in futures if one in done]:
                future.result()
        except BaseException:
            cancel.set()
            for future in futures:
                future.cancel()
            raise
    return [future.result() for future in futures]
