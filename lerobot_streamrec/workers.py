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
"""
Tasks that run in this process, in other processes, or on a cluster.

The results come in the order of the tasks, whoever does them. A task is done again if its process
dies; an error that a task raises is raised here when its turn comes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
import os
from pathlib import Path
import pickle
import signal
import threading
import time
from typing import Any, Generic, TypeVar

from lerobot_streamrec.errors import WorkerError
from lerobot_streamrec.remote_files import Opener, register, registrations

MAX_ATTEMPTS = 4
"""Number of times that a task is begun before the death of its process becomes an error."""

# Within this time, tasks of this size do not repay the start of processes.
_HERE_S = 0.5
_SMALL_BYTES = 1 << 20
_POLL_S = 0.5
_END_S = 5.0

S = TypeVar('S')
T = TypeVar('T')


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """
    One piece of work.

    :param name: its name in messages
    :param work: function that does it; for other processes it must be picklable, and small
    :param size_bytes: bytes that it reads
    """

    name: str
    work: Callable[[], T]
    size_bytes: int = 0


class Workers(ABC):
    """Whoever does tasks. Owned by one thread, which also closes it."""

    is_elsewhere = True
    """False if the tasks run in this process, so that they may share objects with it."""
    is_on_this_machine = False
    """True if the tasks certainly see all folders of this machine."""

    @abstractmethod
    def run(self, tasks: Sequence[Task[T]]) -> Iterator[T]:
        """
        Yield the results of tasks in their order.

        If the caller stops before the last one, the tasks that run are ended.

        :raise WorkerError: if a task outlives none of its processes
        :raise Exception: the error of a task
        """

    @abstractmethod
    def close(self) -> None:
        """End all tasks and their processes."""

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def in_batches(
    name: str,
    work: Callable[[Sequence[S]], Sequence[T]],
    asked: Sequence[S],
    workers: Workers,
    batch_size: int = 100,
) -> Iterator[tuple[S, T]]:
    """
    Yield what is asked with the answers, in order.

    :param name: name of the answers in messages
    :param work: picklable function that returns the answers of a batch
    """
    batches = [asked[at : at + batch_size] for at in range(0, len(asked), batch_size)]
    tasks = [Task(f'{name} of {one[0]}', partial(work, one)) for one in batches]
    for batch, found in zip(batches, workers.run(tasks), strict=True):
        yield from zip(batch, found, strict=True)


class InProcess(Workers):
    """
    Does tasks in this process.

    :param num_threads: number of tasks at once
    """

    is_elsewhere = False
    is_on_this_machine = True

    def __init__(self, num_threads: int = 1) -> None:
        self.num_threads = num_threads

    def run(self, tasks: Sequence[Task[T]]) -> Iterator[T]:
        """Yield the results of tasks in their order."""
        if self.num_threads == 1:
            yield from (task.work() for task in tasks)
            return
        pool = ThreadPoolExecutor(self.num_threads, thread_name_prefix='worker')
        try:
            yield from pool.map(lambda task: task.work(), tasks)
        finally:
            pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Do nothing: each run ends its threads."""


HERE = InProcess()
"""Does one task after the other in the caller's thread."""


class Processes(Workers):
    """
    Does tasks in processes of this machine, which end with this one, even if it is killed.

    :param num_processes: number of tasks at once
    :param here_s: time for which the first small tasks run in this process, in seconds
    """

    is_on_this_machine = True

    def __init__(self, num_processes: int, *, here_s: float = _HERE_S) -> None:
        self._num_processes = num_processes
        self._here_s = here_s
        self._idle: list[_Process] = []
        self._busy: dict[_Process, int] = {}

    def run(self, tasks: Sequence[Task[T]]) -> Iterator[T]:
        """Yield the results of tasks in their order."""
        end_s, begin = time.monotonic() + self._here_s, 0
        while begin < len(tasks) and not self._idle and time.monotonic() < end_s:
            if tasks[begin].size_bytes > _SMALL_BYTES:
                break
            yield tasks[begin].work()
            begin += 1
        try:
            yield from self._spread(tasks[begin:])
        except BaseException:
            self.close()
            raise

    def _spread(self, tasks: Sequence[Task[T]]) -> Iterator[T]:
        waiting, said = deque(range(len(tasks))), dict[int, Any]()
        attempts = [0] * len(tasks)
        for number in range(len(tasks)):
            while number not in said:
                while waiting and len(self._busy) < self._num_processes:
                    process = self._idle.pop() if self._idle else _Process()
                    self._busy[process] = waiting.popleft()
                    attempts[self._busy[process]] += 1
                    process.give(tasks[self._busy[process]])
                for process in self._answering():
                    at = self._busy.pop(process)
                    if (answer := process.answer()) is not None:
                        said[at] = answer
                        self._idle.append(process)
                    elif attempts[at] == MAX_ATTEMPTS:
                        raise died(tasks[at].name, process.ending())
                    else:
                        waiting.appendleft(at)
            yield result_of(*said.pop(number))

    def _answering(self) -> list[_Process]:
        ready = wait([one.pipe for one in self._busy], _POLL_S)
        return [one for one in self._busy if one.pipe in ready]

    def close(self) -> None:
        """End the processes at once."""
        processes = [*self._idle, *self._busy]
        self._idle.clear()
        self._busy.clear()
        for one in processes:
            one.kill()


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """
    Let Ctrl-C wait until a process has been started, which never hears of it.

    It reaches all processes of a terminal, but this one ends the others.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Process:
    """One process, and the pipe to it."""

    def __init__(self) -> None:
        context = get_context('spawn')
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with interrupts_held_back():
            self._process.start()
        theirs.close()

    def give(self, task: Task[Any]) -> None:
        # A process that has died meanwhile is noticed when it gives no answer.
        with suppress(ConnectionError):
            self.pipe.send((task.work, registrations()))

    def answer(self) -> tuple[bool, Any] | None:
        """Return whether the task succeeded, with its result or error; None if it has died."""
        try:
            answer: tuple[bool, Any] = self.pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join(_END_S)
            self.kill()
            return None
        return answer

    def ending(self) -> str:
        status = self._process.exitcode or 0
        return f'by {signal.Signals(-status).name}' if status < 0 else f'with status {status}'

    def kill(self) -> None:
        self._process.kill()
        self._process.join(_END_S)
        self.pipe.close()


def answer_of(
    work: Callable[[], Any], places: Sequence[tuple[Path, str, Opener]]
) -> tuple[bool, Any]:
    """
    Do a task; return whether it succeeded, with its result or an error that can be sent.

    :param places: the ``registrations`` of the process that wants the result
    """
    try:
        for one in places:
            register(*one)
        return True, work()
    except Exception as error:  # noqa: BLE001
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # noqa: BLE001
            return False, WorkerError(f'{type(error).__name__}: {error}')
        return False, error


def result_of(is_good: bool, said: Any) -> Any:
    """Return the result of an answer, or raise its error."""
    if not is_good:
        raise said
    return said


def died(name: str, how: str) -> WorkerError:
    """Return the error about a task whose processes have all died."""
    return WorkerError(
        f'{name} was begun {MAX_ATTEMPTS} times, and each time its process ended {how}. Memory '
        'that ran out ends processes by SIGKILL: fewer --jobs need less. `--jobs 1` runs it here.'
    )


# --- the processes themselves --------------------------------------------------------------


def _serve(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, ConnectionError):
        while True:
            pipe.send(answer_of(*pipe.recv()))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
