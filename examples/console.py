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
A simulated arm, a recorder and the console in one go, to click a first episode.

``python -m examples.console`` from the checkout, until Ctrl-C. CONSOLE_ROOT is the dataset's
folder (default: a temporary one, which is removed), CONSOLE_PORT the port of the page, and
CONSOLE_HOST the address on which it listens (default 127.0.0.1; 0.0.0.0 for a phone).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import os
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
import time

from examples.demo.child import Child
from examples.demo.settings import CHECKOUT, ros_environment
from examples.demo.stop_flag import StopFlag

EXIT_OK = 0
EXIT_FAILED = 1

_DEMO = CHECKOUT / 'examples' / 'demo' / 'demo.yaml'
_POLL_S = 0.1
# The recorder saves a running episode before it ends.
_STOP_TIMEOUT_S = 30.0


def main() -> int:
    """Run everything until Ctrl-C, and return the exit status."""
    stop = StopFlag()
    environment = {**os.environ, **ros_environment(os.environ)}
    with TemporaryDirectory(prefix='streamrec_console_', ignore_cleanup_errors=True) as spare:
        logs = Path(spare)
        root = Path(os.environ.get('CONSOLE_ROOT') or logs / 'dataset').expanduser().resolve()
        print(f'console: dataset  {root}\nconsole: ROS_DOMAIN_ID', end=' ')
        print(f'{environment["ROS_DOMAIN_ID"]}; Ctrl-C ends everything', flush=True)
        children: list[Child] = []
        try:
            for name, module, arguments in programs(root, os.environ):
                command = [sys.executable, '-m', module, *arguments]
                log_path = logs / f'{name}.log'
                children.append(
                    Child(
                        name,
                        command,
                        log_path=log_path,
                        folder=CHECKOUT,
                        environment=environment,
                    )
                )
            return watch(children, stop)
        finally:
            # The console goes first, and the recorder saves while the arm still publishes.
            for child in reversed(children):
                status = child.stop(_STOP_TIMEOUT_S)
                print(f'console: the {child.name} ended with status {status}', flush=True)
            stop.ignore_signals()


def programs(root: Path, environment: Mapping[str, str]) -> list[tuple[str, str, Sequence[str]]]:
    """
    Return name, module and arguments of each program, in the order in which they start.

    :param root: the dataset's folder
    :param environment: variables of the environment
    """
    of_recorder = [
        *('--params-file', str(_DEMO), '-p', f'root:={root}', '-p', 'resume:=true'),
        *('-p', 'teleop.joy.bindings:=[""]'),
    ]
    of_console = ['-p', f'host:={environment.get("CONSOLE_HOST") or "127.0.0.1"}']
    if port := environment.get('CONSOLE_PORT'):
        of_console += ['-p', f'port:={port}']
    return [
        ('arm', 'examples.demo.simulated_arm', []),
        ('recorder', 'lerobot_streamrec.nodes.record_main', ['--ros-args', *of_recorder]),
        ('console', 'lerobot_streamrec.console.console_main', ['--ros-args', *of_console]),
    ]


def watch(children: Sequence[Child], stop: StopFlag) -> int:
    """
    Show what the console prints, until Ctrl-C or the end of a program.

    :param children: the programs; the last one is the console
    :param stop: raised by Ctrl-C
    :return: exit status
    """
    with children[-1].log_path.open(encoding='utf-8', errors='replace') as log:
        while not stop.is_raised:
            time.sleep(_POLL_S)
            print(log.read(), end='', flush=True)
            for child in children:
                if not child.is_running:
                    print(log.read(), end='', flush=True)
                    print(f'console: the {child.name} ended; the end of its log:')
                    print(child.log_tail(), flush=True)
                    return EXIT_FAILED
    return EXIT_OK


if __name__ == '__main__':
    sys.exit(main())
