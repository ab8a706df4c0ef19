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
"""What `streamrec init` says when it is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.live.joint_groups import part_names
from lerobot_streamrec.live.parameter_text import ROOT
from lerobot_streamrec.live.proposal import Proposal
from lerobot_streamrec.live.vector_proposal import VectorProposal
from lerobot_streamrec.nodes.graph.distributions import DISCOVERY_VARIABLE


def init_lines(proposal: Proposal, path: Path, seconds: float) -> Iterator[str]:
    """
    Say what was found, and what comes next.

    :param proposal: what was written, if it is not empty
    :param path: path of the file
    :param seconds: how long the graph was looked at
    """
    if proposal.is_empty:
        yield f'found nothing to record in {seconds:g} s: {path} was not written.'
        yield (
            'Start the drivers of cameras and joints first; ROS_DOMAIN_ID and '
            f'{DISCOVERY_VARIABLE} must be set as there. `ros2 topic list` shows what is visible.'
        )
        yield from (f'  left out  {one}' for one in proposal.left_out)
        return
    for camera in proposal.cameras:
        kind = 'depth  ' if camera.is_depth else 'camera '
        yield f'  {kind} {camera.name}: {camera.seen.name}, {camera.seen.facts}'
    yield _vector_line('state', proposal.state)
    yield _vector_line('action', proposal.action)
    yield from (f'  left out {one}' for one in proposal.left_out)
    yield f'wrote {path}, {proposal.fps} rows per second ({proposal.fps_reason})'
    yield f'next: set root (now {ROOT}) and task in it, then  {streamrec_command("doctor", path)}'


def _vector_line(name: str, vector: VectorProposal | None) -> str:
    if vector is None:
        return f'  {name:7} none was found'
    seen = vector.seen
    names = ', '.join(vector.names)
    if vector.parts:
        names = '; '.join(
            f'{part} ({", ".join(one.names)})'
            for part, one in zip(part_names(vector.parts), vector.parts, strict=True)
        )
    return (
        f'  {name:7} {seen.name} ({seen.message_type}), {seen.facts}'
        f'{": " if names else ""}{names}'
    )
