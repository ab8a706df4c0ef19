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
"""streamrec concat: several videos in one file."""

from __future__ import annotations

from pathlib import Path

import click
from lerobot_streamrec.cli.progress import (
    count_text,
    NewPath,
    progress_bar,
    size_text,
    VideoPath,
)
from lerobot_streamrec.video.tools.join import join_videos


@click.command(short_help='Join videos of one kind into one file.')
@click.argument('files', nargs=-1, required=True, type=VideoPath)
@click.option('--output', required=True, type=NewPath, help='The file to make.')
@click.option('--overwrite', is_flag=True, help='Replace the file if it is there.')
def concat(files: tuple[Path, ...], output: Path, overwrite: bool) -> None:
    """
    Show FILES one after the other in one file, without encoding them again.

    They have to be of one codec, encoded with the same settings, of one size and rate, and without
    sound; what differs is told, and nothing is made then.
    """
    with progress_bar('joining') as progress:
        made = join_videos(files, output, overwrite=overwrite, progress=progress)
    click.echo(
        f'{output}: {count_text(made.num_frames, "frame")} of {count_text(len(files), "file")}, '
        f'{size_text(made.size_bytes)}'
    )
