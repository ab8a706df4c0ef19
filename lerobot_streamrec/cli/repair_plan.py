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
"""Says in a few lines what a repair does."""

from __future__ import annotations

from collections.abc import Iterator

from lerobot_streamrec.cli.progress import count_text
from lerobot_streamrec.dataset.check.findings import some
from lerobot_streamrec.dataset.repair.repair import Examination
from lerobot_streamrec.dataset.repair.verdicts import Verdict


def plan_lines(examined: Examination) -> Iterator[str]:
    """Yield the lines; none if there is nothing to mend."""
    plan = examined.plan
    if plan is None:
        return
    num_rows = sum(one.source.length for one in plan.kept)
    yield f'A repair keeps {count_text(len(plan.kept), "episode")}, {count_text(num_rows, "row")}:'
    for one in plan.cut:
        text = f'{one.num_kept} of {count_text(one.num_rows, "row")}'
        yield f'  episode {one.source.episode_index} is cut to {text}: {_why(one)}'
    for one in plan.set_aside:
        yield f'  episode {one.source.episode_index} is set aside: {_why(one)}'
    moved = [
        f'{one.source.episode_index} -> {one.episode_index}'
        for one in plan.kept
        if one.episode_index != one.source.episode_index
    ]
    if moved:
        yield f'  episodes get other numbers: {some(moved)}'
    if plan.mended:
        codes = ', '.join(sorted(plan.mended))
        yield f'  written anew from rows and pictures: {codes}'
    if plan.unneeded:
        files = count_text(len(plan.unneeded), 'file')
        yield f'  {files} that no episode needs, set aside: {some(sorted(plan.unneeded))}'
    yield '  What is not kept is moved to .streamrec/quarantine; nothing is deleted.'


def _why(verdict: Verdict) -> str:
    return '; '.join(verdict.reasons)
