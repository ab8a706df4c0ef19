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
"""The entry points of the command line: each runs a command, prints, and returns a status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
import json
from pathlib import Path
import sys
from typing import ParamSpec

from lerobot_streamrec.errors import ConfigError, StartInterruptedError
from lerobot_streamrec.live.diagnosis import Level
from lerobot_streamrec.live.doctor import diagnose
from lerobot_streamrec.live.init import init as look_and_write
from lerobot_streamrec.live.init import init_lines
from lerobot_streamrec.live.layout import lay_out
from lerobot_streamrec.live.parameter_text import refuse_existing, write_checked
from lerobot_streamrec.live.report import render, report_console
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from rich.console import Console

EXIT_OK = 0
EXIT_PROBLEM = 1
EXIT_CONFIG = 2

_TARGET = '--foxglove'

_P = ParamSpec('_P')


def _with_status(run: Callable[_P, int]) -> Callable[_P, int]:
    """Make a command print its error on stderr and return the matching exit status."""

    @wraps(run)
    def told(*arguments: _P.args, **options: _P.kwargs) -> int:
        try:
            return run(*arguments, **options)
        except (StartInterruptedError, ConfigError) as error:
            print(f'streamrec: {error}', file=sys.stderr)
            return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_PROBLEM

    return told


@_with_status
def init(
    path: Path, seconds: float, fps: int | None, force: bool, ros_arguments: Sequence[str]
) -> int:
    """
    Run ``streamrec init``.

    :return: exit status 0 if written, 1 if interrupted or nothing to record, 2 for wrong usage
    """
    stop = StopSignals()
    with Console(stderr=True).status(f'looking at the graph for {seconds:g} s'):
        proposal = look_and_write(
            path, seconds=seconds, fps=fps, force=force, ros_arguments=ros_arguments, stop=stop
        )
    for line in init_lines(proposal, path, seconds):
        print(line)
    return EXIT_PROBLEM if proposal.is_empty else EXIT_OK


@_with_status
def doctor(
    path: Path,
    seconds: float,
    pictures: Path | None,
    as_json: bool,
    ros_arguments: Sequence[str],
) -> int:
    """
    Run ``streamrec doctor``.

    :return: exit status 0 if fit to record, 1 if not or interrupted, 2 for wrong usage or settings
    """
    stop = StopSignals()
    with Console(stderr=True).status(f'listening for {seconds:g} s'):
        report = diagnose(
            path, seconds=seconds, pictures=pictures, ros_arguments=ros_arguments, stop=stop
        )
    if as_json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        render(report, report_console())
    return EXIT_PROBLEM if report.level is Level.PROBLEM else EXIT_OK


@_with_status
def layout(
    path: Path,
    target: Path | None,
    force: bool,
    seconds: float,
    ros_arguments: Sequence[str],
) -> int:
    """
    Run ``streamrec layout``.

    :return: exit status 0 if made, 1 if interrupted, 2 for wrong usage or settings
    """
    stop = StopSignals()
    if target is not None:
        refuse_existing(target, force=force, name=_TARGET)
    with Console(stderr=True).status(f'looking at the graph for up to {seconds:g} s'):
        made = lay_out(path, seconds=seconds, ros_arguments=ros_arguments, stop=stop)
    text = json.dumps(made.content, indent=2, ensure_ascii=False) + '\n'
    for remark in made.remarks:
        print(remark, file=sys.stderr)
    if target is None:
        print(text, end='')
    else:
        # Only Foxglove reads this JSON, so there is nothing to check it with.
        write_checked(target, text, lambda _file: None, force=force, name=_TARGET)
        print(f'{target} is a Foxglove layout for the recorder {made.recorder}')
    return EXIT_OK
