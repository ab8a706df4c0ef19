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
"""`streamrec concat`, `probe`, `frames`, `encode` and `reencode`, the tools for videos."""

from __future__ import annotations

import json
from pathlib import Path
import time

import click
from lerobot_streamrec.cli.progress import (
    cameras_option,
    change_text,
    DatasetPath,
    NewPath,
    overwrite_option,
    progress_bar,
    show_json,
    show_remarks,
    shown_option,
    VideoPath,
    workers_options,
)
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.rebuild.played_episode import extract_episode
from lerobot_streamrec.dataset.rebuild.reencode import plan_encoding, reencode_dataset
from lerobot_streamrec.dataset.takes.deferred import DeferredTake, DeferredTakes, encode_take
from lerobot_streamrec.dataset.takes.open_dataset import open_as_it_is
from lerobot_streamrec.errors import count_text, DatasetCorruptError, StreamrecError
from lerobot_streamrec.report.summary import size_text
from lerobot_streamrec.video.codecs.config import (
    AUTO,
    BACKENDS,
    EncoderConfig,
    LEROBOT,
    PYAV,
    VCODECS,
)
from lerobot_streamrec.video.codecs.scheduling import renounce_real_time
from lerobot_streamrec.video.mp4.video_info import probe_file, VideoProbe
from lerobot_streamrec.video.tools.encoding_jobs import num_workers
from lerobot_streamrec.video.tools.extract import Choice, extract_frames
from lerobot_streamrec.video.tools.join import join_videos
from lerobot_streamrec.video.tools.reencode import reencode_video
from lerobot_streamrec.workers import Workers


@click.command(short_help='Join videos into one file without encoding them again.')
@click.argument('files', nargs=-1, required=True, type=VideoPath)
@click.option('--output', required=True, type=NewPath, help='File to write.')
@overwrite_option
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
        show_json([one.as_json() for one in found])
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


@click.command()
@click.argument('root', type=DatasetPath)
def encode(root: Path) -> None:
    """
    Encode the saved episodes that wait in the dataset ROOT, and add them to it.

    Episodes wait if they were saved with `encode: deferred`, if the recorder ended before an
    encoder had time for them, or if a crash interrupted them. Nothing is lost if the command is
    interrupted: the episodes that are not yet encoded keep waiting.
    """
    renounce_real_time()
    writer, said = open_as_it_is(root)
    try:
        for sentence in said:
            click.echo(sentence)
        takes = DeferredTakes(writer)
        if not takes.takes:
            click.echo(f'no episode of {root} waits to be encoded')
        failed = [one for one in takes.takes if not _encode_one(takes, one)]
    finally:
        writer.close()
    if failed:
        num_left = sum(one.folder.exists() for one in failed)
        raise click.ClickException(
            f'{count_text(len(failed), "episode")} could not be encoded'
            + (f'; {num_left} still wait{"s" if num_left == 1 else ""}' if num_left else '')
        )


def _encode_one(takes: DeferredTakes, take: DeferredTake) -> bool:
    saved = take.saved
    what = f'{saved.num_rows} rows, {saved.seconds:.1f} s of {saved.task!r}'
    total = saved.num_rows * take.num_videos
    try:
        with progress_bar(f'encoding {what}', is_bytes=False) as progress:
            encoded = encode_take(take.folder, saved.num_rows, lambda done: progress(done, total))
        episode = takes.commit(take, encoded)
    except StreamrecError as error:
        click.echo(f'{what}: {error}. {takes.fail(take, error)}', err=True)
        return False
    size = size_text(episode.size_bytes)
    click.echo(f'encoded episode {episode.episode_index}: {what}, {size}{take.loss(encoded)}')
    return True


@click.command(short_help='Write frames of a video or an episode as PNG files.')
@click.argument('path', type=click.Path(exists=True, path_type=Path))
@click.option('--output', required=True, type=NewPath, help='Folder to write, empty or new.')
@click.option(
    '--episode', type=click.IntRange(min=0), help='With a dataset: number of the episode.'
)
@cameras_option
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
@shown_option('--vcodec', type=click.Choice(_VCODECS), default=_DEFAULTS.vcodec)
@shown_option(
    '--crf',
    type=float,
    default=_DEFAULTS.crf,
    help='Quality: lower is better, and gives larger files.',
)
@shown_option('--g', type=int, default=_DEFAULTS.g, help='Distance between key frames, in frames.')
@click.option('--preset', help='Preset of the codec, such as veryfast.')
@shown_option('--pix-fmt', default=_DEFAULTS.pix_fmt)
@shown_option('--fast-decode', type=int, default=_DEFAULTS.fast_decode)
@click.option(
    '--option',
    'options',
    multiple=True,
    callback=_options,
    help='Further option of the codec, such as bf=0.',
)
@shown_option(
    '--backend',
    type=click.Choice(BACKENDS),
    default=PYAV,
    help='Encoder backend: libav in this process, or an ffmpeg program.',
)
@click.option('--threads', type=int, default=0, help='Threads per encoder; 0: share the cores.')
@cameras_option
@click.option('--output', type=NewPath, help='With a video: file to write.')
@overwrite_option
@click.option(
    '--from', 'start_s', type=click.FloatRange(min=0), help='With a video: start, in seconds.'
)
@click.option(
    '--to', 'end_s', type=click.FloatRange(min=0), help='With a video: end, in seconds, excluded.'
)
@click.option('--dry-run', is_flag=True, help='With a dataset: only show what would be done.')
@workers_options('threads', 'processes', 'ray')
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
    workers: Workers,
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
        _reencode_dataset(path, config, cameras, workers, dry_run=dry_run)
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
    root: Path,
    config: EncoderConfig,
    cameras: tuple[str, ...],
    workers: Workers,
    *,
    dry_run: bool,
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
        show_remarks(plan.left_alone)
        return
    with progress_bar('encoding', is_bytes=False) as progress:
        change = reencode_dataset(
            root, config, cameras=cameras, progress=progress, workers=workers
        )
    show_remarks(change.remarks)
    click.echo(f'encoded {root} again: {change_text(change)}')
