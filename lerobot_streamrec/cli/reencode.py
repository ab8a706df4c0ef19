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
"""streamrec reencode: a video or a dataset in another codec."""

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
from lerobot_streamrec.video.codecs.config import AUTO, BACKENDS, EncoderConfig, PYAV, VCODECS
from lerobot_streamrec.video.tools.encoding_jobs import num_workers
from lerobot_streamrec.video.tools.reencode import reencode_video

_DEFAULTS = EncoderConfig()
_VCODECS = tuple(one for one in VCODECS if one != AUTO)


def _options(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Read options of the codec as people write them: ``name=value``."""
    found = {}
    for text in values:
        name, is_set, value = text.partition('=')
        if not (name and is_set):
            raise click.BadParameter(f'{text!r} is not like name=value', param=option)
        found[name] = value
    return found


@click.command(short_help='Encode a video or the cameras of a dataset again.')
@click.argument('path', type=click.Path(exists=True, path_type=Path))
@click.option('--vcodec', type=click.Choice(_VCODECS), default=_DEFAULTS.vcodec, show_default=True)
@click.option(
    '--crf', type=float, default=_DEFAULTS.crf, show_default=True, help='Less is better.'
)
@click.option(
    '--g', type=int, default=_DEFAULTS.g, show_default=True, help='Distance of key frames.'
)
@click.option('--preset', help="In the codec's own words.")
@click.option('--pix-fmt', default=_DEFAULTS.pix_fmt, show_default=True)
@click.option('--fast-decode', type=int, default=_DEFAULTS.fast_decode, show_default=True)
@click.option('--option', 'options', multiple=True, callback=_options, help='Such as bf=0.')
@click.option(
    '--backend', type=click.Choice(BACKENDS), default=PYAV, show_default=True, help='What encodes.'
)
@click.option('--threads', type=int, default=0, help='Of one encoder; 0: cores are shared out.')
@click.option(
    '--camera', 'cameras', multiple=True, help='Of a dataset: such as front; all by default.'
)
@click.option('--output', type=NewPath, help='Of a video: the file to make.')
@click.option('--overwrite', is_flag=True, help='Replace that file if it is there.')
@click.option('--from', 'start_s', type=click.FloatRange(min=0), help='Of a video: the beginning.')
@click.option('--to', 'end_s', type=click.FloatRange(min=0), help='Of a video: the end, excluded.')
@click.option('--dry-run', is_flag=True, help='Of a dataset: say what would be done.')
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
    Encode PATH again, a video or a dataset, with other settings.

    A dataset is exchanged for the new one in one step; its rows, timestamps and statistics stay.
    Cameras of depth are left alone unless the encoder loses nothing.
    """
    config = EncoderConfig(vcodec, pix_fmt, g, crf, preset, fast_decode, threads, options, backend)
    if path.is_dir():
        if output or overwrite or start_s is not None or end_s is not None:
            raise click.UsageError('--output, --overwrite, --from and --to go with a video')
        _reencode_dataset(path, config, cameras, dry_run=dry_run)
        return
    if cameras or dry_run:
        raise click.UsageError('--camera and --dry-run go with a dataset')
    if output is None:
        raise click.UsageError(f'{path} is a video: say with --output where the new one goes')
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
