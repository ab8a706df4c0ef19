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
"""The command `streamrec concat`, which joins several videos into one file."""

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


@click.command(short_help='Join videos into one file without encoding them again.')
@click.argument('files', nargs=-1, required=True, type=VideoPath)
@click.option('--output', required=True, type=NewPath, help='File to write.')
@click.option('--overwrite', is_flag=True, help='Replace the output file if it exists.')
def concat(files: tuple[Path, ...], output: Path, overwrite: bool) -> None:
    """
    Join FILES in this order into one file, without encoding them again.

    All files must have the same codec, encoder settings, size and frame rate, and no sound. If
    they differ, the difference is shown and nothing is written.
    """
    with progress_bar('joining') as progress:
        made = join_videos(files, output, overwrite=overwrite, progress=progress)
    click.echo(
        f'{output}: {count_text(made.num_frames, "frame")} of {count_text(len(files), "file")}, '
        f'{size_text(made.size_bytes)}'
    )
