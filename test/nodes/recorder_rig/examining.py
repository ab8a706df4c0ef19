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
"""`streamrec doctor`, run in the process of the test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lerobot_streamrec.inspection.diagnosis import Level, Remark
from lerobot_streamrec.inspection.report import DoctorReport
from lerobot_streamrec.live.doctor import diagnose

from recorder_rig.surroundings import NeverStop


def examine(folder: Path, text: str, *, seconds: float) -> DoctorReport:
    """Return the report on a parameter file with this text."""
    (folder / 'robot.yaml').write_text(text)
    return diagnose(
        folder / 'robot.yaml',
        seconds=seconds,
        pictures=None,
        ros_arguments=(),
        stop=NeverStop(),
    )


def problems_in(remarks: Iterable[Remark]) -> list[str]:
    """
    Return problems as text, but for messages that a busy machine has lost.

    A process that gets no time loses messages, and then the report is right to say so.
    """
    found = [one.text for one in remarks if one.level is Level.PROBLEM]
    return [text for text in found if 'messages are missing' not in text]
