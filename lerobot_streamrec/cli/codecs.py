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
"""The command `streamrec codecs`, which tries and compares the encoders on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
import re
import tempfile

import click
from lerobot_streamrec.cli.codecs_report import (
    choice_json,
    choice_sentence,
    measured_json,
    measured_table,
    sample_of,
    trial_json,
    trial_table,
)
from lerobot_streamrec.cli.progress import show_json, shown_option, Steps, steps_bar
from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.codecs.config import (
    AUTO,
    BACKENDS,
    EncoderConfig,
    FFMPEG,
    FfmpegSettings,
    LADDER,
    PYAV,
    VideoSpec,
)
from lerobot_streamrec.video.codecs.scheduling import cores_each
from lerobot_streamrec.video.trials.auto_select import (
    CameraNeed,
    choose_encoders,
    known_trial,
    listed_encoders,
)
from lerobot_streamrec.video.trials.bench import measure_encoder, Measured, Sample
from lerobot_streamrec.video.trials.choice import Choice, NOT_BUILT
from lerobot_streamrec.video.trials.cost import CostMeter, costs_path
from lerobot_streamrec.video.trials.trial import Trial
from rich.console import Console

ALL = 'all'
# There is nobody who waits for a recording.
_BUDGET_S = 60.0


def _size(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    if match is None or not all(16 <= int(side) <= 16384 for side in match.groups()):
        raise click.BadParameter(
            f'{text!r} is not a size such as 640x480, with 16 to 16384 pixels a side'
        )
    return int(match[1]), int(match[2])


@dataclass(frozen=True, slots=True)
class _Need:
    """The load of a recording: size and rate of its videos, cameras at once, and head-room."""

    spec: VideoSpec
    num_streams: int
    head_room: float


@click.command()
@shown_option('--size', callback=_size, default='640x480', help='Size of the images.')
@shown_option('--fps', type=click.IntRange(1, 1000), default=30, help='Frames per second.')
@shown_option(
    '--streams',
    type=click.IntRange(1, 64),
    default=1,
    help='Number of cameras that are encoded at once.',
)
@shown_option(
    '--backend',
    type=click.Choice([*BACKENDS, ALL]),
    default=PYAV,
    help='Encoder backend: libav in the recorder, an ffmpeg program, or both.',
)
@shown_option('--ffmpeg', default='ffmpeg', help='Program of the ffmpeg backend.')
@shown_option(
    '--head-room',
    type=click.FloatRange(1, 100),
    default=2.0,
    help='Cores per busy core that auto is to leave, as encoder.head_room.',
)
@click.option('--bench', is_flag=True, help='Compare the working encoders on a sample.')
@shown_option(
    '--g',
    'distances',
    type=click.IntRange(1, 100_000),
    multiple=True,
    default=(2,),
    help='With --bench: distance of key frames; may be given several times.',
)
@click.option(
    '--source',
    type=click.Path(exists=True, path_type=Path),
    help='With --bench: dataset or MP4 that gives the sample, its size and its frame rate.',
)
@shown_option(
    '--seconds',
    type=click.FloatRange(0.1, 600),
    default=4.0,
    help='With --bench: length of the sample in seconds.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print everything as JSON.')
def codecs(
    size: tuple[int, int],
    fps: int,
    streams: int,
    backend: str,
    ffmpeg: str,
    head_room: float,
    bench: bool,
    distances: tuple[int, ...],
    source: Path | None,
    seconds: float,
    as_json: bool,
) -> None:
    """
    Try every encoder on this machine, and show which one encoder.vcodec auto would take.

    Each encoder encodes moving images in a process of its own, since it may hang or crash. It
    works only if the decoded video shows these images.
    """
    if source is not None and not bench:
        raise click.UsageError('--source only applies together with --bench')
    need, sample = _Need(VideoSpec(*size, fps), streams, head_room), None
    with tempfile.TemporaryDirectory(prefix='streamrec-codecs-') as folder:
        if bench:
            sample = sample_of(source, Path(folder), size=size, fps=fps, seconds=seconds)
            need = _Need(sample.spec, streams, head_room)
        trials, choices = _find_out(_listed(backend, FfmpegSettings(ffmpeg)), need)
        measured = list(_measure(trials, distances, sample)) if sample is not None else []
    if as_json:
        told = {
            'trials': [trial_json(one) for one in trials],
            'auto': {name: choice_json(one) for name, one in choices.items()},
            'bench': [measured_json(one) for one in measured],
        }
        show_json(told)
        return
    console = Console()
    console.print(trial_table(trials))
    for name, choice in choices.items():
        console.print(choice_sentence(name, choice), soft_wrap=True)
    if sample is not None:
        console.print(measured_table(measured, sample))


def _listed(backend: str, ffmpeg: FfmpegSettings) -> dict[str, list[tuple[EncoderConfig, bool]]]:
    """
    List the encoders to try, and whether they are built in, by backend.

    :raise CodecError: if only the ffmpeg backend was requested and its program cannot be run
    """
    if backend != ALL:
        return {backend: listed_encoders(EncoderConfig(AUTO, backend=backend, ffmpeg=ffmpeg))}
    listed = {PYAV: listed_encoders(EncoderConfig(AUTO))}
    try:
        listed[FFMPEG] = listed_encoders(EncoderConfig(AUTO, backend=FFMPEG, ffmpeg=ffmpeg))
    except CodecError as error:
        click.echo(f'note: {error}', err=True)
    return listed


def _find_out(
    listed: dict[str, list[tuple[EncoderConfig, bool]]], need: _Need
) -> tuple[list[Trial], dict[str, Choice]]:
    """Return the trials of all encoders, and the choice of auto for each backend."""
    trials, choices = [], {}
    with steps_bar(sum(map(len, listed.values()))) as steps:
        for backend, encoders in listed.items():
            trials += [_trial(config, is_built, need, steps) for config, is_built in encoders]
            auto = EncoderConfig(AUTO, backend=backend, ffmpeg=encoders[0][0].ffmpeg)
            choices[backend] = _choose(auto, need)
    return trials, choices


def _choose(auto: EncoderConfig, need: _Need) -> Choice:
    """Choose as a recording does, by new measurements, which later recordings use."""
    camera = CameraNeed(auto.with_threads(cores_each(need.num_streams)), need.spec)
    with CostMeter(budget_s=_BUDGET_S, kept=costs_path(), is_fresh=True) as meter:
        return choose_encoders(
            {f'camera {index}': camera for index in range(need.num_streams)},
            meter,
            wanted_head_room=need.head_room,
        )


def _measure(
    trials: list[Trial], distances: tuple[int, ...], sample: Sample
) -> Iterator[Measured]:
    """Measure the ladder and the encoders that work, at each distance of key frames."""
    ladder = [EncoderConfig(AUTO).on_rung(one) for one in LADDER]
    others = [one.config for one in trials if one.works and one.config not in ladder]
    configs = [replace(one, g=g) for g in distances for one in (*ladder, *others)]
    with steps_bar(len(configs)) as steps:
        for config in configs:
            steps(f'encoding the sample: {_title(config)}')
            yield measure_encoder(config, sample)


def _trial(config: EncoderConfig, is_built: bool, need: _Need, steps: Steps) -> Trial:
    steps(f'trying {_title(config)}')
    if not is_built:
        return Trial(config, need.spec, need.num_streams, problem=NOT_BUILT)
    return known_trial(config, need.spec, num_streams=need.num_streams)


def _title(config: EncoderConfig) -> str:
    return f'{config.vcodec} ({config.backend})'
