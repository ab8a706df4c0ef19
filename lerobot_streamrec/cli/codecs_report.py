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

from lerobot_streamrec.cli.progress import size_text
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.video.codecs.codecs import ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import AUTO, EncoderConfig
from lerobot_streamrec.video.codecs.depth_config import is_depth
from lerobot_streamrec.video.mp4.damage_scan import video_facts
from lerobot_streamrec.video.trials.auto_select import Choice
from lerobot_streamrec.video.trials.bench import Measured, Sample, synthetic_sample, video_sample
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
    cameras = [
        key for key, spec in features.items() if spec.is_video and not is_depth(spec.info)
    ]
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
    cameras = f'{num_streams} camera{"" if num_streams == 1 else "s"}'
    table = Table(title=f'{spec.width}x{spec.height}, {spec.fps} fps, {cameras}')
    table.add_column('vcodec (encoder)', no_wrap=True)
    table.add_column('backend', no_wrap=True)
    table.add_column('works', overflow='fold')
    table.add_column('frames/s', **_RIGHT)
    table.add_column('head-room', **_RIGHT)
    for one in trials:
        table.add_row(
            _name(one.config),
            one.config.backend,
            Text('yes', 'green') if one.works else Text(f'no: {one.brief}', 'red'),
            f'{one.frames_per_s:.0f}' if one.works else '',
            _headroom(one) if one.works else '',
        )
    return table


def _name(config: EncoderConfig) -> str:
    encoder = ffmpeg_encoder(config)
    return config.vcodec if encoder == config.vcodec else f'{config.vcodec} ({encoder})'


def _headroom(trial: Trial) -> Text:
    return Text(f'{trial.headroom:.1f}', '' if trial.headroom >= 1 else 'yellow')


def choice_sentence(backend: str, choice: Choice) -> str:
    """Return a sentence with the choice of ``auto``; software is always encoded by libav."""
    chosen, taken = choice.trials[-1], choice.config
    return (
        f'encoder.vcodec {AUTO} with encoder.backend {backend} would take {taken.vcodec} '
        f'({taken.backend}): {chosen}'
    )


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
    table = Table(title=f'{sample.num_frames} frames of {size}, default settings')
    table.add_column('vcodec', no_wrap=True)
    table.add_column('backend', no_wrap=True)
    for name in ('fps', 'CPU ms', 'size', 'Mbit/s', 'PSNR dB', 'SSIM'):
        table.add_column(name, **_RIGHT)
    for one in measured:
        cells = (Text(one.problem, 'red'),) if one.quality is None else _cells(one)
        table.add_row(one.config.vcodec, one.config.backend, *cells)
    return table


def _cells(measured: Measured) -> tuple[str, ...]:
    assert measured.quality is not None
    return (
        f'{measured.frames_per_s:.0f}',
        f'{measured.cpu_ms:.1f}',
        size_text(measured.size_bytes),
        f'{measured.bits_per_s / 1e6:.2f}',
        f'{measured.quality.psnr_db:.1f}',
        f'{measured.quality.ssim:.4f}',
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
        'frames_per_s': round(measured.frames_per_s, 1),
        'cpu_ms_per_frame': round(measured.cpu_ms, 2),
        'size_bytes': measured.size_bytes,
        'bits_per_s': round(measured.bits_per_s),
        **quality,
        'problem': measured.problem,
    }
