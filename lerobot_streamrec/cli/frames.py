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
"""The command `streamrec frames`, which writes frames of a video or an episode as PNG files."""

from __future__ import annotations

from pathlib import Path

import click
from lerobot_streamrec.cli.progress import count_text, NewPath, progress_bar
from lerobot_streamrec.dataset.rebuild.played_episode import extract_episode
from lerobot_streamrec.video.tools.extract import Choice, extract_frames


@click.command(short_help='Write frames of a video or an episode as PNG files.')
@click.argument('path', type=click.Path(exists=True, path_type=Path))
@click.option('--output', required=True, type=NewPath, help='Folder to write, empty or new.')
@click.option(
    '--episode', type=click.IntRange(min=0), help='With a dataset: number of the episode.'
)
@click.option(
    '--camera',
    'cameras',
    multiple=True,
    help='With a dataset: camera, such as front; all by default.',
)
@click.option(
    '--every', type=click.IntRange(min=1), default=1, help='Write only every n-th frame.'
)
@click.option('--from', 'start_s', type=click.FloatRange(min=0), help='Start time in seconds.')
@click.option('--to', 'end_s', type=click.FloatRange(min=0), help='End time in seconds, excluded.')
def frames(
    path: Path,
    output: Path,
    episode: int | None,
    cameras: tuple[str, ...],
    every: int,
    start_s: float | None,
    end_s: float | None,
) -> None:
    """
    Write the frames of PATH, a video or a dataset, as files such as frame-000012.png.

    For a dataset, --episode chooses the episode, and each camera gets a folder. Files are numbered
    by frame; depth is written as 16-bit millimetres.
    """
    choice = Choice(every, start_s, end_s)
    if path.is_dir():
        if episode is None:
            raise click.UsageError(f'{path} is a dataset: choose an episode with --episode')
        with progress_bar('writing', is_bytes=False) as progress:
            found = extract_episode(
                path, episode, output, choice, cameras=cameras, progress=progress
            )
        for key, number in found.items():
            click.echo(f'{output / key}: {count_text(number, "frame")}')
        return
    if episode is not None or cameras:
        raise click.UsageError(f'{path} is a file: --episode and --camera only apply to a dataset')
    with progress_bar('writing', is_bytes=False) as progress:
        number = extract_frames(path, output, choice, progress=progress)
    click.echo(f'{output}: {count_text(number, "frame")}')
