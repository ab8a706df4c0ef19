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
"""Whether the clock of this computer is kept right, as chrony says where it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from lerobot_streamrec.live.arrivals import span_text
from lerobot_streamrec.live.machine_checks import Check
from lerobot_streamrec.live.remarks import Level, Remark

_COMMAND = ('chronyc', 'tracking')
_NAME = 'time'
_TIMEOUT_S = 3.0
# Clocks of two computers that are kept together differ by less.
_OFF_S = 0.05
_SYSTEM_TIME = re.compile(r'([\d.]+(?:e[-+]?\d+)?) seconds (slow|fast) of NTP time')


def check_time(timeout_s: float = _TIMEOUT_S) -> list[Check]:
    """
    Ask chrony how the clock of this computer stands.

    :param timeout_s: how long to wait for an answer
    :return: empty where there is no chrony
    """
    program = shutil.which(_COMMAND[0])
    if program is None:
        return []
    try:
        answer = subprocess.run(
            [program, *_COMMAND[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            env={**os.environ, 'LC_ALL': 'C'},
            text=True,
            errors='replace',
            check=True,
        ).stdout
    except subprocess.TimeoutExpired:
        return [_note(f'did not answer within {timeout_s:g} s')]
    except subprocess.CalledProcessError as error:
        last = (error.stdout + error.stderr).strip().splitlines()[-1:]
        return [_note(f'failed: {"".join(last) or f"status {error.returncode}"}')]
    except OSError as error:
        return [_note(f'cannot be run: {error.strerror or error}')]
    return [_judged(answer)]


def _judged(answer: str) -> Check:
    lines = (line.partition(':') for line in answer.splitlines())
    fields = {name.strip(): value.strip() for name, _, value in lines}
    found = _SYSTEM_TIME.fullmatch(fields.get('System time', ''))
    if found is None:
        return _note(f'said {answer[:80]!r}, in which there is no "System time"')
    off_s, side = float(found[1]), found[2]
    text = f'the clock of this computer is {span_text(off_s)} {side} of NTP time'
    if fields.get('Leap status') == 'Not synchronised':
        text = (
            'the clock of this computer is not synchronised (chronyc tracking: Leap status), and '
            'may be set in the middle of an episode; see `chronyc sources`'
        )
        return Check(_NAME, Remark(Level.WARNING, text))
    if off_s > _OFF_S:
        text += ': stamps of other computers do not fit; wait, or run `chronyc makestep`'
        return Check(_NAME, Remark(Level.WARNING, text))
    return Check(_NAME, Remark(Level.OK, text))


def _note(what: str) -> Check:
    return Check(_NAME, Remark(Level.NOTE, f'{" ".join(_COMMAND)} {what}'))
