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
"""The command `streamrec probe`, which shows what video files contain."""

from __future__ import annotations

import json
from pathlib import Path

import click
from lerobot_streamrec.cli.progress import count_text, size_text
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.video.mp4.video_info import probe_file, VideoProbe


@click.command(short_help='Describe video files in the terms of info.json.')
@click.argument('files', nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option('--json', 'as_json', is_flag=True, help='Print a list of all files as JSON.')
def probe(files: tuple[Path, ...], as_json: bool) -> int:
    """
    Show the length of each of FILES, and the facts that LeRobot would store about it.

    Nothing is decoded. Exit status: 0 if all files are whole videos, 1 if not.
    """
    found: list[VideoProbe] = []
    is_whole = True
    for path in files:
        try:
            found.append(probe_file(path))
        except DatasetCorruptError as error:
            is_whole = False
            click.echo(f'streamrec: {error}', err=True)
            continue
        is_whole = is_whole and not found[-1].missing_bytes
        if not as_json:
            _show(found[-1])
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], indent=2, ensure_ascii=False))
    return 0 if is_whole else 1


def _show(found: VideoProbe) -> None:
    info = found.info
    click.echo(found.path)
    click.echo(
        f'  {count_text(found.num_frames, "frame")}, {float(found.duration_s):.3f} s at '
        f'{info["video.fps"]} fps, {size_text(found.size_bytes)}'
    )
    for name, value in info.items():
        click.echo(f'  {name}: {json.dumps(value)}')
    if found.missing_bytes:
        click.echo(f'  cut off: {found.missing_bytes} bytes are missing at its end')
