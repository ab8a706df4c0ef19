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
"""The processes that a benchmark starts, each in its own process group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
import os
from pathlib import Path
import sys
import time

from examples.demo.child import Child
from examples.demo.settings import CHECKOUT, ros_environment
from examples.demo.stop_flag import StopFlag

Check = Callable[[], None]
"""A function that is called several times a second during a wait, and raises to end it."""

_POLL_S = 0.05
_STOP_TIMEOUT_S = 20.0


EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class BenchmarkError(Exception):
    """A measurement is not possible; the message gives the reason."""


class InterruptedBenchmarkError(Exception):
    """The user has interrupted the benchmark."""


def exit_status_of(work: Callable[[Check], None]) -> int:
    """
    Do the work of a benchmark in a ROS domain of its own, and return its exit status.

    :param work: function that measures and reports; it gets a check that raises after Ctrl-C
    """
    # These variables are for this process and all its children. Those of the allocator are left
    # out, because the recorder sets its own; the publisher gets them when it starts.
    ros = ros_environment({})
    os.environ.update({name: value for name, value in ros.items() if 'MALLOC' not in name})
    stop = StopFlag()

    def check() -> None:
        if stop.is_raised:
            raise InterruptedBenchmarkError

    try:
        work(check)
    except InterruptedBenchmarkError:
        print('benchmark: interrupted', file=sys.stderr)
        return EXIT_INTERRUPTED
    except BenchmarkError as error:
        print(f'benchmark: {error}', file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


class ModuleChild(Child):
    """A process that runs a Python module of the checkout and ends with this process."""

    def __init__(
        self,
        module: str,
        arguments: list[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        python: str = sys.executable,
    ) -> None:
        """
        Start the module.

        :param module: dotted name
        :param arguments: command line of the module
        :param folder: folder for its log
        :param environment: variables to add to those of this process
        :param python: interpreter that runs the module
        """
        name = module.rpartition('.')[2]
        command = [python, '-m', 'benchmarks.tethered', str(os.getpid()), module]
        super().__init__(
            name,
            [*command, *arguments],
            log_path=folder / f'{name}.log',
            folder=CHECKOUT,
            environment={**os.environ, **environment},
        )

    @property
    def pid(self) -> int:
        """The process number."""
        return self._process.pid

    def wait(self, check: Check, timeout_s: float) -> None:
        """
        Wait until the process has ended by itself.

        :raises BenchmarkError: if it takes too long, or ends with another status than 0
        """
        deadline_s = time.monotonic() + timeout_s
        while self.is_running:
            check()
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f'the {self.name} did not end within {timeout_s:.0f} s')
            time.sleep(_POLL_S)
        if self.exit_status != 0:
            raise BenchmarkError(
                f'the {self.name} ended with status {self.exit_status}:\n{self.log_tail()}'
            )


@contextmanager
def running(child: ModuleChild) -> Iterator[ModuleChild]:
    """Stop a child at the end of the block, even after an error."""
    try:
        yield child
    finally:
        child.stop(_STOP_TIMEOUT_S)


def still_running(check: Check, *children: ModuleChild) -> Check:
    """Return a check that also raises if one of the children has ended."""

    def both() -> None:
        check()
        for child in children:
            if not child.is_running:
                raise BenchmarkError(
                    f'the {child.name} ended with status {child.exit_status}:\n{child.log_tail()}'
                )

    return both
