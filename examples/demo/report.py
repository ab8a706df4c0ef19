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
"""The verdict as text for people."""

from __future__ import annotations

from collections.abc import Iterator

from examples.demo.verdict import EpisodeVerdict, Verdict

_MEGABYTE = 1e6


def format_verdict(verdict: Verdict) -> str:
    """Return what was recorded, what is wrong with it, and the verdict in one last line."""
    lines = [line for episode in verdict.episodes for line in _episode_lines(episode)]
    lines += [f'PROBLEM  {problem}' for problem in verdict.problems]
    lines.append(_conclusion(verdict))
    return '\n'.join(lines)


def _episode_lines(episode: EpisodeVerdict) -> Iterator[str]:
    yield (
        f'episode {episode.episode_index}  "{episode.task}"  '
        f'{episode.rows} rows  {episode.duration_s:.2f} s'
    )
    yield f'  {"":30}{"frames":>8}{"wrong":>8}{"repeated":>10}{"skipped":>9}{"MB":>8}'
    for camera in episode.cameras:
        megabytes = camera.size_bytes / _MEGABYTE
        yield (
            f'  {camera.key:30}{camera.frames:>8}{camera.wrong:>8}'
            f'{camera.repeated:>10}{camera.skipped:>9}{megabytes:>8.2f}'
        )
    for vector in episode.vectors:
        yield f'  {vector.key:30}{vector.rows:>8}{vector.wrong:>8}'


def _conclusion(verdict: Verdict) -> str:
    if not verdict.episodes:
        return 'NOT OK: there is no episode'
    if not verdict.ok:
        count = len(verdict.problems)
        return f'NOT OK: {count} problem{"s" if count > 1 else ""}'
    rows = sum(episode.rows for episode in verdict.episodes)
    frames = sum(camera.frames for episode in verdict.episodes for camera in episode.cameras)
    return f'OK: all {rows} rows and {frames} frames are what was published at their instant'
