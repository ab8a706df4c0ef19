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
"""The command `streamrec reencode`, which encodes a video or a dataset again."""

from __future__ import annotations

from pathlib import Path
import time

import click
from lerobot_streamrec.cli.progress import (
    count_text,
    measure_text,
    NewPath,
    progress_bar,
    show_remarks,
    size_text,
)
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.rebuild.reencode import plan_encoding, reencode_dataset
from lerobot_streamrec.video.codecs.config import (
    AUTO,
    BACKENDS,
    EncoderConfig,
    LEROBOT,
    PYAV,
    VCODECS,
)
from lerobot_streamrec.video.tools.encoding_jobs import num_workers
from lerobot_streamrec.video.tools.reencode import reencode_video

_DEFAULTS = EncoderConfig(profile=LEROBOT)
_VCODECS = tuple(one for one in VCODECS if one != AUTO)


def _options(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Parse options of the codec in the form ``name=value``."""
    found = {}
    for text in values:
        name, is_set, value = text.partition('=')
        if not (name and is_set):
            raise click.BadParameter(f'{text!r} is not of the form name=value', param=option)
        found[name] = value
    return found


@click.command(short_help='Encode a video or the cameras of a dataset again.')
@click.argument('path', type=click.Path(exists=True, path_type=Path))
@click.option('--vcodec', type=click.Choice(_VCODECS), default=_DEFAULTS.vcodec, show_default=True)
@click.option(
    '--crf',
    type=float,
    default=_DEFAULTS.crf,
    show_default=True,
    help='Quality: lower is better, and gives larger files.',
)
@click.option(
    '--g',
    type=int,
    default=_DEFAULTS.g,
    show_default=True,
    help='Distance between key frames, in frames.',
)
@click.option('--preset', help='Preset of the codec, such as veryfast.')
@click.option('--pix-fmt', default=_DEFAULTS.pix_fmt, show_default=True)
@click.option('--fast-decode', type=int, default=_DEFAULTS.fast_decode, show_default=True)
@click.option(
    '--option',
    'options',
    multiple=True,
    callback=_options,
    help='Further option of the codec, such as bf=0.',
)
@click.option(
    '--backend',
    type=click.Choice(BACKENDS),
    default=PYAV,
    show_default=True,
    help='Encoder backend: libav in this process, or an ffmpeg program.',
)
@click.option('--threads', type=int, default=0, help='Threads per encoder; 0: share the cores.')
@click.option(
    '--camera',
    'cameras',
    multiple=True,
    help='With a dataset: camera, such as front; all by default.',
)
@click.option('--output', type=NewPath, help='With a video: file to write.')
@click.option('--overwrite', is_flag=True, help='Replace the output file if it exists.')
@click.option(
    '--from', 'start_s', type=click.FloatRange(min=0), help='With a video: start, in seconds.'
)
@click.option(
    '--to', 'end_s', type=click.FloatRange(min=0), help='With a video: end, in seconds, excluded.'
)
@click.option('--dry-run', is_flag=True, help='With a dataset: only show what would be done.')
def reencode(
    path: Path,
    vcodec: str,
    crf: float,
    g: int,
    preset: str | None,
    pix_fmt: str,
    fast_decode: int,
    options: dict[str, str],
    backend: str,
    threads: int,
    cameras: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    start_s: float | None,
    end_s: float | None,
    dry_run: bool,
) -> None:
    """
    Encode PATH, a video or a dataset, again with other settings.

    The new dataset replaces the old one in one step; rows, timestamps and statistics stay. Depth
    cameras are left alone unless the encoder is lossless.
    """
    config = EncoderConfig(vcodec, pix_fmt, g, crf, preset, fast_decode, threads, options, backend)
    if path.is_dir():
        if output or overwrite or start_s is not None or end_s is not None:
            raise click.UsageError('--output, --overwrite, --from and --to only apply to a video')
        _reencode_dataset(path, config, cameras, dry_run=dry_run)
        return
    if cameras or dry_run:
        raise click.UsageError('--camera and --dry-run only apply to a dataset')
    if output is None:
        raise click.UsageError(f'{path} is a video: name the file to write with --output')
    begin_s, before_bytes = time.monotonic(), path.stat().st_size
    with progress_bar('encoding', is_bytes=False) as progress:
        made = reencode_video(
            path,
            output,
            config,
            start_s=start_s,
            end_s=end_s,
            overwrite=overwrite,
            progress=progress,
        )
    click.echo(
        f'{output}: {count_text(made.num_frames, "frame")}, {size_text(before_bytes)} became '
        f'{size_text(made.size_bytes)} in {time.monotonic() - begin_s:.1f} s'
    )


def _reencode_dataset(
    root: Path, config: EncoderConfig, cameras: tuple[str, ...], *, dry_run: bool
) -> None:
    if dry_run:
        plan = plan_encoding(read_catalog(root), config, cameras)
        jobs = list(plan.jobs())
        click.echo(
            f'would encode {count_text(plan.num_frames, "frame")} of {root} to {config.vcodec}, '
            f'{count_text(num_workers(len(jobs)), "file")} at once:'
        )
        for key in plan.cameras:
            sizes = [job.piece.size_bytes for job in jobs if job.video_key == key]
            click.echo(f'  {key}: {count_text(len(sizes), "file")} of {size_text(sum(sizes))}')
        for remark in plan.left_alone:
            click.echo(f'note: {remark}', err=True)
        return
    with progress_bar('encoding', is_bytes=False) as progress:
        change = reencode_dataset(root, config, cameras=cameras, progress=progress)
    show_remarks(change)
    click.echo(
        f'encoded {root} again: {measure_text(change.before)} became '
        f'{measure_text(change.after)} in {change.seconds:.1f} s'
    )
