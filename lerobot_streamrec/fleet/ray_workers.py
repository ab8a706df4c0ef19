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
"""Tasks that run on a Ray cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
import logging
import os
import socket
from typing import Any, TypeVar

from lerobot_streamrec.errors import ConfigError, WorkerError
from lerobot_streamrec.remote_files import registrations
from lerobot_streamrec.workers import answer_of, died, MAX_ATTEMPTS, result_of, Task, Workers
import ray
from ray.exceptions import RayError, RayTaskError

_POLL_S = 0.5
_REACH_S = 10.0

T = TypeVar('T')


class RayWorkers(Workers):
    """
    Does tasks on a Ray cluster; a Ray that is connected already is used and stays so.

    :param address: address of the cluster; empty: one on this machine, for as long as it is needed
    :param num_tasks: number of tasks at once
    :raise ConfigError: if there is no cluster at the address
    :raise WorkerError: if the cluster has no processor
    """

    def __init__(self, address: str, num_tasks: int) -> None:
        self._num_tasks = num_tasks
        self._is_own = not ray.is_initialized()
        self.is_on_this_machine = self._is_own and not address
        if self._is_own:
            # Nothing is told to others without the user's wish.
            os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
            # Ray warns that this setting will change, unless it is chosen.
            os.environ.setdefault('RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO', '0')
            _connect(address, num_tasks)
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        if resources.get('CPU', 0) < 1:
            self.close()
            raise WorkerError(
                f'the Ray cluster {address or "here"} has no processor to run tasks on'
            )
        self._do = ray.remote(num_cpus=1, max_retries=MAX_ATTEMPTS - 1)(answer_of)

    def run(self, tasks: Sequence[Task[T]]) -> Iterator[T]:
        """Yield the results of tasks in their order."""
        running: deque[ray.ObjectRef[Any]] = deque()
        num_begun = 0
        try:
            for task in tasks:
                while num_begun < len(tasks) and len(running) < self._num_tasks:
                    one = tasks[num_begun]
                    do = self._do.options(name=one.name)
                    running.append(do.remote(one.work, registrations()))
                    num_begun += 1
                yield _next_result(task.name, running)
        finally:
            # Ray aborts this process if it cancels a task whose result has just come.
            for ref in _unfinished(running):
                ray.cancel(ref, force=True)

    def close(self) -> None:
        """End all tasks, and a cluster that exists for them alone."""
        if self._is_own:
            ray.shutdown()


def _connect(address: str, num_tasks: int) -> None:
    _refuse_unreachable(address)
    options: dict[str, Any] = {'include_dashboard': False, 'num_cpus': num_tasks}
    try:
        ray.init(
            address or 'local',
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({} if address else options),
        )
    # A Ray that does not start in time raises nothing more special.
    except Exception as error:
        first = str(error).strip().partition('\n')[0]
        if not address:
            raise WorkerError(
                f'Ray does not start on this machine ({first}); `--engine processes` needs no Ray'
            ) from error
        allowed = f'Ray does not reach a cluster there ({first}); `ray status` tells more'
        raise ConfigError('--address', address, allowed) from error


def _refuse_unreachable(address: str) -> None:
    """Refuse a host and port at which nobody listens, for which Ray itself waits for minutes."""
    host, _, port = address.rpartition(':')
    if not (host and port.isdecimal()) or '://' in address:
        return
    try:
        socket.create_connection((host, int(port)), _REACH_S).close()
    except (OSError, OverflowError) as error:
        allowed = f'nobody answers there ({error}); `ray status` on that host tells more'
        raise ConfigError('--address', address, allowed) from error


def _unfinished(refs: Collection[ray.ObjectRef[Any]]) -> Sequence[ray.ObjectRef[Any]]:
    return ray.wait([*refs], num_returns=len(refs), timeout=0)[1] if refs else ()


def _next_result(name: str, running: deque[ray.ObjectRef[Any]]) -> Any:
    try:
        while not ray.wait([running[0]], timeout=_POLL_S)[0]:
            pass
        return result_of(*ray.get(running.popleft()))
    except RayTaskError as error:
        # The function itself returns its errors, so it has not begun.
        last = str(error).strip().rpartition('\n')[2]
        raise WorkerError(
            f'{name} could not begin on a worker of Ray: {last}. All hosts need the same version '
            'of lerobot_streamrec, of Python and of Ray.'
        ) from error
    except RayError as error:
        raise died(name, f'({str(error).strip().partition(chr(10))[0]})') from error
