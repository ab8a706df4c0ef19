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
"""The sample, the tables and the JSON of `streamrec codecs`."""

from __future__ import annotations

from dataclasses import asdict
import math
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.errors import ConfigError, count_text
from lerobot_streamrec.video.codecs.codecs import ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import AUTO, EncoderConfig, PYAV
from lerobot_streamrec.video.codecs.depth_config import is_depth
from lerobot_streamrec.video.mp4.damage_scan import video_facts
from lerobot_streamrec.video.trials.bench import Measured, Sample, synthetic_sample, video_sample
from lerobot_streamrec.video.trials.choice import Choice, encoder_text
from lerobot_streamrec.video.trials.trial import Trial
from rich.table import Table
from rich.text import Text


def sample_of(
    source: Path | None, folder: Path, *, size: tuple[int, int], fps: int, seconds: float
) -> Sample:
    """
    Return the images that the encoders are compared on.

    :param source: dataset folder or MP4; None to generate images
    :param folder: folder that the sample is written to
    :param size: width and height of generated images, in pixels
    :param fps: frame rate of generated images, and of an MP4 that does not tell its own
    :param seconds: length of the sample
    :raise ConfigError: if the dataset has no episode with a colour camera
    :raise DatasetError: if the source cannot be read
    """
    if source is None:
        width, height = size
        return synthetic_sample(folder, width=width, height=height, fps=fps, seconds=seconds)
    if not source.is_dir():
        rate = round(video_facts(source).fps) or fps
        return video_sample(folder, source, fps=rate, seconds=seconds)
    catalog = read_catalog(source)
    features = catalog.info.features
    cameras = [key for key, spec in features.items() if spec.is_video and not is_depth(spec.info)]
    if not cameras or not catalog.episodes:
        raise ConfigError('--source', str(source), 'it has no episode with a colour camera')
    place = catalog.episodes[0].videos[cameras[0]]
    return video_sample(
        folder,
        catalog.video_path(cameras[0], place.file),
        fps=catalog.info.fps,
        seconds=min(seconds, place.to_timestamp - place.from_timestamp),
        from_s=place.from_timestamp,
    )


_RIGHT: dict[str, Any] = {'justify': 'right', 'no_wrap': True}


def trial_table(trials: list[Trial]) -> Table:
    """Return a table with the result of each encoder's trial."""
    spec, num_streams = trials[0].spec, trials[0].num_streams
    cameras = count_text(num_streams, 'camera')
    table = Table(title=f'{spec.width}x{spec.height}, {spec.fps} fps, {cameras}')
    table.add_column('vcodec (encoder)', no_wrap=True)
    table.add_column('backend', no_wrap=True)
    table.add_column('works', overflow='fold')
    table.add_column('frames/s', **_RIGHT)
    table.add_column('head-room', **_RIGHT)
    for one in trials:
        cells = [Text(f'no: {one.brief}', 'red')]
        if one.works:
            head_room = Text(f'{one.headroom:.1f}', '' if one.headroom >= 1 else 'yellow')
            cells = [Text('yes', 'green'), Text(f'{one.frames_per_s:.0f}'), head_room]
        table.add_row(_name(one.config), one.config.backend, *cells)
    return table


def _name(config: EncoderConfig) -> str:
    encoder = ffmpeg_encoder(config)
    return config.vcodec if encoder == config.vcodec else f'{config.vcodec} ({encoder})'


def choice_sentence(backend: str, choice: Choice) -> str:
    """Return a sentence with the choice of ``auto``; software is always encoded by libav."""
    return f'encoder.vcodec {AUTO} with encoder.backend {backend}: {choice}'


def choice_json(choice: Choice) -> dict[str, Any]:
    """Return the choice of ``auto`` for equal cameras as JSON."""
    taken = next(iter(choice.level.encoders.values()))
    return {
        'vcodec': taken.vcodec,
        'backend': taken.backend,
        'preset': taken.preset,
        'crf': taken.crf,
        'busy_cores': round(choice.level.cores, 3),
        'head_room': round(choice.head_room, 2),
        'reasons': str(choice),
    }


def trial_json(trial: Trial) -> dict[str, Any]:
    """Return a trial as JSON."""
    return {
        'vcodec': trial.config.vcodec,
        'encoder': ffmpeg_encoder(trial.config),
        'backend': trial.config.backend,
        'works': trial.works,
        'problem': trial.problem,
        'frames_per_s': round(trial.frames_per_s, 1),
        'headroom': round(trial.headroom, 2),
    }


def measured_table(measured: list[Measured], sample: Sample) -> Table:
    """Return a table that compares the encoders on a sample."""
    size = f'{sample.spec.width}x{sample.spec.height}'
    table = Table(
        title=f'{sample.num_frames} frames of {size}, by CPU time',
        caption='*: no other is better or equal in CPU time, size, PSNR and decoding at once',
    )
    table.add_column('encoder', no_wrap=True)
    for name in ('g', 'CPU ms', 'kB/frame', 'PSNR', 'SSIM', 'decode ms', ''):
        table.add_column(name, **_RIGHT)
    for one in sorted(measured, key=lambda one: (one.quality is None, one.cpu_ms)):
        cells: tuple[str | Text, ...] = ('', Text(one.problem, 'red'))
        if one.quality is not None:
            cells = (*_cells(one, sample), '*' if is_pareto(one, measured) else '')
        backend = '' if one.config.backend == PYAV else f' ({one.config.backend})'
        table.add_row(f'{encoder_text(one.config)}{backend}', *cells)
    return table


def is_pareto(one: Measured, measured: list[Measured]) -> bool:
    """Return True if no other encoder is as good in every respect, and better in one."""
    mine = _respects(one)
    others = (_respects(other) for other in measured if other.quality is not None)
    return not any(
        other != mine and all(theirs <= own for theirs, own in zip(other, mine, strict=True))
        for other in others
    )


def _respects(one: Measured) -> tuple[float, ...]:
    """Return everything that training and recording pay for; less is better."""
    assert one.quality is not None
    return one.cpu_ms, one.size_bytes, -one.quality.psnr_db, one.decode_ms


def _cells(measured: Measured, sample: Sample) -> tuple[str, ...]:
    assert measured.quality is not None
    return (
        str(measured.config.g),
        f'{measured.cpu_ms:.1f}',
        f'{measured.size_bytes / sample.num_frames / 1e3:.1f}',
        f'{measured.quality.psnr_db:.1f}',
        f'{measured.quality.ssim:.4f}',
        f'{measured.decode_ms:.1f}',
    )


def measured_json(measured: Measured) -> dict[str, Any]:
    """Return an encoder's measurement on a sample as JSON."""
    quality = asdict(measured.quality) if measured.quality else {'psnr_db': None, 'ssim': None}
    if quality['psnr_db'] == math.inf:
        # JSON has no infinity; an ssim of 1 already says that nothing was lost.
        quality['psnr_db'] = None
    return {
        'vcodec': measured.config.vcodec,
        'backend': measured.config.backend,
        'preset': measured.config.preset,
        'crf': measured.config.crf,
        'g': measured.config.g,
        'decode_ms_per_frame': round(measured.decode_ms, 2),
        'frames_per_s': round(measured.frames_per_s, 1),
        'cpu_ms_per_frame': round(measured.cpu_ms, 2),
        'size_bytes': measured.size_bytes,
        'bits_per_s': round(measured.bits_per_s),
        **quality,
        'problem': measured.problem,
    }
