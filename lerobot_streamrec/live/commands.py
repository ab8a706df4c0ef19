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

from collections.abc import Sequence
import json
from pathlib import Path
import sys

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

_TARGET = '--foxglove'


def init(
    output: Path, seconds: float, fps: int | None, force: bool, ros_arguments: Sequence[str]
) -> int:
    """
    Run ``streamrec init``.

    :return: exit status 0 if written, 1 if there is nothing to record
    :raise ConfigError: for wrong usage
    :raise StartInterruptedError: if a signal interrupted the command
    """
    stop = StopSignals()
    with Console(stderr=True).status(f'looking at the graph for {seconds:g} s'):
        proposal = look_and_write(
            output, seconds=seconds, fps=fps, force=force, ros_arguments=ros_arguments, stop=stop
        )
    for line in init_lines(proposal, output, seconds):
        print(line)
    return EXIT_PROBLEM if proposal.is_empty else EXIT_OK


def doctor(
    params: Path,
    seconds: float,
    pictures: Path | None,
    as_json: bool,
    ros_arguments: Sequence[str],
) -> int:
    """
    Run ``streamrec doctor``.

    :return: exit status 0 if fit to record, 1 if not
    :raise ConfigError: for wrong usage or settings
    :raise StartInterruptedError: if a signal interrupted the command
    """
    stop = StopSignals()
    with Console(stderr=True).status(f'listening for {seconds:g} s'):
        report = diagnose(
            params, seconds=seconds, pictures=pictures, ros_arguments=ros_arguments, stop=stop
        )
    if as_json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        render(report, report_console())
    return EXIT_PROBLEM if report.level is Level.PROBLEM else EXIT_OK


def layout(
    params: Path,
    foxglove: Path | None,
    force: bool,
    seconds: float,
    ros_arguments: Sequence[str],
) -> int:
    """
    Run ``streamrec layout``.

    :return: exit status 0, since the layout was made
    :raise ConfigError: for wrong usage or settings
    :raise StartInterruptedError: if a signal interrupted the command
    """
    stop = StopSignals()
    if foxglove is not None:
        refuse_existing(foxglove, force=force, name=_TARGET)
    with Console(stderr=True).status(f'looking at the graph for up to {seconds:g} s'):
        made = lay_out(params, seconds=seconds, ros_arguments=ros_arguments, stop=stop)
    text = json.dumps(made.content, indent=2, ensure_ascii=False) + '\n'
    for remark in made.remarks:
        print(remark, file=sys.stderr)
    if foxglove is None:
        print(text, end='')
    else:
        # Only Foxglove reads this JSON, so there is nothing to check it with.
        write_checked(foxglove, text, lambda _file: None, force=force, name=_TARGET)
        print(f'{foxglove} is a Foxglove layout for the recorder {made.recorder}')
    return EXIT_OK
